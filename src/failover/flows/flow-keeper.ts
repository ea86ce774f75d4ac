import { readFile } from 'node:fs/promises';
import type { Clock, Timer } from '../../lib/clock.ts';
import { type Duration, seconds, toSeconds } from '../../lib/duration.ts';
import { errnoOf, messageOf } from '../../lib/errors.ts';
import { type IpAddress, type IpPrefix, ipFromBytes, isLinkLocal } from '../../lib/ip.ts';
import type { Emit } from '../../model/event.ts';
import type { FailoverGroupSpec, FailoverSpec } from '../../model/failover.ts';
import type { Native } from '../../native/index.ts';
import { isPermanent } from '../interface-view.ts';
import { onLink } from '../router-spec.ts';
import { Nft, NftError } from './nft.ts';
import { deleteTable, quietCommands, type SteeringFamily, steeringCommands, TABLE_PREFIX } from './rules.ts';
import { type Flow, flowsOf } from './tcp-table.ts';

/** After this node lost the role, for the hosts on the link to learn the new MAC address. */
const HANDING_BACK = seconds(2);
const TCP_TABLES = ['/proc/net/tcp', '/proc/net/tcp6'] as const;
const LOOPBACK = 'lo';

export interface FlowKeeperOptions {
  readonly native: Native;
  readonly clock: Clock;
  readonly emit: Emit;
}

/** A group that this node takes over, and the giver's address on the link in each of its families. */
export interface SteeredGroup {
  readonly group: FailoverGroupSpec;
  readonly families: readonly SteeringFamily[];
}

/** Active in every family, in some, or in none. */
export type GroupRole = 'active' | 'mixed' | 'none';

interface Steering {
  /** The role has been ours since: when it leaves, the steering ends soon. */
  wasActive: boolean;
  timer: Timer;
}

interface Pin {
  readonly group: FailoverGroupSpec;
  readonly addresses: readonly IpPrefix[];
  readonly timer: Timer;
  /** The rules against answering for them are there. */
  quiet: boolean;
  /** The role has left: when it comes back, nothing needs to be kept here any more. */
  left: boolean;
}

/**
 * Keeps TCP connections alive over a planned handover. The new Active steers packets of connections that are
 * not its own to the old one; the old one keeps the addresses on lo, where the kernel's clock removes them in
 * any case, and no longer answers for them on the link. All rules are in nftables tables with our prefix.
 */
export class FlowKeeper {
  readonly #options: FlowKeeperOptions;
  readonly #nft = new Nft();
  readonly #steered = new Map<string, Steering>();
  readonly #pinned = new Map<string, Pin>();

  constructor(options: FlowKeeperOptions) {
    this.#options = options;
  }

  /** Removes what a predecessor that died in a handover left behind, and says so. Never throws. */
  async cleanUp(spec: FailoverSpec): Promise<void> {
    const removed: string[] = [];
    try {
      for (const { family, name } of await this.#nft.tables(TABLE_PREFIX)) {
        await this.#nft.apply([{ delete: { table: { family, name } } }]);
        removed.push(`nftables table ${family} ${name}`);
      }
    } catch (error) {
      // without nft there never were any
      if (!(error instanceof NftError && error.missing)) this.#complain('looking for leftovers', error);
    }
    for (const prefix of spec.groups.flatMap(pinnable)) {
      if (this.#removeFromLoopback(prefix)) removed.push(`${prefix.address.text} on ${LOOPBACK}`);
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
  async steer(groups: readonly SteeredGroup[], drain: Duration): Promise<string | null> {
    try {
      const addresses = groups.flatMap(({ group }) => onLink(group).map(({ address }) => address));
      const known = await knownFlows(addresses);
      for (const steered of groups) await this.#steerOne(steered, known, drain);
      return null;
    } catch (error) {
      await this.unsteer(groups.map(({ group }) => group));
      return messageOf(error);
    }
  }

  async #steerOne({ group, families }: SteeredGroup, known: readonly Flow[], drain: Duration): Promise<void> {
    const table = tableOf(group);
    const own = new Set(onLink(group).map(({ address }) => address.text));
    await this.#nft.apply(
      steeringCommands({
        table,
        device: group.interface,
        families,
        known: known.filter(({ address }) => own.has(address.text)),
        drainSeconds: Math.ceil(toSeconds(drain)),
      }),
    );
    this.#steered.get(table)?.timer.cancel();
    this.#steered.set(table, { wasActive: false, timer: this.#later(drain, () => this.unsteer([group])) });
  }

  async unsteer(groups: readonly FailoverGroupSpec[]): Promise<void> {
    for (const group of groups) {
      const table = tableOf(group);
      const steering = this.#steered.get(table);
      if (steering === undefined) continue;
      steering.timer.cancel();
      this.#steered.delete(table);
      await this.#delete('netdev', table);
      this.#tell(group, 'connections of the peer are no longer sent on to it');
    }
  }

  /** Puts the addresses on lo for `drain`. @returns why it cannot be done, or null */
  pin(groups: readonly FailoverGroupSpec[], drain: Duration): string | null {
    try {
      for (const group of groups) {
        const addresses = pinnable(group);
        this.#pinned.get(tableOf(group))?.timer.cancel();
        const timer = this.#later(drain, () => this.unpin([group]));
        this.#pinned.set(tableOf(group), { group, addresses, timer, quiet: false, left: false });
        for (const prefix of addresses) this.#addToLoopback(prefix, drain);
      }
      return null;
    } catch (error) {
      this.unpin(groups).catch((failure: unknown) => this.#complain('removing addresses from lo', failure));
      return messageOf(error);
    }
  }

  /** No longer answers for the pinned addresses on the link. A failure is an event: the role moves all the same. */
  async quiet(groups: readonly FailoverGroupSpec[]): Promise<void> {
    for (const group of groups) {
      const pin = this.#pinned.get(tableOf(group));
      const addresses = onLink(group)
        .map(({ address }) => address)
        .filter(({ family }) => family === 4);
      if (pin === undefined || addresses.length === 0) continue;
      const own = this.#ownAddress(group, addresses);
      try {
        pin.quiet = true;
        await this.#nft.apply(
          quietCommands({ table: tableOf(group), device: group.interface, addresses, own }),
        );
      } catch (error) {
        this.#complain(`${group.name}: keeping quiet about its addresses`, error);
      }
    }
  }

  /** This node is about to own the addresses again: it must answer for them. */
  async unquiet(groups: readonly FailoverGroupSpec[]): Promise<void> {
    for (const group of groups) {
      const pin = this.#pinned.get(tableOf(group));
      if (pin?.quiet !== true) continue;
      pin.quiet = false;
      await this.#delete('arp', tableOf(group));
    }
  }

  async unpin(groups: readonly FailoverGroupSpec[]): Promise<void> {
    for (const group of groups) {
      const pin = this.#pinned.get(tableOf(group));
      if (pin === undefined) continue;
      pin.timer.cancel();
      this.#pinned.delete(tableOf(group));
      for (const prefix of pin.addresses) this.#removeFromLoopback(prefix);
      if (pin.quiet) await this.#delete('arp', tableOf(group));
      if (pin.left)
        this.#tell(group, 'the addresses have left lo: the connections that were still here have ended');
    }
  }

  /** The roles changed, by whatever cause: what a role needs no longer is undone. */
  roleChanged(group: FailoverGroupSpec, role: GroupRole): void {
    const pin = this.#pinned.get(tableOf(group));
    if (pin !== undefined && role === 'none') pin.left = true;
    if (pin?.left === true && role === 'active') this.#undo(this.unpin([group]));
    const steering = this.#steered.get(tableOf(group));
    if (steering === undefined) return;
    if (role === 'active') {
      steering.wasActive = true;
    } else if (role === 'none' && steering.wasActive) {
      steering.wasActive = false;
      steering.timer.cancel();
      steering.timer = this.#later(HANDING_BACK, () => this.unsteer([group]));
    }
  }

  /** Undoes everything. */
  async close(): Promise<void> {
    for (const { group } of [...this.#pinned.values()]) await this.unpin([group]);
    for (const [table, { timer }] of [...this.#steered]) {
      timer.cancel();
      this.#steered.delete(table);
      await this.#delete('netdev', table);
    }
  }

  #later(delay: Duration, task: () => Promise<void>): Timer {
    return this.#options.clock.timerAfter(delay, () => this.#undo(task()));
  }

  #undo(done: Promise<void>): void {
    done.catch((error: unknown) => this.#complain('ending a drain', error));
  }

  async #delete(family: 'netdev' | 'arp', table: string): Promise<void> {
    try {
      await this.#nft.apply(deleteTable(family, table));
    } catch (error) {
      this.#complain(`removing the nftables table ${family} ${table}`, error);
    }
  }

  /** A second beyond the drain: normally we remove it ourselves. */
  #addToLoopback({ address }: IpPrefix, drain: Duration): void {
    const lifetime = Math.ceil(toSeconds(drain)) + 1;
    this.#options.native.putAddress({
      ifindex: this.#ifindexOf(LOOPBACK),
      address: address.bytes,
      prefixLength: address.bytes.byteLength * 8,
      lifetime,
      preferred: address.family === 6 ? 0 : lifetime,
    });
  }

  /** False when it is not there, or there for good: then it is not ours. */
  #removeFromLoopback({ address }: IpPrefix): boolean {
    const { native } = this.#options;
    try {
      const ifindex = this.#ifindexOf(LOOPBACK);
      const prefixLength = address.bytes.byteLength * 8;
      const found = native
        .listAddresses()
        .find(
          (info) =>
            info.ifindex === ifindex &&
            info.prefixLength === prefixLength &&
            Buffer.compare(info.address, address.bytes) === 0,
        );
      if (found === undefined || isPermanent(found)) return false;
      return native.removeAddress({ ifindex, address: address.bytes, prefixLength });
    } catch (error) {
      this.#complain(`removing ${address.text} from ${LOOPBACK}`, error);
      return false;
    }
  }

  #ifindexOf(name: string): number {
    const link = this.#options.native.listLinks().find((candidate) => candidate.name === name);
    if (link === undefined) throw new Error(`there is no interface ${name}`);
    return link.index;
  }

  /** The interface's first IPv4 address that is not a virtual one. */
  #ownAddress(group: FailoverGroupSpec, virtual: readonly IpAddress[]): IpAddress | null {
    const ifindex = this.#ifindexOf(group.interface);
    const texts = new Set(virtual.map(({ text }) => text));
    return (
      this.#options.native
        .listAddresses()
        .filter((info) => info.ifindex === ifindex && info.address.byteLength === 4)
        .map((info) => ipFromBytes(info.address))
        .find(({ text }) => !texts.has(text)) ?? null
    );
  }

  #tell(group: FailoverGroupSpec, what: string): void {
    this.#options.emit({
      level: 'info',
      name: 'failover.handover',
      message: `group ${group.name}: ${what}`,
      fields: { group: group.name, vrid: group.vrid, interface: group.interface },
    });
  }

  #complain(what: string, error: unknown): void {
    this.#options.emit({
      level: 'error',
      name: 'failover.error',
      message: `${what}: ${messageOf(error)}`,
      fields: { errno: errnoOf(error) ?? null },
    });
  }
}

function tableOf({ vrid, interface: device }: FailoverGroupSpec): string {
  return `${TABLE_PREFIX}_${vrid}_${device.replace(/[^a-zA-Z0-9]/g, '_')}`;
}

/** A link-local address is of one link and cannot be moved to lo. */
function pinnable(group: FailoverGroupSpec): IpPrefix[] {
  return onLink(group).filter(({ address }) => !isLinkLocal(address));
}

async function knownFlows(addresses: readonly IpAddress[]): Promise<Flow[]> {
  const local = new Set(addresses.map(({ text }) => text));
  const tables = await Promise.all(TCP_TABLES.map((path) => readFile(path, 'latin1').catch(absent)));
  return tables.flatMap((table) => flowsOf(table, local));
}

/** A kernel without IPv6 has no tcp6. */
function absent(error: unknown): string {
  if (errnoOf(error) === 'ENOENT') return '';
  throw error;
}
