// Tables from measurements: { [work]: { [balancer]: [{ value, cpu, note? } a repetition] } }
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { BALANCERS } from './balancers.mjs';
import { sh } from './shell.mjs';
import { congestionControl } from './topology.mjs';
import { WORKS } from './works.mjs';

export function median(values) {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  if (sorted.length === 0) return Number.NaN;
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/** Median over the repetitions of the ratio within one: what the machine did meanwhile cancels out. */
function ratio(results, work, name, other) {
  const [mine, theirs] = [results[work]?.[name] ?? [], results[work]?.[other] ?? []];
  return median(mine.map(({ value }, i) => value / (theirs[i]?.value ?? Number.NaN)));
}

const figure = (value, digits = 2) => (Number.isFinite(value) ? value.toFixed(digits) : '-');
const digitsOf = (work) => (WORKS[work].unit === '1/s' ? 0 : 2);
const row = (cells) => `| ${cells.join(' | ')} |`;

/** What the issue asks of Tandem, and whether it was reached. */
export function bars(results) {
  const lines = [row(['', '', 'must be', 'is', '']), row(['---', '---', '---', '---', '---'])];
  let missed = 0;
  const measured = ({ name, of }, work) =>
    results[work]?.[name] !== undefined && (of === undefined || results[work][of] !== undefined);
  for (const [work, { title, unit, lower, bars: asked }] of Object.entries(WORKS)) {
    for (const bar of asked.filter((each) => measured(each, work))) {
      const { name, of, below, ratio: bound = below } = bar;
      const is =
        below === undefined
          ? ratio(results, work, name, of)
          : median(results[work][name].map(({ value }) => value));
      const reached = lower ? is <= bound : is >= bound;
      if (!reached) missed++;
      const unitOf = below === undefined ? `of ${BALANCERS[of].title}` : unit;
      const must = `${lower ? '<=' : '>='} ${bound} ${unitOf}`;
      lines.push(row([BALANCERS[name].title, title, must, figure(is), reached ? 'reached' : '**missed**']));
    }
  }
  return { text: lines.join('\n'), missed };
}

function workTable(results, work) {
  const names = Object.keys(results[work]);
  const { title, unit, lower } = WORKS[work];
  const cpuUnit = unit === 'Gbit/s' ? 'ms a Gbit' : 'us each';
  const others = ['haproxy2', 'haproxy2t', 'nginx2', 'nginx2t'].filter((other) => names.includes(other));
  const heads = others.map((other) => `x ${BALANCERS[other].title}`);
  const head = ['', unit, 'range', ...heads, ...(lower ? [] : [`its CPU, ${cpuUnit}`]), 'notes'];
  const lines = names.map((name) => {
    const runs = results[work][name];
    const values = runs.map(({ value }) => value);
    const digits = digitsOf(work);
    return row([
      BALANCERS[name].title,
      figure(median(values), digits),
      `${figure(Math.min(...values), digits)} - ${figure(Math.max(...values), digits)}`,
      ...others.map((other) => figure(ratio(results, work, name, other))),
      ...(lower ? [] : [name === 'direct' ? '-' : figure(median(runs.map(({ cpu }) => cpu)), 1)]),
      [...new Set(runs.map(({ note }) => note).filter(Boolean))].slice(0, 2).join('; '),
    ]);
  });
  return [`### ${title}`, '', row(head), row(head.map(() => '---')), ...lines].join('\n');
}

export const tables = (results) =>
  Object.keys(WORKS)
    .filter((work) => results[work] !== undefined)
    .map((work) => workTable(results, work))
    .join('\n\n');

const firstLine = (command) => sh(command, { mayFail: true }).trim().split('\n')[0] ?? '';

/** The machine and the programs, as far as they matter for the figures. */
export function machine() {
  const model = /^model name\s*:\s*(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? 'unknown CPU';
  const distribution = /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux';
  return [
    `- ${cpus().length} x ${model}, ${Math.round(totalmem() / 2 ** 30)} GiB; ${distribution}, Linux ${release()}`,
    `- Node ${process.version}; ${firstLine('haproxy -v')}; ${firstLine('nginx -v 2>&1')}; ${firstLine('iperf3 -v')}`,
    `- client, balancer and backends share the CPUs, in network namespaces joined by bridges; TCP congestion control ${congestionControl()}`,
  ].join('\n');
}
