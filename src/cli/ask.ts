import { createInterface, type Interface } from 'node:readline/promises';
import { EXIT, TandemError } from '../lib/errors.ts';
import type { Io } from './session.ts';

/** Questions on a terminal. The answers are text; whoever asks judges them. */
export class Questions {
  readonly #lines: Interface;
  readonly #out: NodeJS.WriteStream;
  readonly #ended = new AbortController();

  constructor(io: Io) {
    this.#out = io.stderr;
    this.#lines = createInterface({ input: io.stdin, output: io.stderr, terminal: true });
    this.#lines.once('close', () => this.#ended.abort());
    this.#lines.once('SIGINT', () => this.#lines.close());
  }

  /** An empty answer takes the default. @throws TandemError when the user gives up (Ctrl-C, Ctrl-D). */
  async ask(question: string, fallback: string): Promise<string> {
    const shown = fallback === '' ? '' : ` [${fallback}]`;
    try {
      const answer = await this.#lines.question(`${question}${shown}: `, { signal: this.#ended.signal });
      return answer.trim() || fallback;
    } catch (error) {
      throw new TandemError('given-up', 'given up: nothing was written', {
        exitStatus: EXIT.failure,
        cause: error,
      });
    }
  }

  tell(remark: string): void {
    this.#out.write(`${remark}\n`);
  }

  close(): void {
    this.#lines.close();
  }
}

/** Can a question be asked and its answer come? */
export const canAsk = (io: Io): boolean => io.stdin.isTTY === true && io.stderr.isTTY === true;
