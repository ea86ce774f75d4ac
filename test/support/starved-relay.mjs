// The built data path in a process with few file descriptors, told that it has plenty, so that accept(2) and
// socket(2) fail for real:  sh -c 'ulimit -n 64 && exec node starved-relay.mjs LISTEN BACKEND native'
// Says "ready", then the CPU milliseconds that it has used for each line on stdin.
import { createInterface } from 'node:readline';
import { createCounters } from '../../dist/data-path/counters.js';
import { DataPath } from '../../dist/data-path/data-path.js';
import { systemClock } from '../../dist/lib/clock.js';
import { parseEndpoint } from '../../dist/lib/ip.js';
import { loadNative } from '../../dist/native/index.js';

const [listen, backend] = process.argv.slice(2, 4).map(parseEndpoint);
const relay = process.argv[4];
const second = 1_000_000;
const dataPath = new DataPath({
  opener: loadNative(),
  counters: createCounters({ workers: 1, services: 1, backends: 1 }),
  limits: { maxConnections: 100_000, fdReserve: 10, fdLimit: 1_000_000, localPorts: 28_232 },
  relay,
  clock: systemClock,
  emit: () => undefined,
  onTraffic: () => undefined,
});
await dataPath.start();
const member = { id: 'only', slot: 0, endpoint: backend, weight: 1, maxConnections: null };
dataPath.openService({
  slot: 0,
  backends: { version: 1, members: [{ ...member, disposition: 'eligible' }] },
  spec: {
    name: 'starved',
    protocol: 'tcp',
    listen: [listen],
    schedule: { algorithm: 'round-robin', hashKey: 'tuple', tableSize: 65_537, balanceFactor: null },
    noneEligible: 'reject',
    maxConnections: null,
    onLimit: 'reject',
    rate: null,
    sourceLimit: null,
    allow: [],
    deny: [],
    queue: { max: 0, timeout: second },
    timeouts: { connect: second, idle: 60 * second, fin: second, session: second, preface: second },
    retries: 1,
    redispatch: true,
    noDelay: true,
    keepAlive: false,
    backlog: 1_024,
    proxyProtocol: { accept: null, send: null },
    sni: [],
    source: null,
    health: null,
    passive: null,
    slowStart: 0,
    onDown: 'keep',
    backends: [{ ...member, backup: false, agentCheck: null }],
  },
});
setTimeout(() => console.log('ready'), 200);
for await (const _ of createInterface({ input: process.stdin })) {
  const { user, system } = process.cpuUsage();
  console.log(Math.round((user + system) / 1_000));
}
