// docs/configuration.md: the prose of scripts/configuration.md.in, with a table of keys for each "{{keys PATH}}" in it. Types,
// ranges, defaults and meanings come from the schema (src/config/json-schema.ts). Pure: text and schema in, text out.

const NOTE = 'x-note';

/** @param path names of tables joined by dots; "" is the top of the file */
function tableAt(schema, path) {
  let at = schema;
  for (const name of path === '' ? [] : path.split('.')) {
    at = tableOf(variantsOf(at).find(({ properties }) => name in properties)?.properties[name]);
    if (at === undefined) throw new Error(`the schema has no table "${path}"`);
  }
  return at;
}

/** The table that a value is, or of which it is a list; undefined for single values. */
function tableOf(value) {
  if (value?.type === 'array') return tableOf(value.items);
  const forms = value?.anyOf ?? [value];
  return forms.find((form) => form?.properties !== undefined || form?.oneOf !== undefined);
}

const variantsOf = (table) => table.oneOf ?? [table];

/** The path of every table of the file. */
function tablePaths(table, path = '') {
  const below = variantsOf(table).flatMap(({ properties }) =>
    Object.entries(properties).flatMap(([name, value]) => {
      const child = tableOf(value);
      return child === undefined ? [] : tablePaths(child, path === '' ? name : `${path}.${name}`);
    }),
  );
  return [path, ...below];
}

/** As GitHub makes the anchor of a heading. */
const slug = (heading) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}_\- ]/gu, '')
    .replaceAll(' ', '-');

const DIRECTIVE = /^\{\{keys ?(.*)\}\}$/;

/** Where each table is described: its path, and the heading above. */
function sectionsOf(lines) {
  const sections = new Map();
  let heading = '';
  for (const line of lines) {
    if (line.startsWith('## ')) heading = line.slice(3);
    const paths = DIRECTIVE.exec(line)?.[1];
    for (const path of paths?.split(', ') ?? []) sections.set(path, heading);
  }
  return sections;
}

function linkTo(path, sections) {
  const heading = sections.get(path);
  if (heading === undefined) throw new Error(`no section for the table "${path}"`);
  const label = heading.match(/\[+[a-z_0-9.]+\]+/g)?.find((one) => one.replaceAll(/[[\]]/g, '') === path);
  return `[\`${label}\`](#${slug(heading)})`;
}

const code = (text) => `\`${text}\``;

/** A value as TOML writes it, in one line. */
const toml = (value) => (Array.isArray(value) ? `[${value.map(toml).join(', ')}]` : JSON.stringify(value));

const isEmpty = (value) => typeof value === 'object' && Object.keys(value).length === 0;

function defaultOf(value, isRequired) {
  const { without } = value[NOTE] ?? {};
  if (isRequired) return without ?? 'required';
  const { default: usual } = value;
  const isTable = tableOf(value) !== undefined;
  const parts = [
    ...(usual === undefined || (isEmpty(usual) && (without !== undefined || isTable))
      ? []
      : [code(toml(usual))]),
    ...(without === undefined ? [] : [without]),
  ];
  if (parts.length > 0) return parts.join(', ');
  if (isTable) return '';
  throw new Error(`no default: ${JSON.stringify(value)}`);
}

function valuesOf(value, link) {
  const { values, plural, short } = value[NOTE] ?? {};
  const ofItems = value.items?.[NOTE] ?? {};
  if (tableOf(value) !== undefined) {
    return [short ?? ofItems.short, link()].filter((part) => part !== undefined).join(', or ');
  }
  const said = values ?? (value.type === 'array' ? ofItems.plural : undefined) ?? plural;
  if (said === undefined) throw new Error(`no values: ${JSON.stringify(value)}`);
  return said;
}

/** What variants of a table say of one key: the first, and what others say instead. */
function merged(owners, say) {
  const [first, ...others] = owners.map((owner) => ({ type: owner.type, text: say(owner) }));
  const different = others.filter(({ text }) => text !== first.text);
  return [first.text, ...different.map(({ type, text }) => `with ${code(type)} ${text}`)].join('; ');
}

function rowOf(name, table, link) {
  const variants = variantsOf(table);
  const owners = variants
    .filter(({ properties }) => name in properties)
    .map(({ properties, required = [] }) => ({
      value: properties[name],
      type: properties.type?.const,
      isRequired: required.includes(name),
    }));
  const [{ value }] = owners;
  if (value.description === undefined) throw new Error(`no description of "${name}"`);
  if (name === 'type' && table.oneOf !== undefined) {
    const types = owners.map(({ type }) => code(toml(type))).join(', ');
    return { keys: [name], meaning: value.description, values: types, default: 'required' };
  }
  const types = owners.length < variants.length ? owners.map(({ type }) => type).join(', ') : '';
  return {
    keys: [name],
    meaning: [types, merged(owners, (owner) => owner.value.description)]
      .filter((part) => part !== '')
      .join(': '),
    values: merged(owners, (owner) => valuesOf(owner.value, link)),
    default: merged(owners, (owner) => defaultOf(owner.value, owner.isRequired)),
  };
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

const keysOf = (table) => variantsOf(table).map(({ properties }) => properties);

/** Neighbours that differ in nothing but their names share a row. */
function joined(rows) {
  const result = [];
  for (const row of rows) {
    const last = result.at(-1);
    if (last !== undefined && row.meaning !== '' && same({ ...last, keys: [] }, { ...row, keys: [] }))
      last.keys.push(...row.keys);
    else result.push(row);
  }
  return result;
}

/** Tables whose keys may stand in another one, too, for all that do not say them. */
const INHERITS = { 'failover.group': 'failover' };

/** The keys of a table that are those of the table which it inherits from. */
function inheritedKeys(schema, path) {
  const above = INHERITS[path] === undefined ? {} : tableAt(schema, INHERITS[path]).properties;
  const own = Object.entries(tableAt(schema, path).properties ?? {});
  return own.filter(([name, value]) => name in above && same(above[name], value)).map(([name]) => name);
}

function keysTable(schema, path, sections) {
  const table = tableAt(schema, path);
  const below = (name) => (path === '' ? name : `${path}.${name}`);
  const names = [...new Set(variantsOf(table).flatMap(({ properties }) => Object.keys(properties)))];
  const inherited = inheritedKeys(schema, path);
  const rows = names
    .filter((name) => !inherited.includes(name))
    .map((name) => rowOf(name, table, () => linkTo(below(name), sections)));
  if (inherited.length > 0) {
    const above = linkTo(INHERITS[path], sections);
    rows.push({ keys: inherited, meaning: `as in ${above}`, values: '', default: 'as there' });
  }
  const lines = joined(rows).map((row) =>
    `| ${row.keys.map(code).join(', ')} | ${row.meaning} | ${row.values} | ${row.default} |`.replaceAll(
      / {2,}/g,
      ' ',
    ),
  );
  return ['| key | meaning | values | default |', '| --- | --- | --- | --- |', ...lines];
}

/**
 * @param template scripts/configuration.md.in
 * @param schema with its notes, as annotatedSchema() gives it
 * @throws Error when a key lacks a description or default, or a table its section
 */
export function configurationDocument(template, schema) {
  const lines = template.split('\n');
  const sections = sectionsOf(lines);
  const missing = [...new Set(tablePaths(schema))].filter((path) => !sections.has(path));
  if (missing.length > 0) throw new Error(`no {{keys}} for ${missing.join(', ')}`);
  const [title, ...rest] = lines.flatMap((line) => {
    const paths = DIRECTIVE.exec(line)?.[1];
    if (paths === undefined) return [line];
    const [path, ...others] = paths.split(', ');
    for (const other of others) {
      if (!same(keysOf(tableAt(schema, path)), keysOf(tableAt(schema, other))))
        throw new Error(`"${path}" and "${other}" have other keys`);
    }
    return keysTable(schema, path, sections);
  });
  const origin =
    '<!-- Written by scripts/generate-docs.mjs from src/config/schema*.ts and scripts/configuration.md.in: do not edit. -->';
  return [title, '', origin, ...rest].join('\n');
}
