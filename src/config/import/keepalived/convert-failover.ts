import { formatDuration, seconds } from '../../../lib/duration.ts';
import type { IpFamily } from '../../../lib/ip.ts';
import { readVirtualAddress } from '../../addresses.ts';
import { convertSyncGroups, electionOf, type Membership } from './convert-election.ts';
import { convertNotify } from './convert-notify.ts';
import { Tracks } from './convert-tracks.ts';
import type { Announce, Globals, KeepalivedModel, SyncGroup, VirtualIp, VrrpInstance } from './model.ts';
import { isDeviceName, Names } from './names.ts';
import type { Statement } from './parser.ts';
import { whereabouts } from './source.ts';
import type { TomlTable, TomlValue } from './toml.ts';

export interface FailoverTables {
  /** [[failover.group]], each with the tables within it. */
  readonly groups: readonly (readonly TomlTable[])[];
  /** [[failover.track]] */
  readonly tracks: readonly TomlTable[];
}

/** A [[failover.group]] for each vrrp_instance that can have one, and what those track. */
export function convertFailover(
  { instances, globals, syncGroups, trackers, linkDelays }: KeepalivedModel,
  order: ReadonlyMap<Statement, number>,
): FailoverTables {
  const tracks = new Tracks({ definitions: trackers, linkDelays, order });
  const context: Context = {
    globals,
    used: new Used(instances.map((instance) => routerOf(instance, globals))),
    memberships: convertSyncGroups(syncGroups, instances),
    told: new Set(),
    tracks,
  };
  const groups = instances.flatMap((instance) => convertInstance(instance, context));
  tracks.remarkUnused();
  const tables = tracks.tables();
  return { groups: tables.length > 0 ? groups : groups.map(withoutTracks), tracks: tables };
}

interface Context {
  readonly globals: Globals;
  readonly used: Used;
  readonly memberships: ReadonlyMap<VrrpInstance, Membership>;
  /** Sync groups whose scripts a group runs already. */
  readonly told: Set<SyncGroup>;
  readonly tracks: Tracks;
}

/** A list is there to say which of the trackers count. */
const withoutTracks = (tables: readonly TomlTable[]): TomlTable[] =>
  tables.map((table) => ({ ...table, values: { ...table.values, track: undefined } }));

/** What two groups must not share. */
class Used {
  readonly names = new Names();
  /** The VRIDs that instances have for their own family, earlier or later in the file. */
  readonly routers: ReadonlySet<string>;
  readonly #taken = new Set<string>();

  constructor(routers: readonly string[]) {
    this.routers = new Set(routers);
  }

  /** False when it is taken already. */
  take(what: string): boolean {
    const free = !this.#taken.has(what);
    this.#taken.add(what);
    return free;
  }
}

function convertInstance(instance: VrrpInstance, context: Context): TomlTable[][] {
  const { globals, used } = context;
  const { section, vrid, family } = instance;
  const { statement, journal } = section;
  const leaveOut = (reason: string): TomlTable[][] => {
    journal.remark(statement, 'missing', `left out: ${reason}`);
    return [];
  };
  if (family === undefined) return leaveOut('it has no virtual address, and a group needs one');
  if (vrid === undefined) return leaveOut('it has no virtual_router_id');
  const device = deviceOf(instance, globals);
  if (instance.interface === undefined) {
    journal.remark(statement, 'changed', `it names no interface: ${device} is taken`);
  }
  if (!isDeviceName(device)) return leaveOut('its interface has no usable name');
  const version = family === 6 ? 3 : instance.version === 3 ? 3 : 2;
  const groups = splitByFamily(instance, device, family, version, used);
  return groups.flatMap(({ family: own, addresses, separate }) => {
    if (addresses.length === 0) return [];
    if (!used.take(routerKey(device, vrid, own))) {
      return leaveOut(`VRID ${vrid} is used by an earlier instance on ${device}`);
    }
    const wanted = instance.name === '' ? `vrid-${vrid}` : instance.name;
    const name = used.names.take(separate ? `${wanted}-v${own}` : wanted);
    if (name !== wanted && !separate) journal.remark(statement, 'changed', `it is called ${name}`);
    const base = { name, vrid, device, version: own === 6 ? 3 : version, addresses, separate } as const;
    const notify = separate ? undefined : notifyTable(instance, base, context);
    return [[groupTable(instance, base, context), ...(notify === undefined ? [] : [notify])]];
  });
}

/** The first member of a sync group that is converted speaks for the group. */
function notifyTable(instance: VrrpInstance, base: GroupBase, context: Context): TomlTable | undefined {
  const sync = context.memberships.get(instance)?.sync;
  const speaks = sync !== undefined && !context.told.has(sync);
  if (speaks) context.told.add(sync);
  const notify = convertNotify(instance, speaks ? sync : undefined);
  if (notify !== undefined && new Set(base.addresses.map((text) => text.includes(':'))).size > 1) {
    const { statement, journal } = instance.section;
    const text = 'its programs run once for each address family, which $TANDEM_FAMILY tells apart';
    journal.remark(statement, 'changed', text);
  }
  return notify;
}

const routerKey = (device: string, vrid: number | undefined, family: IpFamily | undefined): string =>
  `router ${device} ${vrid} ${family}`;

const routerOf = (instance: VrrpInstance, globals: Globals): string =>
  routerKey(deviceOf(instance, globals), instance.vrid, instance.family);

/** Without `interface` (unicast alone) keepalived goes by the addresses, or by its default. */
function deviceOf({ interface: own, addresses }: VrrpInstance, globals: Globals): string {
  const named = addresses.find((address) => address.device !== undefined)?.device;
  return own ?? named ?? globals.defaultInterface;
}

interface FamilyGroup {
  readonly family: IpFamily;
  readonly addresses: readonly string[];
  /** Its excluded addresses of the other family, in a group of their own. */
  readonly separate: boolean;
}

/** As many as fit in one advertisement of 1500 bytes, which Tandem's own check asks for. */
const MAX_ADDRESSES = { 4: 255, 6: 80 } as const;

/**
 * Each family runs a state machine of its own in Tandem, so excluded addresses of the other family become a
 * group. In unicast mode that group would have no peer.
 */
function splitByFamily(
  instance: VrrpInstance,
  device: string,
  family: IpFamily,
  version: 2 | 3,
  used: Used,
): FamilyGroup[] {
  const { journal } = instance.section;
  const kept: Record<IpFamily, string[]> = { 4: [], 6: [] };
  for (const virtual of instance.addresses) {
    const own = virtual.prefix.address.family;
    const foreign = own !== family;
    const fault =
      addressFault(virtual, device) ?? (foreign ? foreignFault(instance, device, own, used) : undefined);
    if (fault !== undefined) journal.remark(virtual.item, 'missing', `left out: ${fault}`);
    else if (kept[own].length >= MAX_ADDRESSES[own]) {
      journal.remark(virtual.item, 'missing', `left out: ${MAX_ADDRESSES[own]} addresses fit in a group`);
    } else if (!used.take(`address ${virtual.prefix.address.text}`)) {
      journal.remark(virtual.item, 'missing', 'left out: it is a virtual address already');
    } else kept[own].push(virtual.prefix.text);
  }
  const other = family === 4 ? 6 : 4;
  if (version === 3 && kept[family].length > 0) {
    if (kept[other].length > 0) used.take(routerKey(device, instance.vrid, other));
    return [{ family, addresses: [...kept[family], ...kept[other]], separate: false }];
  }
  return [
    { family, addresses: kept[family], separate: false },
    { family: other, addresses: kept[other], separate: true },
  ];
}

function addressFault({ prefix, device: own }: VirtualIp, device: string): string | undefined {
  if (own !== undefined && own !== device)
    return `it is on ${own}, and a group has one interface (${device})`;
  const read = readVirtualAddress(prefix.text);
  return read.ok ? undefined : read.message;
}

/** Why an address of the other family cannot come along. */
function foreignFault(
  { peers, vrid }: VrrpInstance,
  device: string,
  family: IpFamily,
  used: Used,
): string | undefined {
  if (peers.length > 0) return 'the unicast peers are of the other address family';
  if (!used.routers.has(routerKey(device, vrid, family))) return undefined;
  return `another instance has VRID ${vrid} for IPv${family}: add it to the addresses of that group`;
}

interface GroupBase {
  readonly name: string;
  readonly vrid: number;
  readonly device: string;
  readonly version: 2 | 3;
  readonly addresses: readonly string[];
  /** The group of its excluded addresses: the password is the other one's. */
  readonly separate: boolean;
}

function groupTable(instance: VrrpInstance, base: GroupBase, context: Context): TomlTable {
  const { section, peers, source } = instance;
  const membership = context.memberships.get(instance);
  const { priority, preempt, preemptDelay } = membership?.election ?? electionOf(instance);
  const track = context.tracks.of({
    section,
    tracks: instance.tracks,
    device: base.device,
    sync: membership?.sync,
    isOwner: instance.priority === 255,
    syncHasOwner: membership?.hasOwner === true,
  });
  return {
    header: '[[failover.group]]',
    comments: [`vrrp_instance ${instance.name} (${whereabouts(section.statement.place)})`],
    values: {
      name: base.name,
      interface: base.device,
      vrid: base.vrid,
      version: base.version,
      priority,
      advertise_interval: convertInterval(instance, base.version),
      addresses: base.addresses,
      preempt: preempt ? undefined : false,
      preempt_delay: preemptDelay > 0 ? formatDuration(seconds(preemptDelay)) : undefined,
      unicast: peers.length === 0 ? undefined : convertUnicast(instance, source?.text),
      auth_pass: base.separate ? undefined : convertPassword(instance, base.version),
      announce: convertAnnounce(instance.announce),
      sync: membership?.name,
      track,
    },
  };
}

function convertUnicast({ section, peers }: VrrpInstance, source: string | undefined): TomlValue {
  const texts = new Set(peers.map(({ address }) => address.text));
  const others = [...texts].filter((text) => text !== source);
  if (source !== undefined && texts.has(source)) {
    section.journal.remark(section.statement, 'changed', 'its own address is not taken for a peer');
  }
  return source === undefined ? { peers: others } : { source, peers: others };
}

/** Version 2 has whole seconds (RFC 3768, 5.3.7), version 3 centiseconds up to 40.95 s (RFC 9568, 5.2.7). */
function convertInterval({ section, advertInterval }: VrrpInstance, version: 2 | 3): string {
  const rounded =
    version === 2
      ? Math.max(1, Math.round(advertInterval))
      : Math.min(4_095, Math.max(1, Math.round(advertInterval * 100))) / 100;
  if (Math.abs(rounded - advertInterval) > 1e-9) {
    const statement = section.last('advert_int') ?? section.statement;
    section.journal.remark(statement, 'changed', `version ${version} has no such interval: ${rounded} s`);
  }
  return formatDuration(seconds(rounded));
}

/** VRRPv2 has room for 8 bytes (RFC 2338, 5.3.10). Only the file gets to see the password. */
function convertPassword({ section }: VrrpInstance, version: 2 | 3): string | undefined {
  const { journal } = section;
  const authentication = section.section('authentication');
  if (authentication === undefined) return undefined;
  const type = authentication.text('auth_type') ?? 'PASS';
  const statement = authentication.last('auth_pass');
  const password = statement?.args[0];
  if (version === 3) {
    journal.remark(
      authentication.statement,
      'needless',
      'VRRPv3 has no authentication: keepalived ignores it',
    );
    return undefined;
  }
  if (type !== 'PASS') {
    const text = 'Tandem has no AH: change both nodes to PASS or, better, to none';
    journal.remark(authentication.last('auth_type') ?? authentication.statement, 'missing', text);
    return undefined;
  }
  if (statement === undefined || password === undefined || password === '') return undefined;
  const bytes = Buffer.from(password);
  if (bytes.length <= 8) return password;
  journal.remark(statement, 'changed', 'the first 8 bytes, as keepalived does');
  return bytes.subarray(0, 8).toString();
}

/** keepalived sends a burst and, some seconds later, another; Tandem spreads one. */
function convertAnnounce({ repeat, interval, refresh }: Announce): TomlValue | undefined {
  const span = (value: number, min: number, max: number): string =>
    formatDuration(seconds(Math.min(max, Math.max(min, value))));
  const table: TomlValue = {
    ...(repeat === undefined ? {} : { repeat: Math.min(100, Math.max(1, Math.round(repeat))) }),
    ...(interval === undefined || interval === 0 ? {} : { interval: span(interval, 0.001, 60) }),
    ...(refresh === undefined ? {} : { refresh: span(refresh, 0, 3_600) }),
  };
  return Object.keys(table).length === 0 ? undefined : table;
}
