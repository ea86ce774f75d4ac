import type { Clock } from '../lib/clock.ts';
import { between, type Duration, formatDuration, toMillis } from '../lib/duration.ts';
import { endInWords, notStarted, type ProgramEnd, runProgram } from '../lib/run-program.ts';
import type { Emit, EventFields, EventName } from '../model/event.ts';
import type { CommandLine, FailoverGroupSpec, NotifySpec } from '../model/failover.ts';
import type { TransitionRecord } from '../model/history.ts';
import { NotifyQueue } from './notify-queue.ts';

/** The state of a virtual router as programs are told. */
export type NotifyState = 'active' | 'backup' | 'fault' | 'stopped';

/** What a virtual router is about to do when it asks. */
export type ClaimRequest = Pick<
  TransitionRecord,
  'group' | 'family' | 'vrid' | 'interface' | 'reason' | 'priority' | 'addresses' | 'peer'
>;

export interface ClaimVerdict {
  readonly proceed: boolean;
  /** Why not, or why in spite of everything; for people. */
  readonly why: string;
  /** Whose verdict it is; left out: the program's. */
  readonly by?: 'witness';
}

interface Notice {
  readonly key: string;
  readonly state: NotifyState;
  readonly command: CommandLine;
  readonly timeout: Duration;
  readonly about: ClaimRequest;
}

interface Run {
  readonly end: ProgramEnd;
  readonly timedOut: boolean;
}

export interface NotifierOptions {
  readonly emit: Emit;
  readonly clock: Clock;
}

/** The word for a transition. */
export function notifyState({ to, reason }: Pick<TransitionRecord, 'to' | 'reason'>): NotifyState {
  if (to === 'Active') return 'active';
  if (to === 'Backup') return 'backup';
  return reason === 'shutdown' ? 'stopped' : 'fault';
}

/**
 * Runs the configured programs in the supervisor, never in the agent: one at a time, in the order of what
 * happened, each in bounded time. Nothing waits for them but `close`.
 */
export class Notifier {
  readonly #emit: Emit;
  readonly #clock: Clock;
  readonly #queue = new NotifyQueue<Notice>();
  readonly #told = new Map<string, NotifyState>();
  readonly #abort = new AbortController();
  #specs = new Map<string, NotifySpec | null>();
  /** Groups of the configuration before: they still have to be told that they stop. */
  #dropped = new Map<string, NotifySpec | null>();
  #running: Promise<void> | null = null;

  constructor({ emit, clock }: NotifierOptions) {
    this.#emit = emit;
    this.#clock = clock;
  }

  configure(groups: readonly FailoverGroupSpec[]): void {
    this.#dropped = this.#specs;
    this.#specs = new Map(groups.map(({ name, notify }) => [name, notify]));
  }

  /** Puts the program for this transition, if there is one, behind those that wait. */
  tell(record: TransitionRecord): void {
    const { group, vrid, family } = record;
    const key = `${group} ${vrid}/${family}`;
    const state = notifyState(record);
    if (this.#told.get(key) === state || this.#abort.signal.aborted) return;
    // a router that has stopped is forgotten, or reloads could make this grow
    if (state === 'stopped') this.#told.delete(key);
    else this.#told.set(key, state);
    const notify = this.#specOf(group);
    const command = notify?.[state] ?? null;
    if (notify === null || command === null) return;
    const notice: Notice = { key, state, command, timeout: notify.timeout, about: record };
    for (const dropped of this.#queue.push(notice)) {
      this.#event('warn', 'notify.failed', dropped, 'was dropped: newer ones wait', {});
    }
    this.#running ??= this.#drain().finally(() => {
      this.#running = null;
    });
  }

  /** Asks before_claim, beside the queue. Never rejects. */
  async beforeClaim(about: ClaimRequest): Promise<ClaimVerdict> {
    const notify = this.#specOf(about.group);
    if (notify === null || notify.beforeClaim === null) return { proceed: true, why: 'nobody to ask' };
    const { beforeClaim: command, beforeClaimTimeout: timeout, onTimeout } = notify;
    const told = { state: 'before_claim', command, about } as const;
    const { end, timedOut } = await this.#run(told, timeout, 'active');
    if (end.kind === 'ended' && !timedOut) {
      if (end.status === 0) return { proceed: true, why: 'it agreed' };
      const why = endInWords(end);
      this.#event('warn', 'notify.vetoed', told, `does not let this node become active: ${why}`, {});
      return { proceed: false, why };
    }
    return { proceed: onTimeout === 'proceed', why: troubleOf(end, timedOut, command, timeout) };
  }

  /** Lets what waits run for at most `limit`, then kills what runs and drops the rest. */
  async close(limit: Duration): Promise<void> {
    const timer = this.#clock.timerAfter(limit, () => this.#cut());
    await this.#running;
    timer.cancel();
    this.#cut();
  }

  #cut(): void {
    this.#abort.abort();
    for (const notice of this.#queue.clear()) {
      this.#event('warn', 'notify.failed', notice, 'was dropped: the daemon stops', {});
    }
  }

  /** The longest `timeout` of all groups. */
  get patience(): Duration {
    const all = [...this.#specs.values()].map((notify) => notify?.timeout ?? 0);
    return Math.max(0, ...all) as Duration;
  }

  #specOf(group: string): NotifySpec | null {
    return (this.#specs.has(group) ? this.#specs : this.#dropped).get(group) ?? null;
  }

  async #drain(): Promise<void> {
    for (let notice = this.#queue.next(); notice !== undefined; notice = this.#queue.next()) {
      await this.#run(notice, notice.timeout, notice.state);
    }
  }

  async #run(told: Told, timeout: Duration, state: NotifyState): Promise<Run> {
    const { command, about } = told;
    const cut = new AbortController();
    let timedOut = false;
    const timer = this.#clock.timerAfter(timeout, () => {
      timedOut = true;
      cut.abort();
    });
    const began = this.#clock.now();
    this.#event('info', 'notify.started', told, 'runs', {});
    const signal = AbortSignal.any([cut.signal, this.#abort.signal]);
    const end = await runProgram({ command, env: environmentOf(about, state), signal });
    timer.cancel();
    const fields = { millis: Math.round(toMillis(between(began, this.#clock.now()))) };
    if (end.kind === 'ended' && !timedOut && (end.status === 0 || told.state === 'before_claim')) {
      this.#event('info', 'notify.finished', told, `ended: ${endInWords(end)}`, fields);
    } else {
      const trouble = troubleOf(end, timedOut, command, timeout);
      this.#event('warn', 'notify.failed', told, `failed: ${trouble}`, fields);
    }
    return { end, timedOut };
  }

  #event(
    level: 'info' | 'warn',
    name: EventName,
    { state, command, about }: Told,
    what: string,
    fields: EventFields,
  ): void {
    const { group, vrid, family } = about;
    this.#emit({
      level,
      name,
      message: `group ${group} (VRID ${vrid}, IPv${family}): ${state} program ${command[0]} ${what}`,
      fields: { group, vrid, family, state, program: command[0], ...fields },
    });
  }
}

interface Told {
  readonly state: NotifyState | 'before_claim';
  readonly command: CommandLine;
  readonly about: ClaimRequest;
}

function troubleOf(end: ProgramEnd, timedOut: boolean, command: CommandLine, timeout: Duration): string {
  if (timedOut) return `no end within ${formatDuration(timeout)}, killed`;
  if (end.kind === 'ended') return endInWords(end);
  return end.error === null ? 'the daemon stops' : notStarted(end.error, command[0]);
}

function environmentOf(about: ClaimRequest, state: NotifyState): Record<string, string> {
  return {
    TANDEM_GROUP: about.group,
    TANDEM_VRID: String(about.vrid),
    TANDEM_FAMILY: String(about.family),
    TANDEM_INTERFACE: about.interface,
    TANDEM_STATE: state,
    TANDEM_REASON: about.reason,
    TANDEM_ADDRESSES: about.addresses.join(' '),
    TANDEM_PRIORITY: String(about.priority),
    TANDEM_PEER: about.peer?.address ?? '',
  };
}
