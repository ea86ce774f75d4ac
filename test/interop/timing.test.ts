/**
 * The short form of `scripts/bench timing` (topology: test/bench/timing/rig.mjs): advertisements every 10 ms to a real
 * keepalived, the data path saturated, every CPU spinning. Nothing fails, so nothing may move.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { missing } from '../support/netns.ts';

const BENCH = fileURLToPath(new URL('../bench/timing/bench.mjs', import.meta.url));
const unable = missing('keepalived', 'nginx', 'wrk', 'iperf3', 'tcpdump');

interface Found {
  readonly agent: string;
  readonly takeovers: number;
  readonly transitions: number;
  readonly requestsPerSecond: number;
  readonly gigabitsPerSecond: number;
  readonly ipv4: { readonly count: number };
  readonly ipv6: { readonly count: number };
}

function bench(...args: string[]): Promise<Found> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [BENCH, '--json', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.once('error', reject);
    child.once('close', () => {
      if (stdout === '') reject(new Error(`the bench found nothing: ${stderr}`));
      else resolve((JSON.parse(stdout) as [Found])[0]);
    });
  });
}

describe.skipIf(unable !== null)('a busy host', () => {
  test('makes no advertisement so late that keepalived takes over', async () => {
    const found = await bench('--seconds', '8', '--cases', 'fifo');
    process.stdout.write(`  ${JSON.stringify(found)}\n`);
    expect(found.agent).toBe('SCHED_FIFO 50');
    expect(found.takeovers).toBe(0);
    // Initialize to Backup to Active, for each family, and no step more
    expect(found.transitions).toBe(4);
    // the load was one, and the advertisements were all there
    expect(found.requestsPerSecond).toBeGreaterThan(20);
    expect(found.gigabitsPerSecond).toBeGreaterThan(0.01);
    for (const { count } of [found.ipv4, found.ipv6]) expect(count).toBeGreaterThan(700);
  });
});
