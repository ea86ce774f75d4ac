import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ProbeSpec } from '../../../../../src/model/health.ts';
import { at, probe } from './support.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'tandem-exec-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const exec = (...command: [string, ...string[]]): ProbeSpec => ({ type: 'exec', command });
const sh = (script: string): ProbeSpec => exec('/bin/sh', '-c', script);
const target = at('::1', 8_080);

const alive = (pid: number): boolean => {
  // a zombie that init has not collected yet is dead enough
  const stat = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, 'utf8') : '';
  return stat !== '' && !/\) [ZX] /.test(stat);
};

const pidIn = (file: string): number => Number(existsSync(file) ? readFileSync(file, 'utf8') : '0');

describe('the exec probe', () => {
  it('passes with exit status 0 and explains any other by the first line', async () => {
    expect(await probe(sh('exit 0'), target)).toEqual({ ok: true, detail: 'exit status 0', aborted: false });
    expect(await probe(sh('exit 3'), target)).toMatchObject({
      ok: false,
      reason: 'exit-status',
      detail: 'exit status 3',
    });
    expect(await probe(sh('echo disk full; echo more; exit 2'), target)).toMatchObject({
      detail: 'exit status 2: disk full',
    });
    expect(await probe(sh('echo oops >&2; kill -SEGV $$'), target)).toMatchObject({
      reason: 'exit-status',
      detail: 'killed by SIGSEGV: oops',
    });
  });

  it('tells the program which backend it is about, and nothing of its own environment', async () => {
    process.env['TANDEM_TEST_SECRET'] = 'hush';
    const seen = join(dir, 'env');
    await probe(sh(`env > ${seen}`), target);
    delete process.env['TANDEM_TEST_SECRET'];
    const env = readFileSync(seen, 'utf8');
    expect(env).toContain('TANDEM_BACKEND_ADDRESS=::1\n');
    expect(env).toContain('TANDEM_BACKEND_PORT=8080\n');
    expect(env).toContain('TANDEM_BACKEND_ENDPOINT=[::1]:8080\n');
    expect(env).toMatch(/^PATH=/m);
    expect(env).not.toContain('hush');
  });

  it('uses no shell: arguments are arguments', async () => {
    const trap = join(dir, 'trap');
    expect(await probe(exec('/bin/echo', `$(touch ${trap})`, ';', 'touch', trap), target)).toMatchObject({
      ok: true,
    });
    expect(existsSync(trap)).toBe(false);
  });

  it('says when the program is missing or cannot be run', async () => {
    expect(await probe(exec('/nonexistent/check'), target)).toMatchObject({
      ok: false,
      reason: 'exec-failed',
      detail: '/nonexistent/check: no such program',
    });
    const plain = join(dir, 'plain');
    writeFileSync(plain, 'not a program', { mode: 0o644 });
    expect(await probe(exec(plain), target)).toMatchObject({
      reason: 'exec-failed',
      detail: `${plain}: not executable`,
    });
  });

  it('kills a program that ignores SIGTERM, and what it started', async () => {
    const [child, grandchild] = [join(dir, 'child'), join(dir, 'grandchild')];
    const script = `trap '' TERM; echo $$ > ${child}; sh -c "trap '' TERM; echo \\$\\$ > ${grandchild}; while :; do sleep 1; done" & wait; while :; do sleep 1; done`;
    const abort = new AbortController();
    const running = import('../../../../../src/control-path/health/probes/index.ts').then(({ runProbe }) =>
      runProbe(sh(script), target, abort.signal),
    );
    await expect.poll(() => pidIn(child) > 0 && pidIn(grandchild) > 0, { timeout: 10_000 }).toBe(true);
    const pids = [pidIn(child), pidIn(grandchild)];
    expect(pids.map(alive)).toEqual([true, true]);
    abort.abort();
    expect(await running).toMatchObject({ ok: false, reason: 'exit-status', detail: 'killed by SIGKILL' });
    await expect.poll(() => pids.map(alive), { timeout: 10_000 }).toEqual([false, false]);
  });

  it('does not wait for what a program left in the background, and ends it', async () => {
    const file = join(dir, 'left');
    const outcome = await probe(sh(`sleep 600 & echo $! > ${file}; exit 0`), target);
    expect(outcome).toMatchObject({ ok: true, aborted: false });
    const pid = pidIn(file);
    expect(pid).toBeGreaterThan(0);
    await expect.poll(() => alive(pid), { timeout: 10_000 }).toBe(false);
  });

  it('ends although somebody outside of the group holds its output', async () => {
    const file = join(dir, 'escaped');
    const outcome = await probe(
      sh(`setsid sh -c 'echo $$ > ${file}; exec sleep 600' & sleep 0.3; echo bad; exit 1`),
      target,
    );
    expect(outcome).toMatchObject({ ok: false, detail: 'exit status 1: bad', aborted: false });
    process.kill(pidIn(file), 'SIGKILL');
  });

  it('survives a program that never stops printing', async () => {
    const outcome = await probe(
      sh('yes "$(head -c 4096 /dev/zero | tr "\\0" x)" | head -c 20000000; exit 1'),
      target,
      20_000,
    );
    expect(outcome).toMatchObject({ ok: false, aborted: false });
    expect(outcome.detail.length).toBeLessThanOrEqual(200);
  });

  it('starts nothing when it is called off before it began', async () => {
    const file = join(dir, 'never');
    const { runProbe } = await import('../../../../../src/control-path/health/probes/index.ts');
    expect(await runProbe(sh(`touch ${file}`), target, AbortSignal.abort())).toMatchObject({ ok: false });
    expect(existsSync(file)).toBe(false);
  });
});
