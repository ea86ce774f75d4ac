import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { RuntimeState } from '../control-path/pool.ts';
import type { RuntimeBackendState } from '../control-path/pool-backend.ts';
import { MAX_BACKENDS } from './capacity.ts';

/** What operators have set with `--persist`: by service, then by backend id. Only what is set is in it. */
export type KeptState = ReadonlyMap<string, RuntimeState>;

/** What one command does to what is kept: a value is kept, null is forgotten, undefined stays as it is. */
export interface KeptChange {
  readonly service: string;
  readonly backend: string;
  readonly state?: RuntimeBackendState['admin'];
  readonly weight?: number | null;
}

/** One thing that is kept, for events. */
export interface KeptEntry extends RuntimeBackendState {
  readonly service: string;
  readonly backend: string;
}

const FORMAT = 'tandem-runtime-state';
const VERSION = 1;
/** Ample for so many; a larger file is none of ours. */
export const MAX_STATE_BYTES = 8 * 1_024 * 1_024;

const entry = z
  .strictObject({
    service: z.string().min(1).max(64),
    backend: z.string().min(1).max(64),
    /** "ready" is what the configuration says, and never kept. */
    state: z.enum(['draining', 'maintenance']).nullable(),
    weight: z.number().int().min(0).max(256).nullable(),
  })
  .refine(({ state, weight }) => state !== null || weight !== null, 'keeps nothing');

const stateFile = z.strictObject({
  format: z.literal(FORMAT),
  version: z.literal(VERSION),
  /** For people. */
  written: z.string().max(64),
  backends: z.array(entry).max(MAX_BACKENDS),
});

/** The text of the state file. `written` is for people: when. */
export function encodeState(state: KeptState, written: string): string {
  const backends = entriesOf(state).map(({ service, backend, admin, weight }) => {
    return { service, backend, state: admin, weight };
  });
  return `${JSON.stringify({ format: FORMAT, version: VERSION, written, backends }, null, 2)}\n`;
}

/** What a state file keeps, or why it cannot be used. Nothing of a broken one is used. */
export function decodeState(text: string): { readonly state: KeptState } | { readonly fault: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { fault: text.trim() === '' ? 'it is empty' : 'it is not JSON' };
  }
  const head = z.object({ format: z.literal(FORMAT), version: z.number() }).safeParse(value);
  if (!head.success) return { fault: 'it is not a state file of tandem' };
  if (head.data.version !== VERSION) {
    return { fault: `it is of version ${head.data.version}, and this daemon knows ${VERSION}` };
  }
  const parsed = stateFile.safeParse(value);
  if (!parsed.success) return { fault: faultOf(parsed.error) };
  const state = new Map<string, Map<string, RuntimeBackendState>>();
  for (const { service, backend, state: admin, weight } of parsed.data.backends) {
    const known = state.get(service) ?? new Map<string, RuntimeBackendState>();
    if (known.has(backend)) return { fault: `${service}/${backend} is in it twice` };
    state.set(service, known.set(backend, { admin, weight }));
  }
  return { state };
}

function faultOf({ issues }: z.ZodError): string {
  const [first] = issues;
  return first === undefined ? 'it is broken' : `${first.path.join('.')}: ${first.message}`;
}

/** What is kept after a change. */
export function withChange(state: KeptState, { service, backend, ...change }: KeptChange): KeptState {
  const ofService = new Map(state.get(service));
  const before = ofService.get(backend) ?? { admin: null, weight: null };
  const admin = change.state === undefined ? before.admin : change.state;
  const weight = change.weight === undefined ? before.weight : change.weight;
  if (admin === null && weight === null) ofService.delete(backend);
  else ofService.set(backend, { admin, weight });
  const next = new Map(state);
  if (ofService.size === 0) next.delete(service);
  else next.set(service, ofService);
  return next;
}

/** What `before` keeps of backends that are not in `now`. */
export function lostBetween(before: KeptState, now: KeptState): KeptEntry[] {
  return entriesOf(before).filter(({ service, backend }) => now.get(service)?.has(backend) !== true);
}

/** Whatever the order in which they were set. */
export const sameState = (one: KeptState, other: KeptState): boolean => isDeepStrictEqual(one, other);

/** In the order of their names, so that a file changes only where what is kept does. */
export function entriesOf(state: KeptState): KeptEntry[] {
  return [...state]
    .flatMap(([service, backends]) => [...backends].map(([backend, kept]) => ({ service, backend, ...kept })))
    .sort((a, b) => compare(a.service, b.service) || compare(a.backend, b.backend));
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const MAX_NAMED = 8;

/** "web/a draining, web/b weight 5", and how many more. */
export function describeEntries(entries: readonly KeptEntry[]): string {
  const named = entries.slice(0, MAX_NAMED).map(({ service, backend, admin, weight }) => {
    const words = [...(admin === null ? [] : [admin]), ...(weight === null ? [] : [`weight ${weight}`])];
    return `${service}/${backend} ${words.join(', ')}`;
  });
  const more = entries.length - named.length;
  return `${named.join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
}
