// Rows, verdicts and the document, from results: one for each run, half (fault, heal) and family.
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { median } from '../forwarding/report.mjs';
import { CONTENDERS } from './contenders.mjs';
import { FAULTS } from './faults.mjs';

/** A difference counts when it is more than 15 % and more than 5 ms: less than that is the machine. */
const MARGIN = { ratio: 1.15, ms: 5 };
/** Half of the other's gap or less. */
const FAR = 0.5;

/** When a fault ends, whoever stays has the address and need only say so: this much longer is a client that was left. */
const STRANDED = { ms: 1_000, intervals: 1.5 };

/** Without an answer at the end, or for long after the fault was over. */
function isStranded({ row, open, gap, advert }) {
  return open || (row.endsWith('-heal') && gap > Math.max(STRANDED.ms, STRANDED.intervals * advert));
}

const isHealthy = (run) => (run.holder === 'a' || run.holder === 'b') && !isStranded(run);

/** What every contender did in one row. */
function contenderOf(runs) {
  const gaps = runs.map(({ gap }) => gap);
  const counted = runs.filter(({ connections }) => connections !== undefined);
  const sum = (of) => runs.reduce((total, run) => total + of(run), 0);
  const holders = {};
  for (const { holder } of runs) holders[holder] = (holders[holder] ?? 0) + 1;
  return {
    runs: runs.length,
    gap: median(gaps),
    least: Math.min(...gaps),
    most: Math.max(...gaps),
    lost: median(runs.map(({ lost }) => lost)),
    noise: Math.max(...runs.map(({ noise }) => noise)),
    holders,
    dead: sum((run) => (isStranded(run) ? 1 : 0)),
    unwell: sum((run) => (isHealthy(run) ? 0 : 1)),
    connections: counted.length === 0 ? null : sum(({ connections }) => connections.kept + connections.lost),
    reset: counted.length === 0 ? null : sum(({ connections }) => connections.lost),
    refused: counted.length === 0 ? null : sum(({ connections }) => connections.freshFailed),
  };
}

/**
 * What stays broken goes first: an address that two hold, or nobody, needs somebody to come; then connections that
 * were lost; then the gap, which is over. The first that differs decides, and the others are told.
 * @returns `verdict`: 'ahead', 'behind' or 'equal'; `far`; `better` and `worse`: in what
 */
function compare(tandem, other) {
  const better = [];
  const worse = [];
  const weigh = (what, mine, theirs, differs) => {
    if (!differs) return;
    (mine < theirs ? better : worse).push(what);
  };
  const unwell = (one) => one.unwell / one.runs;
  const reset = (one) => (one.connections === null ? 0 : one.reset / one.connections);
  const [low, high] = [Math.min(tandem.gap, other.gap), Math.max(tandem.gap, other.gap)];
  // a single run of many may have met the machine at a bad moment
  weigh('address', unwell(tandem), unwell(other), Math.abs(unwell(tandem) - unwell(other)) > 0.2);
  weigh('connections', reset(tandem), reset(other), Math.abs(reset(tandem) - reset(other)) > 0.01);
  weigh('gap', tandem.gap, other.gap, high > low * MARGIN.ratio && high > low + MARGIN.ms);
  const decides = ['address', 'connections', 'gap'].find(
    (what) => better.includes(what) || worse.includes(what),
  );
  const verdict = decides === undefined ? 'equal' : better.includes(decides) ? 'ahead' : 'behind';
  const far = {
    address: tandem.unwell === 0,
    connections: tandem.reset === 0,
    gap: tandem.gap <= other.gap * FAR,
  };
  return { verdict, far: verdict === 'ahead' && far[decides], better, worse };
}

/** `[{ row, advert, family, tandem, keepalived, ... }]`, with what `compare` says where there are both. */
export function judge(results, { faults, adverts, families, contenders }) {
  const rows = [];
  for (const name of faults.flatMap((fault) => [fault, `${fault}-heal`])) {
    for (const advert of adverts) {
      for (const family of families) {
        const runs = results.filter(
          (run) => run.row === name && run.advert === advert && run.family === family,
        );
        const of = Object.fromEntries(
          contenders
            .map((contender) => [contender, runs.filter((run) => run.contender === contender)])
            .filter(([, its]) => its.length > 0)
            .map(([contender, its]) => [contender, contenderOf(its)]),
        );
        if (Object.keys(of).length === 0) continue;
        const both = of.tandem !== undefined && of.keepalived !== undefined;
        rows.push({ row: name, advert, family, ...of, ...(both && compare(of.tandem, of.keepalived)) });
      }
    }
  }
  return rows;
}

const line = (cells) => `| ${cells.join(' | ')} |`;
const ms = (value) => (value >= 100 ? value.toFixed(0) : value.toFixed(1));

function titleOf(row) {
  const heals = row.endsWith('-heal');
  const { title, healed } = FAULTS[heals ? row.slice(0, -'-heal'.length) : row];
  return heals ? `${title} ${healed}` : title;
}

const HOLDERS = { a: 'the old node', b: 'the peer', both: '**both**', nobody: '**nobody**' };

function afterwards({ holders, dead, runs }) {
  const parts = Object.entries(holders)
    .sort(([, x], [, y]) => y - x)
    .map(([holder, count]) => (count === runs ? HOLDERS[holder] : `${HOLDERS[holder]} ${count}`));
  if (dead > 0) parts.push(`**dead for the client ${dead}**`);
  return parts.join(', ');
}

const gapOf = ({ gap, least, most }) => `${ms(gap)} (${ms(least)} - ${ms(most)})`;

function verdictOf({ verdict, far, better, worse }) {
  if (verdict === 'equal') return 'equal';
  const [main, but] = verdict === 'ahead' ? [better, worse] : [worse, better];
  const word = verdict === 'ahead' ? `${far ? 'far ' : ''}ahead` : '**behind**';
  return `${word}: ${main.join(', ')}${but.length > 0 ? `; not so the ${but.join(', ')}` : ''}`;
}

function tableOf(rows, contenders) {
  const compared = contenders.length > 1;
  const head = ['adverts', 'IP'];
  for (const name of contenders) {
    head.push(`${CONTENDERS[name].title}: gap, ms`, 'lost', 'holds the address afterwards');
  }
  if (compared) head.push('gap, ratio', 'verdict');
  const lines = rows.map((row) => {
    const cells = [`${row.advert} ms`, `v${row.family}`];
    for (const name of contenders) {
      const of = row[name];
      cells.push(...(of === undefined ? ['-', '-', '-'] : [gapOf(of), of.lost, afterwards(of)]));
    }
    if (compared) {
      const known = row.tandem !== undefined && row.keepalived !== undefined;
      cells.push(
        known ? (row.tandem.gap / row.keepalived.gap).toFixed(2) : '-',
        known ? verdictOf(row) : '-',
      );
    }
    return line(cells);
  });
  return [line(head), line(head.map(() => '---')), ...lines].join('\n');
}

function connectionsOf(rows, contenders) {
  const counted = rows.filter((row) => contenders.some((name) => row[name]?.connections));
  if (counted.length === 0) return [];
  const head = ['adverts', 'IP'];
  for (const name of contenders)
    head.push(`${CONTENDERS[name].title}: reset, of all`, 'new ones that failed');
  const lines = counted.map((row) =>
    line([
      `${row.advert} ms`,
      `v${row.family}`,
      ...contenders.flatMap((name) => {
        const of = row[name];
        return of === undefined ? ['-', '-'] : [`${of.reset} of ${of.connections}`, of.refused];
      }),
    ]),
  );
  return ['', line(head), line(head.map(() => '---')), ...lines];
}

function sections(rows, contenders) {
  return [...new Set(rows.map(({ row }) => row))].map((name) => {
    const own = rows.filter(({ row }) => row === name);
    const title = titleOf(name);
    const what = FAULTS[name]?.what;
    const about =
      what === undefined
        ? []
        : ['', `${contenders.map((one) => `${CONTENDERS[one].title}: ${what[one]}`).join('; ')}.`];
    return [
      `### ${title[0].toUpperCase()}${title.slice(1)}`,
      ...about,
      '',
      tableOf(own, contenders),
      ...connectionsOf(own, contenders),
    ].join('\n');
  });
}

function count(rows) {
  const of = (wanted, far = false) => rows.filter((row) => row.verdict === wanted && row.far === far).length;
  const judged = rows.filter((row) => row.verdict !== undefined).length;
  return `${judged} rows: Tandem far ahead in ${of('ahead', true)}, ahead in ${of('ahead')}, equal in ${of('equal')}, behind in ${of('behind')}.`;
}

/** For the terminal. */
export const summary = (rows, { contenders }) =>
  [...sections(rows, contenders), ...(contenders.length > 1 ? [count(rows)] : [])].join('\n\n');

function machine(contenders) {
  const model = /^model name\s*:\s*(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? 'unknown CPU';
  const distribution = /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux';
  return [
    `- ${cpus().length} x ${model}, ${Math.round(totalmem() / 2 ** 30)} GiB; ${distribution}, Linux ${release()}`,
    `- ${contenders.map((name) => CONTENDERS[name].version()).join('; ')}; Node ${process.version}`,
  ].join('\n');
}

function quality({ failures, disturbed }) {
  const parts = [];
  if (failures > 0) parts.push(`${failures} runs failed`);
  if (disturbed > 0) parts.push(`${disturbed} runs were disturbed by the machine`);
  return parts.map((part) => `; ${part}`).join('');
}

function again({ again: rows }) {
  if (rows.length === 0) return '';
  const list = [...new Set(rows)].map((row) => `- ${row}`).join('\n');
  return `\nMeasured again, both contenders, because of the first figures:\n\n${list}\n`;
}

export function document(rows, facts) {
  const { runs, contenders, minutes } = facts;
  return `# Failover beside keepalived

Written by \`scripts/bench failover --write\` on ${new Date().toISOString().slice(0, 10)}: ${runs} runs for each row, ${Math.round(minutes)} minutes${quality(facts)}.
${again(facts)}${contenders.length > 1 ? `\n**${count(rows)}**\n` : ''}
${machine(contenders)}

## How it is measured

Two nodes, a client and a backend are network namespaces on one switch. The contenders go through the same faults in the
same topology, in turn, each time with new namespaces and new processes. The fault hits the Active node, of the higher
priority, at a known phase of its advertisements, spread evenly over the runs. Both run VRRPv3 for both families, with
preemption; all else is at its default. So Tandem's agent has real-time priority and keepalived has not: with
\`vrrp_rt_priority\` its gaps were longer here, and the kernel killed it for its own default limit of 10 ms.

A UDP probe goes to both addresses every millisecond. An echo of a few lines of C, the same for both, answers on both
nodes, outside of the contenders: what is compared is the failover, not the forwarding. It is killed or stopped with
the node only where the title says so. In a real installation the forwarding dies with Tandem's supervisor and with
HAProxy, not with keepalived. The client probes the same echo on the backend, too, to which nothing happens: when that
was silent for more than 10 ms or 5 % of the interval, the run is repeated once.

- **gap**: the longest time that the client waited between two answers, median and range over the runs. Some
  milliseconds are the machine's: see "nothing happens".
- **lost**: probes without an answer within half a second, median. With one probe a millisecond that is the time without service, over all gaps.
- **holds the address afterwards**: looked at when everything has settled, before the fault ends. Two that hold it both
  answer ARP: who is reached is chance.
- **the ratio** is Tandem's median gap by keepalived's.
- **ahead, behind** is decided by the first of these that differs, for what stays broken is worse than what is over:
  the address (both or nobody hold it, or it is dead for the client at the end, or for more than a second and one and a
  half intervals after the fault is over, in more than a fifth of the runs more); connections that are reset; the gap,
  by more than ${Math.round((MARGIN.ratio - 1) * 100)} % and more than ${MARGIN.ms} ms. **far**: no such run, no such connection, or half the gap or less. What
  points the other way is said.

At 1 s and 100 ms several runs share the machine, both contenders alike; at 10 ms each is alone.

A planned handover is \`tandem failover handover\`; for keepalived it is a priority below the peer's and a reload, after
which the peer takes over and the node stays up. Tandem's connections go through its own TCP service, keepalived's
through HAProxy, to an echo on the backend; 50 to each address send five times a second, and a new one is opened every 50 ms.

## Results

${sections(rows, contenders).join('\n\n')}
`;
}
