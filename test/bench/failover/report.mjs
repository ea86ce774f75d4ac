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

const isHealthy = ({ holder, open }) => (holder === 'a' || holder === 'b') && !open;

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
    dead: sum(({ open }) => (open ? 1 : 0)),
    unwell: sum((run) => (isHealthy(run) ? 0 : 1)),
    connections: counted.length === 0 ? null : sum(({ connections }) => connections.kept + connections.lost),
    reset: counted.length === 0 ? null : sum(({ connections }) => connections.lost),
    refused: counted.length === 0 ? null : sum(({ connections }) => connections.freshFailed),
  };
}

/** `behind` and `ahead`: in what; `far`: one of the leads is a large one. */
function compare(tandem, other) {
  const behind = [];
  const ahead = [];
  const weigh = (what, mine, theirs, differs) => {
    if (!differs) return;
    (mine > theirs ? behind : ahead).push(what);
  };
  const [low, high] = [Math.min(tandem.gap, other.gap), Math.max(tandem.gap, other.gap)];
  weigh('gap', tandem.gap, other.gap, high > low * MARGIN.ratio && high > low + MARGIN.ms);
  // a single run of many may have met the machine at a bad moment
  const unwell = (one) => one.unwell / one.runs;
  weigh('address', unwell(tandem), unwell(other), Math.abs(unwell(tandem) - unwell(other)) > 0.2);
  if (tandem.connections !== null) {
    const share = (one) => one.reset / one.connections;
    weigh('connections', share(tandem), share(other), Math.abs(share(tandem) - share(other)) > 0.01);
  }
  const far =
    (ahead.includes('gap') && tandem.gap <= other.gap * FAR) ||
    (ahead.includes('address') && tandem.unwell === 0) ||
    (ahead.includes('connections') && tandem.reset === 0);
  return { behind, ahead, far };
}

/** `[{ row, advert, family, tandem, keepalived, behind, ahead, far }]`; the last three with both contenders alone. */
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
        const verdict = both ? compare(of.tandem, of.keepalived) : { behind: [], ahead: [], far: false };
        rows.push({ row: name, advert, family, ...of, ...verdict });
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

function verdictOf({ behind, ahead, far }) {
  const words = [];
  if (behind.length > 0) words.push(`**behind**: ${behind.join(', ')}`);
  if (ahead.length > 0) words.push(`${far ? 'far ahead' : 'ahead'}: ${ahead.join(', ')}`);
  return words.join('; ') || 'equal';
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
  const judged = rows.filter((row) => row.tandem !== undefined && row.keepalived !== undefined);
  const behind = judged.filter((row) => row.behind.length > 0);
  const far = judged.filter((row) => row.behind.length === 0 && row.far);
  const ahead = judged.filter((row) => row.behind.length === 0 && row.ahead.length > 0 && !row.far);
  const equal = judged.length - behind.length - far.length - ahead.length;
  return `${judged.length} rows: Tandem far ahead in ${far.length}, ahead in ${ahead.length}, equal in ${equal}, behind in ${behind.length}.`;
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

export function document(rows, facts) {
  const { runs, contenders, minutes } = facts;
  return `# Failover beside keepalived

Written by \`scripts/bench failover --write\` on ${new Date().toISOString().slice(0, 10)}: ${runs} runs for each row, ${Math.round(minutes)} minutes${quality(facts)}.
${contenders.length > 1 ? `\n**${count(rows)}**\n` : ''}
${machine(contenders)}

## How it is measured

Two nodes, a client and a backend are network namespaces on one switch. The contenders go through the same faults in the
same topology, in turn, each time with new namespaces and new processes. The fault hits the Active node, of the higher
priority, at a known phase of its advertisements, spread evenly over the runs. Both run VRRPv3 for both families, with
preemption; all else is at its default. So Tandem's agent has real-time priority and keepalived has not: with
\`vrrp_rt_priority\` its gaps were longer here, and the kernel killed it for its own default limit of 10 ms.

A UDP probe goes to both addresses every millisecond. An echo of a few lines of C, the same for both, answers on both
nodes, outside of the contenders: what is compared is the failover, not the forwarding. It is killed or stopped with
the node only where the title says so. The client probes the same echo on the backend, too, to which nothing happens:
when that was silent for more than 10 ms or 5 % of the interval the run is repeated, twice at most. In a real installation the forwarding dies with Tandem's supervisor and with
HAProxy, not with keepalived.

- **gap**: the longest time that the client waited between two answers, median and range over the runs. Some
  milliseconds are the machine's: see "nothing happens".
- **lost**: probes without an answer, median. With one probe a millisecond that is the time without service, over all gaps.
- **holds the address afterwards**: looked at when everything has settled, before the fault ends. Two that hold it both
  answer ARP: who is reached is chance.
- **the ratio** is Tandem's median gap by keepalived's.
- **behind, ahead**: the gap differs by more than ${Math.round((MARGIN.ratio - 1) * 100)} % and more than ${MARGIN.ms} ms; or both, or nobody, hold the address, or it is
  dead for the client, in more than a fifth of the runs more; or more connections are reset. **far**: half the gap or
  less, or no such run and no such connection at all.

At 1 s and 100 ms several runs share the machine, both contenders alike; at 10 ms each is alone.

A planned handover is \`tandem failover handover\`; for keepalived it is a priority below the peer's and a reload, after
which the peer takes over and the node stays up. Tandem's connections go through its own TCP service, keepalived's
through HAProxy, to an echo on the backend; 50 to each address send five times a second, and a new one is opened every 50 ms.

## Results

${sections(rows, contenders).join('\n\n')}
`;
}
