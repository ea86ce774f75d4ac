import { writeSync } from 'node:fs';
import termkit from 'terminal-kit';
import { widthOf } from '../output.ts';
import type { Io } from '../session.ts';
import type { Tone } from './model.ts';
import type { Line, Span } from './spans.ts';

export interface ScreenOptions {
  readonly color: boolean;
  readonly onKey: (name: string) => void;
  readonly onResize: () => void;
  /** The terminal has gone. */
  readonly onEnd: () => void;
}

const COLOR: Readonly<Record<Exclude<Tone, 'dim'>, string>> = {
  good: 'green',
  bad: 'red',
  warn: 'yellow',
  accent: 'cyan',
};

/** Cursor shown, no attributes, the ordinary screen: for the moment when nothing else can be trusted. */
const STDOUT_FD = 1;
const RESTORE = '\u001b[0m\u001b[?25h\u001b[?1049l';

/**
 * The terminal, taken over with terminal-kit: its other screen, keys one by one, and only the cells that have
 * changed are written. `leave` gives it back; so does the end of the process, whatever its cause, but SIGKILL.
 */
export class Screen {
  readonly #term: termkit.Terminal;
  readonly #io: Io;
  readonly #options: ScreenOptions;
  #buffer: termkit.ScreenBuffer | null = null;
  #entered = false;

  constructor(io: Io, options: ScreenOptions) {
    this.#io = io;
    this.#options = options;
    this.#term = termkit.terminal;
    this.#term.on('key', this.#key);
    this.#term.on('resize', this.#resized);
    io.stdin.once('end', options.onEnd);
    io.stdin.once('error', options.onEnd);
    process.on('exit', this.#restore);
    // before the error is told, which would be lost with the other screen
    process.on('uncaughtExceptionMonitor', this.#restore);
  }

  get width(): number {
    return this.#io.stdout.columns || 80;
  }

  get height(): number {
    return this.#io.stdout.rows || 24;
  }

  enter(): void {
    this.#entered = true;
    this.#buffer = null;
    this.#term.fullscreen(true);
    this.#term.hideCursor();
    this.#term.grabInput(true);
  }

  /** Idempotent. */
  leave(): void {
    if (!this.#entered) return;
    this.#entered = false;
    this.#term.grabInput(false);
    this.#term.styleReset();
    this.#term.hideCursor(false);
    this.#term.fullscreen(false);
  }

  close(): void {
    this.leave();
    this.#term.off('key', this.#key);
    this.#term.off('resize', this.#resized);
    this.#io.stdin.removeListener('end', this.#options.onEnd);
    this.#io.stdin.removeListener('error', this.#options.onEnd);
    process.removeListener('exit', this.#restore);
    process.removeListener('uncaughtExceptionMonitor', this.#restore);
  }

  /** What is on the terminal is not what was drawn last. */
  repaint(): void {
    this.#buffer = null;
  }

  draw(lines: readonly Line[]): void {
    if (!this.#entered) return;
    const { width, height } = this;
    let buffer = this.#buffer;
    if (buffer === null || buffer.width !== width || buffer.height !== height) {
      buffer = new termkit.ScreenBuffer({ dst: this.#term, width, height });
      this.#buffer = buffer;
    }
    buffer.fill({ char: ' ', attr: this.#attributes({ text: '' }) });
    for (const [y, line] of lines.slice(0, height).entries()) {
      let x = 0;
      for (const span of line) {
        buffer.put({ x, y, dx: 1, dy: 0, wrap: false, attr: this.#attributes(span) }, span.text);
        x += widthOf(span.text);
      }
    }
    buffer.draw({ delta: true });
  }

  #attributes({ tone, bold, inverse }: Span): object {
    const color =
      this.#options.color && tone !== undefined && tone !== 'dim'
        ? { color: COLOR[tone] }
        : { defaultColor: true };
    return {
      ...color,
      bgDefaultColor: true,
      bold: bold === true,
      dim: tone === 'dim' && inverse !== true,
      inverse: inverse === true,
    };
  }

  readonly #key = (name: string): void => this.#options.onKey(name);
  readonly #resized = (): void => {
    this.#buffer = null;
    this.#options.onResize();
  };

  /** Synchronous, and without the library: the process may be ending because of it. */
  readonly #restore = (): void => {
    if (!this.#entered) return;
    this.#entered = false;
    try {
      this.#io.stdin.setRawMode(false);
      writeSync(STDOUT_FD, RESTORE);
    } catch {
      // the terminal itself has gone: there is nothing to give back
    }
  };
}
