import type { Check, Facts } from '../facts.ts';
import { type Finding, ok, problem, skipped, warning } from '../finding.ts';

/** capabilities(7) */
const CAPABILITY = { NET_BIND_SERVICE: 10, NET_ADMIN: 12, NET_RAW: 13, SYS_NICE: 23 } as const;
type Capability = keyof typeof CAPABILITY;

/** What the daemon needs of the system beyond files and sockets. */
export const checkPrivileges: Check = (facts) => [
  ...capabilities(facts),
  ...(facts.config.failover === null ? [] : [...realtime(facts), nftables(facts)]),
];

/** The capabilities without which the configuration cannot work. */
function neededCapabilities({ config, host }: Facts): Capability[] {
  const ports = config.services.flatMap(({ listen }) => listen.map(({ port }) => port));
  const low = ports.some((port) => port < host.firstUnprivilegedPort);
  const failover: Capability[] = config.failover === null ? [] : ['NET_RAW', 'NET_ADMIN'];
  return low ? [...failover, 'NET_BIND_SERVICE'] : failover;
}

function capabilities(facts: Facts): Finding[] {
  const { of, capabilities: held } = facts.process;
  const needed = neededCapabilities(facts);
  if (needed.length === 0) return [ok('capabilities', null, 'none is needed')];
  if (held === null) return [skipped('capabilities', null, `those of ${theProcess(of)} cannot be read`)];
  const lacking = needed.filter((name) => (held & (1n << BigInt(CAPABILITY[name]))) === 0n);
  const list = (names: readonly Capability[]): string => names.map((name) => `CAP_${name}`).join(', ');
  if (lacking.length === 0) return [ok('capabilities', null, `${theProcess(of)} has ${list(needed)}`)];
  const fix = `AmbientCapabilities=${lacking.map((name) => `CAP_${name}`).join(' ')} in the unit (config/tandem.service)`;
  if (of === 'daemon') {
    return [problem('capabilities', null, `the daemon lacks ${list(lacking)}`, fix)];
  }
  const why = `the daemon does not run or cannot be asked, and this user lacks ${list(lacking)}`;
  return [skipped('capabilities', null, why, `sudo tandem doctor; ${fix}`)];
}

const theProcess = (of: 'daemon' | 'this command'): string => (of === 'daemon' ? 'the daemon' : 'this user');

function realtime({ config, process }: Facts): Finding[] {
  const wanted = config.failover?.realtimePriority ?? 0;
  if (wanted === 0) return [ok('realtime', null, 'not asked for (realtime_priority = 0)')];
  const { granted, runtimeMicros } = process.realtime;
  if (runtimeMicros === 0) {
    const fix = 'sysctl -w kernel.sched_rt_runtime_us=950000';
    return [warning('realtime', null, 'sched_rt_runtime_us is 0: no process may run with SCHED_FIFO', fix)];
  }
  if (granted === null)
    return [skipped('realtime', null, 'nothing tells whether SCHED_FIFO would be granted')];
  if (granted) {
    const who = process.of === 'daemon' ? 'the failover agent has it' : 'this user may have it';
    return [ok('realtime', null, `SCHED_FIFO: ${who}`)];
  }
  const fix = 'LimitRTPRIO=99 or AmbientCapabilities=CAP_SYS_NICE in the unit (config/tandem.service)';
  if (process.of === 'daemon') {
    const seen = 'the failover agent runs without SCHED_FIFO: a busy host delays its advertisements';
    return [warning('realtime', null, seen, fix)];
  }
  const why = 'the daemon does not run or cannot be asked, and this user may not set SCHED_FIFO';
  return [skipped('realtime', null, why, `sudo tandem doctor; ${fix}`)];
}

function nftables({ host }: Facts): Finding {
  if (host.nft !== null) return ok('nftables', null, host.nft);
  const seen = 'nft is not installed: keeping connections over a planned handover needs it';
  return warning('nftables', null, seen, 'apt install nftables');
}
