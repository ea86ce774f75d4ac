// Real worker threads on the built counters: what vitest transforms is not there inside a thread.
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { CounterReader, createCounters } from '../../src/data-path/counters.ts';
import { SourceMemory } from '../../src/data-path/guard/source-memory.ts';
import { createSources } from '../../src/data-path/guard/source-table.ts';
import { seconds } from '../../src/lib/duration.ts';
import type { SourceLimitSpec } from '../../src/model/service.ts';

const COUNTERS = new URL('../../dist/data-path/counters.js', import.meta.url).href;
const SOURCES = new URL('../../dist/data-path/guard/source-table.js', import.meta.url).href;

/** Runs `body` (of its counters `w`, its sources `s` and `clients`) in each of two threads. */
async function inTwoThreads(
  counters: SharedArrayBuffer,
  body: string,
  sources: { buffer: SharedArrayBuffer; spec: SourceLimitSpec } | null = null,
): Promise<number[]> {
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const source = `
    const { parentPort, workerData } = require('node:worker_threads');
    const { counters, index, sources } = workerData;
    const clients = Array.from({ length: 200 }, (_, n) => ({ family: 4, text: '', bytes: Uint8Array.of(10, 0, 0, n) }));
    Promise.all([import(workerData.module), import(workerData.table)]).then(([{ CounterWriter }, { SourceTable }]) => {
      const w = new CounterWriter(counters, index);
      const s = sources === null ? null : new SourceTable(sources.buffer, index, sources.spec);
      // both begin at once, or one might be done before the other has started
      Atomics.add(workerData.gate, 0, 1);
      while (Atomics.load(workerData.gate, 0) < 2);
      parentPort.postMessage((() => { ${body} })());
    });`;
  const threads = [0, 1].map(
    (index) =>
      new Worker(source, {
        eval: true,
        workerData: { module: COUNTERS, table: SOURCES, counters, gate, index, sources },
      }),
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

describe('sources of two threads', () => {
  const counters = createCounters({ workers: 2, services: 1, backends: 5 });
  const prefixes = { prefix4: 32, prefix6: 64 };

  it('never have more connections than their limit, and none when all have gone', async () => {
    const buffer = createSources(2, 100, 7);
    const spec = { maxConnections: 2, rate: null, ...prefixes };
    const entered = await inTwoThreads(
      counters,
      `const held = [];
       let entered = 0, over = 0;
       // in the counter only while it is in the table: a third one would be one too many there
       const leave = ({ k, ticket }) => { w.leaveBackend(k); s.release(ticket); };
       for (let i = 0; i < 200000; i++) {
         const k = (i * 7 + index) % 5;
         const ticket = s.enter(clients[k], 1e9);
         if (typeof ticket !== 'string') {
           w.tryEnterBackend(k, null);
           if (w.backendConnections(k) > 2) over++;
           entered++;
           held.push({ k, ticket });
         }
         if (held.length > 2 || typeof ticket === 'string') held.splice(0, 1).forEach(leave);
       }
       held.forEach(leave);
       return over > 0 ? NaN : entered;`,
      { buffer, spec },
    );
    expect(Math.min(...entered)).toBeGreaterThan(1_000);
    expect(new SourceMemory(buffer).size).toBe(0);
  });

  it('get no more than their burst, whoever counts', async () => {
    const buffer = createSources(2, 100, 7);
    const rate = { count: 1, per: seconds(3_600), burst: 1_000 };
    const passed = await inTwoThreads(
      counters,
      `let passed = 0;
       for (let i = 0; i < 400000; i++) {
         const ticket = s.enter(clients[i % 200], 1e9);
         if (typeof ticket !== 'string') { passed++; s.release(ticket); }
       }
       return passed;`,
      { buffer, spec: { maxConnections: null, rate, ...prefixes } },
    );
    // 200 sources, each with a burst of 1,000, were asked 4,000 times
    expect(passed.reduce((sum, one) => sum + one, 0)).toBe(200_000);
    expect(new SourceMemory(buffer).size).toBe(200);
  });
});
