import { unreachable } from '../../lib/errors.ts';
import type { ScheduleSpec } from '../../model/service.ts';
import { First } from './first.ts';
import { LeastConnections } from './least-connections.ts';
import { Maglev } from './maglev.ts';
import { RandomTwo } from './random-two.ts';
import { RoundRobin } from './round-robin.ts';
import { SourceHash } from './source-hash.ts';
import type { Scheduler } from './types.ts';

/**
 * A scheduler with no backends yet.
 * @param random answers in [0, 1); only random-two asks
 * @param offset where turns begin: workers that all began with the first backend would all send their first client there
 */
export function createScheduler(spec: ScheduleSpec, random: () => number, offset = 0): Scheduler {
  switch (spec.algorithm) {
    case 'round-robin':
      return new RoundRobin(offset);
    case 'least-connections':
      return new LeastConnections(offset);
    case 'random-two':
      return new RandomTwo(random);
    case 'source-hash':
      return new SourceHash(spec.balanceFactor);
    case 'maglev':
      return new Maglev(spec);
    case 'first':
      return new First();
    default:
      return unreachable(spec.algorithm);
  }
}
