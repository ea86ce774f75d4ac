/** The commands of the README, as a user runs them; the topology is drawn in scripts/lab. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { missing, type RunResult } from '../support/netns.ts';

const unable = missing('pgrep', 'setsid', 'curl') ?? (existsSync('/run/tandem-lab') ? 'a lab is up' : null);
const script = (name: string): string => fileURLToPath(new URL(`../../scripts/${name}`, import.meta.url));

function run(name: string, ...args: string[]): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(script(name), args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.once('error', reject);
    child.once('close', (status) => resolve({ status, stdout, stderr }));
  });
}

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

const namespaces = (): string[] =>
  spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' })
    .stdout.split('\n')
    .filter((line) => line.startsWith('tandem-'));

describe.skipIf(unable !== null)('the commands of the README', () => {
  afterEach(async () => {
    await run('lab', 'down');
    expect(namespaces()).toEqual([]);
    expect(existsSync('/run/tandem-lab')).toBe(false);
  });

  test('quickstart balances, fails over, measures, restores and cleans up', async () => {
    const { status, stdout, stderr } = await run('quickstart', '--no-setup');
    expect(status, `${stdout}\n${stderr}`).toBe(0);
    for (const target of ['tcp://10.0.0.100:80', 'udp://10.0.0.100:9000', 'udp://[2001:db8::100]:9000']) {
      expect(stdout).toMatch(new RegExp(`${escaped(target)}.*web-1 \\d+ +web-2 \\d+ +web-3 \\d+`));
      expect(stdout).toMatch(new RegExp(`${escaped(target)}.*longest silence +\\d+ ms, \\d+ of \\d+`));
    }
    expect(stdout).toMatch(/lb-b is Active/);
    expect(stdout).toMatch(/lb-a is Active, lb-b is Backup/);
    // piped: no colour
    expect(stdout).not.toContain('\u001b');
    expect(namespaces()).toEqual([]);
  });

  test('lab: up once, exec on a host, kill and start, down twice', async () => {
    expect((await run('lab', 'exec', 'lb-a', 'true')).stderr).toContain('not up');
    const up = await run('lab', 'up');
    expect(up.status, up.stderr).toBe(0);
    expect((await run('lab', 'up')).stderr).toContain('already up');
    expect((await run('lab', 'exec', 'nobody', 'true')).stderr).toContain("no host 'nobody'");

    const status = await run('lab', 'exec', 'lb-a', 'tandem', 'status', '--json');
    expect(JSON.parse(status.stdout)).toMatchObject({ node: 'lb-a' });
    const other = await run('lab', 'exec', 'lb-b', 'tandem', 'status');
    expect(other.stdout).toMatch(/lb-b/);
    const fetched = await run('lab', 'exec', 'client', 'curl', '-sf', '-m', '5', 'http://10.0.0.100/');
    expect(fetched.stdout).toMatch(/^web-[123]\n$/);

    expect((await run('lab', 'kill', 'lb-a')).status).toBe(0);
    expect((await run('lab', 'kill', 'lb-a')).stderr).toContain('no daemon runs');
    expect((await run('lab', 'start', 'lb-a')).status).toBe(0);
    expect((await run('lab', 'start', 'lb-a')).stderr).toContain('already runs');
    expect((await run('lab', 'down')).status).toBe(0);
    expect((await run('lab', 'down')).status).toBe(0);
  });

  test('an unknown word is a usage error', async () => {
    expect((await run('lab', 'sideways')).status).toBe(64);
    expect((await run('quickstart', '--sideways')).status).toBe(64);
  });
});

describe('the bench', () => {
  test.each([
    ['forwarding', ['--works', 'bulk1,sideways'], '--works: there is no "sideways", but idle, bulk1, '],
    ['failover', ['--adverts', '100,15'], '--adverts 15: it takes a multiple of 10 from 10 to 40950'],
    ['timing', ['--seconds', 'x'], '--seconds x: it takes a whole number from 1 to 600'],
    ['soak', ['--sideways'], "Unknown option '--sideways'"],
  ])('%s %j is a usage error', (bench, args, message) => {
    const file = fileURLToPath(new URL(`../bench/${bench}/bench.mjs`, import.meta.url));
    const { status, stderr } = spawnSync(process.execPath, [file, ...args], { encoding: 'utf8' });
    expect(stderr.split('\n')[0]).toContain(message);
    expect(status).toBe(64);
  });
});
