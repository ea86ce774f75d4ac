// What a pick costs: node test/bench/schedulers.mjs (on the built dist/). A report, not a test.
import { createScheduler } from '../../dist/data-path/scheduler/registry.js';
import { parseEndpoint, parseIp } from '../../dist/lib/ip.js';

const ALGORITHMS = ['round-robin', 'least-connections', 'random-two', 'source-hash', 'maglev', 'first'];
const PICKS = 50_000;
const load = { active: (slot) => (slot * 7) % 11, recentFailures: () => 0 };
const clients = Array.from({ length: 1_024 }, (_, n) => ({
  source: parseIp(`10.0.${n >> 8}.${n & 255}`),
  sourcePort: 1_024 + n,
  destination: parseIp('10.0.0.100'),
  destinationPort: 80,
}));

function members(count) {
  return Array.from({ length: count }, (_, slot) => {
    const id = `10.1.${slot >> 8}.${slot & 255}:80`;
    return {
      id,
      slot,
      endpoint: parseEndpoint(id),
      weight: 1 + (slot % 5),
      maxConnections: null,
      disposition: 'eligible',
    };
  });
}

function picks(scheduler, exclude, count) {
  const start = performance.now();
  for (let n = 0; n < count; n++) scheduler.pick(clients[n & 1_023], load, exclude);
  return `${(((performance.now() - start) * 1e6) / count).toFixed(0)} ns`;
}

const rows = [];
for (const backends of [3, 50, 1_000]) {
  for (const algorithm of ALGORITHMS) {
    const spec = { algorithm, hashKey: 'source', tableSize: 65_537, balanceFactor: null };
    const scheduler = createScheduler(spec, Math.random);
    const set = members(backends);
    const start = performance.now();
    scheduler.update(set);
    const update = `${(performance.now() - start).toFixed(1)} ms`;
    const count = backends === 1_000 ? PICKS / 10 : PICKS;
    picks(scheduler, null, count / 5);
    const pick = picks(scheduler, null, count);
    rows.push({
      backends,
      algorithm,
      update,
      pick,
      'pick with one excluded': picks(scheduler, new Set([set[0].id]), count),
    });
  }
}
console.table(rows);
