import { beforeEach, expect, test } from 'vitest';
import { LinkMonitor } from '../../../src/failover/link-monitor.ts';
import type { AddressInfo, LinkInfo } from '../../../src/native/index.ts';
import { FakeKernel } from '../../support/fake-kernel.ts';

const link = (changes: Partial<LinkInfo> = {}): LinkInfo => ({
  index: 7,
  name: 'eth0',
  mac: new Uint8Array(6),
  up: true,
  carrier: true,
  mtu: 1500,
  lower: 0,
  alias: '',
  kind: '',
  ...changes,
});
const address = (last: number, changes: Partial<AddressInfo> = {}): AddressInfo => ({
  ifindex: 7,
  address: Uint8Array.of(10, 0, 0, last),
  prefixLength: 24,
  scope: 0,
  flags: 0x80,
  validLifetime: 0xffffffff,
  preferredLifetime: 0xffffffff,
  ...changes,
});

let kernel: FakeKernel;
let log: string[];
let monitor: LinkMonitor;

beforeEach(() => {
  kernel = new FakeKernel();
  kernel.links.set(7, link());
  kernel.addresses.set('10.0.0.1', address(1));
  log = [];
  monitor = new LinkMonitor(kernel.native, {
    interfaceChanged: (name) => log.push(name),
    addressRemoved: (ifindex, removed) => log.push(`${ifindex} lost ${removed.text}`),
    isVirtual: ({ text }) => text === '10.0.0.100',
  });
});

test('begins with what is there', () => {
  expect(monitor.view('eth0')).toMatchObject({ index: 7, up: true, carrier: true, addresses: [address(1)] });
  expect(monitor.view('eth1')).toBeNull();
});

test('tells changes of the link, and not its statistics', () => {
  kernel.tell({ type: 'link', link: link(), removed: false });
  expect(log).toEqual([]);
  kernel.tell({ type: 'link', link: link({ carrier: false }), removed: false });
  expect(log).toEqual(['eth0']);
  expect(monitor.view('eth0')?.carrier).toBe(false);
});

test('a renamed link is gone under its old name', () => {
  kernel.tell({ type: 'link', link: link({ name: 'lan0' }), removed: false });
  expect(log).toEqual(['eth0', 'lan0']);
  expect(monitor.view('eth0')).toBeNull();
  expect(monitor.view('lan0')?.addresses).toHaveLength(1);
});

test('a removed link takes its addresses along', () => {
  kernel.tell({ type: 'link', link: link(), removed: true });
  expect(log).toEqual(['eth0']);
  kernel.tell({ type: 'link', link: link(), removed: false });
  expect(monitor.view('eth0')?.addresses).toEqual([]);
});

test('tells addresses that come and go, and not the refreshing of a lease', () => {
  kernel.tell({ type: 'address', address: address(2, { flags: 0 }), removed: false });
  kernel.tell({ type: 'address', address: address(2, { flags: 0, validLifetime: 2 }), removed: false });
  expect(log).toEqual(['eth0']);
  kernel.tell({ type: 'address', address: address(2), removed: true });
  expect(log).toEqual(['eth0', '7 lost 10.0.0.2', 'eth0']);
});

test('a leased address that comes and goes is no news of its interface, but one that the host has for good is', () => {
  kernel.tell({ type: 'address', address: address(100, { flags: 0 }), removed: false });
  expect(log).toEqual([]);
  expect(monitor.view('eth0')?.addresses).toHaveLength(2);
  kernel.tell({ type: 'address', address: address(100, { flags: 0 }), removed: true });
  expect(log).toEqual(['7 lost 10.0.0.100']);
  kernel.tell({ type: 'address', address: address(100), removed: false });
  kernel.tell({ type: 'address', address: address(100, { flags: 0 }), removed: false });
  expect(log).toEqual(['7 lost 10.0.0.100', 'eth0', 'eth0']);
});

test('after an overrun it reads the lists again and tells what went missing', () => {
  kernel.addresses.delete('10.0.0.1');
  kernel.links.set(8, link({ index: 8, name: 'eth1' }));
  kernel.tell({ type: 'overrun' });
  expect(log).toEqual(['7 lost 10.0.0.1', 'eth0', 'eth1']);
  expect(monitor.view('eth1')).not.toBeNull();
});
