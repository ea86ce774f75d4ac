/**
 * A rolling upgrade of a live pair (topology: test/support/pair.ts; lb-a has priority 200, lb-b 100; be-1 echoes), by the
 * commands that `tandem upgrade --plan` names, to a copy of this program that says another version.
 */
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { UpgradePlan } from '../../src/cli/upgrade/plan.ts';
import { footprint } from '../support/footprint.ts';
import { eventually, type Host, type HostProcess, missing } from '../support/netns.ts';
import { createPair, type Pair, VIP4, VIP6 } from '../support/pair.ts';
import { MAIN, Tandem } from '../support/tandem.ts';

const unable = missing('nft');
const ROOT = dirname(dirname(MAIN));
const NEXT = '99.0.0';
const ECHO = fileURLToPath(new URL('../support/echo-server.mjs', import.meta.url));
const LIVE = fileURLToPath(new URL('../support/live-clients.mjs', import.meta.url));
const KEPT = 20;

interface Report {
  readonly kept: number;
  readonly lost: number;
  readonly exchanges: number;
  readonly fresh: number;
  readonly freshFailed: number;
  readonly why: readonly string[];
}

describe.skipIf(unable !== null)('a rolling upgrade', () => {
  let pair: Pair;
  let a: Tandem;
  let b: Tandem;
  let next: string;

  beforeAll(() => {
    pair = createPair('upgrade');
    writeFileSync(join(pair.lab.dir, 'peer.key'), 'a secret for tests, long enough for the rule\n', {
      mode: 0o600,
    });
    pair.backends[0].spawn('echo', ['node', ECHO, '7000']);
    next = nextVersion(pair.lab.dir);
  });
  afterAll(() => pair.lab.destroy());

  const toml = (host: Host, weight = 1): string => {
    const [name, own, other, priority] = host === pair.hostA ? ['lb-a', 1, 2, 200] : ['lb-b', 2, 1, 100];
    return `
[node]
name = "${name}"
[[service]]
name = "echo"
listen = ["${VIP4}:7000", "[${VIP6}]:7000"]
[[service.backend]]
address = "10.98.0.11:7000"
weight = ${weight}
[failover]
interface = "eth0"
advertise_interval = "100ms"
priority = ${priority}
[failover.peer]
address = "10.98.0.${other}"
listen = "10.98.0.${own}:8694"
secret_file = "${join(pair.lab.dir, 'peer.key')}"
drain = "20s"
[[failover.group]]
vrid = 51
addresses = ["${VIP4}/24", "${VIP6}/64"]
`;
  };
  const start = (host: Host, program: readonly string[] = ['node', MAIN]): Promise<Tandem> =>
    Tandem.start(pair.lab, host, toml(host), { program });

  async function plan(of: Tandem, ...args: string[]): Promise<UpgradePlan & { readonly status: number }> {
    const { status, stdout, stderr } = await of.tandem('upgrade', '--plan', '--json', ...args);
    expect(stderr).toBe('');
    return { ...(JSON.parse(stdout) as UpgradePlan), status: status ?? -1 };
  }

  /** "1 lb-b" of every step that is left. */
  const left = ({ steps }: UpgradePlan): string[] =>
    steps.filter(({ done, optional }) => !(done || optional)).map(({ number, on }) => `${number} ${on}`);

  async function clients(kept: number): Promise<HostProcess> {
    const process = pair.client.spawn('clients', ['node', LIVE, VIP4, '7000', `${kept}`, '0']);
    await eventually('the clients run', () => process.log().includes('started'));
    return process;
  }

  async function reportOf(process: HostProcess): Promise<Report> {
    await process.stop(15_000);
    await eventually('the report is there', () => process.log().endsWith('}\n'));
    return JSON.parse(process.log().trim().split('\n').at(-1) ?? '') as Report;
  }

  /** Connections of before, through one planned move and until they end by themselves. */
  async function move(
    by: () => Promise<{ readonly status: number | null; readonly stderr: string }>,
  ): Promise<void> {
    const live = await clients(KEPT);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const moved = await by();
    expect(moved.status, moved.stderr).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const report = await reportOf(live);
    expect(report, report.why.join()).toMatchObject({ kept: KEPT, lost: 0, freshFailed: 0 });
    expect(report.exchanges).toBeGreaterThan(KEPT * 5);
    for (const node of [a, b]) {
      await eventually(
        'the drain is over',
        async () => (await node.status()).failover?.drains.length === 0,
        25_000,
      );
    }
  }

  test('step by step: old connections live through both moves, new ones never fail', async () => {
    a = await start(pair.hostA);
    await a.waitState('Active');
    b = await start(pair.hostB);
    await b.waitState('Backup');
    const footprints = () => Promise.all([a, b].map(({ host }) => footprint(host, [VIP4, VIP6])));
    const before = await footprints();
    await eventually('they know each other', async () => (await plan(a)).status === 0);
    expect(left(await plan(a, '--to', NEXT))).toEqual(['1 lb-b', '2 lb-b', '3 lb-a', '4 lb-a', '5 lb-a']);
    expect(left(await plan(b, '--to', NEXT))).toEqual(['1 lb-b', '2 lb-b', '3 lb-a', '4 lb-a', '5 lb-a']);
    expect((await a.status()).failover?.pair).toMatchObject({
      peer: {
        name: 'lb-b',
        services: [{ name: 'echo', eligible: 1 }],
        routers: [{ state: 'Backup' }, { state: 'Backup' }],
      },
      reachable: true,
      drift: [],
    });
    const fresh = await clients(0);

    await b.stop();
    expect((await plan(a)).status).toBe(1);
    b = await start(pair.hostB, ['node', next]);
    await b.waitState('Backup');
    await eventually('lb-a knows the new version', async () => (await plan(a)).nodes[1]?.version === NEXT);
    expect(left(await plan(a, '--to', NEXT))).toEqual(['2 lb-b', '3 lb-a', '4 lb-a', '5 lb-a']);

    await move(() => a.tandem('failover', 'handover', '--require-peer'));
    await b.waitState('Active');
    expect(left(await plan(a, '--to', NEXT))).toEqual(['4 lb-a', '5 lb-a']);
    await a.stop();
    a = await start(pair.hostA, ['node', next]);
    await a.waitState('Backup');
    await eventually('all is done', async () => left(await plan(b, '--to', NEXT)).length === 0);
    expect((await plan(a, '--to', NEXT)).status).toBe(0);

    await move(() => a.tandem('failover', 'takeover', '--ask-peer'));
    await a.waitState('Active');
    expect((await a.status()).version).toBe(NEXT);
    const report = await reportOf(fresh);
    expect(report, report.why.join()).toMatchObject({ freshFailed: 0 });
    expect(report.fresh).toBeGreaterThan(100);
    expect(await footprints()).toEqual(before);
  });

  test('a difference between the nodes is told, and stands in the way', async () => {
    b.writeConfig(toml(pair.hostB, 7));
    expect((await b.tandem('reload')).status).toBe(0);
    for (const node of [a, b]) {
      await eventually(
        'drift is seen',
        async () => (await node.status()).failover?.pair?.drift?.join() === 'service echo differs',
      );
    }
    expect(await a.metrics()).toContain('\ntandem_failover_pair_drift 1\n');
    const refused = await plan(a);
    expect([refused.status, refused.safe]).toEqual([1, false]);
    expect(refused.checks.find(({ severity }) => severity === 'problem')?.seen).toBe(
      'not configured alike: service echo differs',
    );
    const shown = await a.tandem('status');
    expect(shown.stdout).toContain('not configured alike: service echo differs');
    b.writeConfig(toml(pair.hostB));
    expect((await b.tandem('reload')).status).toBe(0);
    await eventually('it is gone', async () => (await a.status()).failover?.pair?.drift?.length === 0);
    expect(await a.metrics()).toContain('\ntandem_failover_pair_drift 0\n');
  });

  test('without --plan it says that it does nothing', async () => {
    const { status, stderr } = await a.tandem('upgrade');
    expect([status, stderr]).toEqual([64, expect.stringContaining('tandem upgrade --plan')]);
  });
});

/** This program as built, with another version in its package.json. @returns its entry */
function nextVersion(dir: string): string {
  const copy = join(dir, 'next');
  mkdirSync(copy);
  cpSync(join(ROOT, 'dist'), join(copy, 'dist'), { recursive: true });
  for (const name of ['node_modules', 'native']) symlinkSync(join(ROOT, name), join(copy, name));
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as object;
  writeFileSync(join(copy, 'package.json'), JSON.stringify({ ...manifest, version: NEXT }));
  return join(copy, 'dist', 'main.js');
}
