import { formatDuration, seconds } from '../../../lib/duration.ts';
import type { IpFamily } from '../../../lib/ip.ts';
import { isDeviceName, Names } from '../names.ts';
import { whereabouts } from '../source.ts';
import type { TomlTable, TomlValue } from '../toml.ts';
import { convertAnnounce } from './announce.ts';
import { convertAddresses, type GroupAddresses } from './convert-addresses.ts';
import { convertSyncGroups, electionOf, type Membership } from './convert-election.ts';
import { convertAccept, convertVirtualMac } from './convert-mac.ts';
import { convertNotify } from './convert-notify.ts';
import { convertRoutes } from './convert-routes.ts';
import { Tracks } from './convert-tracks.ts';
import type { Journal } from './journal.ts';
import type { ArpSpacing, Globals, KeepalivedModel, SyncGroup, VrrpInstance } from './model.ts';
import type { Statement } from './parser.ts';

export interface FailoverTables {
  /** [[failover.group]], each with the tables within it. */
  readonly groups: readonly (readonly TomlTable[])[];
  /** [[failover.track]] */
  readonly tracks: readonly TomlTable[];
}

/** A [[failover.group]] for each vrrp_instance that can have one, and what those track. */
export function convertFailover(
  { instances, globals, syncGroups, trackers, linkDelays, spacings }: KeepalivedModel,
  order: ReadonlyMap<Statement, number>,
  journal: Journal,
): FailoverTables {
  const tracks = new Tracks({ journal, definitions: trackers, linkDelays, order });
  const context: Context = {
    globals,
    used: new Used(),
    spacings,
    memberships: convertSyncGroups(syncGroups, instances),
    told: new Set(),
    tracks,
  };
  for (const instance of instances) context.used.take(`link ${deviceOf(instance, globals)}`);
  const groups = instances.flatMap((instance) => convertInstance(instance, context));
  tracks.remarkUnused();
  const tables = tracks.tables();
  return { groups: tables.length > 0 ? groups : groups.map(withoutTracks), tracks: tables };
}

interface Context {
  readonly globals: Globals;
  readonly used: Used;
  readonly spacings: ReadonlyMap<string, ArpSpacing>;
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
  readonly #taken = new Set<string>();

  /** False when it is taken already. */
  take(what: string): boolean {
    const free = !this.#taken.has(what);
    this.#taken.add(what);
    return free;
  }

  release(what: string): void {
    this.#taken.delete(what);
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
  const key = routerKey(device, vrid, family);
  if (!used.take(key)) return leaveOut(`VRID ${vrid} is used by an earlier instance on ${device}`);
  const held = convertAddresses(instance, device, family, (text) => used.take(`address ${text}`));
  if (held.addresses.length === 0) {
    used.release(key);
    return leaveOut('none of its virtual addresses is left, and a group needs one');
  }
  const wanted = instance.name === '' ? `vrid-${vrid}` : instance.name;
  const name = used.names.take(wanted);
  if (name !== wanted) journal.remark(statement, 'changed', `it is called ${name}`);
  const notify = notifyTable(instance, context);
  const group = groupTable(instance, { name, vrid, device, version, held }, context);
  return [[group, ...(notify === undefined ? [] : [notify])]];
}

/** The first member of a sync group that is converted speaks for the group. */
function notifyTable(instance: VrrpInstance, context: Context): TomlTable | undefined {
  const sync = context.memberships.get(instance)?.sync;
  const speaks = sync !== undefined && !context.told.has(sync);
  if (speaks) context.told.add(sync);
  return convertNotify(instance, speaks ? sync : undefined);
}

const routerKey = (device: string, vrid: number | undefined, family: IpFamily | undefined): string =>
  `router ${device} ${vrid} ${family}`;

/** Without `interface` (unicast alone) keepalived goes by the addresses, or by its default. */
function deviceOf({ interface: own, addresses }: VrrpInstance, globals: Globals): string {
  const named = addresses.find((address) => address.device !== undefined)?.device;
  return own ?? named ?? globals.defaultInterface;
}

interface GroupBase {
  readonly name: string;
  readonly vrid: number;
  readonly device: string;
  readonly version: 2 | 3;
  readonly held: GroupAddresses;
}

function groupTable(instance: VrrpInstance, base: GroupBase, context: Context): TomlTable {
  const { section, peers, source } = instance;
  const membership = context.memberships.get(instance);
  const { priority, preempt, preemptDelay } = membership?.election ?? electionOf(instance);
  const routes = convertRoutes(section, base.device, (key) => context.used.take(key));
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
      addresses: base.held.addresses,
      excluded_addresses: base.held.excluded.length === 0 ? undefined : base.held.excluded,
      virtual_mac: convertVirtualMac(instance, (name) => context.used.take(`link ${name}`)),
      accept: convertAccept(instance, context.globals),
      routes: routes.length === 0 ? undefined : routes,
      preempt: preempt ? undefined : false,
      preempt_delay: preemptDelay > 0 ? formatDuration(seconds(preemptDelay)) : undefined,
      unicast: peers.length === 0 ? undefined : convertUnicast(instance, source?.text),
      auth_pass: convertPassword(instance, base.version),
      announce: convertAnnounce(instance, context.spacings.get(base.device)),
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
