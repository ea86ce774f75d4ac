#!/usr/bin/env node
// Tandem beside keepalived through the same faults, in one run on one machine: `scripts/bench failover` builds what
// this needs.
//
//   bench.mjs --helpers DIR [--runs 7] [--faults stop,crash-both,...] [--adverts 1000,100,10] [--families 4,6]
//             [--contenders tandem,keepalived] [--retries 1] [--json FILE] [--base FILE] [--write FILE] [--keep-logs]
//
// --base is what --json wrote before: its rows stand where nothing was measured anew, and the document says which were.
//
// Every run is a network and processes of its own (cell.mjs), both families at once. A run during which the machine
// itself stumbled is repeated, at most --retries times. Exit status 1 when Tandem is behind in a row, or a run failed.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commandLine, number, words } from '../command-line.mjs';
import { sleep } from '../forwarding/shell.mjs';
import { Cell } from './cell.mjs';
import { CONTENDERS } from './contenders.mjs';
import { FAULTS } from './faults.mjs';
import { sweep } from './host.mjs';
import { batches, estimate, grouped, isDisturbed, quiet } from './plan.mjs';
import { document, judge, summary } from './report.mjs';

const { base, wanted, ...options } = commandLine(
  {
    runs: { type: 'string', default: '7' },
    faults: { type: 'string', default: Object.keys(FAULTS).join() },
    adverts: { type: 'string', default: '1000,100,10' },
    families: { type: 'string', default: '4,6' },
    contenders: { type: 'string', default: Object.keys(CONTENDERS).join() },
    retries: { type: 'string', default: '1' },
    json: { type: 'string' },
    base: { type: 'string' },
    write: { type: 'string' },
    'keep-logs': { type: 'boolean', default: false },
  },
  (values) => ({
    retries: number('retries', values.retries, { from: 0, to: 10 }),
    base: values.base === undefined ? null : JSON.parse(readFileSync(values.base, 'utf8')),
    wanted: {
      runs: number('runs', values.runs, { from: 1, to: 1_000 }),
      faults: words('faults', values.faults, Object.keys(FAULTS)),
      adverts: values.adverts
        .split(',')
        .map((advert) => number('adverts', advert, { from: 10, to: 40_950, step: 10 })),
      families: words('families', values.families, ['4', '6']).map(Number),
      contenders: words('contenders', values.contenders, Object.keys(CONTENDERS)),
    },
  }),
);

const dir = mkdtempSync(join(tmpdir(), 'tandem-failover-bench-'));
const alive = new Set();
const starting = new Set();
let stopping = false;
const say = (text) => console.error(text);

/** Sets up, twice if need be: a machine that was busy for a moment is no result. */
async function ready(work) {
  for (let attempt = 1; ; attempt++) {
    const cell = new Cell(work, {
      dir,
      helpers: options.helpers,
      families: wanted.families,
      runs: wanted.runs,
    });
    alive.add(cell);
    const started = cell.setUp();
    starting.add(started);
    try {
      await started;
      return cell;
    } catch (error) {
      await drop(cell);
      if (attempt === 2 || stopping) throw error;
      say(`    again: ${error.message.split('\n')[0]}`);
    } finally {
      starting.delete(started);
    }
  }
}

async function drop(cell) {
  await cell.tearDown({ keep: options['keep-logs'] });
  alive.delete(cell);
}

/** A failed run is told and counted; the others of its batch go on. */
async function each(cells, failed, act) {
  await Promise.all(
    cells.map(async (cell) => {
      if (failed.has(cell)) return;
      try {
        await act(cell);
      } catch (error) {
        failed.set(cell, error);
      }
    }),
  );
}

/** The results of a batch by run; what went wrong goes to `failures`. */
async function measure(batch, failures) {
  const failed = new Map();
  const measured = new Map();
  const cells = await Promise.all(
    batch.map((work) =>
      ready(work).catch((error) => {
        failures.push({ ...work, why: error.message });
        return null;
      }),
    ),
  ).then((made) => made.filter((cell) => cell !== null));
  await sleep(quiet());
  // in step, so that nobody starts or ends processes while another is measured
  await each(cells, failed, (cell) => cell.strike());
  await each(cells, failed, (cell) => cell.heal());
  await each(cells, failed, async (cell) => {
    measured.set(cell.work, await cell.result());
  });
  for (const [cell, error] of failed) failures.push({ ...cell.work, why: error.message });
  await Promise.all(cells.map(drop));
  return measured;
}

function tell(result) {
  const { advert, rep, contender, row, family, gap, lost, holder, connections, noise } = result;
  const kept =
    connections === undefined ? '' : `, ${connections.kept} of ${connections.kept + connections.lost} kept`;
  const dead = result.open ? ', dead at the end' : '';
  say(
    `    ${String(advert).padStart(4)} ms ${rep + 1} ${contender.padEnd(10)} ${row.padEnd(20)} IPv${family}  ` +
      `gap ${gap.toFixed(1)}, lost ${lost}, held by ${holder}${kept}${dead}${isDisturbed(result) ? `, the machine: ${noise.toFixed(1)}` : ''}`,
  );
}

const minutes = (ms) => `${(ms / 60_000).toFixed(1)} min`;

/** Every batch, with how long it will still take. */
async function go(plan, measured, failures) {
  const begin = performance.now();
  let left = plan.reduce((sum, batch) => sum + estimate(batch), 0);
  say(`${plan.flat().length} runs in ${plan.length} batches, about ${minutes(left)}`);
  for (const [i, batch] of plan.entries()) {
    if (stopping) return;
    for (const [work, results] of await measure(batch, failures)) {
      measured.set(work, results);
      results.forEach(tell);
    }
    left -= estimate(batch);
    say(`${i + 1}/${plan.length} after ${minutes(performance.now() - begin)}, about ${minutes(left)} to go`);
  }
}

const rowOf = ({ fault, advert, family, contender }) => [fault, advert, family, contender].join();

/** What was measured before, but for the rows that were measured anew. */
function keptOf(before, fresh) {
  const anew = new Set(fresh.map(rowOf));
  return (before?.results ?? []).filter((result) => !anew.has(rowOf(result)));
}

function everyRow(before) {
  if (before === null) return wanted;
  const merged = (name, order) => order.filter((one) => [...before[name], ...wanted[name]].includes(one));
  return {
    runs: Math.min(before.runs, wanted.runs),
    faults: merged('faults', Object.keys(FAULTS)),
    adverts: [...new Set([...before.adverts, ...wanted.adverts])].sort((a, b) => b - a),
    families: merged('families', [4, 6]),
    contenders: merged('contenders', Object.keys(CONTENDERS)),
  };
}

const measuredAgain = (fresh) => [
  ...new Set(fresh.map(({ fault, advert }) => `${FAULTS[fault].title} at ${advert} ms`)),
];

async function main() {
  const begin = performance.now();
  const measured = new Map();
  const failures = [];
  await go(batches(wanted), measured, failures);
  const disturbed = () =>
    [...measured].filter(([, results]) => results.some(isDisturbed)).map(([work]) => work);
  for (let retry = 0; retry < options.retries && disturbed().length > 0; retry++) {
    say('again, for the machine stumbled:');
    await go(grouped(disturbed()), measured, failures);
  }
  for (const { contender, fault, advert, rep, why } of failures) {
    say(`failed: ${contender} ${fault} at ${advert} ms, run ${rep + 1}: ${why}`);
  }
  const fresh = [...measured.values()].flat();
  const results = [...keptOf(base, fresh), ...fresh];
  const all = everyRow(base);
  const rows = judge(results, all);
  console.log(summary(rows, all));
  const facts = {
    ...all,
    failures: failures.length + (base?.failures ?? 0),
    disturbed: disturbed().length + (base?.disturbed ?? 0),
    minutes: (performance.now() - begin) / 60_000 + (base?.minutes ?? 0),
    again: base === null ? [] : [...(base.again ?? []), ...measuredAgain(fresh)],
  };
  if (options.json !== undefined) {
    writeFileSync(options.json, `${JSON.stringify({ ...facts, rows, results, failed: failures })}\n`);
  }
  if (options.write !== undefined) writeFileSync(options.write, document(rows, facts));
  if (failures.length > 0 || rows.some(({ verdict }) => verdict === 'behind')) process.exitCode = 1;
}

async function cleanUp() {
  stopping = true;
  await Promise.all([...alive].map(drop));
  // what was just being set up makes namespaces until it notices
  await Promise.allSettled(starting);
  await sweep();
  if (!options['keep-logs']) rmSync(dir, { recursive: true, force: true });
  else say(`logs: ${dir}`);
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => void cleanUp().finally(() => process.exit(130)));
}
try {
  await sweep();
  await main();
} finally {
  await cleanUp();
}
