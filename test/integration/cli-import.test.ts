// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how HAProxy writes variables
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const fixture = (name: string): string => join(root, 'test/fixtures/keepalived', name);

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tandem-import-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function tandem(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [join(root, 'dist/main.js'), ...args], { encoding: 'utf8' });
}
const importFile = (...args: string[]) => tandem('import', ...args);

const SIMPLE = `vrrp_instance A {
  interface eth0
  virtual_router_id 5
  virtual_ipaddress {
    10.0.0.1/24
  }
}
`;

describe('tandem import, of keepalived.conf', () => {
  test('the file on standard output, the report on standard error, 1 when something is missing', () => {
    const { status, stdout, stderr } = importFile(fixture('web-pair.conf'));
    expect(status).toBe(1);
    expect(stdout).toBe(readFileSync(fixture('expected/web-pair.toml'), 'utf8'));
    expect(stderr).toMatch(/Not carried over\n.*line.*\n.*web-pair\.conf:5 .*notification_email/);
    expect(stderr).not.toContain('s3cret');
  });

  test('0 when everything was carried over; what it writes is accepted', () => {
    writeFileSync(join(dir, 'k.conf'), SIMPLE);
    const output = join(dir, 'tandem.toml');
    expect(importFile(join(dir, 'k.conf'), '--output', output)).toMatchObject({ status: 0, stdout: '' });
    expect(tandem('check', '--other-host', output).status).toBe(0);
  });

  test('an existing file is kept without --force, and a password makes the file private', () => {
    const output = join(dir, 'tandem.toml');
    writeFileSync(output, 'mine', { mode: 0o644 });
    const kept = importFile(fixture('web-pair.conf'), '-o', output);
    expect(kept.status).toBe(64);
    expect(kept.stderr).toContain('--force');
    expect(readFileSync(output, 'utf8')).toBe('mine');
    expect(importFile(fixture('web-pair.conf'), '-o', output, '--force').status).toBe(1);
    expect(readFileSync(output, 'utf8')).toContain('[[service]]');
    expect(statSync(output).mode & 0o777).toBe(0o600);
  });

  test('--json has both; with --output the file alone has the password', () => {
    const both = JSON.parse(importFile('--json', fixture('web-pair.conf')).stdout);
    expect(both).toMatchObject({ complete: false, faults: [] });
    expect(both.toml).toContain('[[service]]');
    expect(both.report[0]).toMatchObject({ keyword: 'global_defs', fate: 'carried', line: 2, within: '' });
    const output = join(dir, 'out.toml');
    const apart = importFile('--json', fixture('web-pair.conf'), '-o', output);
    expect(JSON.parse(apart.stdout)).toMatchObject({ output });
    expect(apart.stdout).not.toContain('s3cret');
  });

  test('64 with place and caret for a file that cannot be parsed, and nothing is written', () => {
    const path = join(dir, 'k.conf');
    writeFileSync(path, 'vrrp_instance A {\n  interface "eth0\n}\n');
    const { status, stdout, stderr } = importFile(path, '-o', join(dir, 'out.toml'));
    expect([status, stdout]).toEqual([64, '']);
    expect(stderr).toContain(`${path}:2:13: this quote is never closed`);
    expect(stderr).toMatch(/2 \| {3}interface "eth0\n.*\^/);
    expect(existsSync(join(dir, 'out.toml'))).toBe(false);
  });

  test('64 for a file that is not there, 71 for an output that cannot be written', () => {
    expect(importFile(join(dir, 'absent.conf'))).toMatchObject({ status: 64 });
    writeFileSync(join(dir, 'k.conf'), SIMPLE);
    expect(importFile(join(dir, 'k.conf'), '-o', join(dir, 'no/such/folder.toml')).status).toBe(71);
  });

  test('--config-id decides the lines with @', () => {
    expect(importFile(fixture('templated.conf'), '--config-id', 'lb-b').stdout).toContain('priority = 100');
  });
});

describe('tandem import, of haproxy.cfg', () => {
  const cfg = (name: string): string => join(root, 'test/fixtures/haproxy', name);
  const SERVICE =
    'listen web\n mode tcp\n bind 10.0.0.1:80\n timeout client 1m\n timeout server 1m\n server s "${BACK-10.0.0.9}:80"\n';

  test('the file on standard output, the report on standard error, 1 when something is missing', () => {
    const { status, stdout, stderr } = importFile(cfg('databases.cfg'));
    expect(status).toBe(1);
    expect(stdout).toBe(readFileSync(cfg('expected/databases.toml'), 'utf8'));
    expect(stderr).toMatch(/Not carried over\n.*line.*\n[\s\S]*databases\.cfg:\d+ .*on-marked-up/);
  });

  test('what a check sends may be a password: the file is private, and the report does not have it', () => {
    const input = join(dir, 'redis.cfg');
    const check = ' option tcp-check\n tcp-check send AUTH\\ s3cret\\r\\n\n tcp-check expect string +OK\n';
    writeFileSync(input, `${SERVICE.trimEnd()} check\n${check}`);
    const output = join(dir, 'redis.toml');
    const { stdout, stderr } = importFile(input, '-o', output, '--force');
    expect(readFileSync(output, 'utf8')).toContain('AUTH s3cret');
    expect(statSync(output).mode & 0o777).toBe(0o600);
    expect(stdout + stderr).not.toContain('s3cret');
    rmSync(input);
  });

  test('0 when everything was carried over; what it writes is accepted', () => {
    writeFileSync(join(dir, 'h.cfg'), SERVICE);
    const output = join(dir, 'tandem.toml');
    expect(importFile(join(dir, 'h.cfg'), '--output', output)).toMatchObject({ status: 0, stdout: '' });
    expect(tandem('check', '--other-host', output).status).toBe(0);
  });

  test('several files are one, and a directory stands for its *.cfg', () => {
    writeFileSync(join(dir, '10-defaults.cfg'), 'defaults\n mode tcp\n retries 9\n');
    writeFileSync(join(dir, '20-web.cfg'), SERVICE);
    writeFileSync(join(dir, 'README'), 'no configuration');
    for (const files of [[dir], [join(dir, '10-defaults.cfg'), join(dir, '20-web.cfg')]]) {
      expect(importFile(...files).stdout).toContain('retries = 9');
    }
    rmSync(join(dir, '10-defaults.cfg'));
    rmSync(join(dir, '20-web.cfg'));
    expect(importFile(dir)).toMatchObject({ status: 64, stderr: expect.stringContaining('has no *.cfg') });
  });

  test('every line that cannot be read, with its place, and nothing is written', () => {
    const path = join(dir, 'h.cfg');
    writeFileSync(path, 'listen a\n bind "x\n server \\xzz\n');
    const { status, stderr } = importFile(path, '-o', join(dir, 'out.toml'));
    expect(status).toBe(64);
    expect(stderr).toContain(`${path}:2:7: this quote is never closed`);
    expect(stderr).toContain(`${path}:3:9: `);
    expect(existsSync(join(dir, 'out.toml'))).toBe(false);
  });

  test('--from says whose file it is; without, one that shows nothing is refused', () => {
    const path = join(dir, 'x');
    writeFileSync(path, '# nothing\n');
    expect(importFile(path)).toMatchObject({ status: 64, stderr: expect.stringContaining('--from haproxy') });
    expect(importFile('--from', 'haproxy', path).stderr).toContain('there is nothing in it');
    writeFileSync(path, SERVICE);
    expect(importFile('--from', 'keepalived', path).status).not.toBe(0);
    expect(importFile('--from', 'nginx', path).status).toBe(64);
    expect(importFile(fixture('web-pair.conf'), path)).toMatchObject({
      status: 64,
      stderr: expect.stringContaining('one file'),
    });
  });
});
