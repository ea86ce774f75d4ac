import type { AdminClient } from '../../admin/client.ts';
import { EXIT, messageOf, TandemError } from '../../lib/errors.ts';
import { pause } from '../commands/host.ts';
import type { Io } from '../session.ts';
import { perform } from './act.ts';
import { Feed } from './feed.ts';
import type { Model } from './model.ts';
import { renderScreen } from './render.ts';
import { Screen } from './screen.ts';
import { ASCII, hasUnicode, UNICODE } from './spans.ts';
import { type Action, type Message, press, START, type Ui } from './ui.ts';

export interface LiveOptions {
  readonly io: Io;
  readonly client: AdminClient;
  readonly intervalMs: number;
  readonly rhythm: string;
  readonly color: boolean;
}

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * The live view: asks, draws and obeys keys until it is told to quit. Owns the screen and the signals while it
 * runs. A daemon that goes away is shown as lost and asked again at every interval.
 */
export class Live {
  readonly #options: LiveOptions;
  readonly #feed: Feed;
  readonly #screen: Screen;
  readonly #ended = new AbortController();
  #wake = new AbortController();
  #ui: Ui = START;
  #model: Model | undefined;
  #lost: string | null = null;
  #failure: unknown;
  /** An action is under way: another one waits for its end, in the one who presses the keys. */
  #busy = false;

  constructor(options: LiveOptions) {
    this.#options = options;
    this.#feed = new Feed(options.client, options.intervalMs);
    this.#screen = new Screen(options.io, {
      color: options.color,
      onKey: (name) => this.#press(name),
      onResize: () => this.#draw(),
      onEnd: this.#end,
    });
  }

  /** @throws TandemError when the daemon cannot be reached at the start. */
  async run(): Promise<void> {
    // before the terminal is taken: a wrong socket is told as by every other command
    this.#model = await this.#feed.read();
    for (const signal of ENDING) process.on(signal, this.#end);
    process.on('SIGTSTP', this.#suspend);
    process.on('SIGCONT', this.#resume);
    try {
      this.#screen.enter();
      while (!this.#ended.signal.aborted) {
        this.#draw();
        await pause(this.#options.intervalMs, AbortSignal.any([this.#wake.signal, this.#ended.signal]));
        this.#wake = new AbortController();
        if (!this.#ended.signal.aborted && !this.#ui.paused) await this.#ask();
      }
    } finally {
      this.#screen.close();
      for (const signal of ENDING) process.removeListener(signal, this.#end);
      process.removeListener('SIGTSTP', this.#suspend);
      process.removeListener('SIGCONT', this.#resume);
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #ask(): Promise<void> {
    try {
      this.#model = await this.#feed.read();
      this.#lost = null;
    } catch (error) {
      if (!(error instanceof TandemError) || error.exitStatus !== EXIT.unavailable) throw error;
      this.#lost = messageOf(error);
    }
  }

  #draw(): void {
    const { rhythm, io } = this.#options;
    const forMillis = this.#model === undefined ? 0 : Date.now() - this.#model.at;
    const lines = renderScreen(this.#model, this.#ui, {
      width: this.#screen.width,
      height: this.#screen.height,
      glyphs: hasUnicode(io.env) ? UNICODE : ASCII,
      rhythm,
      lost: this.#lost === null ? null : { reason: this.#lost, forMillis },
    });
    this.#screen.draw(lines);
  }

  #press(key: string): void {
    const { ui, action, leave, repaint } = press(this.#ui, key, this.#model);
    this.#ui = ui;
    if (leave === 'quit') this.#end();
    else if (leave === 'suspend') this.#suspend();
    else {
      if (repaint === true) this.#screen.repaint();
      this.#draw();
    }
    if (action !== undefined) {
      this.#act(action).catch((error: unknown) => {
        this.#failure = error;
        this.#end();
      });
    }
  }

  async #act(action: Action): Promise<void> {
    if (this.#busy) {
      this.#tell({ text: 'still at the order before: press it again', tone: 'warn' });
      return;
    }
    this.#busy = true;
    this.#tell({ text: 'asking the daemon ...', tone: 'dim' });
    try {
      this.#tell(await perform(this.#options.client, action));
    } finally {
      this.#busy = false;
    }
    // what it changed shows at once
    this.#wake.abort();
  }

  #tell(message: Message): void {
    this.#ui = { ...this.#ui, message };
    this.#draw();
  }

  readonly #end = (): void => this.#ended.abort();

  readonly #suspend = (): void => {
    this.#screen.leave();
    // without a listener the kernel's own action stops the process
    process.removeListener('SIGTSTP', this.#suspend);
    process.kill(process.pid, 'SIGTSTP');
  };

  readonly #resume = (): void => {
    process.removeListener('SIGTSTP', this.#suspend);
    process.on('SIGTSTP', this.#suspend);
    this.#screen.enter();
    this.#draw();
  };
}
