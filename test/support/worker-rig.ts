/** The data path as it is built (dist/), with several workers in threads of their own. */
import { fileURLToPath } from 'node:url';
import type { ToWorker } from '../../src/data-path/protocol.ts';
import type { SpawnWorker, WorkerHandle } from '../../src/data-path/worker-thread.ts';
import type { ServiceSpec } from '../../src/model/service.ts';
import { DataPathRig } from './data-path.ts';
import { eventually } from './netns.ts';

const WORKER_THREAD = fileURLToPath(new URL('../../dist/data-path/worker-thread.js', import.meta.url));

export class WorkerRig {
  readonly rig: DataPathRig;
  /** The present thread of each worker. */
  readonly #handles: WorkerHandle[];
  readonly #watch: NodeJS.Timeout;
  readonly workers: number;
  #listeners = 0;

  private constructor(rig: DataPathRig, handles: WorkerHandle[], workers: number) {
    this.rig = rig;
    this.#handles = handles;
    this.workers = workers;
    this.#watch = setInterval(() => rig.watch(), 100);
  }

  static async start(workers: number): Promise<WorkerRig> {
    const { spawnWorkerThread } = (await import(WORKER_THREAD)) as { spawnWorkerThread: SpawnWorker };
    const handles: WorkerHandle[] = [];
    const rig = await DataPathRig.start(
      {},
      (data, listener) => {
        const handle = spawnWorkerThread(data, listener);
        handles[data.worker] = handle;
        return handle;
      },
      workers,
      'native',
    );
    return new WorkerRig(rig, handles, workers);
  }

  /** Opens a service and waits until every worker listens. */
  async open(spec: ServiceSpec): Promise<ServiceSpec> {
    this.rig.open(spec);
    this.#listeners += spec.listen.length * this.workers;
    await eventually('every worker listens', () => this.rig.process().fdsInUse >= this.#listeners);
    return spec;
  }

  /** Ends a worker's thread as a fault of its own would: with an exception that nobody catches. */
  crash(worker: number): void {
    this.#handles[worker]?.post({ type: 'service-open' } as ToWorker);
  }

  terminate(worker: number): void {
    this.#handles[worker]?.terminate();
  }

  /** Keeps a worker's event loop busy for two seconds or more: it builds tables of ten million slots, half a second each. */
  stall(worker: number, spec: ServiceSpec): void {
    const schedule = { ...spec.schedule, algorithm: 'maglev', tableSize: 9_999_991 } as const;
    const huge = { ...spec, name: 'huge', listen: [], schedule };
    const message = { type: 'service-open', spec: huge, listeners: [], sources: null } as const;
    for (const slot of [7, 8, 9, 10]) {
      this.#handles[worker]?.post({ ...message, slot, backends: this.rig.set(spec) });
    }
  }

  connections(): number[] {
    return Array.from({ length: this.workers }, (_, worker) => this.rig.worker(worker).connections);
  }

  /** Every gauge is at zero, but for the descriptors of the listeners. */
  quiet(): Promise<void> {
    return this.rig.quiet(this.#listeners);
  }

  async stop(): Promise<void> {
    clearInterval(this.#watch);
    await this.rig.stop();
  }
}
