/** Facts of a healthy standby for tests of the doctor, and what to change in them. */
import type {
  AddressFacts,
  Facts,
  Heard,
  InterfaceFacts,
  LinkFacts,
  RouterFacts,
} from '../../src/doctor/facts.ts';
import { known } from '../../src/doctor/facts.ts';
import type { Config } from '../../src/model/config.ts';
import type { FailoverGroupSpec } from '../../src/model/failover.ts';
import { load } from './config.ts';
import { statusOf } from './fake-admin.ts';

export const CONFIG = load(`
[[service]]
name = "web"
listen = ["10.0.0.100:80"]
max_connections = 20_000
[[service.backend]]
address = "10.0.1.11:8080"
[[service.backend]]
address = "10.0.1.12:8080"
[failover]
interface = "eth0"
[[failover.group]]
name = "web"
vrid = 51
addresses = ["10.0.0.100/24", "2001:db8::100/64"]
`);

export const PEER_MAC = '02:00:00:00:00:01';

export function group(over: Partial<FailoverGroupSpec> = {}): FailoverGroupSpec {
  const [first] = CONFIG.failover?.groups ?? [];
  if (first === undefined) throw new Error('the configuration has a group');
  return { ...first, ...over };
}

export function config(over: Partial<Config>): Config {
  return { ...CONFIG, ...over };
}

export function heard(over: Partial<Heard> = {}): Heard {
  return {
    source: '10.0.0.1',
    vrid: 51,
    version: 3,
    priority: 200,
    addresses: ['10.0.0.100'],
    intervalMillis: 1_000,
    checksum: 'rfc5798',
    hopLimit: 255,
    count: 3,
    ageMillis: 300,
    secret: null,
    ...over,
  };
}

export function address(over: Partial<AddressFacts> = {}): AddressFacts {
  return { address: '10.0.0.100', prefixLength: 24, held: [], answers: known([PEER_MAC]), ...over };
}

/** The IPv4 router of the group, Backup to 10.0.0.1. */
export function router(over: Partial<RouterFacts> = {}): RouterFacts {
  return {
    group: group(),
    family: 4,
    state: 'Backup',
    received: 100,
    wire: known({ listenedMillis: 3_200, heard: [heard()], junk: [] }),
    addresses: [address()],
    advertised: ['10.0.0.100'],
    routerMacs: ['00:00:5e:00:01:33', PEER_MAC],
    secret: null,
    ...over,
  };
}

/** A router that hears these. */
export function hearing(speakers: readonly Heard[], over: Partial<RouterFacts> = {}): RouterFacts {
  return router({ wire: known({ listenedMillis: 3_200, heard: speakers, junk: [] }), ...over });
}

export function link(over: Partial<LinkFacts> = {}): LinkFacts {
  return {
    up: true,
    carrier: true,
    mtu: 1_500,
    multicast: true,
    speed: 10_000,
    duplex: 'full',
    wireless: false,
    bridge: { name: 'br0', snooping: true, querier: true },
    ...over,
  };
}

export function nic(over: Partial<InterfaceFacts> = {}): InterfaceFacts {
  return {
    name: 'eth0',
    families: [4, 6],
    multicast: true,
    link: link(),
    manager: null,
    rpFilter: 2,
    arpIgnore: 1,
    arpAnnounce: 2,
    acceptDad: 1,
    ipv6Disabled: false,
    otherInterfaces: [],
    sameSubnet: [],
    duplicates: [],
    hostPrefix: false,
    ...over,
  };
}

const running = statusOf({ configPath: CONFIG.path });
const [runningRouter] = running.failover?.routers ?? [];

/** The daemon's status with the group of `CONFIG`. */
export const STATUS = statusOf({
  configPath: CONFIG.path,
  failover:
    running.failover === null || runningRouter === undefined
      ? null
      : { ...running.failover, routers: [{ ...runningRouter, group: 'web' }] },
});

export function facts(over: Partial<Facts> = {}): Facts {
  return {
    config: CONFIG,
    configWarnings: [],
    configChangedAt: 999_000,
    daemon: { kind: 'running', status: STATUS },
    routers: [router()],
    host: {
      interfaces: [nic()],
      nonlocalBind: { v4: 0, v6: 0 },
      kernel: '6.1.0-13-amd64',
      node: '20.20.2',
      machine: null,
      clockKeptBy: 'chrony',
      nft: '/usr/sbin/nft',
      somaxconn: 4_096,
      localPorts: { first: 32_768, last: 60_999 },
      conntrack: { count: 10, max: 262_144 },
      firstUnprivilegedPort: 1_024,
    },
    process: {
      of: 'daemon',
      capabilities: (1n << 10n) | (1n << 12n) | (1n << 13n),
      descriptors: { fits: 20_000, hardLimit: 1_048_576 },
      realtime: { granted: true, runtimeMicros: 950_000 },
    },
    listeners: [
      {
        service: 'web',
        protocol: 'tcp',
        endpoint: '10.0.0.100:80',
        port: 80,
        found: known({ kind: 'daemon' }),
      },
    ],
    backends: ['one', 'two'].map((backend) => ({
      service: 'web',
      backend,
      backup: false,
      result: known({ ok: true, detail: 'connected' }),
    })),
    ...over,
  };
}

export const withHost = (over: Partial<Facts['host']>): Facts =>
  facts({ host: { ...facts().host, ...over } });
export const withNic = (over: Partial<InterfaceFacts>): Facts => withHost({ interfaces: [nic(over)] });
export const withLink = (over: Partial<LinkFacts>): Facts => withNic({ link: link(over) });
export const withRouter = (one: RouterFacts): Facts => facts({ routers: [one] });
export const withProcess = (over: Partial<Facts['process']>): Facts =>
  facts({ process: { ...facts().process, ...over } });
