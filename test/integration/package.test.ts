/** What users install: the Debian package, in an overlay over this machine, and the package of npm. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { missing } from '../support/netns.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const SUPPORT = join(ROOT, 'test/support');
const unable = missing('dpkg-deb', 'unshare', 'setpriv', 'lintian', 'strip', 'userdel', 'groupdel', 'mandoc');

describe.skipIf(unable !== null)('the Debian package', () => {
  let folder: string;
  let deb: string;
  /** What the overlay's script printed, by its "== what" lines. */
  let life: Map<string, string[]>;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tandem-deb-'));
    const files = join(folder, 'files');
    execFileSync(join(ROOT, 'scripts/build-deb'), ['--no-setup', '--output', files], {
      stdio: 'pipe',
      // the mark of the author of a clone without one
      env: { ...process.env, DEBEMAIL: 'maintainers@tandem-lb.org', DEBFULLNAME: 'Tandem' },
    });
    deb = join(files, readdirSync(files)[0] ?? '');
    const overlay = join(folder, 'overlay');
    mkdirSync(overlay);
    execFileSync('cp', [join(SUPPORT, 'deb-life.sh'), files]);
    const run = spawnSync(join(SUPPORT, 'overlay-root.sh'), [overlay, files, 'bash', '/mnt/deb-life.sh'], {
      encoding: 'utf8',
      timeout: 200_000,
      env: { ...process.env, TANDEM_NODE: process.execPath },
    });
    life = new Map();
    for (const part of `\n${run.stdout}`.split('\n== ').slice(1)) {
      const [what = '', ...lines] = part.trimEnd().split('\n');
      life.set(what, lines);
    }
    expect(run.status, `${run.stdout}\n${run.stderr}`).toBe(0);
    // files by the hundred, one process each
  }, 300_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  test('lintian finds no error', () => {
    const { stdout } = spawnSync('lintian', ['--allow-root', '--fail-on', 'none', deb], { encoding: 'utf8' });
    expect(stdout.split('\n').filter((line) => line.startsWith('E:'))).toEqual([]);
  });

  test('is for this Node and this architecture', () => {
    const field = (name: string): string =>
      execFileSync('dpkg-deb', ['-f', deb, name], { encoding: 'utf8' }).trim();
    const major = Number(process.versions.node.split('.')[0]);
    expect(field('Depends')).toContain(`nodejs (>= ${major}.0), nodejs (<< ${major + 1}~)`);
    expect(field('Architecture')).toBe(execFileSync('dpkg', ['--print-architecture']).toString().trim());
  });

  test('holds what run-time needs, and no sources, tests or tools', () => {
    const files = execFileSync('dpkg-deb', ['--fsys-tarfile', deb], { maxBuffer: 1 << 28 });
    const names = execFileSync('tar', ['-t'], { input: files, encoding: 'utf8' }).split('\n');
    expect(names.filter((name) => /\.(?:ts|map|cc|h|o|gyp)$|node-gyp|vitest|\/test\//.test(name))).toEqual(
      [],
    );
    for (const name of [
      './lib/systemd/system/tandem.service',
      './usr/lib/sysusers.d/tandem-lb.conf',
      './usr/lib/tmpfiles.d/tandem-lb.conf',
      './usr/share/man/man1/tandem.1.gz',
      './usr/share/man/man5/tandem.toml.5.gz',
      './usr/share/bash-completion/completions/tandem',
      './usr/share/zsh/vendor-completions/_tandem',
      './usr/share/fish/vendor_completions.d/tandem.fish',
      './usr/share/doc/tandem-lb/examples/full.toml',
      './usr/share/doc/tandem-lb/examples/prometheus-alerts.yml',
      './usr/share/doc/tandem-lb/examples/grafana-dashboard.json',
      './usr/share/doc/tandem-lb/openapi.json',
      './usr/share/tandem-lb/tandem.schema.json',
    ]) {
      expect(names).toContain(name);
    }
  });

  test('works after its installation, as its user, and does not start by itself', () => {
    const installed = life.get('installed')?.join('\n');
    expect(installed).toMatch(/^> \/var\/lib\/tandem 750 tandem tandem/m);
    expect(installed).toMatch(/^> tandem:x:/m);
    expect(installed).not.toMatch(/\.wants\/|^</m);
    expect(life.get('version')?.[0]).toMatch(/^tandem \d/);
    expect(life.get('modules')).toEqual(['all load']);
    expect(life.get('check')?.[0]).toContain('ok (1 service');
    expect(life.get('runs')).toEqual(['"state":"Active"', 'ended well']);
  });

  test('names the Node that it found when that does not fit', () => {
    const said = life.get('wrong node')?.join('\n');
    expect(said).toMatch(/\/tmp\/old-node is Node\.js of version v18\.19\.0.*\nhint: .*\nstatus 71/);
    expect(said).toMatch(/\/nonexistent is not there.*\nstatus 71$/);
  });

  test('an upgrade and a removal keep what the user wrote; a purge leaves nothing', () => {
    expect(life.get('upgraded')).toEqual(['# mine', 'tandem.toml']);
    expect(life.get('removed')).toEqual([
      '/etc/sysctl.d/60-tandem-lb.conf',
      '',
      '/etc/tandem:',
      'tandem.toml',
    ]);
    expect(life.get('purged')).toEqual(['as before']);
  });

  test('a purge ends well while a process of the user runs, and leaves the user to it', () => {
    expect(life.get('purged in use')).toEqual(['not installed', 'tandem']);
  });
});

describe('the package of npm', () => {
  test('has the program, the sources of the addon, the examples, and nothing else', () => {
    const said = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [{ files }] = JSON.parse(said) as [{ files: { path: string }[] }];
    const names = files.map(({ path }) => path);
    for (const name of ['dist/main.js', 'native/binding.gyp', 'native/install.mjs', 'native/src/module.cc']) {
      expect(names).toContain(name);
    }
    const known = /^(?:dist\/|native\/|config\/|docs\/man\/|[A-Z]+(?:\.md)?$|package\.json$)/;
    expect(names.filter((name) => !known.test(name) || name.startsWith('native/build'))).toEqual([]);
  });

  test('without a compiler the installation says what is missing', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tandem-npm-'));
    try {
      const { status, stderr } = spawnSync(process.execPath, [join(ROOT, 'native/install.mjs')], {
        encoding: 'utf8',
        env: { PATH: folder },
      });
      expect(status).toBe(1);
      expect(stderr).toMatch(/python3, make, a C\+\+ compiler/);
      expect(stderr).toContain('apt-get install');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
