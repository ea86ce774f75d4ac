#!/usr/bin/env node
// Writes what follows from the code, as dist/ has it: docs/configuration.md and config/tandem.schema.json (from the schema of
// the configuration), the manual pages docs/man/tandem.1 (from the commands) and docs/man/tandem.toml.5 (from
// docs/configuration.md), docs/openapi.json and the table in docs/admin-api.md (from the routes), the tables of docs/metrics.md
// (from the metrics), and those of keywords in docs/coming-from-*.md (from those of the imports).
//
//   scripts/generate-docs.mjs            writes what has changed
//   scripts/generate-docs.mjs --check    writes nothing; exit status 1 when a committed file is not up to date
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { configurationDocument } from './configuration-page.mjs';
import { commandPage, configurationPage } from './man-pages.mjs';
import { metricsDocument } from './metrics-page.mjs';

/** Of the version in package.json: changed together with it. */
const DATE = '2026-11-26';
const ROOT = resolve(import.meta.dirname, '..');
const read = (path) => readFileSync(join(ROOT, path), 'utf8');

/** "Exit status: 0 well, 1 ...": what --help says, as rows. */
function statusesOf(help) {
  const [, list = ''] = /Exit status: ([\s\S]*?)\.\s*$/.exec(help) ?? [];
  return list
    .replaceAll(/\s+/g, ' ')
    .split(', ')
    .map((part) => [part.slice(0, part.indexOf(' ')), part.slice(part.indexOf(' ') + 1)]);
}

async function keywordTables() {
  const tables = {};
  for (const program of ['haproxy', 'keepalived']) {
    const { KEYWORDS } = await import(`../dist/config/import/${program}/keywords.js`);
    const path = `docs/coming-from-${program}.md`;
    tables[path] = withTable(path, KEYWORDS.toMarkdown(), ['<!-- keywords -->', '<!-- end of keywords -->']);
  }
  return tables;
}

async function pages() {
  const { buildProgram, EXIT_HELP } = await import('../dist/cli/program.js');
  const { Host } = await import('../dist/cli/commands/host.js');
  const { openApiDocument, routeTable } = await import('../dist/admin/openapi.js');
  const { METRICS } = await import('../dist/observability/metrics.js');
  const { annotatedSchema, publishedSchema } = await import('../dist/config/json-schema.js');
  const release = { version: JSON.parse(read('package.json')).version, date: DATE };
  const configuration = configurationDocument(read('scripts/configuration.md.in'), annotatedSchema());
  return {
    ...(await keywordTables()),
    'docs/configuration.md': configuration,
    'config/tandem.schema.json': `${JSON.stringify(publishedSchema(), null, 2)}\n`,
    'docs/man/tandem.1': commandPage(buildProgram(new Host(process)), release, statusesOf(EXIT_HELP)),
    'docs/openapi.json': `${JSON.stringify(openApiDocument(), null, 2)}\n`,
    'docs/admin-api.md': withTable('docs/admin-api.md', `\n${routeTable()}\n`, [
      '<!-- routes: generated -->',
      '<!-- end of routes -->',
    ]),
    'docs/metrics.md': metricsDocument(read('docs/metrics.md'), METRICS),
    'docs/man/tandem.toml.5': configurationPage(configuration, release),
  };
}

/** A document with its table between two marks; the rest is written by hand. */
function withTable(path, table, [start, end]) {
  const text = read(path);
  const [from, to] = [text.indexOf(`${start}\n`), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${path} has lost the place of its table`);
  return `${text.slice(0, from)}${start}\n${table}${text.slice(to)}`;
}

const check = process.argv[2] === '--check';
if (process.argv.length > 2 && !check) {
  console.error('usage: scripts/generate-docs.mjs [--check]');
  process.exit(64);
}
for (const [path, text] of Object.entries(await pages())) {
  if (existsSync(join(ROOT, path)) && read(path) === text) continue;
  if (check) {
    console.error(`${path} is not up to date: npm run build && scripts/generate-docs.mjs`);
    process.exitCode = 1;
  } else {
    mkdirSync(dirname(join(ROOT, path)), { recursive: true });
    writeFileSync(join(ROOT, path), text);
    console.log(path);
  }
}
