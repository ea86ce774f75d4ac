import { seconds } from '../../../lib/duration.ts';
import type { Journal } from '../journal.ts';
import type { TomlTable } from '../toml.ts';
import { ProxySection } from './proxy.ts';
import type { Block, Item } from './statement.ts';
import { parseTime, span } from './time.ts';

export interface Globals {
  readonly maxConnections: number | undefined;
  /** "5%" */
  readonly jitter: string | undefined;
  readonly tables: readonly TomlTable[];
}

/** All `global` sections are one. */
export function readGlobals(blocks: readonly Block[], journal: Journal<Item>): Globals {
  const [first] = blocks;
  if (first === undefined) return { maxConnections: undefined, jitter: undefined, tables: [] };
  for (const { head } of blocks) journal.read(head);
  const statements = blocks.flatMap((block) => block.statements);
  const all = new ProxySection({ ...first, statements }, undefined, journal, () => undefined);
  all.own('setenv', 'presetenv', 'unsetenv', 'resetenv', 'external-check', 'insecure-fork-wanted');
  const most = all.number(1, 'maxconn', 0, 2_147_483_647);
  const maxConnections = most === undefined || most === 0 ? undefined : Math.min(most, 10_000_000);
  const spread = all.number(1, 'spread-checks', -50, 50);
  const workers = all.number(1, 'nbthread', 1, 64);
  const stop = all.last('hard-stop-after');
  const drain = stop === undefined ? undefined : parseTime(stop.words[1] ?? '');
  if (stop !== undefined && drain === undefined) journal.remark(stop, 'missing', 'left out: not a time');
  const tables: TomlTable[] = [
    {
      header: '',
      comments: [],
      values: { drain_timeout: drain === undefined ? undefined : span(drain, seconds(0), seconds(86_400)) },
    },
    { header: '[node]', comments: [], values: { name: nodeName(all) } },
    { header: '[limits]', comments: [], values: { max_connections: maxConnections } },
    { header: '[data_path]', comments: [], values: { workers } },
  ];
  return {
    maxConnections,
    jitter: spread === undefined ? undefined : `${Math.abs(spread)}%`,
    tables: tables.filter(({ values }) => Object.values(values).some((value) => value !== undefined)),
  };
}

function nodeName(all: ProxySection): string | undefined {
  const statement = all.last('node');
  const name = statement?.words[1];
  if (statement === undefined || (name !== undefined && /^[a-zA-Z0-9_.-]{1,64}$/.test(name))) return name;
  all.journal.remark(statement, 'missing', 'left out: 1 to 64 letters, digits, "_", "." and "-"');
  return undefined;
}
