import { beforeEach, describe, expect, test } from 'vitest';
import { AddressLease } from '../../../src/failover/address-lease.ts';
import { millis, seconds } from '../../../src/lib/duration.ts';
import { type IpPrefix, parsePrefix } from '../../../src/lib/ip.ts';
import type { EventInput } from '../../../src/model/event.ts';
import { FakeKernel } from '../../support/fake-kernel.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const prefix = (text: string): IpPrefix => {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
};
const V4 = prefix('10.0.0.100/24');
const V6 = prefix('2001:db8::100/64');
const OTHER = prefix('10.0.0.101/24');
const ETH0 = 7;

let kernel: FakeKernel;
let clock: ManualClock;
let events: EventInput[];
let restored: number;
let permanent: string | null;
let hold: (() => void)[] | null;
let lease: AddressLease;

const names = (): string[] => events.map(({ name }) => name.replace('failover.', ''));

beforeEach(() => {
  kernel = new FakeKernel();
  clock = new ManualClock();
  events = [];
  restored = 0;
  permanent = null;
  hold = null;
  lease = new AddressLease(
    {
      native: kernel.native,
      clock,
      emit: (event) => events.push(event),
      fields: { interface: 'eth0' },
      isPermanent: (_, address) => address.text === permanent,
      whenCurrent: (act) => {
        if (hold === null) act();
        else hold.push(act);
      },
      onRestored: () => restored++,
    },
    [V4, V6],
    seconds(2),
  );
});

test('acquire puts every address with its lifetime, IPv6 deprecated, and is idempotent', () => {
  lease.acquire(ETH0);
  lease.acquire(ETH0);
  expect(kernel.calls).toEqual(['put 10.0.0.100 2/2', 'put 2001:db8::100 2/0']);
  expect(names()).toEqual(['address-added', 'address-added']);
  expect(lease.complete).toBe(true);
});

test('it refreshes five times in a lifetime, silently', () => {
  lease.acquire(ETH0);
  kernel.calls.length = 0;
  clock.advance(seconds(2));
  expect(kernel.calls).toHaveLength(10);
  expect(names()).toEqual(['address-added', 'address-added']);
});

test('release removes them, stops refreshing, and is idempotent', () => {
  lease.acquire(ETH0);
  lease.release();
  lease.release();
  expect(kernel.addresses.size).toBe(0);
  expect(names().slice(2)).toEqual(['address-removed', 'address-removed']);
  expect(lease.complete).toBe(false);
  expect(clock.pending).toBe(0);
});

test('abandon leaves the addresses to a successor', () => {
  lease.acquire(ETH0);
  lease.abandon();
  expect(kernel.has(V4) && kernel.has(V6)).toBe(true);
  expect(clock.pending).toBe(0);
  lease.release();
  expect(kernel.has(V4)).toBe(true);
});

describe('an address that another program deletes', () => {
  test('is back at once, and told', () => {
    lease.acquire(ETH0);
    kernel.addresses.delete(V4.address.text);
    lease.addressRemoved(ETH0, V4.address);
    expect(kernel.has(V4)).toBe(true);
    expect(names().at(-1)).toBe('address-restored');
    expect(restored).toBe(1);
  });

  test('is not put back while the process catches up after a stall, nor after it let go', () => {
    lease.acquire(ETH0);
    hold = [];
    kernel.addresses.delete(V4.address.text);
    lease.addressRemoved(ETH0, V4.address);
    expect(kernel.has(V4)).toBe(false);
    expect(lease.complete).toBe(false);
    lease.release();
    for (const act of hold) act();
    expect(kernel.has(V4)).toBe(false);
  });

  test('on another interface, of another address, or long ago: nothing happens', () => {
    lease.acquire(ETH0);
    kernel.calls.length = 0;
    lease.addressRemoved(8, V4.address);
    lease.addressRemoved(ETH0, OTHER.address);
    // the notification of a removal before our own acquire: the address is there
    lease.addressRemoved(ETH0, V4.address);
    expect(kernel.calls).toEqual([]);
  });
});

test('verify puts back what ran out', () => {
  lease.acquire(ETH0);
  expect(lease.isLost()).toBe(false);
  kernel.addresses.delete(V6.address.text);
  expect(lease.isLost()).toBe(true);
  lease.verify();
  expect(kernel.has(V6)).toBe(true);
  expect(names().filter((name) => name === 'address-restored')).toHaveLength(1);
});

test('when one address cannot be added none is kept, and the error is thrown', () => {
  const put = kernel.native.putAddress;
  lease = new AddressLease(
    {
      native: {
        ...kernel.native,
        putAddress: (options) => {
          if (options.address.length === 16) throw Object.assign(new Error('EACCES'), { code: 'EACCES' });
          put(options);
        },
      },
      clock,
      emit: (event) => events.push(event),
      fields: { interface: 'eth0' },
      isPermanent: () => false,
      whenCurrent: (act) => act(),
      onRestored: () => undefined,
    },
    [V4, V6],
    seconds(2),
  );
  expect(() => lease.acquire(ETH0)).toThrow('EACCES');
  expect(kernel.addresses.size).toBe(0);
  expect(clock.pending).toBe(0);
});

test('a refresh that fails is told once, and the next one that works is told as well', () => {
  lease.acquire(ETH0);
  kernel.refuse = { code: 'EPERM' };
  clock.advance(seconds(2));
  expect(names().filter((name) => name === 'error')).toHaveLength(2); // one an address
  expect(lease.complete).toBe(false);
  kernel.refuse = null;
  clock.advance(millis(400));
  expect(lease.complete).toBe(true);
  expect(names().filter((name) => name === 'address-restored')).toHaveLength(2);
});

test('an address that the host holds for good is neither leased nor removed', () => {
  permanent = V4.address.text;
  lease.acquire(ETH0);
  expect(lease.complete).toBe(true);
  lease.release();
  expect(kernel.calls).toEqual(['put 2001:db8::100 2/0', 'remove 2001:db8::100']);
});

test('update adds and removes the difference while claimed, and only remembers it otherwise', () => {
  expect(lease.update([V4], seconds(2))).toBe(false);
  lease.acquire(ETH0);
  expect(lease.update([V4], seconds(3))).toBe(false);
  expect(lease.update([OTHER], seconds(3))).toBe(true);
  expect([...kernel.addresses.keys()]).toEqual([OTHER.address.text]);
  expect(kernel.calls.at(-1)).toBe('put 10.0.0.101 3/3');
});

test('what a predecessor left is removed; a missing interface is no error', () => {
  lease.acquire(ETH0);
  lease.abandon();
  expect(lease.removeStale(ETH0)).toEqual([V4.text, V6.text]);
  kernel.refuse = { code: 'ENODEV' };
  expect(lease.removeStale(ETH0)).toEqual([]);
  kernel.refuse = { code: 'EPERM' };
  expect(() => lease.removeStale(ETH0)).toThrow('EPERM');
});
