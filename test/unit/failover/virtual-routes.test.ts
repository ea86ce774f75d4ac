import { beforeEach, describe, expect, test } from 'vitest';
import {
  describeRoute,
  ROUTE_PROTOCOL,
  removeStaleRoutes,
  VirtualRoutes,
} from '../../../src/failover/virtual-routes.ts';
import { millis, seconds } from '../../../src/lib/duration.ts';
import { type IpPrefix, parseIp, parsePrefix } from '../../../src/lib/ip.ts';
import type { EventInput } from '../../../src/model/event.ts';
import type { VirtualRoute } from '../../../src/model/failover.ts';
import { FakeKernel } from '../../support/fake-kernel.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const route = (to: string, more: Partial<VirtualRoute> = {}): VirtualRoute => ({
  to: parsePrefix(to) as IpPrefix,
  via: parseIp('10.0.0.1') ?? null,
  device: null,
  table: 254,
  metric: null,
  source: null,
  ...more,
});
const FIRST = route('10.9.0.0/16');
const SECOND = route('0.0.0.0/0', { table: 100, metric: 50 });
const SIXTH = route('2001:db8:9::/48', { via: null, device: 'eth1' });

let kernel: FakeKernel;
let clock: ManualClock;
let events: EventInput[];
let indexes: Map<string, number>;
let routes: VirtualRoutes;

const names = (): string[] => events.map(({ name }) => name.replace('failover.', ''));
const present = (): string[] => kernel.routes.map((info) => `${info.destination.join('.')} ${info.protocol}`);

function make(list: readonly VirtualRoute[]): VirtualRoutes {
  return new VirtualRoutes(
    {
      native: kernel.native,
      clock,
      emit: (event) => events.push(event),
      fields: {},
      ifindexOf: (device) => indexes.get(device) ?? null,
      whenCurrent: (act) => act(),
    },
    list,
  );
}

beforeEach(() => {
  kernel = new FakeKernel();
  clock = new ManualClock();
  events = [];
  indexes = new Map([['eth1', 8]]);
  routes = make([FIRST, SECOND, SIXTH]);
});

test('acquire adds every route with our protocol, release removes them; both are idempotent', () => {
  routes.acquire();
  routes.acquire();
  expect(kernel.routes).toHaveLength(3);
  expect(kernel.routes.every(({ protocol }) => protocol === ROUTE_PROTOCOL)).toBe(true);
  expect(kernel.routes[2]).toMatchObject({ ifindex: 8, metric: 1_024, gateway: null });
  expect(routes.status().every(({ installed }) => installed)).toBe(true);
  expect(names()).toEqual(['route-added', 'route-added', 'route-added']);
  routes.release();
  routes.release();
  expect(kernel.routes).toEqual([]);
  expect(names().slice(3)).toEqual(['route-removed', 'route-removed', 'route-removed']);
  expect(clock.pending).toBe(0);
});

describe('a route that another program deletes', () => {
  test('is back at once, but not in a race', () => {
    routes.acquire();
    kernel.routes.shift();
    routes.verify();
    expect(kernel.routes).toHaveLength(3);
    expect(names().at(-1)).toBe('route-restored');
    kernel.routes.shift();
    routes.verify();
    expect(kernel.routes).toHaveLength(2);
    clock.advance(millis(100));
    expect(kernel.routes).toHaveLength(3);
  });

  test('is found missing even when nobody tells', () => {
    routes.acquire();
    kernel.routes = [];
    clock.advance(seconds(2));
    expect(kernel.routes).toHaveLength(3);
  });

  test('stays away after the role is gone', () => {
    routes.acquire();
    routes.abandon();
    kernel.routes = [];
    routes.verify();
    clock.advance(seconds(5));
    expect(kernel.routes).toEqual([]);
  });
});

test("somebody else's route with the same key is reported and never touched; ours comes when it goes", () => {
  const native = kernel.native;
  native.addRoute({
    destination: Uint8Array.of(10, 9, 0, 0),
    prefixLength: 16,
    table: 254,
    metric: 0,
    protocol: 4,
    ifindex: 3,
    gateway: null,
    source: null,
  });
  routes.acquire();
  expect(names()).toContain('route-foreign');
  expect(routes.status()[0]).toEqual({ route: '10.9.0.0/16 via 10.0.0.1', installed: false });
  clock.advance(seconds(10));
  expect(names().filter((name) => name === 'route-foreign')).toHaveLength(1);
  routes.release();
  expect(present()).toEqual(['10.9.0.0 4']);
  routes.acquire();
  kernel.routes = kernel.routes.filter(({ protocol }) => protocol !== 4);
  clock.advance(seconds(2));
  expect(routes.status()[0]?.installed).toBe(true);
});

test('a route of ours that leads elsewhere is replaced, as after another configuration', () => {
  routes.acquire();
  const moved = make([route('10.9.0.0/16', { via: parseIp('10.0.0.7') ?? null })]);
  moved.acquire();
  const found = kernel.routes.filter(({ prefixLength }) => prefixLength === 16);
  expect(found.map(({ gateway }) => gateway?.join('.'))).toEqual(['10.0.0.7']);
});

test('what cannot be added costs nothing but an event, and is tried again', () => {
  indexes.clear();
  routes.acquire();
  expect(events.at(-1)?.message).toContain('no interface eth1');
  expect(routes.status().map(({ installed }) => installed)).toEqual([true, true, false]);
  indexes.set('eth1', 8);
  clock.advance(seconds(2));
  expect(routes.status()[2]?.installed).toBe(true);
});

test('update adds and removes the difference while claimed', () => {
  routes.update([FIRST]);
  expect(kernel.routes).toEqual([]);
  routes.acquire();
  routes.update([FIRST, SECOND]);
  expect(kernel.routes).toHaveLength(2);
  routes.update([SECOND]);
  expect(present()).toEqual(['0.0.0.0 112']);
});

test('stale routes are those of our protocol that nobody keeps', () => {
  routes.acquire();
  const other = { ...kernel.routes[0], protocol: 4, metric: 7 } as (typeof kernel.routes)[number];
  kernel.routes.push(other);
  expect(removeStaleRoutes(kernel.native, [SECOND])).toBe(2);
  expect(present()).toEqual(['0.0.0.0 112', '10.9.0.0 4']);
});

test('a route in words', () => {
  expect(describeRoute(SECOND)).toBe('default (IPv4) via 10.0.0.1 table 100 metric 50');
  expect(describeRoute(SIXTH)).toBe('2001:db8:9::/48 dev eth1');
});
