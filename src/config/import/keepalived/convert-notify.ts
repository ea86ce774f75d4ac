import { shellWord } from '../../../lib/shell-word.ts';
import type { TomlTable, TomlValue } from '../toml.ts';
import { type Command, commandOf, remarkCommand } from './command.ts';
import type { Section } from './journal.ts';
import type { SyncGroup, VrrpInstance } from './model.ts';

/** Each state: its word here, keepalived's own script for it, and its word as an argument of `notify`. */
const STATES = [
  { state: 'active', keyword: 'notify_master', word: 'MASTER' },
  { state: 'backup', keyword: 'notify_backup', word: 'BACKUP' },
  { state: 'fault', keyword: 'notify_fault', word: 'FAULT' },
  { state: 'stopped', keyword: 'notify_stop', word: 'STOP' },
] as const;

/** Something that is run at a change of role; `told`: keepalived adds four arguments. */
interface Program {
  readonly words: readonly string[];
  readonly told: readonly [type: 'INSTANCE' | 'GROUP', name: string, state: string] | undefined;
}

/** keepalived lets programs run for as long as they like; Tandem runs one at a time for the whole node. */
const TIMEOUT = '1m';

/** [failover.group.notify] of an instance, with the scripts of the sync group when it speaks for that. */
export function convertNotify(instance: VrrpInstance, sync: SyncGroup | undefined): TomlTable | undefined {
  const values: Record<string, TomlValue> = {};
  const own = readPrograms(instance.section, 'INSTANCE', instance.name);
  const ofGroup = sync === undefined ? undefined : readPrograms(sync.section, 'GROUP', sync.name);
  for (const { state } of STATES) {
    const programs = [...own(state), ...(ofGroup?.(state) ?? [])];
    const command = commandFor(programs);
    if (command !== undefined) values[state] = command;
  }
  if (Object.keys(values).length === 0) return undefined;
  return { header: '[failover.group.notify]', comments: [], values: { ...values, timeout: TIMEOUT } };
}

type State = (typeof STATES)[number]['state'];

/** The script for a state first, then the one for every state, as keepalived starts them. */
function readPrograms(
  section: Section,
  type: 'INSTANCE' | 'GROUP',
  name: string,
): (state: State) => Program[] {
  const always = readProgram(section, 'notify');
  const programs = new Map<State, Program[]>();
  for (const { state, keyword, word } of STATES) {
    const own = readProgram(section, keyword);
    programs.set(state, [
      ...(own === undefined ? [] : [{ words: own, told: undefined }]),
      ...(always === undefined ? [] : [{ words: always, told: [type, name, word] as const }]),
    ]);
  }
  return (state) => programs.get(state) ?? [];
}

function readProgram(section: Section, keyword: string): readonly string[] | undefined {
  const statement = section.first(keyword);
  if (statement === undefined) return undefined;
  const { journal } = section;
  const command: Command = commandOf(statement.args[0] ?? '');
  if ('fault' in command) {
    journal.remark(statement, 'missing', `left out: ${command.fault}`);
    return undefined;
  }
  // a user and a group may follow
  remarkCommand(statement, command.difference, journal, 3);
  if (statement.args.length > 1) journal.remark(statement, 'changed', RUN_AS);
  return command.words;
}

export const RUN_AS =
  "it runs as the daemon's user (`User=` of the unit), not as the one named here: see that this user may";

/**
 * Priority and state come as keepalived's arguments. More than one program needs a shell, which runs them one
 * after another; a sync group's priority is always 0.
 */
function commandFor(programs: readonly Program[]): readonly string[] | undefined {
  const [first, ...others] = programs;
  if (first === undefined) return undefined;
  if (others.length > 0) return ['/bin/sh', '-c', programs.map(shellCommand).join('; ')];
  const { words, told } = first;
  if (told === undefined) return words;
  if (told[0] === 'GROUP') return [...words, ...told, '0'];
  return ['/bin/sh', '-c', `exec "$@" ${PRIORITY}`, 'sh', ...words, ...told];
}

const PRIORITY = '"$TANDEM_PRIORITY"';

function shellCommand({ words, told }: Program): string {
  const priority = told?.[0] === 'GROUP' ? '0' : PRIORITY;
  const added = told === undefined ? [] : [...told.map(shellWord), priority];
  return [...words.map(shellWord), ...added].join(' ');
}
