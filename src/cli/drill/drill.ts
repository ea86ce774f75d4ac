import type { AdminClient } from '../../admin/client.ts';
import type { DrillReport, Status } from '../../admin/contract.ts';
import { EXIT, TandemError } from '../../lib/errors.ts';
import { unknownGroup } from '../../lib/unknown-name.ts';
import { pause } from '../commands/host.ts';
import type { Measurement, ProbeReport } from './measurement.ts';
import { type DrillKind, judge, routersOf, unhealthy } from './plan.ts';

export interface DrillOptions {
  readonly kind: DrillKind;
  readonly group: string | undefined;
  readonly targetMillis: number;
  /** Bring the role back here afterwards. */
  readonly comeBack: boolean;
  /** Kill a daemon that nothing starts again. */
  readonly force: boolean;
  readonly by: string;
  /** Says what goes on. */
  readonly note: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface DrillResult {
  readonly report: DrillReport;
  readonly probes: ProbeReport;
  /** TCP connections and UDP sessions of this node; null while it does not answer. */
  readonly connections: { readonly before: number; readonly after: number | null };
}

/** A switch port or a slow client may need this long to follow; also for lost connections to be noticed. */
const HOLD_MS = 3_000;
const SETTLE_LIMIT_MS = 15_000;
/** systemd waits two seconds, and the daemon has to start. */
const RESTART_LIMIT_MS = 60_000;
const POLL_MS = 100;

/**
 * Moves the role on purpose while `measurement` probes. Refuses, before anything has moved, when the pair is not
 * in the state to go through it. @throws TandemError
 */
export class Drill {
  readonly #client: AdminClient;
  readonly #options: DrillOptions;
  readonly #faults: string[] = [];

  constructor(client: AdminClient, options: DrillOptions) {
    this.#client = client;
    this.#options = options;
  }

  /** Why there should be no drill now. @throws TandemError 'unknown-group', 'drill-refused' */
  async check(): Promise<Status> {
    const status = await this.#client.status();
    const { group } = this.#options;
    const groups = [...new Set(status.failover?.routers.map((router) => router.group))];
    if (group !== undefined && groups.length > 0 && !groups.includes(group))
      throw unknownGroup(group, groups);
    const why = unhealthy(status, group);
    if (why !== null) throw refused(why);
    const asked = await this.#command('inquire');
    if (!asked.ok) throw refused(asked.message);
    return status;
  }

  /** After `check`, with a measurement that is ready. */
  async run(before: Status, measurement: Measurement): Promise<DrillResult> {
    const { kind, note, targetMillis, by } = this.#options;
    measurement.mark();
    const promised = kind === 'planned' ? await this.#handOver() : await this.#crash();
    await this.#hold();
    await this.#return();
    await this.#hold();
    note('asking the prober for its figures');
    const probes = await measurement.finish();
    const after = await this.#client.status().catch(() => null);
    const report = judge({
      kind,
      probes,
      targetMillis,
      connectionsPromised: promised,
      activeBefore: before.node,
      activeAfter: this.#activeIn(after),
      by,
      faults: this.#faults,
    });
    return {
      report,
      probes,
      connections: { before: connectionsOf(before), after: after && connectionsOf(after) },
    };
  }

  /** @returns whether connections are to be kept */
  async #handOver(): Promise<boolean> {
    this.#options.note('handing over to the peer');
    const result = await this.#command('handover', { requirePeer: true });
    if (!result.ok) throw refused(result.message);
    this.#options.note(result.message);
    await this.#until('the peer is Active', SETTLE_LIMIT_MS, (status) =>
      this.#routers(status).every(({ state }) => state === 'Backup'),
    );
    return result.message.includes('established connections go on');
  }

  async #crash(): Promise<false> {
    const { kind, note, force } = this.#options;
    const result = await this.#command(kind === 'crash-node' ? 'kill-node' : 'kill-agent', { force });
    if (!result.ok) throw refused(result.message);
    note(result.message);
    await pause(500, this.#options.signal);
    const limit = kind === 'crash-node' ? RESTART_LIMIT_MS : SETTLE_LIMIT_MS;
    await this.#until('this node takes part again', limit, (status) =>
      this.#routers(status).every(({ state }) => state !== 'Initialize'),
    );
    return false;
  }

  /** A node with the higher priority comes back by itself, unless it does not preempt. */
  async #return(): Promise<void> {
    const { comeBack, note, signal } = this.#options;
    const status = await this.#client.status().catch(() => null);
    if (!comeBack || signal.aborted || status === null) return;
    if (this.#routers(status).every(({ state }) => state === 'Active')) return;
    note('asking the peer to hand over to this node again');
    const result = await this.#command('retake');
    note(result.message);
    if (!result.ok) this.#faults.push(`the role did not return: ${result.message}`);
    else {
      await this.#until('this node is Active again', SETTLE_LIMIT_MS, (now) =>
        this.#routers(now).every(({ state }) => state === 'Active'),
      );
    }
  }

  async #until(what: string, limitMs: number, is: (status: Status) => boolean): Promise<void> {
    const deadline = performance.now() + limitMs;
    while (performance.now() < deadline && !this.#options.signal.aborted) {
      const status = await this.#client.status().catch(() => null);
      if (status !== null && this.#routers(status).length > 0 && is(status)) {
        this.#options.note(what);
        return;
      }
      await pause(POLL_MS, this.#options.signal);
    }
    this.#faults.push(`not so within ${limitMs / 1_000} s: ${what}`);
  }

  #hold(): Promise<void> {
    return pause(HOLD_MS, this.#options.signal);
  }

  #routers({ failover }: Status): NonNullable<Status['failover']>['routers'] {
    return failover === null ? [] : routersOf(failover, this.#options.group);
  }

  #activeIn(status: Status | null): string {
    const routers = status === null ? [] : this.#routers(status);
    if (status === null || routers.length === 0) return 'unknown: this node does not answer';
    if (routers.every(({ state }) => state === 'Active')) return status.node;
    const peer = routers.find(({ peer: heard }) => heard !== null)?.peer;
    return peer ? `the peer (${peer.address})` : 'unknown';
  }

  #command(
    command: 'inquire' | 'handover' | 'retake' | 'kill-agent' | 'kill-node',
    more: { readonly requirePeer?: true; readonly force?: boolean } = {},
  ): ReturnType<AdminClient['failoverCommand']> {
    const { group, by } = this.#options;
    return this.#client.failoverCommand({ command, by, ...(group === undefined ? {} : { group }), ...more });
  }
}

const connectionsOf = ({ services }: Status): number =>
  services.reduce((sum, { connections }) => sum + connections, 0);

export const refused = (why: string): TandemError =>
  new TandemError('drill-refused', `no drill now: ${why}`, { exitStatus: EXIT.failure });
