import { z } from 'zod';
import { type Kind, kinds, notes } from './kinds.ts';
import { fileSchema } from './schema.ts';

/** A JSON Schema of draft 7, of which the parts are named that this schema has. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly oneOf?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
  /** What only the documents use; never in what is published. */
  readonly [NOTE]?: Note;
}

export const NOTE = 'x-note';

/** What docs/configuration.md says of a value besides; Markdown of one line each. */
export interface Note {
  readonly values?: string;
  readonly plural?: string;
  readonly without?: string;
  /** How a table may be written in short. */
  readonly short?: string;
}

/** As zod hands it out, to be written to. */
interface Mutable {
  [key: string]: unknown;
  description?: unknown;
  default?: unknown;
  anyOf?: unknown;
}

/**
 * The form of the configuration file, with notes for the documents: keys, types, ranges, defaults as the file writes them,
 * descriptions. What keys mean to each other is said by `tandem check` alone.
 */
export function annotatedSchema(): JsonSchema {
  return z.toJSONSchema(fileSchema, {
    io: 'input',
    target: 'draft-7',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => annotate(zodSchema, jsonSchema as Mutable),
  }) as JsonSchema;
}

function annotate(schema: z.core.$ZodType, json: Mutable): void {
  const kind = kinds.get(schema);
  if (kind !== undefined) Object.assign(json, kind.json);
  const own = notes.get(schema);
  const inner = kindOf(schema);
  const usual = own?.fallback ?? defaultOf(schema);
  if (usual !== undefined) json.default = inner?.write === undefined ? usual : inner.write(usual);
  else if (isEmptyTable(json.default)) delete json.default;
  if (own?.short !== undefined) shorten(json, own.short.json);
  const note = {
    ...(json[NOTE] as Note | undefined),
    ...(kind && noteOf(kind)),
    ...(own && said(own, inner)),
  };
  if (Object.keys(note).length > 0) json[NOTE] = note;
}

const noteOf = ({ values, plural }: Kind): Note => ({ values, plural });

function said(own: NonNullable<ReturnType<typeof notes.get>>, kind: Kind | undefined): Note {
  const [from, to] = [own.from ?? kind?.range?.[0], own.to ?? kind?.range?.[1]];
  const range = own.from === undefined && own.to === undefined ? undefined : `${from} to ${to}`;
  const values = own.values ?? range;
  return {
    ...(values === undefined ? {} : { values }),
    ...(own.without === undefined ? {} : { without: own.without }),
    ...(own.short === undefined ? {} : { short: own.short.values }),
  };
}

/** The kind of the single value inside of what makes it optional, gives it a default or turns it into something else. */
function kindOf(schema: z.core.$ZodType): Kind | undefined {
  const kind = kinds.get(schema);
  if (kind !== undefined) return kind;
  const { def } = schema._zod as { def: { innerType?: z.core.$ZodType; in?: z.core.$ZodType } };
  const inside = def.innerType ?? def.in;
  return inside === undefined ? undefined : kindOf(inside);
}

function defaultOf(schema: z.core.$ZodType): unknown {
  const { def } = schema._zod as { def: { type: string; defaultValue?: unknown } };
  if (def.type === 'default') return def.defaultValue;
  // what is there before it is read is written as it stands; a table that fills itself has no default of its own
  if (def.type !== 'prefault' || typeof def.defaultValue === 'object') return undefined;
  return def.defaultValue;
}

/** Of what fills itself: it says nothing. */
const isEmptyTable = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0;

/** A table, or its short form: the description is of both. */
function shorten(json: Mutable, short: Kind['json']): void {
  const { description, default: usual, [NOTE]: note, ...table } = json;
  for (const key of Object.keys(json)) delete json[key];
  json.anyOf = [short, table];
  if (description !== undefined) json.description = description;
  if (usual !== undefined) json.default = usual;
  if (note !== undefined) json[NOTE] = note;
}

/** For editors: without the notes, and with descriptions that stand alone. */
export function publishedSchema(): JsonSchema {
  const strip = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(strip);
    if (typeof value !== 'object' || value === null) return value;
    const kept = Object.entries(value).filter(
      ([key, item]) => key !== NOTE && !(key === 'description' && item === ''),
    );
    return Object.fromEntries(
      kept.map(([key, item]) => [key, key === 'description' ? plain(item) : strip(item)]),
    );
  };
  const { $schema, ...schema } = strip(annotatedSchema()) as Mutable;
  return { $schema, title: 'Configuration of the load balancer tandem', ...schema } as JsonSchema;
}

/** Links of the document lead nowhere from an editor. */
const plain = (text: unknown): unknown =>
  typeof text === 'string'
    ? text.replaceAll(/ \(\[[^\]]*\]\([^)]*\)\)/g, '').replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    : text;
