import { millis, seconds } from '../../src/lib/duration.ts';
import { type Endpoint, parseEndpoint } from '../../src/lib/ip.ts';
import type { HealthSpec, HttpProbeSpec, PassiveSpec, ProbeResult } from '../../src/model/health.ts';
import type { BackendSpec, ServiceSpec } from '../../src/model/service.ts';

/** Specs with everything filled in, for tests that care about a few keys only. */

export function endpoint(text: string): Endpoint {
  const parsed = parseEndpoint(text);
  if (parsed === undefined) throw new Error(`not an endpoint: ${text}`);
  return parsed;
}

export function backendSpec(id: string, over: Partial<BackendSpec> = {}): BackendSpec {
  return {
    id,
    endpoint: endpoint('10.0.1.1:80'),
    weight: 1,
    maxConnections: null,
    backup: false,
    agentCheck: null,
    ...over,
  };
}

export function healthSpec(over: Partial<HealthSpec> = {}): HealthSpec {
  return {
    probe: { type: 'tcp', tls: null, exchange: [], sendProxy: null },
    port: null,
    interval: seconds(2),
    fastInterval: millis(500),
    jitter: 0,
    timeout: seconds(1),
    rise: 2,
    fall: 3,
    initial: 'checking',
    ...over,
  };
}

export function httpProbe(over: Partial<HttpProbeSpec> = {}): HttpProbeSpec {
  return {
    type: 'http',
    tls: false,
    tlsVerify: true,
    method: 'GET',
    path: '/',
    host: null,
    expectStatus: [200],
    expectBody: null,
    expectRegex: null,
    expectJson: {},
    sendProxy: null,
    ...over,
  };
}

export function passiveSpec(over: Partial<PassiveSpec> = {}): PassiveSpec {
  return { failures: 3, baseEjection: seconds(10), maxEjection: seconds(60), maxEjectedPercent: 50, ...over };
}

export function serviceSpec(over: Partial<ServiceSpec> = {}): ServiceSpec {
  return {
    name: 'web',
    protocol: 'tcp',
    listen: [endpoint('10.0.0.100:80')],
    schedule: { algorithm: 'round-robin', hashKey: 'source', tableSize: 65_537, balanceFactor: null },
    noneEligible: 'reject',
    maxConnections: null,
    onLimit: 'wait',
    rate: null,
    sourceLimit: null,
    allow: [],
    deny: [],
    queue: { max: 0, timeout: seconds(5) },
    timeouts: {
      connect: seconds(5),
      idle: seconds(300),
      fin: seconds(30),
      session: seconds(60),
      preface: seconds(3),
    },
    retries: 2,
    redispatch: true,
    noDelay: true,
    keepAlive: true,
    backlog: 1_024,
    proxyProtocol: { accept: null, send: null },
    sni: [],
    source: null,
    health: null,
    passive: null,
    slowStart: seconds(0),
    onDown: 'keep',
    backends: [],
    ...over,
  };
}

export const probeOk: ProbeResult = { ok: true, latency: millis(1), detail: 'connected' };

export const probeBad: ProbeResult = {
  ok: false,
  latency: millis(1),
  reason: 'refused',
  detail: 'connection refused',
};
