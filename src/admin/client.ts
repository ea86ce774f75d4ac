import { type IncomingMessage, type RequestOptions, request } from 'node:http';
import { z } from 'zod';
import { EXIT, type ExitStatus, errnoOf, messageOf, TandemError } from '../lib/errors.ts';
import type { TandemEvent } from '../model/event.ts';
import { connectFailure, connectionLost } from './connect-failure.ts';
import {
  type BackendStatus,
  type CommandResult,
  type DiffResult,
  type DrillReport,
  errorBody,
  type FailoverHistory,
  type ReloadResult,
  type Status,
} from './contract.ts';
import {
  type Input,
  type JsonRouteName,
  type Output,
  pathOf,
  ROUTES,
  type RouteName,
  type RouteSpec,
} from './route-table.ts';

/** An answer longer than this is not one of ours. */
const MAX_ANSWER = 64 * 1_024 * 1_024;
const MAX_LINE = 1_024 * 1_024;
const TIMEOUT_MS = 10_000;
/** For the routes that are slow. */
const SLOW_TIMEOUT_MS = 60_000;

/** What a call says beside its route. */
interface Said {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * The admin API as typed calls. Every failure is a TandemError: "unreachable" (EXIT.unavailable), "not-a-socket"
 * (EXIT.usage), "forbidden-socket" (EXIT.noPermission), or what the daemon answered.
 */
export class AdminClient {
  readonly #socket: string;

  constructor(socket: string) {
    this.#socket = socket;
  }

  /** @param timeoutMs how long the daemon may take to answer. */
  status(timeoutMs = TIMEOUT_MS): Promise<Status> {
    return this.#json('status', { timeoutMs });
  }

  setState(service: string, backend: string, body: Input<'setBackendState'>['body']): Promise<BackendStatus> {
    return this.#json('setBackendState', { params: { service, backend }, body });
  }

  /** `weight` null goes back to the configured one. */
  setWeight(
    service: string,
    backend: string,
    body: Input<'setBackendWeight'>['body'],
  ): Promise<BackendStatus> {
    return this.#json('setBackendWeight', { params: { service, backend }, body });
  }

  reload(): Promise<ReloadResult> {
    return this.#json('reload');
  }

  /** What runs against the file on disk. */
  diff(): Promise<DiffResult> {
    return this.#json('diff');
  }

  failoverCommand(body: Input<'failoverCommand'>['body']): Promise<CommandResult> {
    return this.#json('failoverCommand', { body });
  }

  /** @param group undefined for every group */
  failoverHistory(group?: string): Promise<FailoverHistory> {
    return this.#json('failoverHistory', group === undefined ? {} : { query: { group } });
  }

  drillDone(body: DrillReport): Promise<CommandResult> {
    return this.#json('drillDone', { body });
  }

  restartAgent(): Promise<CommandResult> {
    return this.#json('restartAgent');
  }

  /**
   * Events after number `after`, oldest first; with `follow` it goes on until `signal` aborts (which ends the
   * iteration quietly) or the daemon ends (which throws "connection-lost").
   */
  async *events(options: {
    after: number;
    follow: boolean;
    signal?: AbortSignal;
  }): AsyncGenerator<TandemEvent, void, undefined> {
    const query = { after: String(options.after), ...(options.follow ? { follow: '1' } : {}) };
    const signal = options.signal;
    try {
      const response = await this.#send('events', { query, ...(signal === undefined ? {} : { signal }) });
      // Nothing may come for hours.
      response.socket.setTimeout(0);
      for await (const line of linesOf(response)) {
        yield parse(JSON.parse(line), ROUTES.events.answer.schema);
      }
      if (options.follow) throw connectionLost(this.#socket);
    } catch (error) {
      if (signal?.aborted === true) return;
      throw this.#asTandemError(error);
    }
  }

  async #json<Name extends JsonRouteName>(name: Name, said: Said = {}): Promise<Output<Name>> {
    try {
      const response = await this.#send(name, said);
      // the table's types say which schema goes with which name
      const schema = ROUTES[name].answer.schema as unknown as z.ZodType<Output<Name>>;
      return parse(JSON.parse(await readAll(response)), schema);
    } catch (error) {
      throw this.#asTandemError(error);
    }
  }

  /** Resolves with a 2xx answer whose body is still to be read. */
  async #send(name: RouteName, said: Said): Promise<IncomingMessage> {
    const spec: RouteSpec = ROUTES[name];
    const query = new URLSearchParams(said.query).toString();
    const body = said.body === undefined ? '' : JSON.stringify(said.body);
    const options: RequestOptions = {
      socketPath: this.#socket,
      method: spec.method,
      path: `${pathOf(spec, said.params)}${query === '' ? '' : `?${query}`}`,
      agent: false,
      timeout: said.timeoutMs ?? (spec.slow === true ? SLOW_TIMEOUT_MS : TIMEOUT_MS),
      headers: {
        host: 'tandem',
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      },
      ...(said.signal === undefined ? {} : { signal: said.signal }),
    };
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const sent = request(options, resolve);
      sent.once('timeout', () => sent.destroy(noAnswer(this.#socket)));
      sent.once('error', reject);
      sent.end(body);
    });
    const code = response.statusCode ?? 500;
    if (code >= 200 && code < 300) return response;
    throw answeredError(code, await readAll(response));
  }

  #asTandemError(error: unknown): unknown {
    if (error instanceof TandemError) return error;
    if (error instanceof SyntaxError) return badAnswer('not JSON', error);
    const failure = connectFailure(this.#socket, error);
    if (failure !== undefined) return failure;
    if (errnoOf(error) === undefined) return error;
    return new TandemError('unreachable', `talking to the daemon at ${this.#socket}: ${messageOf(error)}`, {
      exitStatus: EXIT.unavailable,
      cause: error,
    });
  }
}

function parse<T>(value: unknown, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw badAnswer(z.prettifyError(parsed.error), parsed.error);
}

async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_ANSWER) throw badAnswer(`longer than ${MAX_ANSWER} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function* linesOf(response: IncomingMessage): AsyncGenerator<string, void, undefined> {
  let rest = '';
  response.setEncoding('utf8');
  for await (const chunk of response as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MAX_LINE) throw badAnswer(`a line longer than ${MAX_LINE} characters`);
    yield* lines;
  }
}

/** What the daemon answered, as the error that it threw there. */
function answeredError(httpStatus: number, body: string): TandemError {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (error) {
    return badAnswer(`HTTP ${httpStatus} and not JSON`, error);
  }
  const parsed = errorBody.safeParse(value);
  if (!parsed.success) return badAnswer(`HTTP ${httpStatus} without an error`, parsed.error);
  const { code, message, hint } = parsed.data.error;
  return new TandemError(code, message, {
    // to name what does not exist is a wrong command line
    exitStatus: code.startsWith('unknown-') ? EXIT.usage : exitStatusOf(httpStatus),
    ...(hint === undefined ? {} : { hint }),
  });
}

/** The inverse of the server's choice of an HTTP status. */
function exitStatusOf(httpStatus: number): ExitStatus {
  switch (httpStatus) {
    case 400:
    case 422:
      return EXIT.usage;
    case 403:
      return EXIT.noPermission;
    case 503:
      return EXIT.unavailable;
    default:
      return EXIT.failure;
  }
}

function noAnswer(socket: string): TandemError {
  return new TandemError('no-answer', `the daemon at ${socket} does not answer`, {
    hint: 'it hangs or is stopped; its log and "ps" say more',
    exitStatus: EXIT.unavailable,
  });
}

function badAnswer(what: string, cause?: unknown): TandemError {
  return new TandemError('bad-answer', `the daemon's answer is not understood: ${what}`, {
    hint: 'is the daemon of another version than this command? See "tandem version"',
    exitStatus: EXIT.unavailable,
    cause,
  });
}
