/**
 * Entry of the failover agent: a process of its own, forked by the supervisor (agent-handle.ts), because a
 * busy forwarder with garbage collection makes its peer believe that it died. Speaks protocol.ts over the
 * IPC channel.
 */
import { writeSync } from 'node:fs';
import { setPriority } from 'node:os';
import { systemClock, type Timer } from '../lib/clock.ts';
import { after, between, type Instant, millis, toMillis } from '../lib/duration.ts';
import { EXIT, errnoOf, messageOf, TandemError, unreachable } from '../lib/errors.ts';
import type { EventInput } from '../model/event.ts';
import { loadNative, type Native } from '../native/index.ts';
import type { ClaimRequest, ClaimVerdict } from './notifier.ts';
import { lookAt } from './process-sight.ts';
import { type FromAgent, HEARTBEAT_MS, type ToAgent } from './protocol.ts';
import { RouterSet } from './router-set.ts';
import { SilenceWatch, silenceLimit } from './silence.ts';

const HEARTBEAT = millis(HEARTBEAT_MS);
/** Milliseconds. */
const SHORTEST_SLEEP = 0.05;
/** Without SCHED_FIFO: ahead of whatever shares the CPU by niceness. */
const MOST_URGENT = -20;
/** Messages that a stopped supervisor has not read; then it misses some, and this process keeps its memory. */
const MAX_UNREAD = 256;

class Agent {
  readonly #native: Native;
  readonly #routers: RouterSet;
  readonly #claims = new Map<number, (verdict: ClaimVerdict) => void>();
  #lastClaim = 0;
  #unread = 0;
  readonly #watch: SilenceWatch;
  /** The priority that was asked of the scheduler, and whether it was granted. */
  #scheduled: { readonly priority: number; readonly realtime: boolean } | null = null;
  #lastTick: Instant = systemClock.now();
  #supervisorLost = false;
  #leaving = false;
  #tick: Timer;

  constructor(native: Native) {
    this.#native = native;
    const supervisor = process.ppid;
    this.#watch = new SilenceWatch(systemClock.now(), silenceLimit([]), () => lookAt(supervisor));
    this.#routers = new RouterSet({
      native,
      clock: systemClock,
      emit: (event) => this.#send({ type: 'event', event }),
      onTransition: (record) => {
        this.#send({ type: 'transition', record });
        queueMicrotask(() => this.#heartbeat());
      },
      askClaim: (request, answer) => this.#askClaim(request, answer),
      supervisorSilence: () => this.#watch.silence(systemClock.now()),
    });
    this.#tick = this.#armTick();
    this.#send({ type: 'hello' });
  }

  receive(message: ToAgent): void {
    this.#watch.heard(systemClock.now());
    if (this.#leaving) return;
    switch (message.type) {
      case 'configure':
        this.#configure(message);
        break;
      case 'heartbeat':
        this.#supervisorReturned();
        this.#routers.setStandings(message.standings);
        break;
      case 'long-work':
        this.#watch.excuse();
        break;
      case 'command':
        this.#send({
          type: 'command-result',
          id: message.id,
          ...this.#routers.command(message.command, message.group, message.by),
        });
        break;
      case 'claim-verdict':
        this.#claims.get(message.id)?.(message.verdict);
        this.#claims.delete(message.id);
        break;
      case 'stop':
        this.#stop(message.keepRole);
        break;
      default:
        unreachable(message);
    }
  }

  /** The supervisor is gone for good: nobody else will take the addresses off this host. */
  disconnected(): void {
    if (this.#leaving) return;
    this.#leaving = true;
    lastWords('the supervisor is gone: resigning and removing the addresses');
    this.#tick.cancel();
    this.#leave(this.#routers.resign('shutdown'), 0);
  }

  #configure({ spec, resume }: Extract<ToAgent, { type: 'configure' }>): void {
    const realtime = this.#schedule(spec.realtimePriority);
    this.#watch.limit = silenceLimit(spec.groups.map(({ lease }) => lease));
    this.#routers.configure(spec, resume);
    this.#send({ type: 'ready', realtime });
    this.#heartbeat();
  }

  /** Questions are answered in bounded time by the supervisor, or die with it: the oldest gives way. */
  #askClaim(request: ClaimRequest, answer: (verdict: ClaimVerdict) => void): void {
    const id = ++this.#lastClaim;
    const [oldest] = this.#claims.keys();
    if (oldest !== undefined && this.#claims.size >= MAX_UNREAD) this.#claims.delete(oldest);
    this.#claims.set(id, answer);
    this.#send({ type: 'before-claim', id, request });
  }

  /** Whoever is late looks dead to the peer: ahead of everything else on the host, as far as that is allowed. */
  #schedule(priority: number): boolean {
    if (this.#scheduled?.priority === priority) return this.#scheduled.realtime;
    const refusal = attempt(() => this.#native.setRealtime(priority));
    this.#scheduled = { priority, realtime: refusal === null && priority > 0 };
    if (refusal !== null) this.#scheduleByNiceness(priority, refusal);
    return this.#scheduled.realtime;
  }

  /** SCHED_FIFO can be refused where niceness is not: by a cgroup without real-time budget, or RLIMIT_RTPRIO. */
  #scheduleByNiceness(priority: number, refusal: unknown): void {
    const unnice = attempt(() => setPriority(MOST_URGENT));
    const instead =
      unnice === null ? `nice ${MOST_URGENT} instead` : `nor at nice ${MOST_URGENT}: ${messageOf(unnice)}`;
    this.#send({
      type: 'event',
      event: {
        level: 'warn',
        name: 'failover.realtime',
        message: `the failover agent runs without SCHED_FIFO (${messageOf(refusal)}), ${instead}; a busy host may delay advertisements`,
        fields: { priority, errno: errnoOf(refusal) ?? null, nice: unnice === null ? MOST_URGENT : null },
      },
    });
  }

  #stop(keepRole: boolean): void {
    this.#leaving = true;
    this.#tick.cancel();
    if (keepRole)
      this.#send({ type: 'stopped', resume: this.#routers.handOn() }, () => process.exit(EXIT.ok));
    else this.#leave(this.#routers.part(), EXIT.ok);
  }

  #leave(resigned: Promise<void>, status: number): void {
    resigned
      .catch((error: unknown) => lastWords(`resigning failed: ${messageOf(error)}`))
      .then(() => {
        this.#routers.close();
        this.#send({ type: 'stopped', resume: {} }, () => process.exit(status));
      })
      .catch((error: unknown) => {
        lastWords(messageOf(error));
        process.exit(EXIT.failure);
      });
  }

  #armTick(): Timer {
    const at = after(this.#lastTick, HEARTBEAT);
    return systemClock.timerAt(at, () => {
      const now = systemClock.now();
      // when we were the one who did not run, the supervisor's messages may still lie unread
      if (between(at, now) > this.#watch.limit / 2) this.#watch.heard(now);
      this.#lastTick = now;
      this.#heartbeat();
      this.#watchSupervisor(now);
      if (this.#scheduled?.realtime === true) sleepOnce();
      this.#tick = this.#armTick();
    });
  }

  #heartbeat(): void {
    this.#send({ type: 'heartbeat', routers: this.#routers.statuses() });
  }

  #watchSupervisor(now: Instant): void {
    const trouble = this.#supervisorLost ? null : this.#watch.check(now);
    if (trouble === null) return;
    this.#supervisorLost = true;
    const silenceMillis = Math.round(toMillis(this.#watch.silence(now)));
    const message = `the supervisor ${trouble}, silent for ${silenceMillis} ms: resigning until it returns`;
    this.#routers
      .resign('supervisor-lost')
      .catch((error: unknown) => lastWords(messageOf(error)))
      // the one that writes the log is the one that hangs; whatever stderr is, it comes last
      .finally(() => lastWords(message));
    this.#send({
      type: 'event',
      event: { level: 'warn', name: 'failover.supervisor-lost', message, fields: { silenceMillis, trouble } },
    });
  }

  #supervisorReturned(): void {
    if (!this.#supervisorLost) return;
    this.#supervisorLost = false;
    const message = 'the supervisor is back: taking part again';
    this.#send({
      type: 'event',
      event: { level: 'info', name: 'failover.supervisor-returned', message, fields: {} },
    });
    this.#routers.rejoin();
  }

  /** In order, but after what is being done: a takeover has announced its addresses before it is told of. */
  #send(message: FromAgent, done: () => void = () => undefined): void {
    queueMicrotask(() => this.#post(message, done));
  }

  #post(message: FromAgent, done: () => void): void {
    if (process.send === undefined || !process.connected) {
      done();
      return;
    }
    if (this.#unread >= MAX_UNREAD && message.type === 'heartbeat') return;
    if (this.#unread >= 2 * MAX_UNREAD) return;
    this.#unread++;
    process.send(message, undefined, undefined, () => {
      this.#unread--;
      done();
    });
  }
}

const never = new Int32Array(new SharedArrayBuffer(4));

/**
 * Tells the kernel that a real-time event loop turns: it ends the process when it sees no sleep for two seconds
 * (RLIMIT_RTTIME), and under a flood of packets the loop would have no reason for one.
 */
function sleepOnce(): void {
  Atomics.wait(never, 0, 0, SHORTEST_SLEEP);
}

/** What `act` throws; null when it works. */
function attempt(act: () => void): unknown {
  try {
    act();
    return null;
  } catch (error) {
    return error;
  }
}

/** For when nobody reads the channel any more; stderr may be gone as well. */
function lastWords(text: string): void {
  try {
    writeSync(2, `failover agent: ${text}\n`);
  } catch {
    // nobody is left to tell
  }
}

/** The supervisor hears why, and decides whether to try again. */
function refuse(error: unknown): void {
  const hint = error instanceof TandemError ? (error.hint ?? null) : null;
  const event: EventInput = {
    level: 'error',
    name: 'failover.error',
    message: `the failover agent cannot start: ${messageOf(error)}`,
    fields: { hint, errno: errnoOf(error) ?? null },
  };
  const status = error instanceof TandemError ? error.exitStatus : EXIT.osError;
  process.send?.({ type: 'event', event } satisfies FromAgent, undefined, undefined, () =>
    process.exit(status),
  );
}

function main(): void {
  if (process.send === undefined) {
    lastWords('started by "tandem run", not by hand');
    process.exitCode = EXIT.usage;
    return;
  }
  // Ctrl-C and systemd signal the whole group; the supervisor decides in which order things stop.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
  try {
    const agent = new Agent(loadNative());
    process.on('message', (message) => agent.receive(message as ToAgent));
    process.on('disconnect', () => agent.disconnected());
  } catch (error) {
    refuse(error);
  }
}

main();
