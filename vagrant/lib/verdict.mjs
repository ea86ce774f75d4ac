/** What is wrong with what was seen, and the table of it. No input or output in here. */
import { table } from '../../dist/cli/output.js';

/**
 * The longest that two may hold the address on their own interfaces. A balancer that leaves in order serves until the next
 * one has it; one whose link is cut cannot be heard, and its lease ends it.
 */
export const DOUBLE_LIMIT_MS = 3_000;

/**
 * @typedef {object} Seen
 * @property {{ takers: string[], connections: 'kept' | 'any' }} expected
 * @property {string[]} takers whoever held the address, in order
 * @property {string[]} holders who holds it afterwards
 * @property {string[]} answers whose MAC addresses answer for it on the client's link afterwards
 * @property {number} doubleMs
 * @property {{ targets: { target: string, gapMillis: number | null, lost: number, sent: number }[], unmeasured: string[] } | null} probes
 * @property {{ kept: number, lost: number, freshFailed: number } | null} connections
 * @property {string[]} faults what else went wrong
 */

/** @param {Seen} seen @param {number} maxGapMs @returns {string[]} empty when all is well */
export function judge(seen, maxGapMs) {
  const { expected, takers, holders, answers, doubleMs, probes, connections } = seen;
  const wrong = [...seen.faults];
  const last = expected.takers.at(-1);
  if (takers.join() !== expected.takers.join()) {
    wrong.push(`the address went ${arrows(takers)}, not ${arrows(expected.takers)}`);
  }
  if (holders.join() !== last) wrong.push(`${names(holders)} holds the address afterwards, not ${last}`);
  if (answers.join() !== last) wrong.push(`${names(answers)} answers for the address, not ${last} alone`);
  if (doubleMs > DOUBLE_LIMIT_MS) wrong.push(`two held the address for ${Math.round(doubleMs)} ms`);
  wrong.push(
    ...(probes === null
      ? ['nothing was measured']
      : probes.targets.flatMap((one) => gapFault(one, maxGapMs))),
  );
  wrong.push(
    ...(probes?.unmeasured ?? []).map((target) => `${target} did not answer before the fault either`),
  );
  if (
    expected.connections === 'kept' &&
    (connections === null || connections.lost > 0 || connections.kept === 0)
  ) {
    wrong.push(
      `connections were to be kept: ${connections === null ? 'unknown' : `${connections.lost} lost`}`,
    );
  }
  return wrong;
}

function gapFault({ target, gapMillis, sent, lost }, maxGapMs) {
  if (gapMillis === null || sent === lost) return [`${target} did not answer`];
  if (gapMillis > maxGapMs) return [`${target} was silent for ${Math.round(gapMillis)} ms`];
  return [];
}

const arrows = (takers) => (takers.length === 0 ? 'to nobody' : takers.join(' > '));
const names = (list) => (list.length === 0 ? 'nobody' : list.join(' and '));

const COLUMNS = [
  { title: 'FAULT' },
  { title: 'GAP TCP', align: 'right' },
  { title: 'GAP UDP', align: 'right' },
  { title: 'PROBES LOST', align: 'right' },
  { title: 'THE ADDRESS' },
  { title: 'BOTH', align: 'right' },
  { title: 'CONNECTIONS' },
  { title: 'RESULT' },
];

/** One line a fault. @param {{ name: string, seen: Seen, wrong: string[] }[]} results */
export function tableLines(results, style) {
  const rows = results.map(({ name, seen, wrong }) => [
    name,
    gapText(seen.probes, 'tcp:', style),
    gapText(seen.probes, 'udp:', style),
    lostText(seen.probes),
    arrows(seen.takers),
    `${Math.round(seen.doubleMs)} ms`,
    seen.connections === null ? 'unknown' : `${seen.connections.kept} kept, ${seen.connections.lost} lost`,
    wrong.length === 0 ? style.green('ok') : style.red('WRONG'),
  ]);
  return table(COLUMNS, rows, style);
}

function gapText(probes, protocol, style) {
  const gaps = (probes?.targets ?? [])
    .filter(({ target }) => target.startsWith(protocol))
    .map(({ gapMillis }) => gapMillis);
  if (gaps.length === 0 || gaps.includes(null)) return style.red('no answer');
  return `${Math.round(Math.max(...gaps))} ms`;
}

function lostText(probes) {
  const sum = (key) => (probes?.targets ?? []).reduce((total, one) => total + one[key], 0);
  return `${sum('lost')} of ${sum('sent')}`;
}
