import type { IncomingMessage, ServerResponse } from 'node:http';
import type { z } from 'zod';
import { EXIT, messageOf, TandemError } from '../lib/errors.ts';

/** A request that the server answers with an error before the daemon is asked. */
export class HttpError extends TandemError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  constructor(
    status: number,
    code: string,
    message: string,
    options: { hint?: string; headers?: Readonly<Record<string, string>> } = {},
  ) {
    const { hint, headers = {} } = options;
    super(code, message, { exitStatus: EXIT.usage, ...(hint === undefined ? {} : { hint }) });
    this.status = status;
    this.headers = headers;
  }
}

export function sendText(
  response: ServerResponse,
  status: number,
  body: string,
  contentType = 'text/plain; charset=utf-8',
): void {
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
  });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  sendText(response, status, `${JSON.stringify(value)}\n`, 'application/json');
}

/**
 * Answers with the contract's error body. Only errors that are meant for people are spelled out; anything
 * else goes to `report` and is "internal" to the client.
 */
export function sendError(response: ServerResponse, error: unknown, report: (error: unknown) => void): void {
  const known = error instanceof TandemError;
  if (!known) report(error);
  // The status line is out already: all that is left is to cut the answer short.
  if (response.headersSent) {
    response.destroy();
    return;
  }
  if (error instanceof HttpError) {
    for (const [name, value] of Object.entries(error.headers)) response.setHeader(name, value);
  }
  const { code, message, hint } = known
    ? error
    : { code: 'internal', message: 'internal error', hint: "the daemon's log says more" };
  sendJson(response, statusOf(error), { error: { code, message, ...(hint === undefined ? {} : { hint }) } });
}

/** The HTTP status for an error; {@link exitStatusOf} is its inverse in the client. */
function statusOf(error: unknown): number {
  if (error instanceof HttpError) return error.status;
  if (!(error instanceof TandemError)) return 500;
  if (error.code.startsWith('unknown-')) return 404;
  switch (error.exitStatus) {
    case EXIT.usage:
      return 422;
    case EXIT.noPermission:
      return 403;
    case EXIT.unavailable:
      return 503;
    default:
      return 409;
  }
}

/** Reads a JSON body of up to `limit` bytes. @throws HttpError for anything that the schema does not take. */
export async function readJson<T>(request: IncomingMessage, schema: z.ZodType<T>, limit: number): Promise<T> {
  const body = await readBody(request, limit);
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (error) {
    throw new HttpError(400, 'bad-json', `the body is not JSON: ${messageOf(error)}`);
  }
  return requireValid(value, schema);
}

/** What a request says, checked. @throws HttpError 'bad-request' with every place that the schema does not take */
export function requireValid<T>(value: unknown, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map((issue) => {
    const place = issue.path.join('.');
    return place === '' ? issue.message : `${place}: ${issue.message}`;
  });
  throw new HttpError(400, 'bad-request', issues.join('; '));
}

async function readBody(request: IncomingMessage, limit: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  // Left early, the request must stay open, or the refusal could not be sent on its socket.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > limit) throw new HttpError(413, 'body-too-large', `the body is longer than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
