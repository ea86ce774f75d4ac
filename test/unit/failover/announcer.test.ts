import { beforeEach, expect, test } from 'vitest';
import { Announcer } from '../../../src/failover/announcer.ts';
import { type Duration, millis } from '../../../src/lib/duration.ts';
import { type IpPrefix, parsePrefix } from '../../../src/lib/ip.ts';
import { decodeArp, gratuitousArp } from '../../../src/vrrp/arp.ts';
import { decodeNeighbourAdvertisement } from '../../../src/vrrp/ndp.ts';
import { FakeKernel } from '../../support/fake-kernel.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const ADDRESSES = ['10.0.0.100/24', '2001:db8::100/64'].map((text) => parsePrefix(text) as IpPrefix);
const MAC = Uint8Array.of(2, 0, 0, 0, 0, 1);
const OTHER_MAC = Uint8Array.of(2, 0, 0, 0, 0, 2);

let kernel: FakeKernel;
let clock: ManualClock;
let owner: boolean;
let claims: number;

beforeEach(() => {
  kernel = new FakeKernel();
  clock = new ManualClock();
  owner = true;
  claims = 0;
});

function announcer(refresh: Duration): Announcer {
  const made = new Announcer(
    {
      native: kernel.native,
      clock,
      emit: () => undefined,
      fields: {},
      isOwner: () => owner,
      onForeignClaim: () => claims++,
    },
    ADDRESSES,
    { repeat: 3, interval: millis(100), refresh },
  );
  made.attach(7, MAC);
  return made;
}

test('every address is announced at once, and repeated as often as configured', () => {
  announcer(millis(0)).announce();
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
  made.announce();
  clock.advance(millis(5_200));
  expect(kernel.frames).toHaveLength(6 + 2 * 5);
  made.stop();
  clock.advance(millis(5_000));
  expect(kernel.frames).toHaveLength(16);
});

test('what is no longer owned is not announced, not even in the middle of the repetitions', () => {
  announcer(millis(0)).announce();
  owner = false;
  clock.advance(millis(1_000));
  expect(kernel.frames).toHaveLength(2);
});

test('an owner hears when another host announces its address; its own and other addresses are nothing', () => {
  announcer(millis(0));
  const [virtual] = ADDRESSES;
  const other = parsePrefix('10.0.0.9/24');
  if (virtual === undefined || other === undefined) throw new Error('unreachable');
  kernel.arp(gratuitousArp(MAC, virtual.address));
  kernel.arp(gratuitousArp(OTHER_MAC, other.address));
  kernel.arp(new Uint8Array(3));
  expect(claims).toBe(0);
  kernel.arp(gratuitousArp(OTHER_MAC, virtual.address));
  expect(claims).toBe(1);
  owner = false;
  kernel.arp(gratuitousArp(OTHER_MAC, virtual.address));
  expect(claims).toBe(1);
});

test('attach tells a new MAC address from the same again; an interface without one stays silent', () => {
  const made = announcer(millis(0));
  expect(made.attach(7, MAC)).toBe(false);
  expect(made.attach(7, OTHER_MAC)).toBe(true);
  expect(made.attach(8, new Uint8Array(6))).toBe(true);
  made.announce();
  expect(kernel.frames).toHaveLength(0);
});
