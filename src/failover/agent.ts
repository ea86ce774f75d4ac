/**
 * Entry of the failover agent: a process of its own, forked by the supervisor (agent-handle.ts), because a
 * busy forwarder with garbage collection makes its peer believe that it died. Speaks protocol.ts over the
 * IPC channel.
 */
import { writeSync } from 'node:fs';
import { systemClock, type Timer } from '../lib/clock.ts';
import { after, between, type Instant, millis } from '../lib/duration.ts';
import { EXIT, errnoOf, messageOf, TandemError, unreachable } from '../lib/errors.ts';
import type { EventInput } from '../model/event.ts';
import { loadNative, type Native } from '../native/index.ts';
import type { ClaimRequest, ClaimVerdict } from './notifier.ts';
import { type FromAgent, HEARTBEAT_MS, SUPERVISOR_SILENCE_MS, type ToAgent } from './protocol.ts';
import { RouterSet } from './router-set.ts';

const HEARTBEAT = millis(HEARTBEAT_MS);
const SUPERVISOR_SILENCE = millis(SUPERVISOR_SILENCE_MS);
/** Messages that a stopped supervisor has not read; then it misses some, and this process keeps its memory. */
const MAX_UNREAD = 256;

class Agent {
  readonly #native: Native;
  readonly #routers: RouterSet;
  readonly #claims = new Map<number, (verdict: ClaimVerdict) => void>();
  #lastClaim = 0;
  #unread = 0;
  #heardAt: Instant = systemClock.now();
  #lastTick: Instant = systemClock.now();
  #supervisorLost = false;
  #leaving = false;
  #tick: Timer;

  constructor(native: Native) {
    this.#native = native;
    this.#routers = new RouterSet({
      native,
      clock: systemClock,
      emit: (event) => this.#send({ type: 'event', event }),
      onTransition: (record) => {
        this.#send({ type: 'transition', record });
        this.#heartbeat();
      },
      askClaim: (request, answer) => this.#askClaim(request, answer),
      supervisorSilence: () => between(this.#heardAt, systemClock.now()),
    });
    this.#tick = this.#armTick();
    this.#send({ type: 'hello' });
  }

  receive(message: ToAgent): void {
    this.#heardAt = systemClock.now();
    if (this.#leaving) return;
    switch (message.type) {
      case 'configure':
        this.#configure(message);
        break;
      case 'heartbeat':
        this.#supervisorReturned();
        this.#routers.setStandings(message.standings);
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
    this.#leave(0);
  }

  #configure({ spec, resume }: Extract<ToAgent, { type: 'configure' }>): void {
    const realtime = this.#setRealtime(spec.realtimePriority);
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

  #setRealtime(priority: number): boolean {
    try {
      this.#native.setRealtime(priority);
      return priority > 0;
    } catch (error) {
      this.#send({
        type: 'event',
        event: {
          level: 'warn',
          name: 'failover.realtime',
          message: `the failover agent runs without SCHED_FIFO: ${messageOf(error)}; a busy host may delay advertisements`,
          fields: { priority, errno: errnoOf(error) ?? null },
        },
      });
      return false;
    }
  }

  #stop(keepRole: boolean): void {
    this.#leaving = true;
    this.#tick.cancel();
    if (keepRole)
      this.#send({ type: 'stopped', resume: this.#routers.handOn() }, () => process.exit(EXIT.ok));
    else this.#leave(EXIT.ok);
  }

  #leave(status: number): void {
    this.#routers
      .resign('shutdown')
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
      if (between(at, now) > SUPERVISOR_SILENCE / 2) this.#heardAt = now;
      this.#lastTick = now;
      this.#heartbeat();
      this.#watchSupervisor(now);
      this.#tick = this.#armTick();
    });
  }

  #heartbeat(): void {
    this.#send({ type: 'heartbeat', routers: this.#routers.statuses() });
  }

  #watchSupervisor(now: Instant): void {
    if (this.#supervisorLost || between(this.#heardAt, now) < SUPERVISOR_SILENCE) return;
    this.#supervisorLost = true;
    this.#supervisorEvent(
      'warn',
      'failover.supervisor-lost',
      'the supervisor has been silent: resigning until it returns',
    );
    this.#routers.resign('supervisor-lost').catch((error: unknown) => lastWords(messageOf(error)));
  }

  #supervisorReturned(): void {
    if (!this.#supervisorLost) return;
    this.#supervisorLost = false;
    this.#supervisorEvent(
      'info',
      'failover.supervisor-returned',
      'the supervisor is back: taking part again',
    );
    this.#routers.rejoin();
  }

  #supervisorEvent(level: EventInput['level'], name: EventInput['name'], message: string): void {
    const fields = { silenceMillis: SUPERVISOR_SILENCE_MS };
    this.#send({ type: 'event', event: { level, name, message, fields } });
  }

  #send(message: FromAgent, done: () => void = () => undefined): void {
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
