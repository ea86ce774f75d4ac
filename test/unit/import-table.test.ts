import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/**
 * The table "who may import whom" of docs/architecture.md, enforced by the linter: each row here is a file that
 * must be refused or accepted by biome.json as it stands.
 */
const root = resolve(import.meta.dirname, '../..');

const refused: [file: string, line: string][] = [
  ['src/lib/a.ts', "import '../model/health.ts';"],
  ['src/model/a.ts', "import '../config/load.ts';"],
  ['src/model/b.ts', "import '../daemon.ts';"],
  ['src/config/a.ts', "import '../data-path/worker.ts';"],
  ['src/config/import/a.ts', "import '../../data-path/worker.ts';"],
  ['src/config/import/keepalived/a.ts', "import '../../../cli/output.ts';"],
  ['src/config/import/keepalived/b.ts', 'export const t = Date.now();'],
  ['src/config/import/haproxy/a.ts', "import '../../../cli/output.ts';"],
  ['src/config/import/haproxy/b.ts', 'export const t = process.env;'],
  ['src/data-path/a.ts', "import '../control-path/pool.ts';"],
  ['src/data-path/b.ts', "import '../daemon.ts';"],
  ['src/data-path/c.ts', "import '../native/index.ts';"],
  ['src/data-path/forward/a.ts', "import '../../control-path/pool.ts';"],
  ['src/data-path/guard/a.ts', "import '../../config/load.ts';"],
  ['src/data-path/guard/b.ts', "import 'node:net';"],
  ['src/data-path/guard/c.ts', 'export const t = Date.now();'],
  ['src/data-path/scheduler/a.ts', 'setTimeout(() => undefined, 1);'],
  ['src/vrrp/a.ts', "import '../failover/agent.ts';"],
  ['src/vrrp/b.ts', "import 'node:dgram';"],
  ['src/vrrp/c.ts', 'export const t = performance.now();'],
  ['src/control-path/a.ts', "import '../data-path/worker.ts';"],
  ['src/control-path/pool.ts', "import '../failover/agent.ts';"],
  ['src/control-path/reload.ts', 'export const t = Date.now();'],
  ['src/control-path/health/tracker.ts', 'setTimeout(() => undefined, 1);'],
  ['src/control-path/agent-check/state.ts', 'export const t = Date.now();'],
  ['src/control-path/health/probes/a.ts', "import '../../../data-path/worker.ts';"],
  ['src/failover/a.ts', "import '../control-path/pool.ts';"],
  ['src/admin/a.ts', "import '../daemon.ts';"],
  ['src/native/index.ts', "import '../model/health.ts';"],
  ['src/page/a.ts', "import '../lib/ip.ts';"],
  ['src/page/b.ts', "import 'node:fs';"],
  ['src/doctor/a.ts', "import '../data-path/worker.ts';"],
  ['src/doctor/b.ts', "import '../daemon.ts';"],
  ['src/doctor/collect/a.ts', "import '../../admin/server.ts';"],
  ['src/doctor/checks/a.ts', "import '../../failover/agent.ts';"],
  ['src/doctor/checks/b.ts', "import '../collect/wire.ts';"],
  ['src/doctor/checks/c.ts', "import 'node:fs';"],
  ['src/doctor/checks/d.ts', 'export const t = Date.now();'],
  ['src/observability/a.ts', "import '../control-path/pool.ts';"],
  ['src/cli/commands/status.ts', "import '../../daemon.ts';"],
  ['src/cli/commands/a.ts', "import '../../admin/server.ts';"],
  ['src/cli/output.ts', "import '../control-path/pool.ts';"],
];

const accepted: [file: string, line: string][] = [
  ['src/model/ok.ts', "import '../lib/ip.ts';"],
  ['src/config/ok.ts', "import '../model/config.ts';"],
  ['src/config/import/keepalived/ok.ts', "import '../../../lib/ip.ts';"],
  ['src/config/import/haproxy/ok.ts', "import '../result.ts';"],
  ['src/data-path/ok.ts', "import './guard/guard.ts';"],
  ['src/data-path/worker.ts', "import '../native/index.ts';"],
  ['src/data-path/forward/ok.ts', "import '../counters.ts';"],
  ['src/vrrp/ok.ts', "import '../model/failover.ts';"],
  ['src/failover/ok.ts', "import '../vrrp/packet.ts';"],
  ['src/doctor/ok.ts', "import '../failover/vrrp-socket.ts';"],
  ['src/doctor/collect/ok.ts', "import '../../admin/client.ts';"],
  ['src/doctor/checks/ok.ts', "import '../facts.ts';"],
  ['src/cli/commands/run.ts', "import '../../daemon.ts';"],
  ['src/cli/commands/ok.ts', "import '../../admin/client.ts';"],
  ['src/page/ok.ts', "import type { Status } from '../admin/contract.ts';"],
  ['src/daemon.ts', "import './data-path/data-path.ts';"],
];

describe('the import table', () => {
  let dir: string;
  const findings = new Set<string>();

  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'tandem-import-table-'));
    execFileSync('git', ['init', '-q', dir]);
    copyFileSync(join(root, 'biome.json'), join(dir, 'biome.json'));
    for (const [file, line] of [...refused, ...accepted]) {
      mkdirSync(dirname(join(dir, file)), { recursive: true });
      writeFileSync(join(dir, file), `${line}\n`);
    }
    const run = spawnSync(
      join(root, 'node_modules/.bin/biome'),
      ['lint', '--reporter=github', '--max-diagnostics=none', 'src'],
      { cwd: dir, encoding: 'utf8' },
    );
    for (const match of run.stdout.matchAll(/noRestricted(?:Imports|Globals),file=([^,]+)/g)) {
      findings.add(relative(dir, match[1] ?? ''));
    }
  });

  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  it.each(refused)('%s may not: %s', (file) => {
    expect(findings).toContain(file);
  });

  it.each(accepted)('%s may: %s', (file) => {
    expect(findings).not.toContain(file);
  });
});
