import type { Command } from 'commander';
import { AdminClient } from '../admin/client.ts';
import { messageOf, TandemError } from '../lib/errors.ts';
import { type Style, styleOf } from './output.ts';

export const DEFAULT_CONFIG = '/etc/tandem/tandem.toml';
export const DEFAULT_SOCKET = '/run/tandem/admin.sock';

/** The outside world of a command. */
export interface Io {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly env: NodeJS.ProcessEnv;
}

export interface GlobalOptions {
  readonly socket?: string;
  readonly config?: string;
  readonly json?: boolean;
  readonly color?: boolean;
}

/** One invocation: where it writes, how, and to which daemon it speaks. */
export class Session {
  readonly io: Io;
  readonly json: boolean;
  /** May standard output be coloured? */
  readonly color: boolean;
  readonly style: Style;
  readonly configOption: string | undefined;
  readonly #socketOption: string | undefined;

  constructor(io: Io, options: GlobalOptions) {
    this.io = io;
    this.json = options.json === true;
    this.color = !this.json && wantsColor(io.stdout, io.env, options);
    this.style = styleOf(this.color);
    this.configOption = options.config;
    this.#socketOption = options.socket;
  }

  /**
   * The daemon named by --socket, $TANDEM_SOCKET, the file of --config, or the default socket.
   * @param configured that of a file which the command has read already.
   */
  async client(configured?: string): Promise<AdminClient> {
    return new AdminClient(await this.#socket(configured));
  }

  async #socket(configured?: string): Promise<string> {
    const { TANDEM_SOCKET } = this.io.env;
    const named = this.#socketOption ?? (this.configOption === undefined ? TANDEM_SOCKET : undefined);
    if (named !== undefined && named !== '') return named;
    if (configured !== undefined) return configured;
    if (this.configOption === undefined) return DEFAULT_SOCKET;
    const { loadConfig } = await import('../config/load.ts');
    // The file may be another host's, so this one need not fit it.
    return loadConfig(this.configOption, { hostFaults: 'warning' }).admin.socket;
  }

  /** Lines of the answer, on standard output. */
  print(...lines: readonly string[]): void {
    this.io.stdout.write(lines.map((line) => `${line}\n`).join(''));
  }

  /** The answer for programs: one line of JSON. */
  printJson(value: unknown): void {
    this.print(JSON.stringify(value));
  }

  /** What is not part of the answer: progress, remarks. */
  note(line: string): void {
    this.io.stderr.write(`${line}\n`);
  }
}

/** Colours on a terminal, unless --no-color or NO_COLOR (https://no-color.org) says otherwise. */
export function wantsColor(
  stream: NodeJS.WriteStream,
  env: NodeJS.ProcessEnv,
  options: Pick<GlobalOptions, 'color'>,
): boolean {
  const { NO_COLOR, TERM } = env;
  return stream.isTTY === true && options.color !== false && !NO_COLOR && TERM !== 'dumb';
}

export function sessionOf(command: Command, io: Io): Session {
  return new Session(io, command.optsWithGlobals<GlobalOptions>());
}

/** The one place that tells people about an error. */
export function reportError(error: unknown, io: Io, options: GlobalOptions): void {
  const write = (line: string): boolean => io.stderr.write(`${line}\n`);
  const known = error instanceof TandemError;
  if (options.json === true) {
    const code = known ? error.code : 'internal';
    const hint = known && error.hint !== undefined ? { hint: error.hint } : {};
    write(JSON.stringify({ error: { code, message: messageOf(error), ...hint } }));
  } else {
    const style = styleOf(wantsColor(io.stderr, io.env, options));
    // A configuration's problems each begin with their own place.
    const placed = known && error.code === 'config-invalid';
    write(placed ? messageOf(error) : `${style.red('tandem:')} ${messageOf(error)}`);
    if (known && error.hint !== undefined) write(`${style.dim('hint:')} ${error.hint}`);
    if (!known) write(`${style.dim('hint:')} this is a fault in tandem; TANDEM_DEBUG=1 shows where`);
  }
  const { TANDEM_DEBUG } = io.env;
  if (TANDEM_DEBUG) write(stackOf(error));
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.stack ?? error.message;
  return error.cause === undefined ? own : `${own}\ncaused by: ${stackOf(error.cause)}`;
}
