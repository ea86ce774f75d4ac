import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Access } from './contract.ts';
import { HttpError, sendError } from './http.ts';
import type { Route, Router } from './routes.ts';

export const MAX_CONNECTIONS = 64;
const CLOSE_GRACE_MS = 500;
export const HTTP_OPTIONS = {
  maxHeaderSize: 8 * 1_024,
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
};

export type Report = (error: unknown) => void;

export interface DispatchOptions {
  readonly route: Router;
  /** Who asks, and what may they do? Throws HttpError when not this. */
  readonly admit: (request: IncomingMessage, route: Route | undefined) => Access;
  /** Hears of errors that are the daemon's own. */
  readonly report: Report;
}

/** Answers every request with its route, or with the contract's error. */
export function dispatcher(
  options: DispatchOptions,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => void answer(options, request, response);
}

async function answer(
  { route, admit, report }: DispatchOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // A client that goes away in the middle of an answer is nobody's error.
  response.on('error', () => response.destroy());
  try {
    const method = request.method === 'HEAD' ? 'GET' : (request.method ?? 'GET');
    const url = parseTarget(request.url ?? '/');
    const found = route(url);
    const access = admit(request, found);
    if (found === undefined) {
      throw new HttpError(404, 'unknown-route', `there is no ${url.pathname} here`);
    }
    if (found.method !== method) {
      const headers = { allow: found.method };
      throw new HttpError(405, 'wrong-method', `${url.pathname} takes ${found.method}`, { headers });
    }
    await found.handle({ request, response, url, access });
  } catch (error) {
    // What is left of a refused body is not read: the connection ends with the answer.
    if (!request.complete) response.setHeader('connection', 'close');
    sendError(response, error, report);
  }
}

function parseTarget(target: string): URL {
  // An absolute base, and a leading slash only: "//host/..." would be taken for another host.
  if (!target.startsWith('/') || target.startsWith('//') || !URL.canParse(target, 'http://tandem')) {
    throw new HttpError(400, 'bad-target', 'the request target is not a path');
  }
  return new URL(target, 'http://tandem');
}

/** A server that ends: what is under way gets a moment to finish. */
export function closable(server: Server, before: () => Promise<void>): { close(): Promise<void> } {
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await before();
    const closed = new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
    server.closeIdleConnections();
    const cut = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
    await closed;
    clearTimeout(cut);
  };
  return {
    close() {
      closing ??= close();
      return closing;
    },
  };
}
