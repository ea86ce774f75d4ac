import { type DestinationStream, destination, type Logger as Pino, pino } from 'pino';
import { prettyFactory } from 'pino-pretty';
import type { LogLevel } from '../model/config.ts';
import type { EventFields, TandemEvent } from '../model/event.ts';

export type LogFormat = 'pretty' | 'json';

export interface LoggerOptions {
  readonly node: string;
  readonly level: LogLevel;
  /** Left out: pretty when standard output is a terminal, JSON otherwise. */
  readonly format?: LogFormat;
  /** Left out: standard output. */
  readonly destination?: DestinationStream;
}

export interface Logger {
  /** One line for an event of the timeline. */
  event(event: TandemEvent): void;
  /** A line for the maintainers, shown at level "debug" only. `event` is a stable name too. */
  debug(event: string, message: string, fields?: EventFields): void;
  /** Something that should not happen, with its stack. */
  unexpected(message: string, error: unknown): void;
  setLevel(level: LogLevel): void;
  /** Writes out what is buffered; to be called before the process ends. */
  flush(): void;
}

/** Bytes that may wait for a reader of the log that does not keep up; further lines are dropped. */
const MAX_BUFFERED = 4 * 1_024 * 1_024;
/** Keys that the line itself uses; an event's field of that name gets an underscore in front. */
const RESERVED = new Set(['level', 'time', 'node', 'event', 'seq', 'msg', 'err']);
/** A second line of defence: no event is supposed to carry these. */
const SECRETS = ['authPass', 'auth_pass', 'password', 'secret', 'token', 'authorization'];

/**
 * The daemon's log: one line an event. Lines are written without blocking the control path, except on a
 * terminal.
 */
export function createLogger(options: LoggerOptions): Logger {
  const output = openDestination(options);
  const log = pino(
    {
      level: options.level,
      base: { node: options.node },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRETS, censor: '[redacted]' },
    },
    output.stream,
  );
  return wrap(log, output.flush);
}

function wrap(log: Pino, flush: () => void): Logger {
  return {
    event(event) {
      log[event.level](
        { event: event.name, seq: event.seq, ...withoutReserved(event.fields) },
        event.message,
      );
    },
    debug(event, message, fields = {}) {
      log.debug({ event, ...withoutReserved(fields) }, message);
    },
    unexpected(message, error) {
      log.error({ event: 'internal', err: error }, message);
    },
    setLevel(level) {
      log.level = level;
    },
    flush,
  };
}

function withoutReserved(fields: EventFields): EventFields {
  const keys = Object.keys(fields);
  if (!keys.some((key) => RESERVED.has(key))) return fields;
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [RESERVED.has(key) ? `_${key}` : key, value]),
  );
}

interface Output {
  readonly stream: DestinationStream;
  readonly flush: () => void;
}

function openDestination(options: LoggerOptions): Output {
  const format = options.format ?? (process.stdout.isTTY ? 'pretty' : 'json');
  if (format === 'pretty') return prettyOutput(options.destination);
  if (options.destination !== undefined) return { stream: options.destination, flush: () => undefined };
  const stream = destination({ fd: 1, sync: false, maxLength: MAX_BUFFERED });
  // The reader of the log has gone (EPIPE): there is nobody left to tell, and forwarding goes on.
  stream.on('error', () => undefined);
  return { stream, flush: () => flushQuietly(stream) };
}

/** In this process and without a stream between, so that a crash cannot swallow the last lines. */
function prettyOutput(given: DestinationStream | undefined): Output {
  const { NO_COLOR } = process.env;
  const pretty = prettyFactory({
    colorize: given === undefined && process.stdout.isTTY && !NO_COLOR,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'node,seq,event',
    messageFormat: '{event}: {msg}',
  });
  const out = given ?? process.stdout;
  return { stream: { write: (line) => void out.write(pretty(line)) }, flush: () => undefined };
}

function flushQuietly(stream: ReturnType<typeof destination>): void {
  try {
    stream.flushSync();
  } catch {
    // Not opened yet or its reader has gone: as above, nobody to tell.
  }
}
