import { fitConnections } from '../../control-path/descriptors.ts';
import { workersOf } from '../../control-path/workers.ts';
import { TandemError } from '../../lib/errors.ts';
import type { Config } from '../../model/config.ts';
import type { Native } from '../../native/index.ts';
import type { DaemonFacts, ProcessFacts, RealtimeFacts } from '../facts.ts';
import { type Files, readNumber } from './files.ts';

/** The daemon's privileges and limits when it can be asked, else those of this process. */
export function processFacts(
  files: Files,
  native: Native,
  config: Config,
  daemon: DaemonFacts,
): ProcessFacts {
  const status = daemon.kind === 'running' ? daemon.status : null;
  const proc = `/proc/${status?.pid ?? 'self'}`;
  const hardLimit = hardFdLimit(files, proc) ?? native.getFdLimit().hard;
  return {
    of: status === null ? 'this command' : 'daemon',
    capabilities: capabilitiesOf(files, proc),
    descriptors: descriptorsOf(config, hardLimit),
    realtime: {
      granted: status === null ? tryRealtime(native, config) : (status.failover?.realtime ?? null),
      runtimeMicros: readNumber(files, '/proc/sys/kernel/sched_rt_runtime_us'),
    },
  };
}

function capabilitiesOf(files: Files, proc: string): bigint | null {
  const hex = /^CapEff:\s*([0-9a-f]+)$/m.exec(files.read(`${proc}/status`) ?? '')?.[1];
  return hex === undefined ? null : BigInt(`0x${hex}`);
}

function hardFdLimit(files: Files, proc: string): number | null {
  const hard = /^Max open files\s+\S+\s+(\d+)/m.exec(files.read(`${proc}/limits`) ?? '')?.[1];
  return hard === undefined ? null : Number(hard);
}

function descriptorsOf(config: Config, hardLimit: number): ProcessFacts['descriptors'] {
  try {
    return { fits: fitConnections(config, workersOf(config), hardLimit), hardLimit };
  } catch (error) {
    if (!(error instanceof TandemError)) throw error;
    return { why: error.message, fix: error.hint ?? 'LimitNOFILE= in the systemd unit' };
  }
}

/** Takes SCHED_FIFO for a moment: limits, capabilities and cgroups together decide, and nothing else tells. */
function tryRealtime(native: Native, config: Config): RealtimeFacts['granted'] {
  if (config.failover === null || config.failover.realtimePriority === 0) return null;
  try {
    native.setRealtime(config.failover.realtimePriority);
  } catch {
    return false; // EPERM: that is the answer
  }
  native.setRealtime(0);
  return true;
}
