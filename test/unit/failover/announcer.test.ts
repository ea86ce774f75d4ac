import { beforeEach, expect, test } from 'vitest';
import { Announcer } from '../../../src/failover/announcer.ts';
import { between, type Duration, millis, toMillis } from '../../../src/lib/duration.ts';
import { type IpPrefix, parsePrefix } from '../../../src/lib/ip.ts';
import { formatMac } from '../../../src/lib/mac.ts';
import type { AnnounceSpec } from '../../../src/model/failover.ts';
import { decodeArp, encodeArp, gratuitousArp } from '../../../src/vrrp/arp.ts';
import { decodeNeighbourAdvertisement, unsolicitedNeighbourAdvertisement } from '../../../src/vrrp/ndp.ts';
import { FakeKernel } from '../../support/fake-kernel.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const ADDRESSES = ['10.0.0.100/24', '2001:db8::100/64'].map((text) => parsePrefix(text) as IpPrefix);
const MAC = Uint8Array.of(2, 0, 0, 0, 0, 1);
const OTHER_MAC = Uint8Array.of(2, 0, 0, 0, 0, 2);

let kernel: FakeKernel;
let clock: ManualClock;
let owner: boolean;
let claims: string[];
let whenCurrent: (act: () => void) => void;

beforeEach(() => {
  kernel = new FakeKernel();
  clock = new ManualClock();
  owner = true;
  claims = [];
  whenCurrent = (act) => act();
});

const NEVER = millis(0);
const SPEC: AnnounceSpec = {
  repeat: 3,
  interval: millis(100),
  delay: NEVER,
  refresh: NEVER,
  refreshRepeat: 1,
  pace: NEVER,
  conflictRepeat: 3,
  conflictDelay: NEVER,
};

function announcer(refresh: Duration, more: Partial<AnnounceSpec> = {}): Announcer {
  const made = new Announcer(
    {
      native: kernel.native,
      clock,
      emit: () => undefined,
      fields: {},
      isOwner: () => owner,
      whenCurrent: (act) => whenCurrent(act),
      onForeignClaim: ({ address, mac }) => claims.push(`${address.text} ${formatMac(mac)}`),
    },
    ADDRESSES,
    { ...SPEC, refresh, ...more },
  );
  made.attach(7, MAC);
  return made;
}

test('every address is announced at once, and repeated as often as configured', () => {
  announcer(millis(0)).announce('active');
  expect(kernel.frames).toHaveLength(2);
  const [arp, na] = kernel.frames.map((frame) => decodeArp(frame) ?? decodeNeighbourAdvertisement(frame));
  expect(arp).toMatchObject({ senderMac: MAC, senderIp: ADDRESSES[0]?.address });
  expect(na).toMatchObject({ targetMac: MAC, target: ADDRESSES[1]?.address, override: true });
  clock.advance(millis(10_000));
  expect(kernel.frames).toHaveLength(6);
  expect(clock.pending).toBe(0);
});

test('with a refresh it goes on at that interval until stopped', () => {
  const made = announcer(millis(1_000));
  made.announce('active');
  clock.advance(millis(5_200));
  expect(kernel.frames).toHaveLength(6 + 2 * 5);
  made.stop();
  clock.advance(millis(5_000));
  expect(kernel.frames).toHaveLength(16);
});

test('what is no longer owned is not announced, not even in the middle of the repetitions', () => {
  announcer(millis(0)).announce('active');
  owner = false;
  clock.advance(millis(1_000));
  expect(kernel.frames).toHaveLength(2);
});

test('an owner hears another host that has its IPv4 address: announcements, requests and replies', () => {
  announcer(millis(0));
  const [virtual] = ADDRESSES;
  const other = parsePrefix('10.0.0.9/24');
  if (virtual === undefined || other === undefined) throw new Error('unreachable');
  const said = (operation: 'request' | 'reply', senderMac: Uint8Array, sender = virtual): Uint8Array =>
    encodeArp({
      etherSource: senderMac,
      etherDestination: MAC,
      operation,
      senderMac,
      senderIp: sender.address,
      targetMac: MAC,
      targetIp: other.address,
    });
  kernel.arp(gratuitousArp(MAC, virtual.address));
  kernel.arp(gratuitousArp(OTHER_MAC, other.address));
  kernel.arp(said('request', OTHER_MAC, other));
  kernel.arp(new Uint8Array(3));
  expect(claims).toEqual([]);
  kernel.arp(gratuitousArp(OTHER_MAC, virtual.address));
  kernel.arp(said('request', OTHER_MAC));
  kernel.arp(said('reply', OTHER_MAC));
  expect(claims).toEqual(Array<string>(3).fill('10.0.0.100 02:00:00:00:00:02'));
  owner = false;
  kernel.arp(gratuitousArp(OTHER_MAC, virtual.address));
  expect(claims).toHaveLength(3);
});

test('an owner hears another host that advertises its IPv6 address, unless from behind a router', () => {
  announcer(millis(0));
  const virtual = ADDRESSES[1];
  if (virtual === undefined) throw new Error('unreachable');
  const said = (mac: Uint8Array): Uint8Array =>
    unsolicitedNeighbourAdvertisement(mac, virtual.address).subarray(54);
  kernel.icmp(said(MAC));
  kernel.icmp(said(OTHER_MAC), 254);
  kernel.icmp(said(OTHER_MAC).subarray(0, 20));
  // without the link-layer option
  kernel.icmp(said(OTHER_MAC).subarray(0, 24));
  expect(claims).toEqual([]);
  kernel.icmp(said(OTHER_MAC));
  expect(claims).toEqual(['2001:db8::100 02:00:00:00:00:02']);
});

test('attach tells a new MAC address from the same again; an interface without one stays silent', () => {
  const made = announcer(millis(0));
  expect(made.attach(7, MAC)).toBe(false);
  expect(made.attach(7, OTHER_MAC)).toBe(true);
  expect(made.attach(8, new Uint8Array(6))).toBe(true);
  made.announce('active');
  expect(kernel.frames).toHaveLength(0);
});

/** When each frame was sent, in milliseconds after the announcement. */
function timesOf(act: () => void, length: Duration): number[] {
  const begun = clock.now();
  const times: number[] = [];
  const { push } = kernel.frames;
  kernel.frames.push = (...frames) => {
    times.push(toMillis(between(begun, clock.now())));
    return push.apply(kernel.frames, frames);
  };
  act();
  clock.advance(length);
  return times;
}

test('a second batch follows after the delay, and refreshes repeat as often as they are told to', () => {
  const made = announcer(millis(10_000), { repeat: 2, delay: millis(1_000), refreshRepeat: 2 });
  const times = timesOf(() => made.announce('active'), millis(12_000));
  const each = (ms: number): number[] => [ms, ms];
  expect(times).toEqual([0, 100, 1_000, 1_100, 11_100, 11_200].flatMap(each));
});

test('a delay that is shorter than the first batch waits for its end', () => {
  const made = announcer(NEVER, { repeat: 3, delay: millis(50) });
  const times = timesOf(() => made.announce('active'), millis(2_000));
  expect(times.filter((_, index) => index % 2 === 0)).toEqual([0, 100, 200, 300, 400, 500]);
});

test('a conflict has a batch of its own', () => {
  const made = announcer(NEVER, { conflictRepeat: 1, conflictDelay: millis(700) });
  expect(timesOf(() => made.announce('conflict'), millis(5_000))).toEqual([0, 0, 700, 700]);
});

test('the pace keeps addresses apart, and no round overtakes another', () => {
  const made = announcer(NEVER, { repeat: 2, pace: millis(80) });
  expect(timesOf(() => made.announce('active'), millis(5_000))).toEqual([0, 80, 160, 240]);
  made.announce('active');
  made.stop();
  expect(clock.pending).toBe(0);
});

test('after a stall nothing is announced before it is known who has the addresses', () => {
  const made = announcer(millis(1_000));
  made.announce('active');
  clock.advance(millis(500));
  const waiting: (() => void)[] = [];
  whenCurrent = (act) => waiting.push(act);
  const before = kernel.frames.length;
  clock.advance(millis(5_000));
  expect(kernel.frames).toHaveLength(before);
  expect(waiting).toHaveLength(1);
  // still the owner: it goes on where it was
  waiting.shift()?.();
  expect(kernel.frames).toHaveLength(before + 2);
  clock.advance(millis(5_000));
  expect(waiting).toHaveLength(1);
  // a successor was heard
  made.stop();
  waiting.shift()?.();
  expect(kernel.frames).toHaveLength(before + 2);
  expect(clock.pending).toBe(0);
});

test('addresses that are paced wait for the end of a stall, too', () => {
  const made = announcer(NEVER, { repeat: 1, pace: millis(10) });
  const waiting: (() => void)[] = [];
  whenCurrent = (act) => waiting.push(act);
  made.announce('active');
  clock.advance(millis(100));
  expect(kernel.frames).toHaveLength(1);
  made.stop();
  for (const act of waiting) act();
  expect(kernel.frames).toHaveLength(1);
});

test('addresses of another family, added by a reload, are listened for and announced', () => {
  const [four, six] = ADDRESSES as [IpPrefix, IpPrefix];
  const made = announcer(NEVER);
  made.update([four], SPEC);
  expect(made.attach(7, MAC)).toBe(true);
  kernel.icmp(unsolicitedNeighbourAdvertisement(OTHER_MAC, six.address).subarray(54));
  expect(claims).toEqual([]);
  made.update([four, six], SPEC);
  expect(made.attach(7, MAC)).toBe(true);
  expect(made.attach(7, MAC)).toBe(false);
  kernel.icmp(unsolicitedNeighbourAdvertisement(OTHER_MAC, six.address).subarray(54));
  expect(claims).toEqual([`${six.address.text} ${formatMac(OTHER_MAC)}`]);
  made.announce('active');
  expect(kernel.frames).toHaveLength(2);
});
