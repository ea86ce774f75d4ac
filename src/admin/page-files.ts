import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import type { Route, Router } from './routes.ts';

/**
 * Nothing from elsewhere, nothing inline, and no text becomes markup (trusted types): names of backends and
 * the words of their checks come from outside.
 */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
} as const;

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/**
 * The files of the status page, read once into memory: no path from a request reaches the file system.
 * `/` is index.html.
 */
export function pageFiles(directory: string): Router {
  const routes = new Map<string, Route>();
  for (const name of readdirSync(directory)) {
    const type = TYPES[extname(name)];
    if (type !== undefined) routes.set(`/${name}`, file(readFileSync(join(directory, name)), type));
  }
  const index = routes.get('/index.html');
  if (index !== undefined) routes.set('/', index);
  return (url) => routes.get(url.pathname);
}

function file(content: Buffer, type: string): Route {
  const etag = `"${createHash('sha256').update(content).digest('base64url')}"`;
  return {
    method: 'GET',
    open: true,
    handle({ request, response }) {
      const headers = { ...HEADERS, etag, 'cache-control': 'no-cache' };
      if (request.headers['if-none-match'] === etag) {
        response.writeHead(304, headers).end();
        return;
      }
      response.writeHead(200, { ...headers, 'content-type': type, 'content-length': content.length });
      response.end(request.method === 'HEAD' ? undefined : content);
    },
  };
}
