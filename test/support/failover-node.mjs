// Plays the supervisor for a failover agent: node failover-node.mjs <control socket> <file with the groups>.
// Events go to stdout, one JSON line each. Every line on the control socket is a request
// { do: 'status' | 'command' | 'restart' | 'standing' | 'configure' | 'stop', ... }, answered by one line.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { AgentHandle } from '../../dist/failover/agent-handle.js';
import { millis } from '../../dist/lib/duration.js';
import { parseIp, parsePrefix } from '../../dist/lib/ip.js';

const [socketPath, specPath] = process.argv.slice(2);

function readSpec({ groups, realtimePriority = 0 }) {
  return {
    realtimePriority,
    startupDelay: millis(0),
    peer: null,
    witness: null,
    tracks: [],
    groups: groups.map(readGroup),
  };
}

/** "10.0.0.1/24" or "10.0.0.1/24 dev eth1" */
function readAddress(text) {
  const [address, , device = null] = text.split(' ');
  return { ...parsePrefix(address), device };
}

const ANNOUNCE = {
  repeat: 3,
  interval: millis(100),
  delay: millis(0),
  refresh: millis(0),
  refreshRepeat: 1,
  pace: millis(0),
  conflictRepeat: 3,
  conflictDelay: millis(0),
};

function readGroup({ addresses, excluded = [], announce, advertiseMillis, leaseSeconds, unicast, ...given }) {
  return {
    name: 'vip',
    interface: 'eth0',
    vrid: 51,
    version: 3,
    priority: 100,
    preempt: true,
    preemptDelay: millis(0),
    checksum: 'rfc5798',
    authPass: null,
    sync: null,
    track: [],
    notify: null,
    announce: { ...ANNOUNCE, ...announce },
    ...given,
    addresses: addresses.map(readAddress),
    excluded: excluded.map(readAddress),
    routes: [],
    virtualMac: null,
    accept: true,
    advertiseInterval: millis(advertiseMillis ?? 100),
    lease: millis((leaseSeconds ?? 2) * 1000),
    unicast: unicast
      ? { source: unicast.source ? parseIp(unicast.source) : null, peers: unicast.peers.map(parseIp) }
      : null,
  };
}

const input = JSON.parse(readFileSync(specPath, 'utf8'));
const handle = new AgentHandle(readSpec(input), {
  emit: (event) => process.stdout.write(`${JSON.stringify({ at: Date.now(), ...event })}\n`),
  startLimit: input.startLimitMillis && millis(input.startLimitMillis),
});

async function answer(request) {
  switch (request.do) {
    case 'status':
      return handle.status();
    case 'command':
      return handle.command(request.command, request.group ?? null);
    case 'restart':
      await handle.restart();
      return { ok: true };
    case 'standing':
      handle.setStandings({ vip: request.standing });
      return { ok: true };
    case 'configure':
      handle.configure(readSpec(request.spec));
      return { ok: true };
    case 'stop':
      await handle.stop();
      setImmediate(() => process.exit(0));
      return { ok: true };
    default:
      throw new Error(`unknown request ${request.do}`);
  }
}

const server = createServer((connection) => {
  connection.on('error', () => undefined);
  createInterface(connection).on('line', async (line) => {
    let reply;
    try {
      reply = await answer(JSON.parse(line));
    } catch (error) {
      reply = { error: error.message };
    }
    connection.write(`${JSON.stringify(reply)}\n`);
  });
});
server.listen(socketPath, () => handle.start());
