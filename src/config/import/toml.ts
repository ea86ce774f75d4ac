/** TOML as people write it; only what the import needs. */
export type TomlValue =
  | string
  | number
  | boolean
  | readonly TomlValue[]
  | { readonly [key: string]: TomlValue };

export interface TomlTable {
  /** "[failover]" or "[[service]]"; empty for the keys before the first table. */
  readonly header: string;
  /** Lines above it, without "#". */
  readonly comments: readonly string[];
  /** Undefined values are left out. */
  readonly values: Readonly<Record<string, TomlValue | undefined>>;
}

export function renderTable({ header, comments, values }: TomlTable): string {
  const lines = [...comments.map(commentLine), ...(header === '' ? [] : [header])];
  for (const [key, value] of Object.entries(values)) {
    if (value !== undefined) lines.push(`${key} = ${renderValue(value)}`);
  }
  return `${lines.join('\n')}\n`;
}

/** No control characters: a line break would end the comment, and terminals would obey the rest. */
export const commentLine = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced
  `# ${text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, ' ')}`.trimEnd();

const LIST_WIDTH = 90;

function renderValue(value: TomlValue): string {
  if (typeof value === 'string') return quoted(value);
  if (typeof value !== 'object') return String(value);
  if (isList(value)) {
    const items = value.map(renderValue);
    const line = `[${items.join(', ')}]`;
    return line.length <= LIST_WIDTH ? line : `[\n${items.map((item) => `  ${item},\n`).join('')}]`;
  }
  const pairs = Object.entries(value).map(([key, inner]) => `${key} = ${renderValue(inner)}`);
  return `{ ${pairs.join(', ')} }`;
}

const isList = (value: TomlValue): value is readonly TomlValue[] => Array.isArray(value);

/** Literal where backslashes would double (expressions, commands); else a JSON string, with DEL escaped too. */
function quoted(text: string): string {
  if (/["\\]/.test(text) && /^[\x20-\x26\x28-\x7e]*$/.test(text)) return `'${text}'`;
  return JSON.stringify(text.replaceAll(/\p{Surrogate}/gu, '\ufffd')).replaceAll('\u007f', '\\u007f');
}
