import { beforeEach, describe, expect, test } from 'vitest';
import { DuplicateWatch } from '../../../src/failover/duplicate-watch.ts';
import { millis, seconds } from '../../../src/lib/duration.ts';
import { parseIp } from '../../../src/lib/ip.ts';
import { type AddressClaim, isVirtualMac } from '../../../src/vrrp/claim.ts';
import { createRouter, type Router } from '../../../src/vrrp/router.ts';
import { addr } from '../../support/golden.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const CLAIM: AddressClaim = { address: addr('10.0.0.100'), mac: Uint8Array.of(2, 0, 0, 0, 0, 9) };
const INTERVAL = millis(500);

let clock: ManualClock;
let router: Router;
let told: number[];
let contested: number;
let watch: DuplicateWatch;

beforeEach(() => {
  clock = new ManualClock();
  const settings = {
    version: 3,
    priority: 100,
    advertiseInterval: INTERVAL,
    preempt: true,
    preemptDelay: millis(0),
    source: addr('10.0.0.1'),
  } as const;
  router = { ...createRouter(settings), state: 'Active' };
  told = [];
  contested = 0;
  watch = new DuplicateWatch({
    clock,
    router: () => router,
    onContested: () => contested++,
    onDuplicate: (_, count) => told.push(count),
  });
});

/** Another router advertises now. */
function hear(): void {
  const source = parseIp('10.0.0.2');
  if (source === undefined) throw new Error('unreachable');
  router = {
    ...router,
    peer: { source, priority: 50, interval: INTERVAL, at: clock.now(), wasActive: true },
  };
}

describe('a foreign claim while Active', () => {
  test('of a host that speaks no VRRP is a duplicate: told, counted, contradicted', () => {
    watch.claimed(CLAIM);
    clock.advance(millis(499));
    expect(contested).toBe(0);
    clock.advance(millis(1));
    expect([contested, told]).toEqual([1, [1]]);
    clock.advance(seconds(3));
    expect(watch.status(clock.now())).toEqual({
      count: 1,
      last: { address: '10.0.0.100', mac: '02:00:00:00:00:09', ageMillis: 3_500 },
    });
  });

  test('of a peer that preempts is its takeover', () => {
    watch.claimed(CLAIM);
    clock.advance(millis(200));
    hear();
    router = { ...router, state: 'Backup' };
    clock.advance(seconds(1));
    expect([contested, told]).toEqual([0, []]);
    expect(watch.status(clock.now())).toEqual({ count: 0, last: null });
  });

  test.each([
    ['before', -400],
    ['after', 400],
  ])('of a router that is heard a moment %s is a conflict and no duplicate', (_, when) => {
    if (when < 0) hear();
    clock.advance(millis(400));
    watch.claimed(CLAIM);
    clock.advance(millis(400));
    if (when > 0) hear();
    clock.advance(seconds(1));
    expect([contested, told]).toEqual([1, []]);
  });

  test('of a router that was heard long ago is a duplicate', () => {
    hear();
    clock.advance(seconds(2));
    watch.claimed(CLAIM);
    clock.advance(seconds(1));
    expect(told).toEqual([1]);
  });

  test('that does not end is contradicted each time, and told twice a minute', () => {
    for (let i = 0; i < 600; i++) {
      watch.claimed(CLAIM);
      clock.advance(millis(100));
    }
    expect(contested).toBe(120);
    expect(told).toEqual([1, 61]);
    expect(watch.status(clock.now()).count).toBe(120);
    expect(clock.pending).toBe(0);
  });

  test('leaves no timer behind', () => {
    watch.claimed(CLAIM);
    watch.close();
    expect(clock.pending).toBe(0);
  });
});

test('the virtual MAC address of a VRID is told from others', () => {
  expect(isVirtualMac(Uint8Array.of(0, 0, 0x5e, 0, 1, 51), 4, 51)).toBe(true);
  expect(isVirtualMac(Uint8Array.of(0, 0, 0x5e, 0, 2, 51), 4, 51)).toBe(false);
  expect(isVirtualMac(Uint8Array.of(0, 0, 0x5e, 0, 2, 51), 6, 51)).toBe(true);
  expect(isVirtualMac(Uint8Array.of(0, 0, 0x5e, 0, 1, 52), 4, 51)).toBe(false);
});
