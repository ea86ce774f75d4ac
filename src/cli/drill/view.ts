import type { DrillReport } from '../../admin/contract.ts';
import { type Column, type Style, table } from '../output.ts';
import type { ProbeReport } from './measurement.ts';

const COLUMNS: readonly Column[] = [
  { title: 'PROBED' },
  { title: 'GAP', align: 'right' },
  { title: 'LOST', align: 'right' },
  { title: 'SENT', align: 'right' },
  { title: 'GAP BEGAN' },
];

/** A line for each target, and the connections that were held. */
export function probeLines(report: ProbeReport, targetMillis: number | null, style: Style): string[] {
  const rows = report.targets.map(({ target, gapMillis, gapAt, lost, sent }) => [
    target,
    gapText(gapMillis, targetMillis, style),
    lost === 0 ? '0' : style.yellow(`${lost}`),
    `${sent}`,
    gapAt === null ? '' : new Date(gapAt).toISOString().slice(11, 23),
  ]);
  const { connectionsKept: kept, connectionsLost: lost } = report;
  return [
    ...table(COLUMNS, rows, style),
    ...report.unmeasured.map((target) => style.yellow(`${target} does not answer probes: not measured`)),
    `connections held: ${kept} kept, ${lost === 0 ? '0' : style.yellow(`${lost}`)} lost`,
  ];
}

function gapText(gap: number | null, target: number | null, style: Style): string {
  if (gap === null) return style.red('no answer');
  const text = `${gap < 10 ? gap.toFixed(1) : Math.round(gap)} ms`;
  if (target === null) return text;
  return gap > target ? style.red(text) : style.green(text);
}

/** The whole of a drill. */
export function drillLines(
  report: DrillReport,
  probes: ProbeReport,
  connections: { readonly before: number; readonly after: number | null },
  style: Style,
): string[] {
  const verdict = report.passed ? style.green('passed') : style.red('FAILED');
  return [
    ...probeLines(probes, report.targetMillis, style),
    `connections of this node: ${connections.before} before, ${connections.after ?? 'unknown'} after`,
    `Active before: ${report.activeBefore}; after: ${report.activeAfter}`,
    `${style.bold('drill')} (${report.kind}) ${verdict}: ${report.summary}`,
  ];
}
