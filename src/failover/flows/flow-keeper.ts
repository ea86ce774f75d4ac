import type { Clock, Timer } from '../../lib/clock.ts';
import { after, type Instant, seconds, toSeconds } from '../../lib/duration.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Emit } from '../../model/event.ts';
import type { DrainStatus, FailoverGroupSpec, FailoverSpec } from '../../model/failover.ts';
import type { Native } from '../../native/index.ts';
import { onLink } from '../router-spec.ts';
import { type DrainTerms, DrainTools } from './drain-tools.ts';
import { LOOPBACK } from './loopback.ts';
import { Nft, NftError } from './nft.ts';
import { Pins, pinnable } from './pins.ts';
import { type SteeringFamily, steeringCommands, TABLE_PREFIX } from './rules.ts';
import { tableOf } from './table-name.ts';
import { knownFlows } from './tcp-scan.ts';
import type { Flow } from './tcp-table.ts';

/** After this node lost the role, for the hosts on the link to learn the new MAC address. */
const HANDING_BACK = seconds(2);

export interface FlowKeeperOptions {
  readonly native: Native;
  readonly clock: Clock;
  readonly emit: Emit;
  /** The last connection that a drain was for has gone: the peer need not send on packets for it. */
  readonly onDrained: (group: FailoverGroupSpec, handover: string) => void;
}

/** A group that this node takes over, and the giver's address on the link in each of its families. */
export interface SteeredGroup {
  readonly group: FailoverGroupSpec;
  readonly families: readonly SteeringFamily[];
}

/** Active in every family, in some, or in none. */
export type GroupRole = 'active' | 'mixed' | 'none';

interface Steering {
  readonly group: FailoverGroupSpec;
  readonly handover: string;
  deadline: Instant;
  timer: Timer;
  /** The role has been ours since: when it leaves, the steering ends soon. */
  wasActive: boolean;
}

/**
 * Keeps TCP connections alive over a planned handover. The new Active steers packets of connections that are
 * not its own to the old one; the old one keeps the addresses on lo, where the kernel's clock removes them in
 * any case, and no longer answers for them on the link. All rules are in nftables tables with our prefix.
 */
export class FlowKeeper {
  readonly #options: FlowKeeperOptions;
  readonly #tools: DrainTools;
  readonly #steered = new Map<string, Steering>();
  /** The giver's side. */
  readonly pins: Pins;

  constructor(options: FlowKeeperOptions) {
    const { native, clock, emit, onDrained } = options;
    this.#options = options;
    this.#tools = new DrainTools(clock, new Nft(), emit);
    this.pins = new Pins({ native, tools: this.#tools, onDrained });
  }

  /** Removes what a predecessor that died in a handover left behind, and says so. Never throws. */
  async cleanUp(spec: FailoverSpec): Promise<void> {
    const { nft } = this.#tools;
    const removed: string[] = [];
    try {
      for (const { family, name } of await nft.tables(TABLE_PREFIX)) {
        await nft.apply([{ delete: { table: { family, name } } }]);
        removed.push(`nftables table ${family} ${name}`);
      }
    } catch (error) {
      // without nft there never were any
      if (!(error instanceof NftError && error.missing)) {
        this.#tools.complain('looking for leftovers', error);
      }
    }
    for (const prefix of spec.groups.flatMap(pinnable)) {
      if (this.pins.removeLeftover(prefix)) removed.push(`${prefix.address.text} on ${LOOPBACK}`);
    }
    if (removed.length === 0) return;
    this.#options.emit({
      level: 'warn',
      name: 'failover.cleanup',
      message: `a handover was cut off; removed what it left behind: ${removed.join(', ')}`,
      fields: { removed: removed.join(', ') },
    });
  }

  /** @returns why it cannot be done, or null */
  async steer(groups: readonly SteeredGroup[], terms: DrainTerms): Promise<string | null> {
    try {
      const addresses = groups.flatMap(({ group }) => onLink(group).map(({ address }) => address));
      const known = await knownFlows(addresses);
      for (const steered of groups) await this.#steerOne(steered, known, terms);
      return null;
    } catch (error) {
      await this.unsteer(groups.map(({ group }) => group));
      return messageOf(error);
    }
  }

  async #steerOne(
    { group, families }: SteeredGroup,
    flows: readonly Flow[],
    terms: DrainTerms,
  ): Promise<void> {
    const { handover, drain } = terms;
    const table = tableOf(group);
    const own = new Set(onLink(group).map(({ address }) => address.text));
    const known = flows.filter(({ address }) => own.has(address.text));
    const drainSeconds = Math.ceil(toSeconds(drain));
    await this.#tools.nft.apply(
      steeringCommands({ table, device: group.interface, families, known, drainSeconds }),
    );
    this.#steered.get(table)?.timer.cancel();
    const deadline = after(this.#options.clock.now(), drain);
    const timer = this.#tools.later(drain, () => this.unsteer([group]));
    this.#steered.set(table, { group, handover, deadline, timer, wasActive: false });
  }

  async unsteer(groups: readonly FailoverGroupSpec[], why = 'the drain is over'): Promise<void> {
    for (const group of groups) {
      const table = tableOf(group);
      const steering = this.#steered.get(table);
      if (steering === undefined) continue;
      steering.timer.cancel();
      this.#steered.delete(table);
      await this.#tools.deleteTable('netdev', table);
      this.#tools.tell(group, `${why}: connections of the peer are no longer sent on to it`);
    }
  }

  /** The peer's last connection has gone. Of another handover than the present one: nothing is done. */
  async drained(groups: readonly FailoverGroupSpec[], handover: string): Promise<void> {
    const meant = groups.filter((group) => this.#steered.get(tableOf(group))?.handover === handover);
    await this.unsteer(meant, 'the last connection of the peer has ended');
  }

  /** The drains that go on now, on either side. */
  statuses(): DrainStatus[] {
    const taken = [...this.#steered.values()].map(
      ({ group, deadline }): DrainStatus => ({
        group: group.name,
        role: 'taker',
        connections: null,
        initially: null,
        endsInMillis: this.#tools.remaining(deadline),
      }),
    );
    return [...this.pins.statuses(), ...taken];
  }

  /** The roles changed, by whatever cause: what a role needs no longer is undone. */
  roleChanged(group: FailoverGroupSpec, role: GroupRole): void {
    if (role === 'none') this.pins.left(group);
    if (role === 'active') this.#tools.undo(this.pins.returned(group));
    const steering = this.#steered.get(tableOf(group));
    if (steering === undefined) return;
    if (role === 'active') {
      steering.wasActive = true;
    } else if (role === 'none' && steering.wasActive) {
      steering.wasActive = false;
      steering.timer.cancel();
      steering.deadline = after(this.#options.clock.now(), HANDING_BACK);
      steering.timer = this.#tools.later(HANDING_BACK, () => this.unsteer([group], 'the role has left'));
    }
  }

  /** Undoes everything. */
  async close(): Promise<void> {
    await this.pins.close();
    for (const [table, { timer }] of [...this.#steered]) {
      timer.cancel();
      this.#steered.delete(table);
      await this.#tools.deleteTable('netdev', table);
    }
  }
}
