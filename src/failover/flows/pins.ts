import type { Timer } from '../../lib/clock.ts';
import { after, between, type Instant, toMillis, toSeconds } from '../../lib/duration.ts';
import { messageOf } from '../../lib/errors.ts';
import { type IpAddress, type IpPrefix, ipFromBytes, isLinkLocal } from '../../lib/ip.ts';
import type { DrainStatus, FailoverGroupSpec } from '../../model/failover.ts';
import type { Native } from '../../native/index.ts';
import { onLink } from '../router-spec.ts';
import type { DrainTerms, DrainTools } from './drain-tools.ts';
import { DrainWatch } from './drain-watch.ts';
import { LOOPBACK, Loopback } from './loopback.ts';
import { quietCommands } from './rules.ts';
import { tableOf } from './table-name.ts';
import { countFlows } from './tcp-scan.ts';

interface Pin {
  readonly group: FailoverGroupSpec;
  readonly terms: DrainTerms;
  readonly addresses: readonly IpPrefix[];
  readonly since: Instant;
  readonly timer: Timer;
  /** From when the role has left: when it comes back, nothing needs to be kept here any more. */
  watch: DrainWatch | null;
  /** The rules against answering for the addresses are there. */
  quiet: boolean;
}

export interface PinsOptions {
  readonly native: Native;
  readonly tools: DrainTools;
  /** The last connection that the drain was for has gone: the peer need not send on packets for it. */
  readonly onDrained: (group: FailoverGroupSpec, handover: string) => void;
}

/** The giver's side of a drain: the addresses on lo, and silence about them on the link. */
export class Pins {
  readonly #options: PinsOptions;
  readonly #loopback: Loopback;
  readonly #pins = new Map<string, Pin>();

  constructor(options: PinsOptions) {
    this.#options = options;
    this.#loopback = new Loopback(options.native);
  }

  /** @returns why it cannot be done, or null */
  pin(groups: readonly FailoverGroupSpec[], terms: DrainTerms): string | null {
    const { tools } = this.#options;
    try {
      for (const group of groups) this.#pinOne(group, terms);
      return null;
    } catch (error) {
      tools.undo(this.unpin(groups));
      return messageOf(error);
    }
  }

  #pinOne(group: FailoverGroupSpec, terms: DrainTerms): void {
    const { tools } = this.#options;
    const table = tableOf(group);
    const before = this.#pins.get(table);
    before?.timer.cancel();
    before?.watch?.stop();
    const addresses = pinnable(group);
    const timer = tools.later(terms.drain, () => this.unpin([group]));
    const since = tools.clock.now();
    this.#pins.set(table, { group, terms, addresses, since, timer, watch: null, quiet: false });
    for (const prefix of addresses) this.#loopback.add(prefix, terms.drain);
  }

  /** No longer answers for the pinned addresses on the link. A failure is an event: the role moves all the same. */
  async quiet(groups: readonly FailoverGroupSpec[]): Promise<void> {
    const { tools } = this.#options;
    for (const group of groups) {
      const table = tableOf(group);
      const pin = this.#pins.get(table);
      const addresses = onLink(group)
        .map(({ address }) => address)
        .filter(({ family }) => family === 4);
      if (pin === undefined || addresses.length === 0) continue;
      const own = this.#ownAddress(group, addresses);
      try {
        pin.quiet = true;
        await tools.nft.apply(quietCommands({ table, device: group.interface, addresses, own }));
      } catch (error) {
        tools.complain(`${group.name}: keeping quiet about its addresses`, error);
      }
    }
  }

  /** This node is about to own the addresses again: it must answer for them. */
  async unquiet(groups: readonly FailoverGroupSpec[]): Promise<void> {
    for (const group of groups) {
      const pin = this.#pins.get(tableOf(group));
      if (pin?.quiet !== true) continue;
      pin.quiet = false;
      await this.#options.tools.deleteTable('arp', tableOf(group));
    }
  }

  async unpin(groups: readonly FailoverGroupSpec[]): Promise<void> {
    for (const group of groups) {
      const pin = await this.#take(group);
      if (pin !== null && pin.watch !== null) this.#tellEnd(pin, pin.watch.connections);
    }
  }

  /** The role has left: from now on the connections that are still here are counted. */
  left(group: FailoverGroupSpec): void {
    const pin = this.#pins.get(tableOf(group));
    if (pin !== undefined) pin.watch ??= this.#watch(pin);
  }

  /** The role is here in full: the addresses are on their interface, and old connections ordinary ones. */
  async returned(group: FailoverGroupSpec): Promise<void> {
    // before it has left, the role is here in full all the time
    if (!this.#pins.get(tableOf(group))?.watch) return;
    await this.#take(group);
    this.#options.tools.tell(group, 'the role has returned before the drain was over');
  }

  statuses(): DrainStatus[] {
    return [...this.#pins.values()].flatMap(({ group, watch, since, terms }): DrainStatus[] => {
      if (watch === null) return [];
      const { connections, initially } = watch;
      const endsInMillis = this.#options.tools.remaining(after(since, terms.drain));
      return [{ group: group.name, role: 'giver', connections, initially, endsInMillis }];
    });
  }

  async close(): Promise<void> {
    for (const { group } of [...this.#pins.values()]) await this.unpin([group]);
  }

  /** An address on lo that a predecessor left behind. Never throws. @returns whether there was one */
  removeLeftover(prefix: IpPrefix): boolean {
    try {
      return this.#loopback.remove(prefix);
    } catch (error) {
      this.#options.tools.complain(`removing ${prefix.address.text} from ${LOOPBACK}`, error);
      return false;
    }
  }

  async #take(group: FailoverGroupSpec): Promise<Pin | null> {
    const table = tableOf(group);
    const pin = this.#pins.get(table);
    if (pin === undefined) return null;
    pin.timer.cancel();
    pin.watch?.stop();
    this.#pins.delete(table);
    for (const prefix of pin.addresses) this.removeLeftover(prefix);
    if (pin.quiet) await this.#options.tools.deleteTable('arp', table);
    return pin;
  }

  #watch(pin: Pin): DrainWatch {
    const { tools, onDrained } = this.#options;
    const addresses = pin.addresses.map(({ address }) => address);
    return new DrainWatch({
      clock: tools.clock,
      count: () => countFlows(addresses),
      onEmpty: () => {
        tools.undo(this.unpin([pin.group]));
        onDrained(pin.group, pin.terms.handover);
      },
      onFailure: (error) => tools.complain(`${pin.group.name}: counting its old connections`, error),
    });
  }

  #tellEnd({ group, since }: Pin, connections: number | null): void {
    const { tools } = this.#options;
    const took = between(since, tools.clock.now());
    const fields = { connections, millis: Math.round(toMillis(took)) };
    tools.tell(group, `${ending(connections, toSeconds(took))}; its addresses have left ${LOOPBACK}`, fields);
  }

  /** The interface's first IPv4 address that is not a virtual one. */
  #ownAddress(group: FailoverGroupSpec, virtual: readonly IpAddress[]): IpAddress | null {
    const { native } = this.#options;
    const link = native.listLinks().find(({ name }) => name === group.interface);
    const texts = new Set(virtual.map(({ text }) => text));
    return (
      native
        .listAddresses()
        .filter((info) => info.ifindex === link?.index && info.address.byteLength === 4)
        .map((info) => ipFromBytes(info.address))
        .find(({ text }) => !texts.has(text)) ?? null
    );
  }
}

function ending(connections: number | null, took: number): string {
  if (connections === 0) return `the last connection has ended, ${took.toFixed(1)} s after the handover`;
  const over = `the drain is over after ${took.toFixed(1)} s`;
  return connections === null ? over : `${over}, and ${connections} connections that are left are cut`;
}

/** A link-local address is of one link and cannot be moved to lo. */
export function pinnable(group: FailoverGroupSpec): IpPrefix[] {
  return onLink(group).filter(({ address }) => !isLinkLocal(address));
}
