import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findRoute, type RouteName, routeEntries } from '../../../src/admin/route-table.ts';
import { AdminApi } from '../../../src/admin/routes.ts';
import { type AdminServer, startAdminServer } from '../../../src/admin/server.ts';
import { Host } from '../../../src/cli/commands/host.ts';
import { buildProgram, runCli } from '../../../src/cli/program.ts';
import type { Io } from '../../../src/cli/session.ts';
import { Timeline } from '../../../src/observability/timeline.ts';
import { FakeAdmin } from '../../support/fake-admin.ts';

/**
 * Everything that the command line can have the daemon do is a route: each command runs against a server that notes what is
 * asked of it, and that is what the table says.
 */

/** They ask no daemon anything. */
const LOCAL = ['run', 'check', 'init', 'import', 'completion', 'failover probe'];

/** They need a host and a pair of their own; test/integration runs them. */
const ELSEWHERE = ['doctor', 'failover drill'];

let directory: string;
let socket: string;
let server: AdminServer;
let asked: Set<RouteName>;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tandem-commands-'));
  socket = join(directory, 'admin.sock');
  const api = new AdminApi(new FakeAdmin(), new Timeline({ wallMillis: Date.now }));
  const noting = {
    route: (url: URL) => {
      const found = findRoute(url.pathname);
      if (found !== undefined) asked.add(found.name);
      return api.route(url);
    },
    close: () => api.close(),
  };
  server = await startAdminServer({
    socket,
    group: null,
    api: noting,
    report: (error) => console.error(error),
  });
});

afterAll(async () => {
  await server.close();
  rmSync(directory, { recursive: true, force: true });
});

/** "failover handover" and everything else that does something by itself. */
function commandsOf(command: Command, path: readonly string[] = []): string[] {
  const below = command.commands
    .filter((child) => child.name() !== 'help' && !child.name().startsWith('_'))
    .flatMap((child) => commandsOf(child, [...path, child.name()]));
  const acts = below.length === 0 || ['backends', 'failover'].includes(path.join(' '));
  return acts ? [path.join(' '), ...below] : below;
}

const program = buildProgram(
  new Host({ stdin: process.stdin, stdout: process.stdout, stderr: process.stderr, env: {} }),
);
const commands = commandsOf(program).sort();
const routesOf = (command: string): RouteName[] =>
  routeEntries().flatMap(([name, spec]) => (spec.commands.includes(command) ? [name] : []));

/** What it takes for a command to ask all that it can ask. */
const ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  top: ['--once'],
  drain: ['web/*'],
  ready: ['web/*'],
  maintenance: ['web/*'],
  weight: ['web/*', '5'],
  'backends drain': ['web/*'],
  'backends ready': ['web/*'],
  'backends maintenance': ['web/*'],
  'backends weight': ['web/*', '5'],
  'failover handover': ['--wait'],
  upgrade: ['--plan'],
};

describe('the commands', () => {
  it('are all either local or of the table', () => {
    const daemon = new Set(routeEntries().flatMap(([, spec]) => spec.commands));
    expect([...daemon].filter((name) => !commands.includes(name))).toEqual([]);
    expect(commands.filter((name) => !daemon.has(name)).sort()).toEqual([...LOCAL].sort());
  });

  it.each(commands.filter((name) => routesOf(name).length > 0 && !ELSEWHERE.includes(name)))(
    '%s asks what the table says, and nothing else',
    async (command) => {
      asked = new Set();
      const said = new PassThrough();
      const io = { stdin: process.stdin, stdout: said, stderr: said, env: {} } as unknown as Io;
      const record = command === 'failover record' ? [join(directory, 'record')] : [];
      const args = [...command.split(' '), ...(ARGUMENTS[command] ?? []), ...record, '--socket', socket];
      const status = await runCli(args, io);
      expect([0, 1], String(said.read())).toContain(status);
      // the live view's keys, which need a terminal, change things as well
      const expected = command === 'top' ? ['status', 'events'] : routesOf(command);
      expect([...asked].sort()).toEqual([...expected].sort());
    },
  );
});
