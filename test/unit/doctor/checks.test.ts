import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { diagnose } from '../../../src/doctor/checks/index.ts';
import { type Facts, known, missing } from '../../../src/doctor/facts.ts';
import { CODES, type Code, type Finding, type Severity } from '../../../src/doctor/finding.ts';
import { millis, seconds } from '../../../src/lib/duration.ts';
import { parseIp } from '../../../src/lib/ip.ts';
import {
  address,
  CONFIG,
  config,
  facts,
  group,
  heard,
  hearing,
  PEER_MAC,
  router,
  STATUS,
  withHost,
  withLink,
  withNic,
  withProcess,
  withRouter,
} from '../../support/doctor.ts';

const [SERVICE] = CONFIG.services;
if (SERVICE === undefined) throw new Error('the configuration has a service');
const FAILOVER = STATUS.failover;
if (FAILOVER === null) throw new Error('the daemon has failover');

const PAIR = { peer: null, ageMillis: 100, reachable: true, drift: [], driftSeconds: 0, driftUnknown: null };
const unicast = (...peers: string[]) => ({ source: null, peers: peers.map((text) => parseIp(text)!) });
const v2 = { version: 2, advertiseInterval: seconds(1) } as const;
const daemonFailover = (over: Partial<typeof FAILOVER>): Facts =>
  facts({ daemon: { kind: 'running', status: { ...STATUS, failover: { ...FAILOVER, ...over } } } });
const backendsThat = (...answers: boolean[]): Facts =>
  facts({
    backends: answers.map((ok, i) => ({
      service: 'web',
      backend: `be-${i}`,
      backup: false,
      result: known({ ok, detail: ok ? 'connected' : 'connection refused' }),
    })),
  });
const listenerThat = (found: Facts['listeners'][number]['found']): Facts =>
  facts({ listeners: [{ service: 'web', protocol: 'tcp', endpoint: '10.0.0.100:80', port: 80, found }] });

type Case = readonly [what: string, severity: Severity, of: Facts, says: string];

/** What is wrong with a healthy node, by finding: the type wants every code. */
const CASES: Readonly<Record<Code, readonly Case[]>> = {
  configuration: [
    ['a warning', 'warning', facts({ configWarnings: [{ text: 'eth0 is odd', hint: null }] }), 'eth0 is odd'],
  ],
  daemon: [
    [
      'it is stopped',
      'problem',
      facts({ daemon: { kind: 'silent', why: 'no answer', hint: null } }),
      'no answer',
    ],
    [
      'nobody answers',
      'warning',
      facts({ daemon: { kind: 'unreachable', why: 'no socket', hint: null } }),
      'no socket',
    ],
    [
      'no permission',
      'skipped',
      facts({ daemon: { kind: 'forbidden', why: 'no permission', hint: null } }),
      'no perm',
    ],
    ['a hung agent', 'problem', daemonFailover({ agent: 'hung' }), 'agent is hung'],
    ['an unfit node', 'problem', daemonFailover({ fit: false, unfitReason: 'no backend' }), 'no backend'],
  ],
  'config-drift': [
    ['a file written later', 'warning', facts({ configChangedAt: 1_000_001 }), 'after the daemon read it'],
    ['another file', 'warning', facts({ config: config({ path: '/tmp/x.toml' }) }), 'not with /tmp/x.toml'],
    [
      'a service that does not run',
      'warning',
      facts({ config: config({ services: [{ ...SERVICE, name: 'new' }] }) }),
      'service new does not run; service web runs still',
    ],
  ],
  'pair-drift': [
    [
      'a service that differs',
      'warning',
      daemonFailover({ pair: { ...PAIR, drift: ['service web differs'] } }),
      'not configured like its peer: service web differs',
    ],
    [
      'a peer of another version',
      'skipped',
      daemonFailover({ pair: { ...PAIR, drift: null, driftUnknown: 'this node runs Tandem 1, its peer 2' } }),
      'its peer 2',
    ],
  ],
  interface: [
    ['none', 'problem', withNic({ link: null }), 'no such interface'],
    ['down', 'problem', withLink({ up: false, carrier: false }), 'is down'],
    ['too small for IPv6', 'problem', withLink({ mtu: 1_200 }), '1280'],
  ],
  link: [
    ['no carrier', 'problem', withLink({ carrier: false }), 'no carrier'],
    ['half duplex', 'warning', withLink({ duplex: 'half' }), 'half duplex'],
  ],
  'multicast-flag': [['off', 'problem', withLink({ multicast: false }), 'no MULTICAST flag']],
  'igmp-snooping': [
    ['no querier', 'warning', withLink({ bridge: { name: 'br7', snooping: true, querier: false } }), 'br7'],
  ],
  'mac-filter': [
    ['wireless', 'warning', withLink({ wireless: true }), 'wireless'],
    ['a cloud', 'warning', withHost({ machine: 'Amazon EC2 m5.large' }), 'Amazon EC2'],
  ],
  'network-manager': [
    [
      'NetworkManager',
      'warning',
      withNic({ manager: { kind: 'NetworkManager' } }),
      'NetworkManager manages it',
    ],
    [
      'networkd',
      'warning',
      withNic({ manager: { kind: 'networkd', file: '/etc/a.network', keep: null } }),
      'systemd-networkd manages',
    ],
  ],
  adverts: [
    ['a deaf Backup', 'problem', withRouter(hearing([])), 'though this node is Backup'],
    ['nobody Active', 'warning', withRouter(hearing([], { state: null })), 'no node is Active'],
    [
      'Active, peer never heard',
      'skipped',
      withRouter(hearing([], { state: 'Active', received: 0 })),
      'a Backup is silent',
    ],
    [
      'a long interval',
      'skipped',
      withRouter(hearing([], { group: group({ advertiseInterval: seconds(30) }) })),
      'every 30s',
    ],
    ['no root', 'skipped', withRouter(router({ wire: missing('needs root') })), 'needs root'],
    [
      'only what it must not heed',
      'problem',
      withRouter(hearing([heard({ version: 2 })])),
      'no usable advertisement',
    ],
  ],
  'vrid-clash': [
    [
      'other addresses',
      'problem',
      withRouter(hearing([heard({ addresses: ['10.0.0.7'] }), heard({ vrid: 52 })])),
      '10.0.0.7',
    ],
    [
      'IPv6 pairs that share the derived link-local address alone',
      'problem',
      withRouter(
        hearing([heard({ source: 'fe80::1', addresses: ['fe80::200:5eff:fe00:233', '2001:db8::7'] })], {
          family: 6,
          advertised: ['fe80::200:5eff:fe00:233', '2001:db8::100'],
        }),
      ),
      '2001:db8::7',
    ],
  ],
  'address-list': [
    [
      'one more',
      'warning',
      withRouter(hearing([heard({ addresses: ['10.0.0.100', '10.0.0.101'] })])),
      '10.0.0.101',
    ],
    [
      'another IPv6 address first',
      'warning',
      withRouter(
        hearing([heard({ source: 'fe80::1', addresses: ['fe80::7', '2001:db8::100'] })], {
          family: 6,
          advertised: ['fe80::200:5eff:fe00:233', '2001:db8::100'],
        }),
      ),
      'begins its list with fe80::7',
    ],
  ],
  'several-active': [
    [
      'two others',
      'problem',
      withRouter(hearing([heard(), heard({ source: '10.0.0.9' })])),
      '10.0.0.1, 10.0.0.9',
    ],
    ['this node too', 'problem', withRouter(router({ state: 'Active' })), 'this node'],
  ],
  priority: [['equal', 'warning', withRouter(hearing([heard({ priority: 100 })])), 'priority 100']],
  interval: [
    ['version 3', 'warning', withRouter(hearing([heard({ intervalMillis: 100 })])), 'every 100ms'],
    [
      'version 2',
      'problem',
      withRouter(hearing([heard({ version: 2, intervalMillis: 2_000 })], { group: group(v2) })),
      'discard',
    ],
  ],
  version: [['2 and 3', 'problem', withRouter(hearing([heard({ version: 2 })])), 'VRRPv2']],
  authentication: [
    [
      'ours alone',
      'problem',
      withRouter(hearing([heard({ version: 2 })], { group: group(v2), secret: 'aa' })),
      'sends no auth',
    ],
    [
      'theirs alone',
      'problem',
      withRouter(hearing([heard({ version: 2, secret: 'aa' })], { group: group(v2) })),
      'is not set here',
    ],
    [
      'another',
      'problem',
      withRouter(hearing([heard({ version: 2, secret: 'bb' })], { group: group(v2), secret: 'aa' })),
      'another PASS',
    ],
  ],
  checksum: [
    [
      'one that keepalived refuses',
      'problem',
      withRouter(router({ group: group({ checksum: 'rfc9568' }) })),
      'keepalived',
    ],
    ['a stricter peer', 'warning', withRouter(hearing([heard({ checksum: 'rfc9568' })])), 'strict peer'],
  ],
  damaged: [
    [
      'wrong checksums',
      'warning',
      withRouter(
        router({
          wire: known({
            listenedMillis: 3_200,
            heard: [heard()],
            junk: [{ source: '10.0.0.6', vrid: 51, reason: 'checksum', count: 7 }],
          }),
        }),
      ),
      '7 messages of 10.0.0.6',
    ],
  ],
  ttl: [
    ['multicast that was routed', 'problem', withRouter(hearing([heard({ hopLimit: 254 })])), 'TTL 254'],
    [
      'unicast over routers',
      'warning',
      withRouter(hearing([heard({ hopLimit: 252 })], { group: group({ unicast: unicast('10.0.0.1') }) })),
      '3 routers',
    ],
  ],
  'unicast-peer': [
    [
      'a stranger',
      'warning',
      withRouter(hearing([heard()], { group: group({ unicast: unicast('10.0.0.5') }) })),
      '10.0.0.1',
    ],
  ],
  'address-taken': [
    [
      'a stranger',
      'problem',
      withRouter(router({ addresses: [address({ answers: known(['02:00:00:00:00:99']) })] })),
      '02:00:00:00:00:99',
    ],
    [
      'two routers',
      'problem',
      withRouter(router({ addresses: [address({ answers: known([PEER_MAC, '00:00:5e:00:01:33']) })] })),
      'several hosts',
    ],
    [
      'this host and the peer',
      'problem',
      withRouter(router({ addresses: [address({ held: [{ interface: 'eth0', permanent: false }] })] })),
      'this host',
    ],
    [
      'no root',
      'skipped',
      withRouter(router({ addresses: [address({ answers: missing('needs root') })] })),
      'needs root',
    ],
  ],
  'address-duplicate': [
    [
      'a host that claimed it a while ago',
      'warning',
      daemonFailover({
        routers: FAILOVER.routers.map((one) => ({
          ...one,
          duplicates: {
            count: 3,
            last: { address: '10.0.0.100', mac: '02:00:00:00:00:99', ageMillis: 90_400 },
          },
        })),
      }),
      '02:00:00:00:00:99 claimed it 90s ago while this node held it (3 times in all)',
    ],
  ],
  'address-unanswered': [
    [
      'advertised only',
      'warning',
      withRouter(router({ addresses: [address({ answers: known([]) })] })),
      'nobody answers',
    ],
  ],
  'address-permanent': [
    [
      'configured',
      'problem',
      withRouter(
        router({
          addresses: [address({ held: [{ interface: 'eth1', permanent: true }], answers: known([]) })],
        }),
      ),
      'eth1',
    ],
  ],
  'rp-filter': [
    ['strict with two interfaces', 'warning', withNic({ rpFilter: 1, otherInterfaces: ['eth1'] }), 'eth1'],
    ['unreadable', 'skipped', withNic({ rpFilter: null }), 'rp_filter'],
  ],
  'arp-ignore': [
    ['8', 'problem', withNic({ arpIgnore: 8 }), 'is 8'],
    ['2 with a /32', 'problem', withNic({ arpIgnore: 2, hostPrefix: true }), '/32'],
    ['0 with two interfaces', 'warning', withNic({ arpIgnore: 0, sameSubnet: ['eth1'] }), 'eth1'],
    ['unreadable', 'skipped', withNic({ arpIgnore: null }), 'arp_ignore'],
  ],
  'arp-announce': [
    ['0 with two interfaces', 'warning', withNic({ arpAnnounce: 0, sameSubnet: ['eth1'] }), 'eth1'],
    ['unreadable', 'skipped', withNic({ arpAnnounce: null }), 'arp_announce'],
  ],
  'accept-dad': [
    ['IPv6 off', 'problem', withNic({ ipv6Disabled: true }), 'disabled'],
    ['a duplicate', 'problem', withNic({ duplicates: ['2001:db8::2'] }), '2001:db8::2'],
    ['2', 'warning', withNic({ acceptDad: 2 }), 'is 2'],
  ],
  'nonlocal-bind': [],
  'kernel-version': [['old', 'problem', withHost({ kernel: '4.14.0' }), '4.14.0']],
  'node-version': [['old', 'problem', withHost({ node: '18.19.0' }), '18.19.0']],
  clock: [['nobody keeps it', 'skipped', withHost({ clockKeptBy: null }), 'not visible']],
  realtime: [
    [
      'the agent lacks it',
      'warning',
      withProcess({ realtime: { granted: false, runtimeMicros: -1 } }),
      'without SCHED_FIFO',
    ],
    [
      'switched off',
      'warning',
      withProcess({ realtime: { granted: false, runtimeMicros: 0 } }),
      'sched_rt_runtime_us',
    ],
    [
      'not for this user',
      'skipped',
      withProcess({ of: 'this command', realtime: { granted: false, runtimeMicros: null } }),
      'may not',
    ],
    [
      'unknown',
      'skipped',
      withProcess({ realtime: { granted: null, runtimeMicros: null } }),
      'nothing tells',
    ],
  ],
  capabilities: [
    [
      'the daemon lacks one',
      'problem',
      withProcess({ capabilities: 1n << 12n }),
      'lacks CAP_NET_RAW, CAP_NET_BIND_SERVICE',
    ],
    [
      'this user lacks them',
      'skipped',
      withProcess({ of: 'this command', capabilities: 0n }),
      'this user lacks',
    ],
    ['unreadable', 'skipped', withProcess({ capabilities: null }), 'cannot be read'],
  ],
  nftables: [['none', 'warning', withHost({ nft: null }), 'not installed']],
  descriptors: [
    ['too few', 'problem', withProcess({ descriptors: { why: 'needs 9', fix: 'LimitNOFILE=9' } }), 'needs 9'],
    [
      'too few for this shell',
      'warning',
      withProcess({ of: 'this command', descriptors: { why: 'needs 9', fix: 'LimitNOFILE=9' } }),
      'as started from here, needs 9',
    ],
    [
      'few, and no limit',
      'warning',
      facts({
        config: config({ services: [{ ...SERVICE, maxConnections: null }] }),
        process: { ...facts().process, descriptors: { fits: 400, hardLimit: 1_024 } },
      }),
      '400 connections',
    ],
  ],
  backlog: [
    ['capped', 'warning', withHost({ somaxconn: 128 }), 'caps the backlog of web'],
    ['unreadable', 'skipped', withHost({ somaxconn: null }), 'somaxconn'],
  ],
  'local-ports': [
    ['too few', 'warning', withHost({ localPorts: { first: 32_768, last: 33_767 } }), '1000 local ports'],
    ['unreadable', 'skipped', withHost({ localPorts: null }), 'ip_local_port_range'],
  ],
  conntrack: [
    ['nearly full', 'warning', withHost({ conntrack: { count: 900, max: 1_000 } }), '900 of 1000'],
    [
      'too small',
      'warning',
      facts({
        config: config({ limits: { ...CONFIG.limits, maxConnections: 200_000 } }),
        host: { ...facts().host, localPorts: { first: 1, last: 65_535 } },
      }),
      'max_connections needs 400000',
    ],
  ],
  listener: [
    ['taken', 'problem', listenerThat(known({ kind: 'taken', by: 'nginx (pid 7)' })), 'nginx (pid 7)'],
    ['refused', 'problem', listenerThat(known({ kind: 'refused', why: 'EINVAL' })), 'EINVAL'],
    ['unknown', 'skipped', listenerThat(missing('needs root')), 'needs root'],
  ],
  backends: [
    ['some silent', 'warning', backendsThat(true, false), '1 of 2 do not answer: be-1 (connection refused)'],
    ['all silent', 'problem', backendsThat(false, false), '2 of 2'],
    ['many silent', 'problem', backendsThat(...new Array<boolean>(9).fill(false)), 'and 4 more'],
    [
      'not asked',
      'skipped',
      facts({ backends: [{ service: 'web', backend: 'one', backup: false, result: missing('why not') }] }),
      'one: why not',
    ],
  ],
};

const findings = (of: Facts, code: Code): Finding[] =>
  diagnose(of).filter((finding) => finding.code === code);

describe.each(CODES)('%s', (code) => {
  it('is well on a healthy node', () => {
    expect(findings(facts(), code).filter(({ severity }) => severity !== 'ok')).toEqual([]);
  });

  it.each(CASES[code])('%s: %s', (_what, severity, of, says) => {
    const found = findings(of, code).filter((finding) => finding.severity !== 'ok');
    expect(found.map((finding) => finding.severity)).toEqual([severity]);
    expect(found[0]?.seen).toContain(says);
    // a fix for everything that is wrong
    if (severity !== 'skipped') expect(found[0]?.fix?.length ?? 0).toBeGreaterThan(5);
  });
});

describe('what is well', () => {
  const severityOf = (of: Facts, code: Code): Severity[] =>
    findings(of, code).map(({ severity }) => severity);

  test.each<[string, Facts, Code]>([
    ['strict rp_filter with one interface', withNic({ rpFilter: 1 }), 'rp-filter'],
    ['arp_ignore 2 with a subnet', withNic({ arpIgnore: 2 }), 'arp-ignore'],
    [
      'snooping that is off',
      withLink({ bridge: { name: 'br0', snooping: false, querier: false } }),
      'igmp-snooping',
    ],
    [
      'networkd that keeps addresses',
      withNic({ manager: { kind: 'networkd', file: null, keep: 'static' } }),
      'network-manager',
    ],
    ['an Active node whose peer was heard', withRouter(hearing([], { state: 'Active' })), 'adverts'],
    [
      'an address that nobody has',
      withRouter(hearing([], { addresses: [address({ answers: known([]) })] })),
      'address-taken',
    ],
    [
      'an owner that has its address',
      withRouter(
        router({
          group: group({ priority: 255 }),
          addresses: [address({ held: [{ interface: 'eth0', permanent: true }], answers: known([]) })],
        }),
      ),
      'address-permanent',
    ],
    [
      'a lease of our own',
      withRouter(
        router({
          addresses: [address({ held: [{ interface: 'eth0', permanent: false }], answers: known([]) })],
        }),
      ),
      'address-permanent',
    ],
    [
      "keepalived's unicast over IPv6",
      withRouter(hearing([heard({ hopLimit: 64 })], { group: group({ unicast: unicast('10.0.0.1') }) })),
      'ttl',
    ],
    [
      'no failover, high ports',
      { ...withProcess({ capabilities: 0n }), config: config({ failover: null, services: [] }) },
      'capabilities',
    ],
    ['no connection tracking', withHost({ conntrack: null }), 'conntrack'],
    ['a free port', listenerThat(known({ kind: 'free' })), 'listener'],
  ])('%s', (_what, of, code) => {
    expect(severityOf(of, code)).toEqual(['ok']);
  });

  test('an interval that the wire rounds is no other one', () => {
    const ours = group({ advertiseInterval: millis(15) });
    const of = withRouter(hearing([heard({ intervalMillis: 20 })], { group: ours }));
    expect(severityOf(of, 'interval')).toEqual([]);
  });

  test('other pairs on the link, and one that has just resigned, are no clash', () => {
    const others = [
      heard(),
      heard({ source: '10.0.0.8', vrid: 52 }),
      heard({ source: '10.0.0.9', priority: 0 }),
    ];
    expect(diagnose(withRouter(hearing(others))).filter(({ severity }) => severity === 'problem')).toEqual(
      [],
    );
  });

  test('one whose last advertisement is intervals old has stopped', () => {
    const of = withRouter(hearing([heard(), heard({ source: '10.0.0.9', ageMillis: 2_500 })]));
    expect(severityOf(of, 'several-active')).toEqual([]);
  });
});

test('a VRID is proposed that nobody uses', () => {
  const clash = [heard({ addresses: ['10.0.0.7'] }), heard({ vrid: 52 }), heard({ vrid: 53 })];
  expect(findings(withRouter(hearing(clash)), 'vrid-clash')[0]?.fix).toContain('vrid = 54');
});

test('no finding tells a password', () => {
  const secret = '7365637265740000';
  const of = withRouter(
    hearing([heard({ version: 2, secret })], { group: group({ ...v2, authPass: 'mine' }), secret: 'aa' }),
  );
  const text = JSON.stringify(diagnose(of));
  expect(text).not.toContain(secret);
  expect(text).not.toContain('mine');
});

test('the worst comes first', () => {
  const order = ['problem', 'warning', 'skipped', 'ok'];
  const of = facts({ ...withHost({ kernel: '4.14.0', nft: null, clockKeptBy: null }) });
  const ranks = diagnose(of).map(({ severity }) => order.indexOf(severity));
  expect(ranks).toEqual([...ranks].sort((a, b) => a - b));
  expect(new Set(ranks).size).toBe(4);
});

test('docs/troubleshooting.md explains every finding, and no other', () => {
  const text = readFileSync(resolve(import.meta.dirname, '../../../docs/troubleshooting.md'), 'utf8');
  const explained = [...text.matchAll(/^\| `([a-z-]+)` +\|/gm)].map((match) => match[1]);
  expect([...explained].sort()).toEqual([...CODES].sort());
});
