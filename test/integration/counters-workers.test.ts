// Real worker threads on the built counters: what vitest transforms is not there inside a thread.
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { CounterReader, createCounters } from '../../src/data-path/counters.ts';

const COUNTERS = new URL('../../dist/data-path/counters.js', import.meta.url).href;

/** Runs `body` (an async function of the writer and of Atomics on a starting flag) in each of two threads. */
async function inTwoThreads(counters: SharedArrayBuffer, body: string): Promise<number[]> {
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const source = `
    const { parentPort, workerData } = require('node:worker_threads');
    import(workerData.module).then(({ CounterWriter }) => {
      const w = new CounterWriter(workerData.counters, workerData.index);
      // both begin at once, or one might be done before the other has started
      Atomics.add(workerData.gate, 0, 1);
      while (Atomics.load(workerData.gate, 0) < 2);
      parentPort.postMessage((() => { ${body} })());
    });`;
  const threads = [0, 1].map(
    (index) => new Worker(source, { eval: true, workerData: { module: COUNTERS, counters, gate, index } }),
  );
  return await Promise.all(
    threads.map(
      (thread) =>
        new Promise<number>((resolve, reject) => {
          thread.once('error', reject);
          thread.once('message', resolve);
        }),
    ),
  );
}

describe('counters of two threads', () => {
  it('lose nothing', async () => {
    const counters = createCounters({ workers: 2, services: 1, backends: 1 });
    const reader = new CounterReader(counters);
    await inTwoThreads(
      counters,
      `for (let i = 0; i < 300000; i++) {
         w.tryEnterProcess(1e9); w.tryEnterService(0, null); w.tryEnterBackend(0, 1e9); w.fdOpened();
         w.accepted(0); w.bytesIn(0, 0, 3);
         if (i % 3 === 0) { w.leaveProcess(); w.leaveService(0); w.leaveBackend(0); w.fdClosed(); }
       }
       return 0;`,
    );
    expect(reader.process()).toMatchObject({ connections: 400_000, fdsInUse: 400_000 });
    expect(reader.service(0)).toMatchObject({ connections: 400_000, accepted: 600_000, bytesIn: 1_800_000 });
    expect(reader.backendConnections(0)).toBe(400_000);
    reader.releaseWorker(0);
    expect(reader.backendConnections(0)).toBe(200_000);
    reader.releaseWorker(1);
    expect(reader.process()).toMatchObject({ connections: 0, fdsInUse: 0 });
  });

  it('never let more in than the limit, nor fewer', async () => {
    const counters = createCounters({ workers: 2, services: 1, backends: 1 });
    const entered = await inTwoThreads(
      counters,
      `let entered = 0, over = 0;
       for (let i = 0; i < 300000; i++) {
         if (w.tryEnterProcess(3)) {
           if (w.processConnections() > 3) over += 1;
           if (i % 2) w.leaveProcess(); else if (w.tryEnterBackend(0, 250000)) entered += 1;
           if (!(i % 2)) w.leaveProcess();
         }
       }
       return over > 0 ? NaN : entered;`,
    );
    const reader = new CounterReader(counters);
    expect(entered[0]! + entered[1]!).toBe(reader.backendConnections(0));
    // two threads that hold one place each never find three taken: 150,000 tries each, and room for 250,000
    expect(reader.backendConnections(0)).toBe(250_000);
    expect(reader.process().connections).toBe(0);
  });
});
