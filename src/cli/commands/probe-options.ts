import type { Command } from 'commander';
import { parseDuration, toMillis } from '../../lib/duration.ts';
import { EXIT, TandemError } from '../../lib/errors.ts';
import type { MeasurementOptions } from '../drill/measurement.ts';

export interface ProbeOptions {
  readonly interval: string;
  readonly connections: string;
  readonly udpPayload: string;
}

const MAX_CONNECTIONS = 1_000;
/** "tandem drill": says in a capture what it is. */
const PAYLOAD = Buffer.from('tandem drill').toString('hex');

export function addProbeOptions(command: Command): Command {
  return command
    .option('--interval <duration>', 'between two probes of a target', '10ms')
    .option('--connections <n>', 'connections that are held, to see whether they live', '10')
    .option('--udp-payload <hex>', 'what UDP probes carry: something that the service answers', PAYLOAD);
}

/** @throws TandemError for what cannot be used */
export function probeOptions(options: ProbeOptions): Omit<MeasurementOptions, 'targets'> {
  const intervalMillis = millisOf(options.interval, '--interval');
  if (intervalMillis < 1) throw bad('--interval', options.interval, 'at least 1ms');
  const connections = Number(options.connections);
  if (!Number.isInteger(connections) || connections < 0 || connections > MAX_CONNECTIONS) {
    throw bad('--connections', options.connections, `a number from 0 to ${MAX_CONNECTIONS}`);
  }
  if (!/^(?:[0-9a-f]{2}){0,1400}$/i.test(options.udpPayload)) {
    throw bad('--udp-payload', options.udpPayload.slice(0, 40), 'at most 1400 bytes in hexadecimal');
  }
  return { intervalMillis, connections, udpPayload: Buffer.from(options.udpPayload, 'hex') };
}

/** @throws TandemError */
export function millisOf(text: string, option: string): number {
  const duration = parseDuration(text);
  if (duration === undefined) throw bad(option, text, 'a duration such as 500ms or 10s');
  return toMillis(duration);
}

function bad(option: string, text: string, wanted: string): TandemError {
  return new TandemError('bad-option', `${option} ${text}: it takes ${wanted}`, { exitStatus: EXIT.usage });
}
