import { availableParallelism } from 'node:os';
import type { Config } from '../model/config.ts';

/** As many as schema.ts takes. */
const MOST = 64;

/**
 * How many data-path workers the configuration asks for. "auto" counts the cores of the process's affinity mask, as
 * HAProxy's nbthread does; the failover agent needs none for itself, since its real-time priority goes before the workers.
 */
export function workersOf({ dataPath }: Config): number {
  return dataPath.workers ?? Math.min(MOST, Math.max(1, availableParallelism()));
}
