import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../lib/clock.ts';
import type { Duration } from '../lib/duration.ts';
import type { VirtualRouterStatus } from '../model/failover.ts';
import type { ResumePoint } from '../vrrp/router.ts';
import { lookAt } from './process-sight.ts';
import type { FromAgent, RouterKey, ToAgent } from './protocol.ts';
import { SilenceWatch } from './silence.ts';

const ENTRY = fileURLToPath(new URL('./agent.js', import.meta.url));
/** Messages that a stopped agent has not read; it is ended long before there are so many. */
const MAX_UNREAD = 256;

export type Resume = Readonly<Record<RouterKey, ResumePoint>>;

export interface AgentExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One forked agent, from fork to exit. Decides nothing. */
export class AgentProcess {
  readonly #clock: Clock;
  readonly #child: ChildProcess;
  readonly #onMessage: (message: FromAgent) => void;
  readonly exited: Promise<AgentExit>;
  /** What it hands on with its last word; null when it ended without one. */
  readonly stopped: Promise<Resume | null>;
  readonly #watch: SilenceWatch;
  #unread = 0;
  #gone = false;
  #onStopped: (resume: Resume) => void = () => undefined;
  /** The last heartbeat. */
  routers: readonly VirtualRouterStatus[] = [];

  /** @param patience how long it may hang */
  constructor(clock: Clock, patience: Duration, onMessage: (message: FromAgent) => void) {
    this.#clock = clock;
    this.#onMessage = onMessage;
    this.#child = fork(ENTRY, [], {
      serialization: 'advanced',
      // A debugger's port or a test runner's hooks are not for the agent. Its garbage is collected by its one
      // real-time thread: helper threads have no such priority, and on a busy host it would wait for them. The code
      // of a takeover, which may be first used after months, is compiled at the start and kept: V8 compiles what is
      // called, when it is called, and forgets what was not called lately.
      execArgv: ['--single-threaded-gc', '--no-flush-bytecode', '--no-lazy'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const { pid } = this.#child;
    this.#watch = new SilenceWatch(clock.now(), patience, () => (pid === undefined ? null : lookAt(pid)));
    this.#child.on('message', (message) => this.#heard(message as FromAgent));
    this.exited = new Promise((resolve) => {
      const end = (exit: AgentExit): void => {
        this.#gone = true;
        resolve(exit);
      };
      this.#child.once('exit', (code, signal) => end({ code, signal }));
      // fork itself failed (no memory, no file descriptors): there never was a process
      this.#child.on('error', () => {
        if (this.#child.pid === undefined) end({ code: null, signal: null });
      });
    });
    this.stopped = new Promise((resolve) => {
      this.#onStopped = resolve;
      void this.exited.then(() => resolve(null));
    });
  }

  get pid(): number | null {
    return this.#child.pid ?? null;
  }

  get gone(): boolean {
    return this.#gone;
  }

  /** Since its last message, or since the fork. */
  silence(): Duration {
    return this.#watch.silence(this.#clock.now());
  }

  set patience(patience: Duration) {
    this.#watch.limit = patience;
  }

  /** When the supervisor itself did not run, the agent's messages may still lie unread. */
  forgiveSilence(): void {
    this.#watch.heard(this.#clock.now());
  }

  /** What is wrong with it when it is silent; null while it may live. Asked several times a second. */
  trouble(): string | null {
    return this.#watch.check(this.#clock.now());
  }

  send(message: ToAgent): void {
    if (this.#gone || !this.#child.connected || this.#unread >= MAX_UNREAD) return;
    this.#unread++;
    this.#child.send(message, () => {
      // an error means that the agent is going: 'exit' follows
      this.#unread--;
    });
  }

  kill(): void {
    if (!this.#gone) this.#child.kill('SIGKILL');
  }

  /** Ends the process unless `event` comes within `limit`. */
  async within<T>(limit: Duration, event: Promise<T>): Promise<T> {
    const timer = this.#clock.timerAfter(limit, () => this.kill());
    try {
      return await event;
    } finally {
      timer.cancel();
    }
  }

  #heard(message: FromAgent): void {
    this.#watch.heard(this.#clock.now());
    if (message.type === 'heartbeat') this.routers = message.routers;
    if (message.type === 'stopped') this.#onStopped(message.resume);
    this.#onMessage(message);
  }
}
