import { type IpAddress, type IpFamily, isHost, parseIp, parsePrefix } from '../../../lib/ip.ts';
import { readVirtualAddress } from '../../addresses.ts';
import { readAnnounce, readGlobalAnnounce } from './announce.ts';
import type { Journal, Section } from './journal.ts';
import { KEYWORDS } from './keywords.ts';
import type { Globals, LvsTimeouts, Peer, VirtualIp, VrrpInstance } from './model.ts';
import type { Statement } from './parser.ts';
import { readTrackUses } from './read-trackers.ts';

export function readGlobals(sections: readonly Section[]): Globals {
  const found = <T>(read: (section: Section) => T | undefined): T | undefined =>
    sections.map(read).findLast((value) => value !== undefined);
  found((globals) => globals.last('script_user'));
  const single = found((globals) => globals.flag('vrrp_min_garp')) === true;
  return {
    routerId: found((globals) => globals.text('router_id')),
    version: found((globals) => globals.number('vrrp_version', 2, 3)),
    realtimePriority: found((globals) => globals.number('vrrp_rt_priority', 1, 99)),
    defaultInterface: found((globals) => globals.text('default_interface')) ?? 'eth0',
    startupDelay: found((globals) => globals.number('vrrp_startup_delay', 0, 1e6)),
    strict: found((globals) => globals.flag('vrrp_strict')) === true,
    announce: readGlobalAnnounce((name, min) => found((globals) => globals.number(name, min, 1e6)), single),
    timeouts: Object.assign({}, ...sections.map(readTimeouts)),
  };
}

function readTimeouts(globals: Section): LvsTimeouts {
  const statement = globals.last('lvs_timeouts');
  const timeouts: Record<string, number> = {};
  for (let i = 0; statement !== undefined && i < statement.args.length; i += 2) {
    const [name = '', value = ''] = statement.args.slice(i, i + 2);
    const seconds = Number(value);
    if (['tcp', 'tcpfin', 'udp'].includes(name) && seconds >= 1 && seconds <= 86_400)
      timeouts[name] = seconds;
    else globals.journal.remark(statement, 'missing', 'a time-out that is not from 1 s to a day is left out');
  }
  return timeouts;
}

export function readInstance(section: Section, globals: Globals): VrrpInstance {
  const { journal } = section;
  const advertised = section
    .items('virtual_ipaddress')
    .flatMap((item) => readVirtualIp(item, false, journal));
  const family = advertised[0]?.prefix.address.family;
  const excluded = section
    .items('virtual_ipaddress_excluded')
    .flatMap((item) => readVirtualIp(item, true, journal));
  const own = advertised.filter(({ item, prefix }) => {
    if (prefix.address.family === family) return true;
    journal.remark(
      item,
      'missing',
      'keepalived wants one address family: put it into virtual_ipaddress_excluded',
    );
    return false;
  });
  const startsAsMaster = section.text('state') === 'MASTER';
  const priority = section.number('priority', 1, 255);
  const state = section.last('state');
  if (startsAsMaster && priority === undefined && state !== undefined) {
    journal.remark(
      state,
      'changed',
      'without a priority it means 255 to keepalived: the owner of the addresses',
    );
  }
  return {
    section,
    name: section.statement.args[0] ?? '',
    family,
    interface: section.text('interface'),
    vrid: section.number('virtual_router_id', 1, 255),
    priority: priority ?? (startsAsMaster ? 255 : 100),
    advertInterval: section.number('advert_int', 0.01, 255) ?? 1,
    version: section.number('version', 2, 3) ?? globals.version,
    startsAsMaster,
    noPreempt: section.last('nopreempt'),
    preemptDelay: section.number('preempt_delay', 0, 1_000) ?? 0,
    addresses: [...own, ...excluded],
    peers: section.items('unicast_peer').flatMap((item) => readPeer(item, family, journal)),
    source: readSource(section, family),
    announce: readAnnounce(section, globals.announce),
    tracks: readTrackUses(section),
  };
}

/** Options of an address that a word follows. */
const WITH_VALUE = new Set(['dev', 'label', 'brd', 'broadcast', 'scope', 'peer', 'preferred_lft']);

function readVirtualIp(item: Statement, excluded: boolean, journal: Journal): VirtualIp[] {
  const prefix = parsePrefix(item.keyword);
  if (prefix === undefined || prefix.length === 0 || !isHost(prefix.address)) {
    journal.remark(item, 'missing', 'not an address that a node can hold');
    return [];
  }
  let device: string | undefined;
  for (let i = 0; i < item.args.length; i++) {
    const option = item.args[i] ?? '';
    const value = WITH_VALUE.has(option) ? item.args[++i] : undefined;
    const row = KEYWORDS.rowOf('address', option);
    if (option === 'dev') device = value;
    else if (row === undefined) journal.remark(item, 'missing', 'not a known option of an address', option);
    else journal.remark(item, row.fate, row.becomes, option);
  }
  journal.read(item);
  return [{ item, prefix, device, excluded }];
}

function readPeer(item: Statement, family: IpFamily | undefined, journal: Journal): Peer[] {
  const address = parseIp(item.keyword);
  if (address === undefined || !readVirtualAddress(item.keyword).ok) {
    journal.remark(item, 'missing', 'not an address of a host');
    return [];
  }
  if (family !== undefined && address.family !== family) {
    journal.remark(item, 'missing', `the instance is IPv${family}: keepalived does not use it either`);
    return [];
  }
  for (const option of ['min_ttl', 'max_ttl'].filter((name) => item.args.includes(name))) {
    journal.remark(item, 'missing', KEYWORDS.rowOf('peer', option)?.becomes ?? '', option);
  }
  journal.read(item);
  return [{ item, address }];
}

/** Both keywords set the same address; without peers it is left to the interface. */
function readSource(section: Section, family: IpFamily | undefined): IpAddress | undefined {
  const statement = section.last('unicast_src_ip', 'mcast_src_ip');
  if (statement === undefined) return undefined;
  const address = parseIp(statement.args[0] ?? '');
  if (address === undefined) section.journal.remark(statement, 'missing', 'not an address');
  else if (section.items('unicast_peer').length === 0) {
    const text = 'multicast leaves from the primary address of the interface';
    section.journal.remark(statement, 'missing', text);
    return undefined;
  } else if (family !== undefined && address.family !== family) {
    const text = `the instance is IPv${family}: keepalived does not use it either`;
    section.journal.remark(statement, 'missing', text);
    return undefined;
  }
  return address;
}
