import { isDeepStrictEqual } from 'node:util';
import type { Config } from '../model/config.ts';
import type { BackendSpec, ServiceSpec } from '../model/service.ts';
import { type ConfigDiff, diffConfig, type ListDiff } from './diff.ts';
import { valueAt } from './issues.ts';
import { formatPath, type KeyPath, type Positions } from './positions.ts';
import { isTable } from './schema-common.ts';

/** A configuration beside the values of the TOML text that it was made of. */
export interface Written {
  readonly config: Config;
  readonly value: unknown;
}

/** The same with the places of its keys. */
export interface WrittenFile extends Written {
  readonly positions: Positions;
  /** {@link fileStamp} of the file before it was read; null for a text that came from elsewhere. */
  readonly stamp: string | null;
}

/** One key that the file has otherwise than the running configuration, or a thing that it alone has, or has no longer. */
export interface KeyChange {
  readonly kind: 'added' | 'removed' | 'changed';
  /** What it belongs to: 'service web, backend 10.0.1.11:8080'; null for the node as a whole. */
  readonly subject: string | null;
  /** As `tandem check` writes it: "service[0].backend[1].weight". What was removed has the place that it had. */
  readonly key: string;
  /** In the file as it is now, from 1; of a key that is gone the table that it was in, of a table that is gone null. */
  readonly line: number | null;
  /** As TOML; null where the key is not written, or for what follows from other keys. */
  readonly before: string | null;
  readonly after: string | null;
  /** A reload does not apply it. */
  readonly restart: boolean;
}

/** Where a changed object stands, in either file. */
interface Place {
  readonly subject: string | null;
  readonly before: KeyPath;
  readonly after: KeyPath;
}

/** What is shown of a thing that comes or goes: its first key that is written. */
const IDENTITY = ['name', 'id', 'address', 'vrid'];

/** Never shown: whoever may read the status may not know it. */
const SECRETS: ReadonlySet<string> = new Set(['auth_pass', 'send']);

/** Keys that make one setting together. */
const TOGETHER: Readonly<Record<string, readonly string[]>> = {
  rate: ['rate', 'burst'],
  backend_order: [],
};

/**
 * The file against what runs, key by key, in the file's own words. Only what means something else is told: a default that
 * is now written, or "1s" for "1000ms", is no difference.
 * @param restart keys of the node as a whole that differ from those that the daemon was started with
 */
export function describeFile(running: Written, file: WrittenFile): KeyChange[] {
  const describer = new Describer(running, file, false);
  const { services, failover, settings } = diffConfig(running.config, file.config);
  for (const key of settings) describer.setting(key);
  describer.services(services);
  if (failover !== null) {
    if (failover.before === null) describer.failover('added');
    else if (failover.after === null) describer.failover('removed');
    else {
      describer.list('failover group', ['failover', 'group'], failover.groups, groupIds);
      describer.list('tracker', ['failover', 'track'], failover.tracks, trackIds);
    }
  }
  return describer.changes;
}

/** The settings that differ from those with which the daemon, or its failover agent, was started. */
export function describeRestart(
  started: Written,
  file: WrittenFile,
  wanted: (key: string) => boolean,
): KeyChange[] {
  const describer = new Describer(started, file, true);
  for (const key of diffConfig(started.config, file.config).restart.filter(wanted)) describer.setting(key);
  return describer.changes;
}

type IdsOf = (config: Config) => readonly string[];
const groupIds: IdsOf = ({ failover }) => (failover?.groups ?? []).map(({ name }) => name);
const trackIds: IdsOf = ({ failover }) => (failover?.tracks ?? []).map(({ name }) => name);

/** The place of each id in a list; -1 for one that is not in it. */
function placesOf(ids: readonly string[]): (id: string) => number {
  const places = new Map(ids.map((id, at) => [id, at]));
  return (id) => places.get(id) ?? -1;
}

class Describer {
  readonly #before: Written;
  readonly #after: WrittenFile;
  readonly #restart: boolean;
  readonly #changes = new Map<string, KeyChange>();

  constructor(before: Written, after: WrittenFile, restart: boolean) {
    this.#before = before;
    this.#after = after;
    this.#restart = restart;
  }

  get changes(): KeyChange[] {
    return [...this.#changes.values()];
  }

  /** A key of the node as a whole: "limits.warn_at". */
  setting(key: string): void {
    const path = key.split('.');
    this.#keys({ subject: null, before: path.slice(0, -1), after: path.slice(0, -1) }, path.slice(-1));
  }

  /** The whole section. */
  failover(kind: 'added' | 'removed'): void {
    this.#whole(kind, { subject: null, before: ['failover'], after: ['failover'] });
  }

  services({ added, removed, changed }: ConfigDiff['services']): void {
    const idOf = ({ name, protocol }: ServiceSpec): string => `${name}/${protocol}`;
    const ids: IdsOf = ({ services }) => services.map(idOf);
    const find = this.#finder(['service'], ids);
    const place = (service: ServiceSpec): Place => find(`service ${service.name}`, idOf(service));
    for (const service of removed) this.#whole('removed', place(service));
    for (const service of added) this.#whole('added', place(service));
    for (const { before, after, settings, opened, closed, backends } of changed) {
      const at = place(after);
      const listen = opened.length + closed.length > 0 ? ['listen'] : [];
      this.#keys(at, [...listen, ...settings]);
      const [was, is] = [before, after].map((service) => placesOf(service.backends.map(({ id }) => id)));
      const backendAt = ({ id }: BackendSpec): Place => ({
        subject: `service ${after.name}, backend ${id}`,
        before: [...at.before, 'backend', was?.(id) ?? -1],
        after: [...at.after, 'backend', is?.(id) ?? -1],
      });
      this.#listed(backends, backendAt, at);
    }
  }

  list(what: string, path: KeyPath, diff: ListDiff<{ readonly name: string }>, ids: IdsOf): void {
    const find = this.#finder(path, ids);
    const around = { subject: null, before: ['failover'], after: ['failover'] };
    this.#listed(diff, ({ name }) => find(`${what} ${name}`, name), around);
  }

  #listed<T>({ added, removed, changed }: ListDiff<T>, place: (of: T) => Place, around: Place): void {
    for (const item of removed) this.#whole('removed', place(item));
    for (const item of added) this.#whole('added', place(item));
    for (const { after, settings } of changed) this.#keys(place(after), settings, around);
  }

  /** Where the things of a list stand; the lists are read once. */
  #finder(path: KeyPath, ids: IdsOf): (subject: string, id: string) => Place {
    const was = placesOf(ids(this.#before.config));
    const is = placesOf(ids(this.#after.config));
    return (subject, id) => ({ subject, before: [...path, was(id)], after: [...path, is(id)] });
  }

  /** The keys below an object that are written otherwise; or those of the table around it, which it may take them from. */
  #keys(place: Place, settings: readonly string[], around?: Place): void {
    for (const setting of settings) {
      if (this.#leaves(place, setting)) continue;
      // [failover] track is the list of trackers, not what the groups track
      if (around !== undefined && setting !== 'track' && this.#leaves(around, setting)) continue;
      this.#derived(place, setting);
    }
  }

  #leaves(place: Place, setting: string): boolean {
    let found = false;
    // a tracker's check is made of keys of several names
    const keys = setting === 'check' ? keysOf(this.#table(place)) : (TOGETHER[setting] ?? [setting]);
    for (const key of keys) {
      const before = valueAt(this.#before.value, [...place.before, key]);
      const after = valueAt(this.#after.value, [...place.after, key]);
      for (const leaf of leavesThatDiffer(before, after, [key])) {
        found = true;
        const path = [...place.after, ...leaf.path];
        const kind = leaf.before === undefined ? 'added' : leaf.after === undefined ? 'removed' : 'changed';
        const shown = (value: unknown): string | null => textOf(value, leaf.path.at(-1));
        this.#add(kind, place.subject, path, shown(leaf.before), shown(leaf.after));
      }
    }
    return found;
  }

  /** The keys that either file has there. */
  #table(place: Place): unknown {
    const [before, after] = [
      valueAt(this.#before.value, place.before),
      valueAt(this.#after.value, place.after),
    ];
    return { ...(isTable(before) ? before : {}), ...(isTable(after) ? after : {}) };
  }

  /** It differs, but is not written anywhere: it follows from other keys, or from the order. */
  #derived(place: Place, setting: string): void {
    const key = setting === 'backend_order' ? 'backend' : setting;
    this.#add('changed', place.subject, [...place.after, key], null, null);
  }

  #whole(kind: 'added' | 'removed', place: Place): void {
    const path = kind === 'added' ? place.after : place.before;
    const table = valueAt(kind === 'added' ? this.#after.value : this.#before.value, path);
    const key = IDENTITY.find((name) => isTable(table) && name in table);
    const text = isTable(table) && key !== undefined ? `${key} = ${tomlOf(table[key])}` : null;
    if (kind === 'added') this.#add(kind, place.subject, path, null, text);
    else
      this.#keep({
        kind,
        subject: place.subject,
        key: formatPath(path),
        line: null,
        before: text,
        after: null,
      });
  }

  #add(
    kind: KeyChange['kind'],
    subject: string | null,
    path: KeyPath,
    before: string | null,
    after: string | null,
  ): void {
    const { line } = this.#after.positions.locate(path, 'key');
    this.#keep({ kind, subject, key: formatPath(path), line, before, after });
  }

  #keep(change: Omit<KeyChange, 'restart'>): void {
    // what several groups take from one key is told once
    const id = [change.kind, change.subject, change.key].join('\n');
    if (!this.#changes.has(id)) this.#changes.set(id, { ...change, restart: this.#restart });
  }
}

interface Leaf {
  readonly path: KeyPath;
  readonly before: unknown;
  readonly after: unknown;
}

/** Tables are gone into; a list is one value. */
function* leavesThatDiffer(before: unknown, after: unknown, path: KeyPath): Generator<Leaf> {
  if (isDeepStrictEqual(before, after)) return;
  const tables = [before, after].filter(isTable);
  const others = [before, after].filter((value) => value !== undefined && !isTable(value));
  if (tables.length === 0 || others.length > 0) {
    yield { path, before, after };
    return;
  }
  const keys = new Set(tables.flatMap((table) => Object.keys(table)));
  for (const key of keys) {
    const of = (value: unknown): unknown => (isTable(value) ? value[key] : undefined);
    yield* leavesThatDiffer(of(before), of(after), [...path, key]);
  }
}

const keysOf = (value: unknown): string[] => (isTable(value) ? Object.keys(value) : []);

function textOf(value: unknown, key: string | number | undefined): string | null {
  if (value === undefined) return null;
  return typeof key === 'string' && SECRETS.has(key) ? '(not shown)' : tomlOf(value);
}

/** A value in TOML, in one line. */
function tomlOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(tomlOf).join(', ')}]`;
  if (isTable(value)) {
    const pairs = Object.entries(value).map(
      ([key, entry]) => `${formatPath([key])} = ${shownOf(key, entry)}`,
    );
    return `{ ${pairs.join(', ')} }`;
  }
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

const shownOf = (key: string, value: unknown): string => (SECRETS.has(key) ? '"(not shown)"' : tomlOf(value));
