import type { Clock, Timer } from '../lib/clock.ts';
import { seconds } from '../lib/duration.ts';
import { messageOf } from '../lib/errors.ts';
import { compareIp, type IpAddress, ipFromBytes } from '../lib/ip.ts';
import type { Emit } from '../model/event.ts';
import type { FailoverSpec } from '../model/failover.ts';
import type { Native } from '../native/index.ts';
import { Nft, NftError } from './flows/nft.ts';
import {
  acceptCommands,
  deleteTable,
  type NftCommand,
  quietCommands,
  type TableFamily,
} from './flows/rules.ts';
import { tableWord } from './flows/table-name.ts';
import { type VirtualRouterSpec, virtualRouterSpecs } from './router-spec.ts';

/** Every table of ours here begins so; the handover's have a prefix of their own. */
const PREFIX = 'tandem_group';
const RETRY = seconds(5);

export interface PacketRulesOptions {
  readonly native: Native;
  readonly clock: Clock;
  readonly emit: Emit;
  /** `fault` or its absence has changed. */
  readonly onChange: () => void;
  /** Tests replace it. */
  readonly nft?: Pick<Nft, 'apply' | 'tables'>;
}

interface Table {
  readonly family: TableFamily;
  readonly name: string;
  readonly group: string;
  readonly commands: NftCommand[];
}

/**
 * Packet rules that hold whatever the role, in nftables tables of our own: with `accept = false` packets to the
 * virtual addresses are dropped; with `virtual_mac` the group's interface, which hears every ARP request too, does
 * not answer for them with the host's own MAC address. Kept by the supervisor, for the agent starts no program.
 */
export class PacketRules {
  readonly #options: PacketRulesOptions;
  readonly #nft: Pick<Nft, 'apply' | 'tables'>;
  /** Those that are in force, by family and name. */
  readonly #tables = new Map<string, Table>();
  #retry: Timer | null = null;
  /** Why rules that were never in force are not: their groups must not be Active without them. */
  #fault: string | null = null;
  #groups: ReadonlySet<string> = new Set();
  #stopped = false;
  /** The last one. */
  #configuring: Promise<void> = Promise.resolve();

  constructor(options: PacketRulesOptions) {
    this.#options = options;
    this.#nft = options.nft ?? new Nft();
  }

  /** Why a group must stand aside; null for nothing. */
  faultOf(group: string): string | null {
    return this.#groups.has(group) ? this.#fault : null;
  }

  /** What a crash left behind, whatever was configured then. Never throws. */
  async cleanUp(): Promise<void> {
    try {
      const left = await this.#nft.tables(PREFIX);
      if (left.length === 0) return;
      await this.#nft.apply(left.map(({ family, name }) => ({ delete: { table: { family, name } } })));
      const removed = left.map(({ family, name }) => `${family} ${name}`).join(', ');
      this.#options.emit({
        level: 'warn',
        name: 'failover.cleanup',
        message: `removed nftables tables that a predecessor left: ${removed}`,
        fields: { removed },
      });
    } catch (error) {
      // without nft there never were any
      if (!(error instanceof NftError && error.missing)) this.#complain('looking for leftovers', error);
    }
  }

  /** Resolves when the rules are in force, or cannot be for now; also after `stop`. Never rejects. */
  configure(spec: FailoverSpec): Promise<void> {
    this.#stopped = false;
    this.#configuring = this.#configure(spec);
    return this.#configuring;
  }

  async #configure(spec: FailoverSpec): Promise<void> {
    this.#retry?.cancel();
    const wanted = virtualRouterSpecs(spec).flatMap((router) => this.#tablesOf(router));
    this.#groups = new Set(wanted.map(({ group }) => group));
    const keys = new Set(wanted.map(keyOf));
    const dropped = [...this.#tables.values()].filter((table) => !keys.has(keyOf(table)));
    const commands = [
      ...dropped.flatMap(({ family, name }) => deleteTable(family, name)),
      ...wanted.flatMap((table) => table.commands),
    ];
    try {
      if (commands.length > 0) await this.#nft.apply(commands);
      this.#tables.clear();
      for (const table of wanted) this.#tables.set(keyOf(table), table);
      this.#judge(null);
    } catch (error) {
      this.#complain('accept and virtual_mac need packet rules', error);
      const isNew = wanted.some((table) => !this.#tables.has(keyOf(table)));
      this.#judge(isNew ? `its packet rules cannot be set: ${messageOf(error)}` : null);
      if (this.#stopped) return;
      this.#retry = this.#options.clock.timerAfter(RETRY, () => void this.configure(spec));
    }
  }

  /** After the addresses have gone. Never rejects. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#retry?.cancel();
    // what is being set now would be left behind
    await this.#configuring;
    const tables = [...this.#tables.values()];
    this.#tables.clear();
    if (tables.length === 0) return;
    try {
      await this.#nft.apply(tables.flatMap(({ family, name }) => deleteTable(family, name)));
    } catch (error) {
      this.#complain('removing packet rules', error);
    }
  }

  #judge(fault: string | null): void {
    if (this.#fault === fault) return;
    this.#fault = fault;
    this.#options.onChange();
  }

  #tablesOf(router: VirtualRouterSpec): Table[] {
    const { group, family, held, mac } = router;
    const name = `${PREFIX}_${tableWord(group.name)}_${family}`;
    const all = held.map(({ address }) => address);
    const onMac = held.filter(({ device, address }) => device === mac?.device && address.family === 4);
    const tables: Table[] = [];
    if (!group.accept && group.priority !== 255) {
      tables.push({
        family: 'inet',
        name,
        group: group.name,
        commands: acceptCommands({ table: name, addresses: all }),
      });
    }
    if (onMac.length > 0) {
      const addresses = onMac.map(({ address }) => address);
      const quiet = {
        table: name,
        device: group.interface,
        addresses,
        own: this.#ownAddress(group.interface, all),
      };
      tables.push({ family: 'arp', name, group: group.name, commands: quietCommands(quiet) });
    }
    return tables;
  }

  /** The address that this host asks from on the interface; null without one. */
  #ownAddress(device: string, virtual: readonly IpAddress[]): IpAddress | null {
    const { native } = this.#options;
    const link = native.listLinks().find(({ name }) => name === device);
    const own = native
      .listAddresses()
      .filter(({ ifindex, address }) => ifindex === link?.index && address.length === 4)
      .map(({ address }) => ipFromBytes(address))
      .find((address) => virtual.every((other) => compareIp(other, address) !== 0));
    return own ?? null;
  }

  #complain(what: string, error: unknown): void {
    this.#options.emit({
      level: 'error',
      name: 'failover.error',
      message: `${what}: ${messageOf(error)}`,
      fields: { errno: null },
    });
  }
}

const keyOf = ({ family, name }: Pick<Table, 'family' | 'name'>): string => `${family} ${name}`;
