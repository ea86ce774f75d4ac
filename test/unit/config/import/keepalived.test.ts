import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { millis, seconds } from '../../../../src/lib/duration.ts';
import {
  configOf,
  FIXTURES,
  fixtures,
  importFixture,
  importText,
  lost,
  told,
} from '../../../support/keepalived-import.ts';

/** UPDATE=1 npx vitest run <this file> writes what is expected. */
const { UPDATE } = process.env;

const instance = (lines: string, name = 'VI'): string =>
  `vrrp_instance ${name} {\ninterface eth0\nvirtual_router_id 51\n${lines}\n}\n`;
const VIP = 'virtual_ipaddress {\n10.0.0.100/24\n}';
const groupOf = (lines: string, globals = '') =>
  configOf(importText(`${globals}\n${instance(`${lines}\n${VIP}`)}`)).failover?.groups[0];

const virtualServer = (lines: string, server = '', at = '10.0.0.100 80'): string =>
  `virtual_server ${at} {\nprotocol TCP\n${lines}\nreal_server 10.0.1.11 8080 {\n${server}\n}\n}\n`;
const serviceOf = (lines: string, server = '') =>
  configOf(importText(virtualServer(lines, server))).services[0];

describe('the fixtures', () => {
  test.each(fixtures)('%s becomes a configuration that loads', (name) => {
    const result = importFixture(name);
    expect(result.faults).toEqual([]);
    const config = configOf(result);
    expect(config.services.length + (config.failover?.groups.length ?? 0)).toBeGreaterThan(0);
    for (const word of ['s3cret', 'passw0rd', 'hunter22', 'tls-s3cret']) {
      expect(JSON.stringify(result.report)).not.toContain(word);
    }
  });

  test.each(['web-pair', 'dns-ipv6', 'haproxy-pair', 'firewall-pair', 'cloud'])(
    '%s becomes exactly this file',
    (name) => {
      const path = join(FIXTURES, 'expected', `${name}.toml`);
      const { toml } = importFixture(`${name}.conf`);
      if (UPDATE === '1') writeFileSync(path, toml);
      expect(toml).toBe(readFileSync(path, 'utf8'));
    },
  );

  test('the pair of web balancers', () => {
    const result = importFixture('web-pair.conf');
    const config = configOf(result);
    expect(config.node.name).toBe('lb-a');
    const [web, tls] = config.services;
    expect(web?.schedule.algorithm).toBe('source-hash');
    expect(
      web?.backends.map(({ id, weight, maxConnections, backup }) => [id, weight, maxConnections, backup]),
    ).toEqual([
      ['10.0.1.11:8080', 3, 500, false],
      ['10.0.1.12:8080', 1, null, false],
      ['127.0.0.1:8080', 1, null, true],
    ]);
    expect(web?.health).toMatchObject({
      probe: { type: 'http', path: '/health', expectStatus: [200] },
      interval: seconds(6),
      fastInterval: seconds(2),
      timeout: seconds(3),
      rise: 1,
      fall: 4,
    });
    expect(tls?.health).toMatchObject({
      probe: { type: 'tcp' },
      interval: seconds(10),
      timeout: seconds(2),
      fall: 2,
    });
    expect(config.failover?.groups[0]).toMatchObject({
      vrid: 51,
      version: 2,
      priority: 150,
      preempt: true,
      authPass: 's3cret-a',
    });
    expect(result.complete).toBe(false);
    expect(new Set(lost(result).map(({ keyword }) => keyword))).toEqual(
      new Set(['notification_email', 'notification_email_from', 'smtp_server', 'smtp_connect_timeout']),
    );
  });

  test('one template for two nodes', () => {
    const [a, b] = [
      configOf(importFixture('templated.conf', 'lb-a')),
      configOf(importFixture('templated.conf', 'lb-b')),
    ];
    expect([a.node.name, b.node.name]).toEqual(['lb-a', 'lb-b']);
    expect([a, b].map((config) => config.failover?.groups[0]?.priority)).toEqual([150, 100]);
    expect(b.services).toEqual(a.services);
    expect(a.services.flatMap((service) => service.backends.map(({ id }) => id))).toEqual([
      '10.0.1.11:8080',
      '10.0.1.12:8080',
      '10.0.1.11:8080',
      '10.0.1.12:8080',
      '10.0.1.31:25',
      '10.0.1.32:25',
    ]);
    expect(a.failover?.groups[0]?.addresses.map(({ text }) => text)).toEqual([
      '10.0.0.101/24',
      '10.0.0.102/24',
      '10.0.0.103/24',
      '10.0.0.110/24',
      '10.0.0.111/32',
    ]);
  });
});

describe('vrrp_instance', () => {
  test('defaults are those of keepalived', () => {
    expect(groupOf('')).toMatchObject({
      version: 2,
      priority: 100,
      advertiseInterval: seconds(1),
      preempt: true,
    });
    expect(groupOf('', 'global_defs {\nvrrp_version 3\n}')?.version).toBe(3);
    expect(groupOf('version 2', 'global_defs {\nvrrp_version 3\n}')?.version).toBe(2);
  });

  test('IPv6 is version 3 whatever is said', () => {
    const text = 'version 2\nvirtual_ipaddress {\nfe80::1/64\n2001:db8::1/64\n}';
    expect(configOf(importText(instance(text))).failover?.groups[0]?.version).toBe(3);
  });

  test.each([
    ['version 3\nadvert_int 0.1', millis(100)],
    ['version 3\nadvert_int 0.014', millis(10)],
    ['version 3\nadvert_int 100', millis(40_950)],
    ['version 2\nadvert_int 3', seconds(3)],
    ['version 2\nadvert_int 0.2', seconds(1)],
  ])('%j', (lines, interval) => {
    expect(groupOf(lines)?.advertiseInterval).toBe(interval);
  });

  test('an address without a prefix length is a host', () => {
    const text =
      instance('virtual_ipaddress {\n10.0.0.9\n}') + instance('virtual_ipaddress {\n2001:db8::9\n}', 'V6');
    expect(configOf(importText(text)).failover?.groups.map(({ addresses }) => addresses[0]?.length)).toEqual([
      32, 128,
    ]);
  });

  test('preemption, and where keepalived ignores it', () => {
    expect(groupOf('nopreempt')?.preempt).toBe(false);
    expect(groupOf('preempt_delay 2.5')).toMatchObject({ preempt: true, preemptDelay: millis(2_500) });
    expect(groupOf('state MASTER\nnopreempt')?.preempt).toBe(true);
    expect(groupOf('state MASTER\npreempt_delay 9')?.preemptDelay).toBe(0);
    expect(groupOf('priority 255\nnopreempt\npreempt_delay 9')).toMatchObject({
      preempt: true,
      preemptDelay: 0,
    });
    expect(groupOf('nopreempt\npreempt_delay 9')).toMatchObject({ preempt: false, preemptDelay: 0 });
  });

  test('passwords are for version 2, 8 bytes, and never in the report', () => {
    const auth = 'authentication {\nauth_type PASS\nauth_pass longpassword\n}';
    const result = importText(instance(`${auth}\n${VIP}`));
    expect(configOf(result).failover?.groups[0]?.authPass).toBe('longpass');
    expect(result.secret).toBe(true);
    expect(JSON.stringify(result.report)).not.toContain('longpass');
    expect(groupOf(`version 3\n${auth}`)?.authPass).toBeNull();
    const strayed = importText(instance(`authentication {\nauth_pass\nlongpassword\n}\n${VIP}`));
    expect(JSON.stringify(strayed.report)).not.toContain('longpassword');
    expect(strayed.complete).toBe(false);
  });

  test('AH is refused, and matters', () => {
    const result = importText(instance(`authentication {\nauth_type AH\nauth_pass secret\n}\n${VIP}`));
    expect(configOf(result).failover?.groups[0]?.authPass).toBeNull();
    expect(result.complete).toBe(false);
  });

  test('unicast, its source and its peers of the right family', () => {
    const result = importText(
      instance(`version 3\nunicast_src_ip 10.0.0.2\nunicast_peer {\n10.0.0.3\n2001:db8::3\n}\n${VIP}`),
    );
    const unicast = configOf(result).failover?.groups[0]?.unicast;
    expect([unicast?.source?.text, unicast?.peers.map(({ text }) => text)]).toEqual([
      '10.0.0.2',
      ['10.0.0.3'],
    ]);
    expect(told(result, '2001:db8::3')).toHaveLength(1);
    const foreign = importText(
      instance(`version 3\nunicast_src_ip 2001:db8::2\nunicast_peer {\n10.0.0.3\n}\n${VIP}`),
    );
    expect(configOf(foreign).failover?.groups[0]?.unicast?.source).toBeNull();
    expect(told(foreign, 'unicast_src_ip')).toHaveLength(1);
  });

  test('gratuitous ARPs: own settings, else the global ones', () => {
    const globals =
      'global_defs {\nvrrp_garp_master_repeat 9\nvrrp_garp_interval 0.5\nvrrp_garp_master_refresh 30\n}';
    expect(groupOf('garp_master_repeat 2', globals)?.announce).toMatchObject({
      repeat: 2,
      interval: millis(500),
      refresh: seconds(30),
    });
    expect(groupOf('', 'global_defs {\nvrrp_min_garp\n}')?.announce.repeat).toBe(1);
  });

  test('announcements: what instances, global_defs and garp_group say of them', () => {
    expect(groupOf('')?.announce).toMatchObject({ repeat: 5, delay: seconds(5) });
    const globals =
      'global_defs {\nvrrp_garp_interval 0.05\nvrrp_gna_interval 0.07\nvrrp_garp_master_delay 9\n}';
    expect(groupOf('', globals)?.announce).toMatchObject({
      interval: millis(50),
      pace: millis(50),
      delay: seconds(9),
      conflictRepeat: 5,
      conflictDelay: seconds(9),
    });
    // what an instance repeats is not what it repeats after a conflict
    const own = 'garp_master_repeat 2\ngarp_master_delay 0\ngarp_master_refresh_repeat 3';
    expect(groupOf(own, globals)?.announce).toMatchObject({
      repeat: 2,
      delay: 0,
      refreshRepeat: 3,
      conflictRepeat: 5,
      conflictDelay: seconds(9),
    });
    expect(groupOf('garp_lower_prio_repeat 1\ngarp_lower_prio_delay 4')?.announce).toMatchObject({
      repeat: 5,
      conflictRepeat: 1,
      conflictDelay: seconds(4),
    });
    const spaced = 'garp_group {\ngarp_interval 0.2\ninterface eth0\n}';
    expect(groupOf('', spaced)?.announce).toMatchObject({ interval: millis(200), pace: millis(200) });
    const six = 'global_defs {\nvrrp_garp_interval 0.05\nvrrp_gna_interval 0.07\n}\n';
    const text = `${six}${instance('virtual_ipaddress {\nfe80::9/64\n}')}`;
    expect(configOf(importText(text)).failover?.groups[0]?.announce.pace).toBe(millis(70));
    const silent = importText(instance(`garp_lower_prio_repeat 0\n${VIP}`));
    expect(told(silent, 'garp_lower_prio_repeat')[0]).toMatch(/^changed: one/);
  });

  test('a delay after the start', () => {
    const text = `global_defs {\nvrrp_startup_delay 5.5\n}\n${instance(VIP)}`;
    expect(configOf(importText(text)).failover?.startupDelay).toBe(seconds(5.5));
  });

  test('virtual MACs, with names that no other interface has', () => {
    const macOf = (lines: string) => configOf(importText(instance(`${lines}\n${VIP}`))).failover?.groups[0];
    expect(macOf('use_vmac\nvmac_xmit_base')?.virtualMac?.[4]).toBe('vrrp.51');
    expect(macOf('use_vmac mac0')?.virtualMac?.[4]).toBe('mac0');
    expect(macOf('')?.virtualMac).toBeNull();
    const two = instance(`use_vmac same\n${VIP}`) + instance(`use_vmac same\n${VIP}`, 'B');
    const other = two.replace('51\nuse_vmac same', '52\nuse_vmac same').replace('.100', '.101');
    expect(configOf(importText(other)).failover?.groups.map((group) => group.virtualMac?.[4])).toEqual([
      'same',
      'vrrp.51.2',
    ]);
    const own = importText(instance(`use_vmac vr 02:00:00:00:00:01\n${VIP}`));
    expect(told(own, 'use_vmac')[0]).toMatch(/^changed: the MAC address of the RFC/);
    const six = configOf(importText(instance('use_vmac vr6\nvirtual_ipaddress {\nfe80::9/64\n}')));
    expect(six.failover?.groups[0]?.virtualMac?.[6]).toBe('vr6');
  });

  test('accept mode: off where keepalived has it off', () => {
    const strict = 'global_defs {\nvrrp_strict\n}';
    expect(groupOf('')?.accept).toBe(true);
    expect(groupOf('no_accept')?.accept).toBe(false);
    expect(groupOf('version 3', strict)?.accept).toBe(false);
    expect(groupOf('version 3\naccept', strict)?.accept).toBe(true);
    expect(groupOf('version 2\naccept', strict)?.accept).toBe(false);
    expect(groupOf('strict_mode off', strict)?.accept).toBe(true);
    expect(groupOf('priority 255', strict)?.accept).toBe(true);
  });

  const routesOf = (...lines: readonly string[]) => {
    const result = importText(instance(`${VIP}\nvirtual_routes {\n${lines.join('\n')}\n}`));
    const routes = configOf(result).failover?.groups[0]?.routes ?? [];
    return {
      result,
      routes: routes.map(({ to, via, device, table, metric, source }) => [
        to.text,
        via?.text,
        device,
        table,
        metric,
        source?.text,
      ]),
    };
  };

  test('routes, in the words of ip-route', () => {
    const { routes, result } = routesOf(
      'src 10.0.0.100 to 10.1.0.0/16 via 10.0.0.254 dev eth1',
      'default gw 10.0.0.1 table 100 metric 7 no_track',
      '10.2.0.9/16 dev eth2 scope link',
      '2001:db8:1::/48 via inet6 fe80::1',
      '0.0.0.0/0 via 10.0.0.1 mtu 1400 table main',
    );
    expect(routes).toEqual([
      ['10.1.0.0/16', '10.0.0.254', 'eth1', 254, null, '10.0.0.100'],
      ['0.0.0.0/0', '10.0.0.1', null, 100, 7, undefined],
      ['10.2.0.0/16', undefined, 'eth2', 254, null, undefined],
      ['2001:db8:1::/48', 'fe80::1', 'eth0', 254, null, undefined],
      ['0.0.0.0/0', '10.0.0.1', null, 254, null, undefined],
    ]);
    expect(told(result, '0.0.0.0/0 mtu')[0]).toMatch(/^missing: the route comes without it/);
  });

  test.each([
    'blackhole 10.3.0.0/16',
    '10.3.0.0/16 nexthop via 10.0.0.1 dev eth0 weight 1',
    '10.3.0.0/33 via 10.0.0.1',
    '10.3.0.0/16 via fe80::1',
    '10.3.0.0/16 via 224.0.0.1',
    '10.3.0.0/16 via gateway',
    '10.3.0.0/16 via 10.0.0.1 table local',
    '10.3.0.0/16 via 10.0.0.1 table blue',
    '10.3.0.0/16 via 10.0.0.1 metric 0',
    'via 10.0.0.1',
    '224.0.0.0/4 dev eth0',
    '10.3.0.0/16 dev a/b',
    '10.1.0.0/16 via 10.0.0.2',
  ])('a route that Tandem cannot have, %j, is left out and told', (line) => {
    const { routes, result } = routesOf('10.1.0.0/16 via 10.0.0.1', line);
    expect(result.faults).toEqual([]);
    expect(routes).toHaveLength(1);
    expect(lost(result)[0]?.note).toMatch(/^left out/);
  });

  const held = (lines: string) => {
    const group = configOf(importText(instance(lines))).failover?.groups[0];
    const written = (all: NonNullable<typeof group>['addresses'] = []): string[] =>
      all.map(({ text, device }) => (device === null ? text : `${text} on ${device}`));
    return [written(group?.addresses), written(group?.excluded)];
  };

  test('addresses on other interfaces, and excluded ones of either family', () => {
    const dev = 'virtual_ipaddress {\n10.0.0.1/24 dev eth0\n10.9.0.1/24 dev eth1\n}';
    expect(held(dev)).toEqual([['10.0.0.1/24', '10.9.0.1/24 on eth1'], []]);
    const excluded = 'virtual_ipaddress_excluded {\n10.0.0.7/24 dev eth1\n2001:db8::7/64\n}';
    for (const lines of ['version 3', 'version 2', 'unicast_peer {\n10.0.0.3\n}']) {
      expect(held(`${lines}\n${VIP}\n${excluded}`)).toEqual([
        ['10.0.0.100/24'],
        ['10.0.0.7/24 on eth1', '2001:db8::7/64'],
      ]);
    }
  });

  test('what an advertisement has no room for is held all the same', () => {
    const many = Array.from({ length: 260 }, (_, i) => `10.${i >> 8}.${i & 255}.9/24`);
    const [addresses, excluded] = held(`virtual_ipaddress {\n${many.join('\n')}\n}`);
    expect([addresses?.length, excluded?.length]).toEqual([255, 5]);
  });

  test('without an interface: that of its addresses, else the default one', () => {
    const text = (dev: string): string =>
      `global_defs {\ndefault_interface eth7\n}\nvrrp_instance A {\nvirtual_router_id 5\nunicast_peer {\n10.0.0.3\n}\nvirtual_ipaddress {\n10.0.0.1/24 ${dev}\n}\n}`;
    expect(configOf(importText(text(''))).failover?.groups[0]?.interface).toBe('eth7');
    expect(configOf(importText(text('dev eth3'))).failover?.groups[0]?.interface).toBe('eth3');
  });

  test.each([
    ['no address', instance('')],
    ['no VRID', `vrrp_instance A {\ninterface eth0\n${VIP}\n}`],
    ['a VRID twice', instance(VIP) + instance('virtual_ipaddress {\n10.0.0.9/24\n}', 'B')],
    ['an address twice', instance(VIP) + instance(VIP, 'B').replace('51', '52')],
  ])('%s: left out with its line, and it matters', (_name, text) => {
    const result = importText(text);
    expect(result.complete).toBe(false);
    expect(lost(result).some(({ note, line }) => note.startsWith('left out') && line > 0)).toBe(true);
  });

  test('names that Tandem does not take, and names twice', () => {
    const two = instance(VIP, '"a b"') + instance(VIP, 'a/b').replace('51', '52').replace('.100', '.101');
    expect(configOf(importText(two)).failover?.groups.map(({ name }) => name)).toEqual(['a-b', 'a-b-2']);
  });
});

describe('virtual_server', () => {
  test.each([
    ['lvs_sched rr', 'round-robin'],
    ['lb_algo wlc', 'least-connections'],
    ['', 'least-connections'],
    ['lvs_sched sh', 'source-hash'],
    ['lvs_sched mh', 'maglev'],
    ['lvs_sched fo', 'first'],
    ['lvs_sched twos', 'random-two'],
    ['lvs_sched constructor', 'least-connections'],
    ['lvs_sched rr\npersistence_timeout 50', 'source-hash'],
    ['lvs_sched mh\npersistence_timeout 50', 'maglev'],
  ])('%j is %s', (lines, algorithm) => {
    expect(serviceOf(lines)?.schedule.algorithm).toBe(algorithm);
  });

  test('hashing with ports', () => {
    expect(serviceOf('lvs_sched sh\nsh-port')?.schedule).toMatchObject({
      algorithm: 'maglev',
      hashKey: 'tuple',
    });
    expect(serviceOf('lvs_sched rr\nflag-2')?.schedule.algorithm).toBe('round-robin');
  });

  test('weights beyond 256 keep their proportions; rr does not weigh', () => {
    const config = configOf(importFixture('every-lvs.conf'));
    expect(config.services[0]?.backends.map(({ weight }) => weight)).toEqual([256, 128, 0, 1]);
    expect(serviceOf('lvs_sched rr', 'weight 7')?.backends[0]?.weight).toBe(1);
    expect(serviceOf('lvs_sched wrr', 'weight 7')?.backends[0]?.weight).toBe(7);
  });

  test('groups, ranges and prefixes', () => {
    const listen = configOf(importFixture('every-lvs.conf')).services[0]?.listen.map(
      ({ address, port }) => `${address.text} ${port}`,
    );
    expect(listen).toEqual([
      ...[110, 111, 112, 120, 121, 122, 123].map((n) => `10.0.0.${n} 80`),
      '10.0.0.130 8080',
      '2001:db8::110 80',
    ]);
  });

  test.each(['::', '0.0.0.0', '224.0.0.9', '255.255.255.255'])(
    'a real server at %s is left out',
    (address) => {
      const result = importText(
        `virtual_server 10.0.0.1 53 {\nreal_server ${address} 53 {\n}\nreal_server 10.0.1.1 53 {\n}\n}`,
      );
      expect(configOf(result).services[0]?.backends).toHaveLength(1);
      expect(told(result, 'real_server').some((line) => line.includes('left out'))).toBe(true);
    },
  );

  test.each(['224.0.0.9', '255.255.255.255'])('a virtual server at %s is left out', (address) => {
    const text = (at: string): string => `virtual_server ${at} 53 {\nreal_server 10.0.1.1 53 {\n}\n}\n`;
    const result = importText(text(address) + text('10.0.0.1'));
    expect(configOf(result).services).toHaveLength(1);
    expect(result.complete).toBe(false);
  });

  test('no protocol is UDP, as in keepalived 2.2', () => {
    const result = importText('virtual_server 10.0.0.1 53 {\nreal_server 10.0.1.1 53 {\n}\n}');
    expect(configOf(result).services[0]?.protocol).toBe('udp');
    expect(told(result, 'virtual_server')[0]).toMatch(/^changed: .*UDP/);
  });

  test.each([
    ['a firewall mark', virtualServer('', '', 'fwmark 5')],
    ['every port', virtualServer('', '', '10.0.0.1 0')],
    ['SCTP', virtualServer('').replace('TCP', 'SCTP')],
    ['no server', 'virtual_server 10.0.0.1 80 {\nprotocol TCP\n}'],
    ['an unknown group', virtualServer('', '', 'group NONE')],
    ['an address twice', virtualServer('') + virtualServer('')],
    ['a server twice', virtualServer('real_server 10.0.1.11 8080 {\n}')],
    ['itself as server', virtualServer('', '', '10.0.1.11 8080')],
    ['a range too large', `virtual_server_group G {\n10.0.0.0/8 80\n}\n${virtualServer('', '', 'group G')}`],
  ])('%s: left out with its line, and it matters', (_name, text) => {
    const result = importText(text + virtualServer('', '', '10.0.0.222 80'));
    expect(result.faults).toEqual([]);
    expect(configOf(result).services.some(({ listen }) => listen[0]?.address.text === '10.0.0.222')).toBe(
      true,
    );
    expect(lost(result).length).toBeGreaterThan(0);
    expect(result.complete).toBe(false);
  });

  test('time-outs of IPVS', () => {
    const globals = 'global_defs {\nlvs_timeouts tcp 900 tcpfin 20 udp 30\n}\n';
    expect(configOf(importText(globals + virtualServer(''))).services[0]?.timeouts).toMatchObject({
      idle: seconds(900),
      fin: seconds(20),
    });
  });
});

describe('checks', () => {
  test('timers come from the check, the server or the service', () => {
    expect(serviceOf('delay_loop 7\nretry 5', 'TCP_CHECK {\n}')?.health).toMatchObject({
      interval: seconds(7),
      fall: 6,
    });
    expect(serviceOf('delay_loop 7', 'delay_loop 8\nTCP_CHECK {\ndelay_loop 9\n}')?.health?.interval).toBe(
      seconds(9),
    );
    expect(serviceOf('', 'TCP_CHECK {\n}')?.health).toMatchObject({
      interval: seconds(60),
      timeout: seconds(5),
      rise: 1,
      fall: 2,
    });
    expect(serviceOf('delay_loop 1', 'TCP_CHECK {\nconnect_timeout 5\n}')?.health?.timeout).toBe(seconds(1));
  });

  test('servers are up until checked, but for alpha; a check without misc_timeout has its interval', () => {
    expect(serviceOf('', 'TCP_CHECK {\n}')?.health?.initial).toBe('up');
    expect(serviceOf('alpha', 'TCP_CHECK {\n}')?.health?.initial).toBe('checking');
    expect(serviceOf('alpha', 'alpha off\nTCP_CHECK {\n}')?.health?.initial).toBe('up');
    const misc = importText(virtualServer('delay_loop 9', 'MISC_CHECK {\nmisc_path /bin/true\n}'));
    expect(configOf(misc).services[0]?.health?.timeout).toBe(seconds(9));
    expect(told(misc, 'MISC_CHECK')).toEqual([expect.stringMatching(/^carried/)]);
  });

  test('a quorum of one is the default, any other is missed', () => {
    expect(told(importText(virtualServer('quorum 1')), 'quorum')[0]).toMatch(/^needless/);
    expect(told(importText(virtualServer('quorum 2')), 'quorum')[0]).toMatch(/^missing/);
  });

  test('a virtual host that is no name is told', () => {
    const check = 'HTTP_GET {\nvirtualhost "a b"\nurl {\npath /\n}\n}';
    expect(told(importText(virtualServer('', check)), 'virtualhost')[0]).toMatch(/^missing: left out/);
  });

  test('HTTPS with statuses, host and expression', () => {
    const check =
      'SSL_GET {\nvirtualhost a.example\nurl {\npath /x\nstatus_code 200-299 404\nregex "o.k"\n}\n}';
    expect(serviceOf('', check)?.health?.probe).toEqual({
      type: 'http',
      tls: true,
      tlsVerify: false,
      method: 'GET',
      path: '/x',
      host: 'a.example',
      expectStatus: [200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 404],
      expectBody: null,
      expectRegex: 'o.k',
      expectJson: {},
      sendProxy: null,
    });
  });

  test('an expression that must not match', () => {
    const probe = serviceOf('', 'HTTP_GET {\nurl {\npath /\nregex "down|off"\nregex_no_match\n}\n}')?.health
      ?.probe;
    const regex = new RegExp(probe?.type === 'http' ? (probe.expectRegex ?? '') : '');
    expect(['all\nup', 'x off', 'down'].map((body) => regex.test(body))).toEqual([true, false, false]);
  });

  test('an expression of PCRE alone is told', () => {
    const result = importText(virtualServer('', 'HTTP_GET {\nurl {\npath /\nregex "(?<!a|bc)++x"\n}\n}'));
    expect(configOf(result).services[0]?.health?.probe).toMatchObject({ expectRegex: null });
    expect(told(result, 'regex')[0]).toMatch(/^missing/);
  });

  test('UDP: payload and reply in hexadecimal as keepalived reads it', () => {
    const check = 'UDP_CHECK {\npayload Ab12f 3 456 546443123\nrequire_reply 0a0X11\n}';
    const probe = serviceOf('', check)?.health?.probe;
    const hex = (bytes: Uint8Array | null | undefined): string => Buffer.from(bytes ?? []).toString('hex');
    expect(probe?.type === 'udp' && hex(probe.send)).toBe('ab120f03450654644312' + '03');
    expect(probe?.type === 'udp' && hex(probe.expect)).toBe('0a');
    expect(serviceOf('', 'UDP_CHECK {\n}')?.health).toBeNull();
  });

  test('programs: words, quotes, and the address of each server', () => {
    const command = (path: string): readonly string[] | undefined => {
      const probe = serviceOf('', `MISC_CHECK {\nmisc_path ${path}\n}`)?.health?.probe;
      return probe?.type === 'exec' ? probe.command : undefined;
    };
    expect(command('/bin/true')).toEqual(['/bin/true']);
    expect(command(`"/bin/check -x 'two words'"`)).toEqual(['/bin/check', '-x', 'two words']);
    expect(command(`"/bin/check 10.0.1.11 8080 'it is'"`)).toEqual([
      '/bin/sh',
      '-c',
      `exec /bin/check "$TANDEM_BACKEND_ADDRESS" "$TANDEM_BACKEND_PORT" 'it is'`,
    ]);
    expect(command('"nc -z 10.0.1.9 80" ignored')).toEqual(['/usr/bin/env', 'nc', '-z', '10.0.1.9', '80']);
    expect(command('./relative')).toBeUndefined();
  });

  test('of checks that differ the most common one is taken, and the others are told', () => {
    const real = (n: number, path: string): string =>
      `real_server 10.0.1.${n} 80 {\nHTTP_GET {\nurl {\npath ${path}\n}\n}\nTCP_CHECK {\n}\n}\n`;
    const result = importText(
      `virtual_server 10.0.0.1 80 {\nprotocol TCP\n${real(1, '/a')}${real(2, '/b')}${real(3, '/b')}}`,
    );
    expect(configOf(result).services[0]?.health?.probe).toMatchObject({ path: '/b' });
    expect(told(result, 'HTTP_GET').filter((text) => text.startsWith('missing'))).toHaveLength(1);
    expect(told(result, 'TCP_CHECK').filter((text) => text.startsWith('missing'))).toHaveLength(3);
  });
});

describe('the report', () => {
  test('nothing is dropped in silence: every statement has an entry, unknown ones a line', () => {
    const result = importText(
      `${instance(`${VIP}\nnonsense 5`)}bogus {\n deep 1\n}\nglobal_defs {\npriority 4\n}`,
    );
    expect(lost(result).map(({ keyword, line, did }) => [keyword, line, did])).toEqual([
      ['nonsense', 7, 'unknown'],
      ['bogus', 9, 'unknown'],
      ['priority', 13, 'unknown'],
    ]);
    expect(told(result, 'priority')[0]).toContain('vrrp_instance');
  });

  test('a keyword that is said twice: the last one holds', () => {
    const result = importText(instance(`priority 10\npriority 20\n${VIP}`));
    expect(configOf(result).failover?.groups[0]?.priority).toBe(20);
    expect(told(result, 'priority')).toHaveLength(2);
  });

  test('a number out of range is told, and the default holds', () => {
    const result = importText(instance(`priority 300\n${VIP}`));
    expect(configOf(result).failover?.groups[0]?.priority).toBe(100);
    expect(told(result, 'priority')[0]).toMatch(/^missing: .*from 1 to 255/);
  });

  test('all of it carried over is complete', () => {
    const text =
      instance(`state BACKUP\npriority 90\n${VIP}`) +
      virtualServer('lvs_sched wlc\ndelay_loop 5', 'TCP_CHECK {\n}');
    const result = importText(text);
    expect(lost(result)).toEqual([]);
    expect(result.complete).toBe(true);
  });

  test('a configuration without anything for Tandem says so', () => {
    const result = importText('global_defs {\n}\n');
    expect(result.complete).toBe(false);
    expect(result.faults[0]).toContain('nothing to do');
  });
});

test('thousands of servers, options and duplicates take time in proportion', () => {
  const servers = Array.from(
    { length: 20_000 },
    (_, i) => `real_server 10.${i >> 14}.${(i >> 7) & 127}.${i & 127} 80 {\nTCP_CHECK {\n}\n}\n`,
  );
  const options = 'x '.repeat(20_000);
  const text = `virtual_server 192.0.2.1 80 {\nprotocol TCP\n${servers.join('')}}\n${instance(`virtual_ipaddress {\n10.0.0.1/24 ${options}\n}`)}`;
  const result = importText(text);
  expect(result.toml.match(/\[\[service\.backend\]\]/g)?.length).toBeGreaterThan(19_000);
}, 30_000);

test('a virtual address that Tandem would refuse is left out with the reason', () => {
  const result = importText(
    [
      'vrrp_instance A {',
      '  interface eth0',
      '  virtual_router_id 1',
      '  virtual_ipaddress {',
      '    10.0.0.0/24',
      '    10.0.0.255/24',
      '    10.0.0.9/24',
      '  }',
      '}',
    ].join('\n'),
  );
  expect(result.faults).toEqual([]);
  expect(result.toml).toContain('addresses = ["10.0.0.9/24"]');
  const notes = result.report.map(({ line, note }) => `${line} ${note}`);
  expect(notes).toContain('5 left out: "10.0.0.0/24" is the network address of its subnet');
  expect(notes).toContain('6 left out: "10.0.0.255/24" is the broadcast address of its subnet');
});
