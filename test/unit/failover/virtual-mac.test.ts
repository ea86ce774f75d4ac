import { describe, expect, test } from 'vitest';
import { multicastFrame } from '../../../src/failover/mac-sender.ts';
import { virtualMacAddress, virtualRouterSpecs } from '../../../src/failover/router-spec.ts';
import { VirtualMac } from '../../../src/failover/virtual-mac.ts';
import type { LinkInfo } from '../../../src/native/index.ts';
import { onesComplementSum } from '../../../src/vrrp/checksum.ts';
import { load, problemsOf } from '../../support/config.ts';
import { FakeKernel } from '../../support/fake-kernel.ts';
import { addr, goldenVrrp, hex, macText, unhex } from '../../support/golden.ts';

const withMac = (...groups: string[]): string => `[failover]\ninterface = "eth0"\n${groups.join('')}`;
const group = (vrid: number, more: string, address = `10.0.0.${100 + vrid}`): string =>
  `[[failover.group]]\nvrid = ${vrid}\naddresses = ["${address}/24"]\n${more}\n`;

describe("keepalived's frames with use_vmac", () => {
  const captured = goldenVrrp.filter(({ source }) => source.endsWith('vmac'));

  test('there are some of both families', () => {
    expect(new Set(captured.map(({ af }) => af))).toEqual(new Set([4, 6]));
  });

  test.each(captured)('$source, priority $priority', (frame) => {
    const mac = virtualMacAddress(frame.vrid, frame.af);
    const made = multicastFrame(mac, unhex(frame.vrrpHex), addr(frame.srcIp), addr(frame.dstIp));
    const theirs = unhex((frame as unknown as { frameHex: string }).frameHex);
    expect(macText(made.subarray(6, 12))).toBe(macText(theirs.subarray(6, 12)));
    if (frame.af === 4) {
      expect(onesComplementSum(made.subarray(14, 34))).toBe(0xffff);
      // identification and header checksum, the flow label: the sender's choice
      for (const bytes of [made, theirs]) bytes.fill(0, 18, 20).fill(0, 24, 26);
    } else for (const bytes of [made, theirs]) bytes.fill(0, 15, 18);
    expect(hex(made)).toBe(hex(theirs));
  });
});

describe('virtual_mac', () => {
  test('true is short for names as keepalived has them; false is the same as without', () => {
    const groupsOf = (more: string) => load(withMac(group(51, more))).failover?.groups;
    expect(groupsOf('virtual_mac = true')?.[0]?.virtualMac).toEqual({ 4: 'vrrp.51', 6: 'vrrp6.51' });
    expect(groupsOf('virtual_mac = false')?.[0]?.virtualMac).toBe(null);
    expect(groupsOf('virtual_mac = { name = "vip" }')?.[0]?.virtualMac).toEqual({ 4: 'vip', 6: 'vrrp6.51' });
  });

  test('the addresses are on it, but for those that say another interface', () => {
    const failover = load(
      withMac(
        group(
          51,
          'virtual_mac = true\nexcluded_addresses = [{ address = "10.0.0.9/24", interface = "eth0" }]',
        ),
      ),
    ).failover;
    const [spec] = failover === null ? [] : virtualRouterSpecs(failover);
    expect(spec?.held.map(({ device }) => device)).toEqual(['vrrp.51', 'eth0']);
    expect(macText(spec?.mac?.address ?? new Uint8Array())).toBe('00:00:5e:00:01:33');
  });

  test.each([
    [[group(51, 'virtual_mac = 1')], 'must be a table, not 1'],
    [[group(51, 'virtual_mac = { name = "eth0" }')], '"eth0" is the interface of a group'],
    [
      [group(51, 'virtual_mac = true'), group(52, 'virtual_mac = { name = "vrrp.51" }')],
      '"vrrp.51" is the interface of an earlier virtual MAC address',
    ],
  ])('%#', (groups, message) => {
    expect(problemsOf(withMac(...groups)).map((problem) => problem.message)).toContain(message);
  });
});

test('an interface whose settings cannot be written is not used, however often it is tried', () => {
  const failover = load(withMac(group(51, 'virtual_mac = { name = "no-such-if" }'))).failover;
  const [spec] = failover === null ? [] : virtualRouterSpecs(failover);
  if (spec?.mac === undefined || spec.mac === null) throw new Error('no virtual MAC address');
  const plain = { up: true, carrier: true, mtu: 1_500 };
  const below = { ...plain, index: 7, name: 'eth0', mac: new Uint8Array(6), lower: 0, alias: '', kind: '' };
  // a predecessor's; this host has no such interface, so that there is nothing below /proc/sys to write to
  const { device, address } = spec.mac;
  const macvlan = {
    ...plain,
    index: 8,
    name: device,
    mac: address,
    lower: 7,
    alias: 'tandem',
    kind: 'macvlan',
  };
  const kernel = new FakeKernel();
  for (const link of [below, macvlan] satisfies LinkInfo[]) kernel.links.set(link.index, link);
  const view = (name: string) => {
    const link = [...kernel.links.values()].find((one) => one.name === name);
    return link === undefined ? null : { ...link, addresses: [] };
  };
  const mac = new VirtualMac({ native: kernel.native, spec: () => spec, view });
  for (let attempt = 0; attempt < 2; attempt++) {
    expect(() => mac.ensure({ ...below, addresses: [] })).toThrow('cannot be written');
  }
});

describe('accept = false', () => {
  test('with a service on the address it is a warning, and to the owner it means nothing', () => {
    const service =
      '[[service]]\nname = "web"\nlisten = ["10.0.0.151:80"]\n[[service.backend]]\naddress = "10.0.1.1:80"\n';
    const [served] = problemsOf(service + withMac(group(51, 'accept = false')));
    expect(served).toMatchObject({ severity: 'warning', hint: 'write accept = true' });
    expect(served?.message).toContain('service "web" listens there');
    const [owner] = problemsOf(withMac(group(51, 'accept = false\npriority = 255')));
    expect(owner?.message).toContain('means nothing to the owner');
    expect(problemsOf(withMac(group(51, 'accept = false')))).toEqual([]);
  });
});
