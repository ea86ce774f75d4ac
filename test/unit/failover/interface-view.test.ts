import { expect, test } from 'vitest';
import { type InterfaceView, readiness } from '../../../src/failover/interface-view.ts';
import { type VirtualRouterSpec, virtualRouterSpecs } from '../../../src/failover/router-spec.ts';
import { millis, seconds } from '../../../src/lib/duration.ts';
import { type IpAddress, parseIp, parsePrefix } from '../../../src/lib/ip.ts';
import type { FailoverGroupSpec, UnicastSpec } from '../../../src/model/failover.ts';
import type { AddressInfo } from '../../../src/native/index.ts';

const ip = (text: string): IpAddress => {
  const parsed = parseIp(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
};

const group = (addresses: string[], unicast: UnicastSpec | null = null): FailoverGroupSpec => ({
  name: 'web',
  interface: 'eth0',
  vrid: 51,
  version: 3,
  priority: 100,
  addresses: addresses
    .flatMap((text) => parsePrefix(text) ?? [])
    .map((prefix) => ({ ...prefix, device: null })),
  excluded: [],
  routes: [],
  virtualMac: null,
  accept: true,
  advertiseInterval: millis(100),
  preempt: true,
  preemptDelay: millis(0),
  checksum: 'rfc5798',
  unicast,
  authPass: null,
  notify: null,
  announce: {
    repeat: 1,
    interval: millis(100),
    delay: millis(0),
    refresh: millis(0),
    refreshRepeat: 1,
    pace: millis(0),
    conflictRepeat: 1,
    conflictDelay: millis(0),
  },
  lease: seconds(2),
  sync: null,
  track: [],
});

const specs = (addresses: string[], unicast: UnicastSpec | null = null): VirtualRouterSpec[] =>
  virtualRouterSpecs({
    groups: [group(addresses, unicast)],
    tracks: [],
    realtimePriority: 0,
    startupDelay: seconds(0),
    peer: null,
    witness: null,
  });

const first = (addresses: string[], unicast: UnicastSpec | null = null): VirtualRouterSpec => {
  const [spec] = specs(addresses, unicast);
  if (spec === undefined) throw new Error('no router');
  return spec;
};

const PERMANENT = 0x80;
const TENTATIVE = 0x40;

const at = (text: string, flags = PERMANENT, scope = 0): AddressInfo => ({
  ifindex: 7,
  address: ip(text).bytes,
  prefixLength: 24,
  scope,
  flags,
  validLifetime: 0xffffffff,
  preferredLifetime: 0xffffffff,
});

const view = (addresses: AddressInfo[], changes: Partial<InterfaceView> = {}): InterfaceView => ({
  index: 7,
  name: 'eth0',
  mac: new Uint8Array(6),
  up: true,
  carrier: true,
  addresses,
  ...changes,
});

const V4 = ['10.0.0.100/24'];
const V6 = ['2001:db8::100/64'];
const VIRTUAL = new Set(['10.0.0.100', '2001:db8::100', 'fe80::200:5eff:fe00:233']);
const isVirtual = (address: IpAddress): boolean => VIRTUAL.has(address.text);

/** The chosen source, or why there is none. */
function choose(spec: VirtualRouterSpec, of: InterfaceView | null): string {
  const found = readiness(spec, of, isVirtual);
  return found.ready ? found.source.text : found.why;
}

test('a group makes one router for each family it has addresses of', () => {
  expect(specs([...V6, ...V4]).map(({ key }) => key)).toEqual(['51/4@eth0', '51/6@eth0']);
  expect(specs(V4).map(({ key }) => key)).toEqual(['51/4@eth0']);
  expect(specs([])).toEqual([]);
});

test('an IPv6 group without a link-local address gets the one that its VRID implies', () => {
  expect(first(V6).addresses.map(({ text }) => text)).toEqual([
    'fe80::200:5eff:fe00:233/128',
    '2001:db8::100/64',
  ]);
  expect(first([...V6, 'fe80::1/64']).addresses.map(({ text }) => text)).toEqual([
    'fe80::1/64',
    '2001:db8::100/64',
  ]);
});

test.each([
  ['a missing interface', null, 'interface eth0 does not exist'],
  ['one that is down', view([at('10.0.0.1')], { up: false }), 'interface eth0 is down'],
  ['one without carrier', view([at('10.0.0.1')], { carrier: false }), 'interface eth0 has no carrier'],
  ['one without addresses', view([]), 'interface eth0 has no IPv4 address of its own'],
  [
    'one with our leased address alone',
    view([at('10.0.0.100', 0)]),
    'interface eth0 has no IPv4 address of its own',
  ],
  [
    'one with a host-scope address alone',
    view([at('127.0.0.1', PERMANENT, 254)]),
    'interface eth0 has no IPv4 address of its own',
  ],
])('%s cannot be used', (_, given, why) => {
  expect(choose(first(V4), given)).toBe(why);
});

test('the source is the first address of its own, never a leased one', () => {
  expect(choose(first(V4), view([at('10.0.0.100', 0), at('10.0.0.1'), at('10.0.0.2')]))).toBe('10.0.0.1');
  // the owner of the address holds it for good
  expect(choose(first(V4), view([at('10.0.0.100')]))).toBe('10.0.0.100');
});

test('IPv6 multicast leaves from a link-local address, once duplicate address detection is over', () => {
  const global = at('2001:db8::1');
  expect(choose(first(V6), view([global, at('fe80::1', PERMANENT, 253)]))).toBe('fe80::1');
  expect(choose(first(V6), view([global, at('fe80::1', PERMANENT | TENTATIVE, 253)]))).toBe(
    'interface eth0 has no usable link-local IPv6 address',
  );
  expect(choose(first(V6), view([global, at('fe80::200:5eff:fe00:233', 0, 253)]))).toContain(
    'no usable link-local',
  );
});

test('unicast: the configured source, or one of the kind of address that the peers have', () => {
  const addresses = [at('10.0.0.1'), at('10.0.0.5'), at('fe80::1', PERMANENT, 253), at('2001:db8::1')];
  const given = (source: string | null, peer: string): UnicastSpec => ({
    source: source === null ? null : ip(source),
    peers: [ip(peer)],
  });
  expect(choose(first(V4, given('10.0.0.5', '10.0.0.2')), view(addresses))).toBe('10.0.0.5');
  expect(choose(first(V4, given('10.0.0.6', '10.0.0.2')), view(addresses))).toBe(
    '10.0.0.6, the source of the advertisements, is not on eth0',
  );
  expect(choose(first(V6, given(null, '2001:db8::2')), view(addresses))).toBe('2001:db8::1');
  expect(choose(first(V6, given(null, 'fe80::2')), view(addresses))).toBe('fe80::1');
});
