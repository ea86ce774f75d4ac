import { describe, expect, it, test } from 'vitest';
import { backendFacts } from '../../../src/doctor/collect/backends.ts';
import { type Files, readNumber } from '../../../src/doctor/collect/files.ts';
import { hostFacts } from '../../../src/doctor/collect/host.ts';
import { interfaceFacts } from '../../../src/doctor/collect/interfaces.ts';
import { askNeighbours } from '../../../src/doctor/collect/neighbours.ts';
import { ownerOfPort } from '../../../src/doctor/collect/port-owner.ts';
import { processFacts } from '../../../src/doctor/collect/process.ts';
import { Ear, listeningTime } from '../../../src/doctor/collect/wire.ts';
import { millis, seconds } from '../../../src/lib/duration.ts';
import { parsePrefix } from '../../../src/lib/ip.ts';
import type { AddressInfo, LinkInfo, Native } from '../../../src/native/index.ts';
import { decodeArp, encodeArp } from '../../../src/vrrp/arp.ts';
import type { Envelope } from '../../../src/vrrp/packet.ts';
import { CONFIG, config, group, STATUS } from '../../support/doctor.ts';
import { FakeKernel } from '../../support/fake-kernel.ts';
import { addr, goldenVrrp, unhex } from '../../support/golden.ts';
import { backendSpec, healthSpec, serviceSpec } from '../../support/specs.ts';

/** Files made of a map; what ends with "->" is a symbolic link. */
function filesOf(contents: Readonly<Record<string, string>>): Files {
  const under = (path: string): string[] =>
    Object.keys(contents)
      .filter((name) => name.startsWith(`${path}/`))
      .map((name) => name.slice(path.length + 1).replace(/(?:->|\/.*)$/, ''));
  return {
    read: (path) => contents[path] ?? null,
    link: (path) => contents[`${path}->`] ?? null,
    exists: (path) => path in contents || under(path).length > 0,
    executable: (path) => path in contents,
    list: (path) => [...new Set(under(path))],
    changedAt: () => null,
  };
}

const linkInfo = (index: number, name: string): LinkInfo => ({
  index,
  name,
  mac: Uint8Array.of(2, 0, 0, 0, 0, index),
  up: true,
  carrier: true,
  mtu: 1_500,
  lower: 0,
  alias: '',
  kind: '',
});

function addressInfo(ifindex: number, text: string, flags = 0x80): AddressInfo {
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw new Error(text);
  const { address, length } = prefix;
  return {
    ifindex,
    address: address.bytes,
    prefixLength: length,
    scope: 0,
    flags,
    validLifetime: 0xffffffff,
    preferredLifetime: 0xffffffff,
  };
}

test('numbers in decimal and hexadecimal; nothing else is one', () => {
  const files = filesOf({ a: '12\n', b: '0x1003\n', c: '-1', d: '', e: '1 2', f: 'no' });
  expect(['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((path) => readNumber(files, path))).toEqual([
    12,
    0x1003,
    -1,
    null,
    null,
    null,
    null,
  ]);
});

describe('an interface', () => {
  const conf = '/proc/sys/net/ipv4/conf';
  const kernel = {
    links: [linkInfo(1, 'lo'), linkInfo(2, 'eth0'), linkInfo(3, 'eth1'), linkInfo(4, 'wan')],
    addresses: [
      addressInfo(1, '127.0.0.1/8'),
      addressInfo(2, '10.0.0.2/24'),
      addressInfo(2, '2001:db8::2/64', 0x88),
      addressInfo(3, '10.0.0.3/24'),
      addressInfo(4, '192.0.2.4/24'),
    ],
  };
  const look = (contents: Readonly<Record<string, string>>, over = {}) =>
    interfaceFacts(filesOf(contents), kernel, [group(over)])[0];

  it('has the greater of its own sysctl and that of "all"', () => {
    const found = look({
      [`${conf}/all/rp_filter`]: '1',
      [`${conf}/eth0/rp_filter`]: '0',
      [`${conf}/eth0/arp_ignore`]: '2',
    });
    expect(found).toMatchObject({ rpFilter: 1, arpIgnore: 2, arpAnnounce: null });
  });

  it('knows its neighbours on this host, and its duplicates', () => {
    expect(look({})).toMatchObject({
      otherInterfaces: ['eth1', 'wan'],
      sameSubnet: ['eth1'],
      duplicates: ['2001:db8::2'],
      families: [4, 6],
      hostPrefix: false,
    });
  });

  it('that does not exist has no link', () => {
    expect(look({}, { interface: 'eth9' })).toMatchObject({ name: 'eth9', link: null, manager: null });
  });

  it('has flags, speed and a bridge', () => {
    const base = '/sys/class/net/eth0';
    const found = look({
      [`${base}/flags`]: '0x1003',
      [`${base}/speed`]: '-1',
      [`${base}/brport/bridge->`]: '../../br7',
      [`${base}/brport/bridge/bridge/multicast_snooping`]: '1',
      [`${base}/brport/bridge/bridge/multicast_querier`]: '0',
    });
    expect(found?.link).toMatchObject({
      multicast: true,
      speed: null,
      bridge: { name: 'br7', snooping: true, querier: false },
    });
    expect(look({ [`${base}/flags`]: '0x3' })?.link).toMatchObject({ multicast: false, bridge: null });
  });

  it('is managed by networkd, with a drop-in that keeps addresses', () => {
    const contents = {
      '/run/systemd/netif/links/2':
        'ADMIN_STATE=configured\nNETWORK_FILE=/a.network\nNETWORK_FILE_DROPINS="/b.conf"\n',
      '/a.network': '[Network]\nKeepConfiguration=no\n',
      '/b.conf': '[Network]\nKeepConfiguration = static\n',
    };
    expect(look(contents)?.manager).toEqual({ kind: 'networkd', file: '/a.network', keep: 'static' });
    const elsewhere = { '/proc/self/ns/net->': 'net:[2]', '/proc/1/ns/net->': 'net:[1]' };
    expect(look({ ...contents, ...elsewhere })?.manager).toBeNull();
  });

  it('is managed by NetworkManager, unless that leaves it alone', () => {
    const path = '/run/NetworkManager/devices/2';
    expect(look({ [path]: '[device]\nmanaged=true\n' })?.manager).toEqual({ kind: 'NetworkManager' });
    expect(look({ [path]: '[device]\nmanaged=false\n' })?.manager).toBeNull();
  });
});

test('a host without the files has nulls, and with them what they say', () => {
  expect(hostFacts(filesOf({}), [])).toMatchObject({
    somaxconn: null,
    localPorts: null,
    conntrack: null,
    nft: null,
    clockKeptBy: null,
    machine: null,
    firstUnprivilegedPort: 1_024,
  });
  const found = hostFacts(
    filesOf({
      '/proc/sys/net/ipv4/ip_local_port_range': '32768\t60999\n',
      '/proc/sys/net/netfilter/nf_conntrack_count': '7\n',
      '/proc/sys/net/netfilter/nf_conntrack_max': '100\n',
      '/usr/sbin/nft': '',
      '/run/chrony/chronyd.pid': '1',
      '/sys/class/dmi/id/sys_vendor': 'QEMU\n',
    }),
    [],
  );
  expect(found).toMatchObject({
    localPorts: { first: 32_768, last: 60_999 },
    conntrack: { count: 7, max: 100 },
    nft: '/usr/sbin/nft',
    clockKeptBy: 'chrony',
    machine: 'QEMU',
  });
});

describe('the process', () => {
  const calls: number[] = [];
  const native = (refuses: boolean): Native =>
    ({
      getFdLimit: () => ({ soft: 1_024, hard: 4_096 }),
      setRealtime: (priority: number) => {
        if (refuses) throw Object.assign(new Error('EPERM'), { code: 'EPERM' });
        calls.push(priority);
      },
    }) as unknown as Native;
  const nobody = { kind: 'unreachable', why: '', hint: null } as const;

  it('is the daemon when that answers', () => {
    const files = filesOf({
      [`/proc/${STATUS.pid}/status`]: 'CapInh:\t0\nCapEff:\t0000000000003400\n',
      [`/proc/${STATUS.pid}/limits`]:
        'Max open files            1024                 524288               files\n',
    });
    expect(processFacts(files, native(true), CONFIG, { kind: 'running', status: STATUS })).toMatchObject({
      of: 'daemon',
      capabilities: 0x3400n,
      descriptors: { hardLimit: 524_288 },
      realtime: { granted: true },
    });
  });

  it('is this one otherwise: tries SCHED_FIFO and gives it back, and fits the limits', () => {
    const found = processFacts(filesOf({}), native(false), CONFIG, nobody);
    expect(found).toMatchObject({ of: 'this command', capabilities: null, realtime: { granted: true } });
    expect(found.descriptors).toMatchObject({ why: expect.stringContaining('4096') });
    expect(calls).toEqual([50, 0]);
    expect(processFacts(filesOf({}), native(true), CONFIG, nobody).realtime.granted).toBe(false);
    expect(
      processFacts(filesOf({}), native(false), config({ failover: null }), nobody).realtime.granted,
    ).toBeNull();
  });
});

describe('who has a port', () => {
  const header =
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
  const row = (local: string, state: string, inode: number): string =>
    `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 x\n`;
  const holder = {
    '/proc/7/fd/5->': 'socket:[42]',
    '/proc/7/comm': 'nginx\n',
    '/proc/self/fd/5->': 'socket:[42]',
  };

  it('is found by the inode of the listening socket', () => {
    const table = header + row('0100007F:0050', '01', 41) + row('0100007F:0050', '0A', 42);
    expect(ownerOfPort(filesOf({ '/proc/net/tcp': table, ...holder }), 'tcp', 80)).toBe('nginx (pid 7)');
    expect(ownerOfPort(filesOf({ '/proc/net/tcp6': table, ...holder }), 'tcp', 80)).toBe('nginx (pid 7)');
    expect(ownerOfPort(filesOf({ '/proc/net/tcp': table, ...holder }), 'tcp', 81)).toBeNull();
    expect(ownerOfPort(filesOf({ '/proc/net/tcp': table, ...holder }), 'udp', 80)).toBeNull();
  });

  it('stays unknown without the right to look', () => {
    expect(
      ownerOfPort(filesOf({ '/proc/net/udp': header + row('00000000:0035', '07', 42) }), 'udp', 53),
    ).toBeNull();
  });
});

describe('the ear', () => {
  const frame = goldenVrrp.find(({ version, af }) => version === 3 && af === 4);
  if (frame === undefined) throw new Error('there are golden frames');
  const envelope: Envelope = {
    family: 4,
    source: addr(frame.srcIp),
    destination: addr(frame.dstIp),
    hopLimit: 255,
  };
  const message = unhex(frame.vrrpHex);

  it('sorts by source and VRID, with a wrong TTL too', () => {
    const ear = new Ear(new Set());
    ear.hear(message, envelope, 100);
    ear.hear(message, { ...envelope, hopLimit: 254 }, 300);
    const { heard, junk } = ear.report(350);
    expect(junk).toEqual([]);
    expect(heard).toMatchObject([
      { source: frame.srcIp, vrid: frame.vrid, count: 2, hopLimit: 254, ageMillis: 50, checksum: 'rfc5798' },
    ]);
  });

  it('does not hear itself', () => {
    const ear = new Ear(new Set([frame.srcIp]));
    ear.hear(message, envelope, 100);
    expect(ear.report(200).heard).toEqual([]);
  });

  it('counts junk, and keeps no more of it than it has room for', () => {
    const ear = new Ear(new Set());
    for (let i = 0; i < 3_000; i++) {
      const source = addr(`10.${i >> 8}.${i & 255}.1`);
      ear.hear(message.subarray(0, 5), { ...envelope, source }, i);
      ear.hear(message.subarray(0, 5), { ...envelope, source: addr('10.0.0.1') }, i);
    }
    const { junk } = ear.report(3_000);
    expect(junk.length).toBeLessThan(1_000);
    expect(junk[0]).toEqual({ source: '10.0.0.1', vrid: frame.vrid, reason: 'truncated', count: 3_001 });
  });

  it('compares a PASS without decoding it', () => {
    const pass = goldenVrrp.find(({ authType }) => authType === 1);
    if (pass === undefined) throw new Error('a golden frame has a PASS');
    const ear = new Ear(new Set());
    ear.hear(unhex(pass.vrrpHex), envelope, 1);
    expect(ear.report(1).heard[0]?.secret).toMatch(/^[0-9a-f]{16}$/);
  });

  it('listens for three intervals, within bounds', () => {
    const time = (...intervals: number[]) =>
      listeningTime(intervals.map((ms) => group({ advertiseInterval: millis(ms) })));
    expect([time(10), time(1_000), time(100, 1_000), time(40_000)]).toEqual([500, 3_200, 3_200, 4_000]);
  });
});

describe('asking the neighbours', () => {
  it('probes without a claim, and leaves out our own answers', async () => {
    const kernel = new FakeKernel();
    kernel.links.set(2, linkInfo(2, 'eth0'));
    const wanted = addr('10.0.0.100');
    const reply = (senderMac: Uint8Array, ip = wanted): Uint8Array =>
      encodeArp({
        etherSource: senderMac,
        etherDestination: linkInfo(2, 'eth0').mac,
        operation: 'reply',
        senderMac,
        senderIp: ip,
        targetMac: linkInfo(2, 'eth0').mac,
        targetIp: addr('0.0.0.0'),
      });
    const asked = askNeighbours(kernel.native, 'eth0', 4, [wanted]);
    kernel.arp(reply(Uint8Array.of(2, 0, 0, 0, 0, 9)));
    kernel.arp(reply(Uint8Array.of(2, 0, 0, 0, 0, 9)));
    kernel.arp(reply(linkInfo(2, 'eth0').mac));
    kernel.arp(reply(Uint8Array.of(2, 0, 0, 0, 0, 8), addr('10.0.0.7')));
    kernel.arp(new Uint8Array(3));
    expect(await asked).toEqual({ value: new Map([['10.0.0.100', ['02:00:00:00:00:09']]]) });
    expect(kernel.frames).toHaveLength(3);
    const probe = decodeArp(kernel.frames[0] ?? new Uint8Array());
    expect(probe).toMatchObject({
      operation: 'request',
      senderIp: { text: '0.0.0.0' },
      targetIp: { text: wanted.text },
    });
  });

  it('says why it cannot', async () => {
    const kernel = new FakeKernel();
    const ask = (name: string, family: 4 | 6) => askNeighbours(kernel.native, name, family, []);
    expect(await ask('eth0', 4)).toEqual({ missing: 'there is no interface eth0' });
    kernel.links.set(2, { ...linkInfo(2, 'eth0'), carrier: false });
    expect(await ask('eth0', 4)).toEqual({ missing: 'eth0 is down or has no carrier' });
    kernel.links.set(2, linkInfo(2, 'eth0'));
    expect(await ask('eth0', 6)).toEqual({ missing: 'eth0 has no link-local address to ask from' });
    kernel.links.set(1, { ...linkInfo(1, 'lo'), mac: new Uint8Array(6) });
    expect(await ask('lo', 4)).toEqual({ missing: 'lo has no neighbours to ask' });
  });
});

describe('asking the backends', () => {
  const service = (name: string, over: Parameters<typeof serviceSpec>[0]) =>
    serviceSpec({ name, backends: [backendSpec('one')], ...over });

  it('uses the health check, a connection without one, and runs no program', async () => {
    const services = [
      service('plain', {}),
      service('datagrams', { protocol: 'udp' }),
      service('program', { health: healthSpec({ probe: { type: 'exec', command: ['/bin/false'] } }) }),
      service('other-port', { health: healthSpec({ port: 99 }) }),
    ];
    const asked: string[] = [];
    const found = await backendFacts(config({ services }), async (spec, target) => {
      asked.push(`${spec.type} ${target.port}`);
      return { ok: target.port === 99, reason: 'refused', detail: 'said so' };
    });
    expect(asked.sort()).toEqual(['tcp 80', 'tcp 99']);
    const result = Object.fromEntries(found.map((backend) => [backend.service, backend.result]));
    expect(result).toMatchObject({
      plain: { value: { ok: false, detail: 'said so' } },
      datagrams: { missing: expect.stringContaining('UDP') },
      program: { missing: expect.stringContaining('exec') },
      'other-port': { value: { ok: true } },
    });
  });

  it('ends a probe at its own time-out', async () => {
    const health = healthSpec({ timeout: millis(50), interval: seconds(2) });
    const found = await backendFacts(
      config({ services: [service('hangs', { health })] }),
      (_spec, _target, signal) =>
        new Promise((resolve) => {
          // the signal's timer alone would not keep the process alive
          const alive = setTimeout(() => undefined, 10_000);
          signal.addEventListener('abort', () => {
            clearTimeout(alive);
            resolve({ ok: false, reason: 'timeout', detail: 'aborted' });
          });
        }),
    );
    expect(found[0]?.result).toEqual({ value: { ok: false, detail: 'timed out after 50ms' } });
  });
});
