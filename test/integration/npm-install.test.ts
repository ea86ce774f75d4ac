/** `npm install -g` of what `npm pack` makes: the addon is built, and the command works. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tandem-npm-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('npm install -g', async () => {
  // dist/ is there already, and other tests run from it: packing must not build it anew
  await run('npm', ['pack', '--ignore-scripts', '--pack-destination', directory], { cwd: ROOT });
  const [packed = ''] = readdirSync(directory);
  const prefix = join(directory, 'prefix');
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
  await run('npm', ['install', '-g', '--prefix', prefix, ...quiet, join(directory, packed)], {
    cwd: directory,
  });
  const tandem = join(prefix, 'bin', 'tandem');
  const installed = join(prefix, 'lib', 'node_modules', 'tandem-lb');
  expect((await run(tandem, ['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+/);
  expect((await run(tandem, ['check', join(installed, 'config', 'pair-a.toml')])).stdout).toContain('ok (');
  const addon = join(installed, 'dist', 'native', 'index.js');
  const load = `import(${JSON.stringify(addon)}).then(({ loadNative }) => console.log(typeof loadNative().openRelay))`;
  expect((await run(process.execPath, ['-e', load])).stdout).toBe('function\n');
}, 180_000);
