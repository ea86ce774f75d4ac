import { beforeEach, describe, expect, test } from 'vitest';
import { AddressLease } from '../../../src/failover/address-lease.ts';
import type { HeldAddress } from '../../../src/failover/router-spec.ts';
import { millis, seconds } from '../../../src/lib/duration.ts';
import { parsePrefix } from '../../../src/lib/ip.ts';
import type { EventInput } from '../../../src/model/event.ts';
import type { AddressInfo, Native } from '../../../src/native/index.ts';
import { FakeKernel } from '../../support/fake-kernel.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const prefix = (text: string, device = 'eth0'): HeldAddress => {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw new Error(text);
  return { ...parsed, device };
};
const V4 = prefix('10.0.0.100/24');
const V6 = prefix('2001:db8::100/64');
const OTHER = prefix('10.0.0.101/24');
const ETH0 = 7;
const ETH1 = 8;
const INDEXES = new Map([
  ['eth0', ETH0],
  ['eth1', ETH1],
]);

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
  lease = newLease(kernel.native);
});

function newLease(native: Native): AddressLease {
  return new AddressLease(
    {
      native,
      clock,
      emit: (event) => events.push(event),
      fields: {},
      ifindexOf: (device) => INDEXES.get(device) ?? null,
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
}

test('acquire puts every address with its lifetime, IPv6 deprecated, and is idempotent', () => {
  lease.acquire();
  lease.acquire();
  expect(kernel.calls).toEqual(['put 10.0.0.100 2/2', 'put 2001:db8::100 2/0']);
  expect(names()).toEqual(['address-added', 'address-added']);
  expect(lease.complete).toBe(true);
});

test('it refreshes five times in a lifetime, silently', () => {
  lease.acquire();
  kernel.calls.length = 0;
  clock.advance(seconds(2));
  expect(kernel.calls).toHaveLength(10);
  expect(names()).toEqual(['address-added', 'address-added']);
});

test('release removes them, stops refreshing, and is idempotent', () => {
  lease.acquire();
  lease.release();
  lease.release();
  expect(kernel.addresses.size).toBe(0);
  expect(names().slice(2)).toEqual(['address-removed', 'address-removed']);
  expect(lease.complete).toBe(false);
  expect(clock.pending).toBe(0);
});

test('abandon leaves the addresses to a successor', () => {
  lease.acquire();
  lease.abandon();
  expect(kernel.has(V4) && kernel.has(V6)).toBe(true);
  expect(clock.pending).toBe(0);
  lease.release();
  expect(kernel.has(V4)).toBe(true);
});

describe('an address that another program deletes', () => {
  test('is back at once, and told', () => {
    lease.acquire();
    kernel.addresses.delete(V4.address.text);
    lease.addressRemoved(ETH0, V4.address);
    expect(kernel.has(V4)).toBe(true);
    expect(names().at(-1)).toBe('address-restored');
    expect(restored).toBe(1);
  });

  test('is not put back while the process catches up after a stall, nor after it let go', () => {
    lease.acquire();
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
    lease.acquire();
    kernel.calls.length = 0;
    lease.addressRemoved(ETH1, V4.address);
    lease.addressRemoved(ETH0, OTHER.address);
    // the notification of a removal before our own acquire: the address is there
    lease.addressRemoved(ETH0, V4.address);
    expect(kernel.calls).toEqual([]);
  });
});

test('verify puts back what ran out', () => {
  lease.acquire();
  expect(lease.isLost(kernel.native.listAddresses())).toBe(false);
  kernel.addresses.delete(V6.address.text);
  expect(lease.isLost(kernel.native.listAddresses())).toBe(true);
  lease.verify(kernel.native.listAddresses());
  expect(kernel.has(V6)).toBe(true);
  expect(names().filter((name) => name === 'address-restored')).toHaveLength(1);
});

test('verify reads no list of its own: with a hundred leases, that would be the next stall', () => {
  let lists = 0;
  const native = kernel.native;
  const listAddresses = (): AddressInfo[] => {
    lists++;
    return native.listAddresses();
  };
  lease = newLease({ ...native, listAddresses });
  lease.acquire();
  const present = kernel.native.listAddresses();
  kernel.addresses.clear();
  lease.verify(present);
  expect(lease.isLost([])).toBe(true);
  expect(lists).toBe(0);
  expect([kernel.has(V4), kernel.has(V6)]).toEqual([true, true]);
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
      fields: {},
      ifindexOf: (device) => INDEXES.get(device) ?? null,
      isPermanent: () => false,
      whenCurrent: (act) => act(),
      onRestored: () => undefined,
    },
    [V4, V6],
    seconds(2),
  );
  expect(() => lease.acquire()).toThrow('EACCES');
  expect(kernel.addresses.size).toBe(0);
  expect(clock.pending).toBe(0);
});

test('a refresh that fails is told once, and the next one that works is told as well', () => {
  lease.acquire();
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
  lease.acquire();
  expect(lease.complete).toBe(true);
  lease.release();
  expect(kernel.calls).toEqual(['put 2001:db8::100 2/0', 'remove 2001:db8::100']);
});

test('update adds and removes the difference while claimed, and only remembers it otherwise', () => {
  expect(lease.update([V4], seconds(2))).toBe(false);
  lease.acquire();
  expect(lease.update([V4], seconds(3))).toBe(false);
  expect(lease.update([OTHER], seconds(3))).toBe(true);
  expect([...kernel.addresses.keys()]).toEqual([OTHER.address.text]);
  expect(kernel.calls.at(-1)).toBe('put 10.0.0.101 3/3');
});

describe('the route to a new IPv6 address', () => {
  const routes = (): [string, number][] => [...kernel.localRoutes];

  test('is there when the claim returns, for IPv6 alone, and no longer than the lease', () => {
    lease.acquire();
    expect(routes()).toEqual([[V6.address.text, 2]]);
    lease.update([V4, V6], seconds(60));
    kernel.addresses.delete(V6.address.text);
    lease.verify(kernel.native.listAddresses());
    expect(routes()).toEqual([[V6.address.text, 3]]);
  });

  test('goes when it has expired: refreshes do not bring it back', () => {
    lease.acquire();
    clock.advance(millis(1_900));
    expect(routes()).toHaveLength(1);
    clock.advance(seconds(2));
    expect(routes()).toEqual([]);
    expect(lease.complete).toBe(true);
  });

  test('goes with the address, and leaves no timer', () => {
    lease.acquire();
    lease.release();
    expect(routes()).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  test('is left to the kernel with the address when a successor takes over', () => {
    lease.acquire();
    lease.abandon();
    expect(routes()).toHaveLength(1);
    expect(clock.pending).toBe(0);
    expect(lease.removeStale()).toEqual([V4.text, V6.text]);
    expect(routes()).toEqual([]);
  });

  test('is not made for what the host holds for good', () => {
    permanent = V6.address.text;
    lease.acquire();
    expect(routes()).toEqual([]);
  });

  test('that the kernel refuses does not cost the claim, and is told', () => {
    kernel.refuseLocal = { code: 'EOPNOTSUPP' };
    lease.acquire();
    expect(lease.complete).toBe(true);
    const told = events.filter(({ name }) => name === 'failover.error');
    expect(told.map(({ fields }) => fields['errno'])).toEqual(['EOPNOTSUPP']);
    expect(told[0]?.message).toContain('2001:db8::100/64: its route on eth0 is left to the kernel');
  });
});

test('what a predecessor left is removed; a missing interface is no error', () => {
  lease.acquire();
  lease.abandon();
  expect(lease.removeStale()).toEqual([V4.text, V6.text]);
  kernel.refuse = { code: 'ENODEV' };
  expect(lease.removeStale()).toEqual([]);
  kernel.refuse = { code: 'EPERM' };
  expect(() => lease.removeStale()).toThrow('EPERM');
});

describe('addresses on several interfaces', () => {
  const AWAY = prefix('10.1.0.100/24', 'eth1');

  test('each is put, restored and removed where it belongs', () => {
    lease.update([V4, AWAY], seconds(2));
    lease.acquire();
    expect(kernel.addresses.get('10.1.0.100')?.ifindex).toBe(ETH1);
    expect(kernel.addresses.get('10.0.0.100')?.ifindex).toBe(ETH0);
    kernel.addresses.delete('10.1.0.100');
    lease.addressRemoved(ETH0, AWAY.address);
    expect(kernel.has(AWAY)).toBe(false);
    lease.addressRemoved(ETH1, AWAY.address);
    expect(kernel.has(AWAY)).toBe(true);
    expect(events.at(-1)?.fields).toEqual({ interface: 'eth1', address: AWAY.text });
    lease.release();
    expect(kernel.addresses.size).toBe(0);
  });

  test('one that moves to another interface is removed where it was', () => {
    lease.acquire();
    lease.update([V4, prefix('2001:db8::100/64', 'eth1')], seconds(2));
    expect(kernel.addresses.get('2001:db8::100')?.ifindex).toBe(ETH1);
    expect(lease.complete).toBe(true);
  });

  test('without one of the interfaces none is held', () => {
    lease.update([V4, prefix('10.2.0.100/24', 'eth7')], seconds(2));
    expect(() => lease.acquire()).toThrow('no interface eth7');
    expect(kernel.addresses.size).toBe(0);
    expect(lease.complete).toBe(false);
  });
});
