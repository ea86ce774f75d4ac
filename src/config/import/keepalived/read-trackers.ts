import { formatDuration, seconds } from '../../../lib/duration.ts';
import type { TomlValue } from '../toml.ts';
import { commandOf, remarkCommand } from './command.ts';
import type { Section } from './journal.ts';
import type { LinkDelays, Look, SyncGroup, TrackerDefinition, TrackKind, TrackUse } from './model.ts';
import type { Statement } from './parser.ts';

const KINDS = { vrrp_script: 'script', vrrp_track_process: 'process', track_file: 'file' } as const;
const LOOKS = { script: scriptLook, process: processLook, file: fileLook } as const;

/** Every definition, in the order of the files; of those with one name keepalived finds the first. */
export function readTrackers(top: Section): TrackerDefinition[] {
  const sections = top.sections('vrrp_script', 'vrrp_track_process', 'track_file', 'vrrp_track_file');
  const first = new Map<string, Section>();
  return sections.flatMap((section) => {
    const kind = KINDS[section.context as keyof typeof KINDS];
    const [name = ''] = section.statement.args;
    const earlier = first.get(`${kind} ${name}`);
    if (earlier !== undefined) {
      const text = `left out: line ${earlier.statement.place.line} has this name, and keepalived takes the first`;
      section.journal.remark(section.statement, 'needless', text);
      return [];
    }
    first.set(`${kind} ${name}`, section);
    const { weight, reverse } = readWeight(section, kind);
    return [{ kind, section, name, weight, reverse, look: LOOKS[kind](section) }];
  });
}

/** In keepalived 2.2 a script and a process without a weight are faults, and a file counts once. */
function readWeight(
  section: Section,
  kind: TrackerDefinition['kind'],
): Pick<TrackerDefinition, 'weight' | 'reverse'> {
  const limit = kind === 'script' ? 253 : 254;
  // keepalived keeps the first weight of processes and files, and the last one of scripts
  const statement = kind === 'script' ? section.last('weight') : section.first('weight');
  const standard = kind === 'file' ? 1 : 0;
  if (statement === undefined) return { weight: standard, reverse: false };
  const weight = section.numberOf(statement, -limit, limit) ?? standard;
  return { weight: Math.trunc(weight), reverse: statement.args[1] === 'reverse' };
}

function scriptLook(section: Section): Look | undefined {
  const statement = section.last('script');
  const interval = Math.max(1, section.number('interval', 0, 1e6) ?? 1);
  const timeout = section.number('timeout', 0, 1e6);
  const rise = section.number('rise', 1, 1e9) ?? 1;
  const fall = section.number('fall', 1, 1e9) ?? 1;
  section.all('user', 'init_fail');
  const command = commandOf(statement?.args[0] ?? '');
  if ('fault' in command) {
    section.journal.remark(section.statement, 'missing', `left out: ${command.fault}`);
    return undefined;
  }
  if (statement !== undefined) remarkCommand(statement, command.difference, section.journal);
  const limit = timeout === undefined ? undefined : Math.max(1, timeout);
  return {
    keys: { type: 'script', command: command.words, timeout: limit === undefined ? undefined : span(limit) },
    interval,
    rise,
    fall,
    invert: false,
  };
}

const span = (value: number): string => formatDuration(seconds(Math.min(3_600, value)));

/** keepalived is told by the kernel; Tandem looks. */
const PROCESS_INTERVAL = 1;
const FILE_INTERVAL = 0.2;
export const LINK_INTERVAL = 0.1;

function processLook(section: Section): Look | undefined {
  const delay = section.number('delay', 0, 3_600);
  const fork = section.number('fork_delay', 0, 3_600) ?? delay ?? 0;
  const terminate = section.number('terminate_delay', 0, 3_600) ?? delay ?? 0;
  const quorum = Math.round(section.number('quorum', 1, 65_535) ?? 1);
  const most = section.number('quorum_max', 0, 65_535);
  const forbidden = most === 0 && quorum === 1;
  const bound = section.last('quorum_max');
  if (bound !== undefined && most !== undefined && !forbidden) {
    section.journal.remark(bound, 'missing', 'left out: more of them than that are no fault');
  }
  const keys = processKeys(section, quorum);
  if (keys === undefined) return undefined;
  const [rise, fall] = [
    1 + Math.round(fork / PROCESS_INTERVAL),
    1 + Math.round(terminate / PROCESS_INTERVAL),
  ];
  return { keys, interval: PROCESS_INTERVAL, rise, fall, invert: forbidden };
}

/** What Tandem takes. */
const MAX_PROCESS = 4_096;

/**
 * By name, or by the whole command line. keepalived also knows its beginning: that is asked of pgrep, which
 * can count to one.
 */
function processKeys(section: Section, quorum: number): Record<string, TomlValue | undefined> | undefined {
  const { journal, statement } = section;
  const [name, ...parameters] = section.first('process')?.args ?? [];
  if (name === undefined || name === '' || [name, ...parameters].some((word) => /\0/.test(word))) {
    journal.remark(statement, 'missing', 'left out: it names no process');
    return undefined;
  }
  const match = section.last('param_match');
  const whole = section.last('full_command') !== undefined || parameters.length > 0 || match !== undefined;
  const count = quorum === 1 ? undefined : quorum;
  const line = [name, ...parameters].join(' ');
  if (line.length > MAX_PROCESS) {
    journal.remark(statement, 'missing', `left out: its process is longer than ${MAX_PROCESS} characters`);
    return undefined;
  }
  if (!whole) return { type: 'process', process: name, count };
  const kind = match?.args[0] ?? (parameters.length > 0 || match !== undefined ? 'exact' : 'partial');
  if (kind === 'exact') return { type: 'process', process: line, match: 'command', count };
  if (count !== undefined) {
    const text = 'left out: Tandem compares whole command lines; write its whole line into `process`';
    journal.remark(statement, 'missing', text);
    return undefined;
  }
  journal.remark(statement, 'changed', 'pgrep (of procps) looks for the beginning of the command line');
  const escaped = line.replaceAll(/[\\^$.|?*+()[\]{}]/g, '\\$&');
  const end = kind === 'initial' && parameters.length > 0 ? '' : '( |$)';
  return { type: 'script', command: ['/usr/bin/pgrep', '--full', `^${escaped}${end}`] };
}

function fileLook(section: Section): Look | undefined {
  const [path = ''] = section.first('file')?.args ?? [];
  readInitFile(section);
  if (!path.startsWith('/') || path.includes('\0')) {
    section.journal.remark(section.statement, 'missing', 'left out: a file needs its absolute path');
    return undefined;
  }
  return { keys: { type: 'file', path }, interval: FILE_INTERVAL, rise: 1, fall: 1, invert: false };
}

/** A file that is not there counts as 0 anyway. */
function readInitFile(section: Section): void {
  const statement = section.last('init_file');
  if (statement === undefined) return;
  const value = statement.args.find((word) => /^-?\d+$/.test(word)) ?? '0';
  const overwrites = statement.args.includes('overwrite');
  if (Number(value) === 0 && !overwrites) return;
  const text = `Tandem writes no files: write the ${value} with ExecStartPre= in the unit`;
  section.journal.remark(statement, 'missing', text);
}

const USES: Readonly<Record<string, TrackKind>> = {
  track_interface: 'interface',
  track_script: 'script',
  track_process: 'process',
  track_file: 'file',
};

/** What an instance or a sync group tracks; a name that stands twice counts once. */
export function readTrackUses(section: Section): TrackUse[] {
  return Object.entries(USES).flatMap(([keyword, kind]) => {
    const seen = new Set<string>();
    return section.items(keyword).flatMap((item) => {
      if (!seen.has(item.keyword)) {
        seen.add(item.keyword);
        return readUse(item, kind, section);
      }
      section.journal.remark(item, 'needless', 'it stands there already, and keepalived takes the first');
      return [];
    });
  });
}

function readUse(item: Statement, kind: TrackKind, { journal }: Section): TrackUse[] {
  journal.read(item);
  const [option, text, direction] = item.args;
  const use = { item, kind, name: item.keyword };
  if (option === undefined) return [{ ...use, weight: undefined, reverse: undefined }];
  if (option !== 'weight' || text === undefined) {
    journal.remark(
      item,
      'missing',
      'left out: only "weight" and a number may follow; keepalived ignores the line',
    );
    return [];
  }
  const limit = kind === 'script' || kind === 'interface' ? 253 : 254;
  const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
  const weight = Math.abs(value) <= 254 ? Math.max(-limit, Math.min(limit, value)) : undefined;
  if (weight === undefined) {
    journal.remark(item, 'missing', `its weight is not a whole number from -${limit} to ${limit}: ignored`);
  }
  const reverse = direction === undefined ? undefined : direction === 'reverse';
  return [{ ...use, weight, reverse }];
}

export function readSyncGroup(section: Section): SyncGroup {
  const members = section
    .items('group')
    .flatMap((item) => [item.keyword, ...item.args].map((name) => ({ item, name })));
  return {
    section,
    name: section.statement.args[0] ?? '',
    members,
    tracks: readTrackUses(section),
    weighs: section.all('sync_group_tracking_weight', 'global_tracking').length > 0,
  };
}

/** interface_up_down_delays: "eth0 1.5 [3]", down and up. */
export function readLinkDelays(top: Section): ReadonlyMap<string, LinkDelays> {
  const delays = new Map<string, LinkDelays>();
  for (const item of top.items('interface_up_down_delays')) {
    const [down = Number.NaN, up = down] = item.args.map(Number);
    if (down >= 0 && down <= 255 && up >= 0 && up <= 255) {
      delays.set(item.keyword, { section: top, name: item.keyword, item, down, up });
    } else top.journal.remark(item, 'missing', 'left out: not delays of 0 to 255 seconds');
  }
  return delays;
}
