#!/usr/bin/env node
// Tandem beside HAProxy and nginx, in one run on one machine: `scripts/bench` builds what this needs.
//
//   bench.mjs --helpers DIR [--reps 3] [--seconds 4] [--warm-up 2] [--connections 9000]
//             [--works idle,bulk1,...] [--balancers direct,tandem,...] [--congestion bbr] [--write FILE]
//
// Every repetition measures every balancer, each in a fresh process; ratios are taken within a repetition. Figures
// depend on the machine, ratios much less. Exit status 1 when a bar is missed.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commandLine, number, words } from '../command-line.mjs';
import { BALANCERS } from './balancers.mjs';
import { bars, machine, tables } from './report.mjs';
import { Daemon, run, sleep, stopAll } from './shell.mjs';
import { DIRECT_BACKEND, NS, setUp, startBackends, tearDown, VIP } from './topology.mjs';
import { measure, WORKS } from './works.mjs';

const {
  works,
  balancers: names,
  ...options
} = commandLine(
  {
    reps: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '4' },
    'warm-up': { type: 'string', default: '2' },
    connections: { type: 'string', default: '9000' },
    works: { type: 'string', default: Object.keys(WORKS).join() },
    balancers: { type: 'string', default: Object.keys(BALANCERS).join() },
    congestion: { type: 'string' },
    write: { type: 'string' },
  },
  (values) => ({
    reps: number('reps', values.reps, { from: 1, to: 100 }),
    seconds: number('seconds', values.seconds, { from: 1, to: 600 }),
    warmUp: number('warm-up', values['warm-up'], { from: 0, to: 600 }),
    connections: number('connections', values.connections, { from: 1, to: 28_000 }),
    works: words('works', values.works, Object.keys(WORKS)),
    balancers: words('balancers', values.balancers, Object.keys(BALANCERS)),
  }),
);
const dir = mkdtempSync(join(tmpdir(), 'tandem-bench-'));

async function start(name) {
  const { command } = BALANCERS[name];
  const balancer = command === null ? null : new Daemon(NS.balancer, command(dir, name), { dir, name });
  const url = command === null ? `http://${DIRECT_BACKEND}:8080/` : `http://${VIP}/`;
  for (let i = 0; i < 60; i++) {
    if ((await run(NS.client, `curl -s -o /dev/null -m 1 ${url}`)).status === 0) return balancer;
    await sleep(150);
  }
  throw new Error(`${name} never came up\n${balancer?.log() ?? ''}`);
}

async function repetition(round, results) {
  for (const name of names) {
    // memory is measured in a process of its own, before it has done anything else
    for (const group of [works.filter((work) => work === 'idle'), works.filter((work) => work !== 'idle')]) {
      const wanted = group.filter((work) => !WORKS[work].udp || BALANCERS[name].udp);
      if (wanted.length === 0 || (name === 'direct' && wanted.includes('idle'))) continue;
      const balancer = await start(name);
      for (const work of wanted) {
        const result = await measure(work, name, {
          dir,
          balancer,
          helpers: options.helpers,
          seconds: options.seconds,
          warmUp: options.warmUp,
          connections: options.connections,
        });
        results[work] ??= {};
        results[work][name] ??= [];
        results[work][name].push(result);
        const cpu = Number.isFinite(result.cpu) ? `  cpu ${result.cpu.toFixed(1)}` : '';
        console.error(
          `${round} ${name.padEnd(10)} ${work.padEnd(7)} ${result.value.toFixed(2)} ${WORKS[work].unit}${cpu} ${result.note ?? ''}`,
        );
        await sleep(300);
      }
      await balancer?.stop();
    }
  }
}

function document(results, verdict) {
  return `# Performance

Written by \`scripts/bench\` on ${new Date().toISOString().slice(0, 10)}: ${options.reps} repetitions of ${options.seconds} s,
each after a warm-up of ${options.warmUp} s that does not count; medians; ratios are taken within a repetition. The figures are those of one machine under everything that ran on it;
the ratios are what to look at. Where the time goes, and what was tried: [performance-notes.md](performance-notes.md).

${machine()}

## Tandem's bars

With its defaults: a worker for each core, TCP and UDP relayed in the addon. "node relay" is the same with
\`[data_path] relay = "node"\`.

${verdict}

## All of it

${tables(results)}
`;
}

async function main() {
  setUp(options.congestion);
  startBackends(dir, `${options.helpers}/udp-echo`);
  await sleep(800);
  const results = {};
  for (let round = 1; round <= options.reps; round++) await repetition(round, results);
  const verdict = bars(results);
  console.log(`${tables(results)}\n\n${verdict.text}`);
  if (options.write !== undefined) writeFileSync(options.write, document(results, verdict.text));
  if (verdict.missed > 0) process.exitCode = 1;
}

async function cleanUp() {
  await stopAll();
  tearDown();
  rmSync(dir, { recursive: true, force: true });
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => void cleanUp().finally(() => process.exit(130)));
}
try {
  await main();
} finally {
  await cleanUp();
}
