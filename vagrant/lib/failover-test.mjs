/** The command line of vagrant/failover-test, which says what it does. */
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { styleOf } from '../../dist/cli/output.js';
import { FAULTS } from './faults.mjs';
import { Machines } from './machines.mjs';
import { Pair } from './pair.mjs';
import { judge, tableLines } from './verdict.mjs';

const FOLDER = dirname(dirname(fileURLToPath(import.meta.url)));
/** Measured before the fault, and after all is where it should be. */
const HOLD_MS = 3_000;
const USAGE = 64;

function options() {
  const { values } = parseArgs({
    options: {
      faults: { type: 'string' },
      'max-gap': { type: 'string', default: '10' },
      interval: { type: 'string', default: '10' },
      patience: { type: 'string', default: '120' },
      json: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
    },
  });
  const known = FAULTS.map(({ name }) => name);
  const wanted = values.faults?.split(',') ?? known;
  const unknown = wanted.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`--faults: there is no "${unknown}", but ${known.join(', ')}`);
  return {
    faults: wanted.flatMap((name) => FAULTS.filter((fault) => fault.name === name)),
    maxGapMs: seconds('--max-gap', values['max-gap']),
    intervalMs: milliseconds('--interval', values.interval),
    patienceMs: seconds('--patience', values.patience),
    json: values.json,
    list: values.list,
  };
}

function seconds(option, text) {
  const value = Number(text);
  if (!(value > 0 && value <= 3_600))
    throw new Error(`${option} ${text}: it takes seconds, more than 0 and up to 3600`);
  return value * 1_000;
}

function milliseconds(option, text) {
  const value = Number(text);
  if (!(Number.isInteger(value) && value >= 1 && value <= 1_000)) {
    throw new Error(`${option} ${text}: it takes milliseconds, from 1 to 1000`);
  }
  return value;
}

const style = styleOf(process.stdout.isTTY === true && !process.env['NO_COLOR']);
const note = (text) => process.stderr.write(`${text}\n`);

/** One fault from a pair that is ready to a pair that is ready. */
async function tryOut(pair, fault, maxGapMs, signal) {
  note(`==> ${fault.name}: ${fault.what}`);
  await pair.settled();
  const finish = await pair.measure();
  await sleep(HOLD_MS, undefined, { signal });
  pair.holders.begin(performance.now());
  const faults = [];
  try {
    await fault.inject(pair);
    const moved = await pair.until(
      () => pair.holders.takers.join() === fault.takers.join() && pair.holders.now.length === 1,
    );
    if (!moved) faults.push('the address did not get where it belongs within the time');
    await sleep(HOLD_MS, undefined, { signal });
    const blind = pair.blind.filter((name) => !fault.off?.includes(name));
    for (const name of blind) faults.push(`${name} was out of sight: its connection ended`);
    const answers = await pair.answers();
    const seen = {
      expected: { takers: fault.takers, connections: fault.connections },
      takers: pair.holders.takers,
      holders: pair.holders.now,
      answers,
      doubleMs: pair.holders.doubleMs(performance.now()),
      ...(await finish()),
      faults,
    };
    const wrong = judge(seen, maxGapMs);
    for (const one of wrong) note(`    ${style.red(one)}`);
    return { name: fault.name, what: fault.what, seen, wrong };
  } finally {
    if (!signal.aborted) note('    mending');
    await pair
      .mend(fault)
      .catch((error) => note(`    ${style.red(`it could not be mended: ${error.message}`)}`));
  }
}

function show(results, json) {
  if (json) {
    const told = results.map(({ name, what, seen, wrong }) => ({
      fault: name,
      what,
      ok: wrong.length === 0,
      wrong,
      ...seen,
    }));
    process.stdout.write(`${JSON.stringify(told, null, 2)}\n`);
    return;
  }
  for (const line of tableLines(results, style)) process.stdout.write(`${line}\n`);
}

async function main() {
  const { faults, maxGapMs, intervalMs, patienceMs, json, list } = options();
  if (list) {
    for (const { name, what, takers } of faults)
      process.stdout.write(`${name.padEnd(16)} ${takers.join(' > ').padEnd(20)} ${what}\n`);
    return 0;
  }
  const interrupted = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM']) {
    process.on(name, () => {
      if (interrupted.signal.aborted) process.exit(130);
      note('interrupted: mending what is broken; again to leave it as it is');
      interrupted.abort();
    });
  }
  const pair = new Pair(new Machines(FOLDER, interrupted.signal, patienceMs), {
    signal: interrupted.signal,
    patienceMs,
    intervalMs,
    note,
  });
  const results = [];
  try {
    note('==> reaching the machines');
    await pair.open();
    for (const fault of faults) results.push(await tryOut(pair, fault, maxGapMs, interrupted.signal));
    await pair.settled();
  } catch (error) {
    if (!interrupted.signal.aborted) note(style.red(`failover-test: ${error.message}`));
  } finally {
    await pair.close();
  }
  if (results.length > 0) show(results, json);
  if (interrupted.signal.aborted) return 130;
  return results.length === faults.length && results.every(({ wrong }) => wrong.length === 0) ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  note(`failover-test: ${error.message}`);
  process.exitCode = USAGE;
}
