import type { Change, DiffResult, RuntimeDifference } from '../admin/contract.ts';
import { clip, formatAge, type Style } from './output.ts';

/** `tandem diff` as text, in the form of diff -u: what runs, against what the file says. Pure: the time is handed in. */
export interface DiffView {
  readonly style: Style;
  /** Wall-clock milliseconds since 1970. */
  readonly now: number;
}

/** A value of the file may be a long list. */
const MAX_VALUE = 160;

export function diffLines(diff: DiffResult, { style, now }: DiffView): string[] {
  const lines = [
    ...diff.runtime.flatMap((one) => runtimeLines(one, diff, style)),
    ...diff.changes.flatMap((change) => changeLines(change, diff, style)),
  ];
  if (lines.length === 0) return [];
  const age = formatAge(now - diff.configLoadedAt);
  return [style.bold(`--- running, loaded ${age} ago`), style.bold(`+++ ${diff.configPath}`), ...lines];
}

function runtimeLines(
  { service, backend, setting, running, file, persisted, key, line }: RuntimeDifference,
  { configPath }: DiffResult,
  style: Style,
): string[] {
  const ends = persisted ? 'persisted: a reload keeps it' : 'a reload ends it';
  const minus = style.red(`-${setting} ${running}`);
  return [
    header(placeOf(configPath, line, key), `service ${service}, backend ${backend}`, style),
    `${minus}  ${style.dim(`(set at run time, ${ends})`)}`,
    style.green(file === null ? '+(not in the file)' : `+${setting} ${file}`),
  ];
}

function changeLines(change: Change, { configPath }: DiffResult, style: Style): string[] {
  const { subject, key, line, before, after, restart, kind } = change;
  // a thing of a list is shown by its own first key already
  const name = key.endsWith(']') ? '' : `${key.slice(key.lastIndexOf('.') + 1)} = `;
  const shown = (sign: string, value: string): string => clip(`${sign}${name}${value}`, MAX_VALUE);
  const bare = before === null && after === null;
  return [
    header(placeOf(configPath, line, key), subject, style),
    ...(before === null ? [] : [style.red(shown('-', before))]),
    ...(after === null ? [] : [style.green(shown('+', after))]),
    ...(bare ? [style.yellow(BARE[kind])] : []),
    ...(restart ? [style.yellow(' needs a restart: a reload does not apply it')] : []),
  ];
}

/** Where neither side has a value to show. */
const BARE = {
  added: '+(all of it)',
  removed: '-(all of it)',
  changed: ' follows from other keys, or from the order',
} as const;

/** "/etc/tandem/tandem.toml:14 service[0].backend[1].weight"; what is gone has no line. */
function placeOf(path: string, line: number | null, key: string | null): string {
  return [line === null ? path : `${path}:${line}`, ...(key === null ? [] : [key])].join(' ');
}

const header = (place: string, subject: string | null, style: Style): string =>
  style.cyan(`@@ ${place}${subject === null ? '' : ` (${subject})`} @@`);
