import { Worker } from 'node:worker_threads';
import type { FromWorker, ToWorker, WorkerData } from './protocol.ts';

/** A worker as its supervisor sees it. */
export interface WorkerHandle {
  post(message: ToWorker): void;
  /** Ends it at once; `onExit` follows. */
  terminate(): void;
}

export interface WorkerListener {
  onMessage(message: FromWorker): void;
  /** Once, whatever the reason. `error` is what it threw, if it did. */
  onExit(error: Error | null): void;
}

/**
 * Of each worker's heap, where new objects are. V8 would let it grow to 48 MiB under a burst of connections and keep it: 11 KiB
 * instead of 8 for each idle connection of the relay on `net`, without being faster for it (docs/performance-notes.md).
 */
const YOUNG_GENERATION_MB = 4;

export type SpawnWorker = (data: WorkerData, listener: WorkerListener) => WorkerHandle;

/** Starts dist/data-path/worker.js in a thread. */
export const spawnWorkerThread: SpawnWorker = (data, listener) => {
  const worker = new Worker(new URL('./worker.js', import.meta.url), {
    name: `tandem-data-path-${data.worker}`,
    workerData: data,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    // its listeners' descriptors come from the native addon: Node must not warn that it has not opened them
    trackUnmanagedFds: false,
  });
  let failure: Error | null = null;
  worker.on('message', (message: FromWorker) => listener.onMessage(message));
  worker.on('error', (error) => {
    failure = error;
  });
  worker.on('exit', () => listener.onExit(failure));
  return {
    post: (message) => worker.postMessage(message),
    terminate: () => {
      // the exit event says when it is done
      void worker.terminate();
    },
  };
};
