import { isDeepStrictEqual } from 'node:util';
import type { ServiceSpec } from '../model/service.ts';
import { SourceMemory } from './guard/source-memory.ts';
import { createSources, sourceCapacity } from './guard/source-table.ts';
import type { SourcesRef } from './guard/types.ts';

/** The supervisor's side of a service's sources: makes their memory and gives back what a dead worker held. */
export class ServiceSources {
  readonly ref: SourcesRef;
  readonly #prefixes: readonly [number, number];
  readonly #memory: SourceMemory;
  readonly max: number;

  private constructor(ref: SourcesRef, prefixes: readonly [number, number], max: number) {
    this.ref = ref;
    this.#prefixes = prefixes;
    this.#memory = new SourceMemory(ref.buffer);
    this.max = max;
  }

  /**
   * Those of before, where the same networks count as one source; otherwise counting begins anew.
   * @param clients most clients at a time that the descriptors allow, whatever limits a reload may bring
   */
  static for(
    { sourceLimit }: ServiceSpec,
    before: ServiceSources | null,
    workers: number,
    clients: number,
  ): ServiceSources | null {
    if (sourceLimit === null) return null;
    const prefixes = [sourceLimit.prefix4, sourceLimit.prefix6] as const;
    if (before !== null && isDeepStrictEqual(before.#prefixes, prefixes)) return before;
    const seed = Math.floor(Math.random() * 2 ** 32) | 0;
    const buffer = createSources(workers, clients, seed);
    return new ServiceSources({ generation: nextGeneration++, buffer }, prefixes, sourceCapacity(clients));
  }

  get used(): number {
    return this.#memory.size;
  }

  releaseWorker(worker: number): void {
    this.#memory.release(worker);
  }
}

let nextGeneration = 1;
