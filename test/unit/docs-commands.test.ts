import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { PassThrough } from 'node:stream';
import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { findRoute, ROUTES, type RouteSpec } from '../../src/admin/route-table.ts';
import { Host } from '../../src/cli/commands/host.ts';
import { buildProgram } from '../../src/cli/program.ts';
import type { Io } from '../../src/cli/session.ts';
import { docsBlocks, docsCommands } from '../support/docs-commands.ts';

/**
 * Every command line of the documents exists as it is written: command, options, arguments. What can be run is run beside a
 * live daemon in test/integration/docs-commands.test.ts.
 */
const root = resolve(import.meta.dirname, '../..');

/** Reads a command line as tandem does, and does nothing. */
class Reader extends Host {
  read: Command | null = null;

  override async run(command: Command): Promise<void> {
    this.read = command;
  }
}

async function tandem(args: readonly string[]): Promise<void> {
  const said = new PassThrough();
  const reader = new Reader({ stdin: process.stdin, stdout: said, stderr: said, env: {} } as unknown as Io);
  const program = buildProgram(reader);
  if (isName(program, args)) return;
  try {
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    throw new Error(`${String(said.read() ?? '')} (${String(error)})`);
  }
  expect(reader.read, 'a command was chosen').not.toBeNull();
}

/** In a sentence a command stands for itself, without what it needs. */
function isName(program: Command, words: readonly string[]): boolean {
  let at: Command | undefined = program;
  for (const word of words) at = at?.commands.find((child) => child.name() === word);
  return at !== undefined;
}

/** A script of this repository: it is there, may be run, and speaks of each option and word. */
function script(path: string, args: readonly string[]): void {
  accessSync(join(root, path), constants.X_OK);
  const name = basename(path);
  const sources = [path, ...(name === 'bench' ? benches() : [])];
  const text = sources.map((source) => readFileSync(join(root, source), 'utf8')).join('\n');
  const own = name === 'lab' && args[0] === 'exec' ? args.slice(0, 1) : args;
  for (const word of own.filter((one) => /^(?:--)?[a-z][a-z-]*$/.test(one))) {
    const option = word.replace(/^--/, '');
    expect(text.includes(option), `${path} knows ${word}`).toBe(true);
  }
}

const benches = (): string[] =>
  readdirSync(join(root, 'test/bench'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.mjs'))
    .map((name) => `test/bench/${name}`);

function npm([verb = '', name = '', ...rest]: readonly string[]): void {
  if (verb === 'run') {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    expect(Object.keys(scripts)).toContain(name);
    return;
  }
  expect(['link', 'install', 'ci', 'pack'], [verb, name, ...rest].join(' ')).toContain(verb);
}

/** A request of the admin API: the route is there, by that method, and takes that body. */
function curl(args: readonly string[]): void {
  const url = new URL(args.find((arg) => /^https?:/.test(arg)) ?? '');
  const found = findRoute(url.pathname);
  const after = (option: string): string | undefined => args[args.indexOf(option) + 1];
  const body = args.includes('-d') ? after('-d') : undefined;
  const method = args.includes('-X') ? after('-X') : body === undefined ? 'GET' : 'POST';
  const spec: RouteSpec | undefined = found && ROUTES[found.name];
  expect(spec?.method, url.pathname).toBe(method);
  expect(body === undefined).toBe(spec?.body === undefined);
  if (body !== undefined) expect(spec?.body?.safeParse(JSON.parse(body)).error).toBeUndefined();
}

/** Programs of others: what they get is read by bash alone (below). Whoever adds one looks at its words himself. */
const OTHERS = [
  'openssl',
  'chown',
  'chmod',
  'nft',
  'ip',
  'jq',
  'systemctl',
  'apt-get',
  'dpkg',
  'install',
  'scp',
  'ssh',
  'sysctl',
  'vagrant',
  'virsh',
  'cd',
  'export',
];

test.each(docsCommands().map(({ title, words }) => [title, words] as const))('%s', async (_title, words) => {
  const [program = '', ...args] = words;
  if (program === 'tandem') await tandem(args);
  else if (/^(?:scripts|vagrant)\//.test(program)) script(program, args);
  else if (program === 'node') expect(existsSync(join(root, args[0] ?? '')), args[0]).toBe(true);
  else if (program === 'curl') curl(args);
  else if (program === 'npm') npm(args);
  else if (program === 'npx') {
    expect(existsSync(join(root, 'node_modules/.bin', args[0] ?? ''))).toBe(true);
    for (const path of args.filter((arg) => arg.startsWith('test/')))
      expect(existsSync(join(root, path))).toBe(true);
  } else expect(OTHERS, 'a program that somebody has looked at').toContain(program);
});

test('the documents have commands', () => {
  expect(docsCommands().length).toBeGreaterThan(30);
});

test.each(docsBlocks().map(({ title, text }) => [title, text] as const))('%s is shell', (_title, text) => {
  const { status, stderr } = spawnSync('bash', ['-n'], { input: text, encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
});
