import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  backendStatus,
  commandResult,
  eventLine,
  failoverHistory,
  reloadResult,
  status,
} from '../../src/admin/contract.ts';
import { AdminApi } from '../../src/admin/routes.ts';
import { type AdminServer, startAdminServer } from '../../src/admin/server.ts';
import { EXIT, TandemError } from '../../src/lib/errors.ts';
import { Timeline } from '../../src/observability/timeline.ts';
import { backendStatusOf, FakeAdmin } from '../support/fake-admin.ts';

// The built command as a process of its own, against the real admin server with a daemon in memory.

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const B = 'web/10.0.1.11:8080';

let directory: string;
let socket: string;
let backend: FakeAdmin;
let timeline: Timeline;
let server: AdminServer | undefined;
let children: ChildProcess[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tandem-cli-'));
  socket = join(directory, 'admin.sock');
  backend = new FakeAdmin();
  timeline = new Timeline({ wallMillis: Date.now });
  children = [];
  server = await startAdminServer({
    socket,
    group: null,
    api: new AdminApi(backend, timeline),
    report: () => undefined,
  });
});

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  await server?.close();
  rmSync(directory, { recursive: true, force: true });
});

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { ...process.env, TANDEM_SOCKET: socket, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  return child;
}

function finished(child: ChildProcess): Promise<Outcome> {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr })));
}

const tandem = (...args: string[]): Promise<Outcome> => finished(start(args));

async function stop(): Promise<void> {
  await server?.close();
  server = undefined;
}

describe('the command line', () => {
  it('has help for every command, exit status 0', async () => {
    const { stdout, code } = await tandem('--help');
    expect(code).toBe(0);
    const commands = [
      'run',
      'check',
      'status',
      'backends',
      'failover',
      'doctor',
      'reload',
      'events',
      'init',
      'completion',
    ];
    for (const command of commands) expect(stdout).toMatch(new RegExp(`^  ${command} `, 'm'));
    expect((await tandem('backends', 'drain', '--help')).stdout).toContain('--wait');
  });

  it.each([
    [[]],
    [['nonsense']],
    [['status', '--nonsense']],
    [['status', 'extra']],
    [['backends', 'drain']],
    [['backends', 'drain', 'web']],
    [['backends', 'weight', B, '257']],
    [['backends', 'weight', B, 'heavy']],
    [['weight', B]],
    [['weight', '10']],
    [['weight', 'web', '10']],
    [['drain', B, 'web']],
    [['top', '--count', '0']],
    [['top', '--interval', '1']],
    [['backends', 'drain', B, '--timeout', '5']],
    [['failover', 'nonsense']],
    [['events', '--since', 'yesterday']],
    [['completion', 'tcsh']],
    [['run', '--log-format', 'xml']],
  ])('takes %j as wrong use: exit status 64, told on standard error', async (args) => {
    const { code, stdout, stderr } = await tandem(...args);
    expect(code).toBe(EXIT.usage);
    expect(stdout).toBe('');
    expect(stderr).not.toBe('');
    expect(stderr).not.toContain('    at ');
    expect(backend.calls).toEqual([]);
  });

  it.each([['status'], ['backends'], ['failover'], ['reload'], ['events'], ['failover', 'handover']])(
    'tells when there is no daemon: exit status 69 (%s %s)',
    async (...args) => {
      await stop();
      const { code, stdout, stderr } = await tandem(...args.filter(Boolean));
      expect(code).toBe(EXIT.unavailable);
      expect(stdout).toBe('');
      expect(stderr).toMatch(/^tandem: there is no daemon at .*\nhint: .*tandem run/);
    },
  );

  it('tells errors to programs in JSON', async () => {
    const { code, stderr } = await tandem('backends', 'drain', 'web/none', '--json');
    expect(code).toBe(EXIT.usage);
    expect(JSON.parse(stderr)).toEqual({
      error: { code: 'unknown-backend', message: 'no backend web/none', hint: 'see tandem backends' },
    });
  });

  it('says that an answer could not be written: exit status 71', async () => {
    const full = openSync('/dev/full', 'w');
    const child = spawn(process.execPath, [MAIN, 'status', '--socket', socket], {
      stdio: ['ignore', full, 'pipe'],
    });
    closeSync(full);
    children.push(child);
    const { code, stderr } = await finished(child);
    expect(code).toBe(EXIT.osError);
    expect(stderr).toMatch(
      /^tandem: the answer cannot be written: ENOSPC: no space left on device.*\nhint: /,
    );
    expect(stderr).not.toContain('    at ');
  });

  it('keeps its exit status when nobody reads its errors', async () => {
    const file = join(directory, 'bad.toml');
    writeFileSync(file, '[[service]]\nnonsense = 1\n');
    const child = start(['check', file]);
    child.stderr?.destroy();
    expect((await finished(child)).code).toBe(EXIT.usage);
  });

  it('shows where an error comes from only when asked', async () => {
    await stop();
    const child = start(['status'], { TANDEM_DEBUG: '1' });
    expect((await finished(child)).stderr).toContain('    at ');
  });

  it('finds its daemon by --socket before $TANDEM_SOCKET, and by the file of --config', async () => {
    const elsewhere = { TANDEM_SOCKET: join(directory, 'none.sock') };
    const named = await finished(start(['status', '--socket', socket], elsewhere));
    expect(named.code).toBe(0);
    const byFile = await finished(start(['status', '--config', goodConfig()], elsewhere));
    expect(byFile).toMatchObject({ code: 0, stderr: '' });
  });

  it('ends quietly when the reader of its output has gone', async () => {
    for (let n = 0; n < 1_000; n++) {
      timeline.emit({ level: 'info', name: 'backend.up', message: 'x'.repeat(500), fields: {} });
    }
    const child = start(['events']);
    const end = finished(child);
    child.stdout?.once('data', () => child.stdout?.destroy());
    expect(await end).toMatchObject({ code: 0, stderr: '' });
  });
});

function goodConfig(extra = ''): string {
  const path = join(directory, 'tandem.toml');
  writeFileSync(
    path,
    `[node]
name = "lb-a"
[admin]
socket = ${JSON.stringify(socket)}
[[service]]
name = "web"
protocol = "tcp"
listen = ["127.0.0.1:18080"]
[[service.backend]]
address = "127.0.0.1:18081"
${extra}`,
  );
  return path;
}

describe('tandem check', () => {
  it('sums up a good file', async () => {
    const { code, stdout, stderr } = await tandem('check', goodConfig());
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/tandem\.toml: ok \(1 service, 1 backend, no failover\)\n$/);
    expect(JSON.parse((await tandem('check', goodConfig(), '--json')).stdout)).toEqual({
      ok: true,
      problems: [],
    });
  });

  it('tells all that is wrong with a bad one, with its place: exit status 64', async () => {
    const path = goodConfig('weigth = 5\nmax_connections = -1\n');
    const { code, stdout, stderr } = await tandem('check', path);
    expect(code).toBe(EXIT.usage);
    expect(stdout).toBe('');
    expect(stderr).toContain(`${path}:11:`);
    expect(stderr).toContain(`${path}:12:`);
    expect(stderr).toContain('weigth');
    const json = JSON.parse((await tandem('check', '--config', path, '--json')).stdout);
    expect(json.ok).toBe(false);
    expect(json.problems.map(({ line }: { line: number }) => line)).toEqual([11, 12]);
  });

  it('says no to a file that this host does not fit, in both forms', async () => {
    const path = join(directory, 'host.toml');
    writeFileSync(
      path,
      '[failover]\ninterface = "eth-none"\n[[failover.group]]\nvrid = 51\naddresses = ["10.0.0.100/24"]\n',
    );
    const { code, stderr } = await tandem('check', path);
    expect(code).toBe(EXIT.usage);
    expect(stderr).toContain(`${path}:2:13: failover.interface`);
    expect((await tandem('check', path, '--json')).code).toBe(EXIT.usage);
    expect((await tandem('check', path, '--other-host')).code).toBe(EXIT.ok);
  });

  it('tells when there is no file', async () => {
    const { code, stderr } = await tandem('check', join(directory, 'none.toml'));
    expect(code).toBe(EXIT.usage);
    expect(stderr).toContain('none.toml');
  });
});

describe('tandem status', () => {
  it('is plain when piped, even where colours are wanted elsewhere', async () => {
    const { code, stdout } = await finished(start(['status'], { FORCE_COLOR: '1' }));
    expect(code).toBe(0);
    expect(stdout).toContain('2 of 2 backends eligible');
    expect(stdout).not.toContain('\u001b');
  });

  it('has colours on a terminal, unless NO_COLOR or --no-color says no', () => {
    const onTerminal = (args: string, env: NodeJS.ProcessEnv = {}): string =>
      execFileSync('script', ['-qec', `${process.execPath} ${MAIN} ${args}`, '/dev/null'], {
        env: { ...process.env, TERM: 'xterm', NO_COLOR: '', ...env },
        stdio: ['ignore', 'pipe', 'inherit'],
      }).toString();
    // no daemon is needed for this one, and this process must not be blocked when it is asked
    expect(onTerminal('status --socket /nonexistent; true')).toContain('\u001b[31mtandem:');
    expect(onTerminal('status --socket /nonexistent --no-color; true')).not.toContain('\u001b');
    expect(onTerminal('status --socket /nonexistent; true', { NO_COLOR: '1' })).not.toContain('\u001b');
  });

  it('answers programs by the schema', async () => {
    const { stdout } = await tandem('status', '--json');
    expect(status.parse(JSON.parse(stdout))).toEqual(backend.current);
  });

  it('exits with 1 when a service is down', async () => {
    backend.current.services[0]!.backends = [backendStatusOf('b', { eligible: false, health: 'down' })];
    expect((await tandem('status')).code).toBe(EXIT.failure);
    expect((await tandem('status', '--json')).code).toBe(EXIT.failure);
  });

  it('disarms what a backend puts into its answers', async () => {
    backend.current.services[0]!.backends = [backendStatusOf('b', { lastCheck: '\u001b]0;pwned\u0007' })];
    expect((await tandem('status')).stdout).toContain('?]0;pwned?');
  });

  it('watches until interrupted, and through an absence of the daemon', async () => {
    const child = start(['status', '--watch', '--json', '--interval', '200ms']);
    const end = finished(child);
    let lines = 0;
    let gone = 0;
    child.stdout?.on('data', (chunk: Buffer) => {
      lines += chunk.toString().split('"node"').length - 1;
      gone += chunk.toString().split('"unreachable"').length - 1;
    });
    await expect.poll(() => lines, { timeout: 15_000 }).toBeGreaterThanOrEqual(2);
    await stop();
    await expect.poll(() => gone, { timeout: 15_000 }).toBeGreaterThanOrEqual(1);
    child.kill('SIGINT');
    expect(await end).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('tandem backends', () => {
  it('lists them', async () => {
    expect((await tandem('backends')).stdout).toMatch(/^web {2}tcp\n[\s\S]*10\.0\.1\.12:8080/);
    const [web] = JSON.parse((await tandem('backends', '--json')).stdout);
    expect(web.backends.map((one: unknown) => backendStatus.parse(one).id)).toEqual([
      '10.0.1.11:8080',
      '10.0.1.12:8080',
    ]);
  });

  it.each([
    [
      ['drain', B],
      ['setState', ['web', '10.0.1.11:8080', { state: 'draining' }]],
    ],
    [
      ['maintenance', B, '--persist'],
      ['setState', ['web', '10.0.1.11:8080', { state: 'maintenance', persist: true }]],
    ],
    [
      ['ready', B],
      ['setState', ['web', '10.0.1.11:8080', { state: 'ready' }]],
    ],
    [
      ['weight', B, '0'],
      ['setWeight', ['web', '10.0.1.11:8080', { weight: 0 }]],
    ],
    [
      ['weight', B, 'configured'],
      ['setWeight', ['web', '10.0.1.11:8080', { weight: null }]],
    ],
  ])('does %j', async (args, call) => {
    const { code, stdout } = await tandem('backends', ...args);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^web\/10\.0\.1\.11:8080: .* 4 connections\n$/);
    expect(backend.calls).toEqual([call]);
  });

  it('waits for the last connection and tells how many are left', async () => {
    backend.leavePerStatus = 2;
    const { code, stdout, stderr } = await tandem('backends', 'drain', B, '--wait');
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /^web\/10\.0\.1\.11:8080: 4 of 4 connections left\nweb\/10\.0\.1\.11:8080: 2 of 4 connections left, [\d.]+\/s, about \d+m?s\n$/,
    );
    expect(stdout).toContain('draining, up, weight 10, 0 connections');
  });

  it('tells programs the progress in JSON lines, the backend last', async () => {
    backend.leavePerStatus = 2;
    const { code, stdout } = await tandem('drain', B, '--wait', '--json');
    expect(code).toBe(0);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.slice(0, -1).map(({ progress }) => [progress.left, progress.initially])).toEqual([
      [4, 4],
      [2, 4],
    ]);
    expect(lines.at(-1)).toMatchObject({ service: 'web', id: '10.0.1.11:8080', connections: 0 });
  });

  it('changes several, and says what each did', async () => {
    const { code, stdout } = await tandem('drain', 'web/*');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^web\/10\.0\.1\.11:8080: draining, .*\nweb\/10\.0\.1\.12:8080: draining, .*\n$/);
    const weights = await tandem('backends', 'weight', B, 'web/10.0.1.12:8080', '3');
    expect(weights.stdout.match(/weight 3/g)).toHaveLength(2);
    expect(backend.calls).toHaveLength(4);
  });

  it('changes none when one of them does not exist', async () => {
    const { code, stderr } = await tandem('maintenance', B, 'web/10.0.1.99:1');
    expect(code).toBe(EXIT.usage);
    expect(stderr).toContain('web has no backend 10.0.1.99:1');
    expect(backend.calls).toEqual([]);
  });

  it('goes on with the others when one is refused, exit status 1', async () => {
    backend.failure = new TandemError('unknown-backend', 'gone meanwhile');
    const { code, stdout, stderr } = await tandem('drain', 'web/*');
    expect(code).toBe(EXIT.failure);
    expect(stderr).toContain(`${B}: gone meanwhile`);
    expect(stdout).toMatch(/^web\/10\.0\.1\.12:8080: draining/);
  });

  it('leaves the drain on at Ctrl-C and says so', async () => {
    const child = start(['drain', B, '--wait']);
    const ended = finished(child);
    child.stderr?.once('data', () => child.kill('SIGINT'));
    const { code, stderr, stdout } = await ended;
    expect(code).toBe(130);
    expect(stderr).toContain('what was set stays');
    expect(stdout).toContain('draining');
    expect(backend.calls).toHaveLength(1);
  });

  it('no longer waits when somebody takes the drain back', async () => {
    const child = start(['drain', B, '--wait']);
    const ended = finished(child);
    child.stderr?.once('data', () => void backend.setState('web', '10.0.1.11:8080', { state: 'ready' }));
    const { code, stderr } = await ended;
    expect(code).toBe(EXIT.failure);
    expect(stderr).toContain('changed meanwhile');
  });

  it('gives up waiting in time: exit status 1, and it drains on', async () => {
    const { code, stdout } = await tandem('backends', 'drain', B, '--wait', '--timeout', '700ms', '--json');
    expect(code).toBe(EXIT.failure);
    const last = stdout.trimEnd().split('\n').at(-1) ?? '';
    expect(backendStatus.parse(JSON.parse(last))).toMatchObject({ admin: 'draining', connections: 4 });
  });
});

describe('tandem failover', () => {
  it('shows the routers', async () => {
    expect((await tandem('failover')).stdout).toContain('Active: highest priority heard');
    const { stdout } = await tandem('failover', 'status', '--json');
    expect(status.shape.failover.parse(JSON.parse(stdout))).toEqual(backend.current.failover);
  });

  it('tells when there is none', async () => {
    backend.current.failover = null;
    const { code, stderr } = await tandem('failover');
    expect(code).toBe(EXIT.failure);
    expect(stderr).toContain('[failover]');
  });

  it('moves one group or all', async () => {
    expect(await tandem('failover', 'handover')).toMatchObject({ code: 0, stdout: 'handover done\n' });
    const { stdout } = await tandem('failover', 'takeover', 'main', '--json');
    expect(commandResult.parse(JSON.parse(stdout)).ok).toBe(true);
    expect((await tandem('failover', 'restart-agent')).code).toBe(0);
    const by = expect.stringMatching(/ on the command line$/);
    expect(backend.calls).toEqual([
      ['failoverCommand', [{ command: 'handover', by }]],
      ['failoverCommand', [{ command: 'takeover', by, group: 'main' }]],
      ['restartAgent', []],
    ]);
  });

  it('tells the history and explains', async () => {
    const { stdout } = await tandem('failover', 'history', '--group', 'main');
    expect(stdout).toMatch(/ main IPv4: Backup -> Active \(active-down-expired\)\n +10\.0\.0\.2 /);
    const json = (await tandem('failover', 'history', '--json')).stdout;
    expect(failoverHistory.parse(JSON.parse(json))).toEqual(backend.history);
    expect((await tandem('failover', 'explain')).stdout).toContain('would become Backup when another');
    if (backend.current.failover !== null) backend.current.failover.stale = true;
    expect((await tandem('failover', 'explain', 'main')).code).toBe(EXIT.failure);
  });

  it('writes a scenario down', async () => {
    const written = join(directory, 'scenario');
    expect((await tandem('failover', 'record', written)).code).toBe(0);
    expect(JSON.parse(readFileSync(join(written, 'start.json'), 'utf8'))).toMatchObject({ priority: 200 });
    expect(readFileSync(join(written, 'input.jsonl'), 'utf8')).toBe(
      '{"at":322,"type":"timer","timer":"active-down"}\n',
    );
    expect((await tandem('failover', 'record', join(socket, 'below'))).code).toBe(EXIT.osError);
  });

  it('exits with 1 when the daemon says no', async () => {
    backend.willing = false;
    const { code, stdout, stderr } = await tandem('failover', 'handover', 'main');
    expect({ code, stdout, stderr }).toEqual({ code: 1, stdout: '', stderr: 'tandem: the peer refuses\n' });
  });

  it.each([
    ['handover', 'mian'],
    ['takeover', 'mian', '--ask-peer'],
    ['drill', 'mian'],
    ['explain', 'mian'],
    ['history', '--group', 'mian'],
    ['record', '/nonexistent', '--group', 'mian'],
  ])('does not know a group: failover %s %s', async (...args) => {
    const { code, stdout, stderr } = await tandem('failover', ...args);
    expect(stderr).toBe(
      'tandem: there is no failover group "mian"\nhint: did you mean "main"? There is: main\n',
    );
    expect({ code, stdout }).toEqual({ code: EXIT.usage, stdout: '' });
  });
});

describe('tandem reload', () => {
  it('tells what has changed', async () => {
    expect((await tandem('reload')).stdout).toBe('service web: weight of 10.0.1.11:8080 is 5\n');
    reloadResult.parse(JSON.parse((await tandem('reload', '--json')).stdout));
  });
});

describe('tandem events', () => {
  const emit = (n: number): void =>
    timeline.emit({ level: 'warn', name: 'backend.down', message: `number ${n}`, fields: { n, why: 'a b' } });

  it('lists what has happened', async () => {
    for (let n = 1; n <= 3; n++) emit(n);
    const { stdout } = await tandem('events', '--since', '1');
    expect(stdout.split('\n')).toHaveLength(3);
    expect(stdout).toMatch(/^\S+Z 2 warn {2}backend\.down: number 2 {2}n=2 why="a b"\n/);
    const lines = (await tandem('events', '--json')).stdout.trim().split('\n');
    expect(lines.map((line) => eventLine.parse(JSON.parse(line)).seq)).toEqual([1, 2, 3]);
    expect((await tandem('events', '--since', '1h')).stdout.split('\n')).toHaveLength(4);
  });

  it('leaves out what is older than asked', async () => {
    emit(1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await tandem('events', '--since', '1ms')).stdout).toBe('');
  });

  it('follows from the last few on, until interrupted', async () => {
    for (let n = 1; n <= 30; n++) emit(n);
    const child = start(['events', '--follow']);
    const end = finished(child);
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    await expect.poll(() => text, { timeout: 15_000 }).toContain('number 30');
    emit(31);
    await expect.poll(() => text, { timeout: 15_000 }).toContain('number 31');
    expect(text).toContain('number 21');
    expect(text).not.toContain('number 20');
    child.kill('SIGINT');
    expect(await end).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('tandem init', () => {
  const PAIR = [
    ['--node', 'lb-a', '--peer', 'lb-b', '--interface', 'eth0', '--address', '10.0.0.100/24'],
    ['--service', 'web/tcp/80=10.0.1.11:8080,10.0.1.12:8080', '--health', '/health'],
    ['--service', 'dns/udp/53=10.0.1.11:53', '--vrid', '7'],
  ].flat();

  it('writes both files of a pair, which check well', async () => {
    const { code, stdout } = await tandem('init', ...PAIR, '--output', directory);
    const [a = '', b = ''] = stdout.trim().split('\n');
    expect({ code, a, b }).toEqual({
      code: 0,
      a: join(directory, 'lb-a.toml'),
      b: join(directory, 'lb-b.toml'),
    });
    for (const file of [a, b]) {
      expect((await tandem('check', '--other-host', file)).stdout).toContain(
        '2 services, 3 backends, 1 failover group',
      );
    }
    const text = readFileSync(a, 'utf8');
    expect(text).toMatch(/^path = "\/health"$/m);
    // what an editor looks for is there
    expect(existsSync(/^#:schema (\S+)\n/.exec(text)?.[1] ?? '')).toBe(true);
  });

  it('overwrites nothing unless forced', async () => {
    const path = join(directory, 'lb-b.toml');
    writeFileSync(path, 'precious');
    const { code, stderr } = await tandem('init', ...PAIR, '--output', directory);
    expect(code).toBe(EXIT.failure);
    expect(stderr).toContain('--force');
    expect(readFileSync(path, 'utf8')).toBe('precious');
    expect(existsSync(join(directory, 'lb-a.toml'))).toBe(false);
    expect((await tandem('init', ...PAIR, '--output', directory, '--force', '--json')).code).toBe(0);
    expect(readFileSync(path, 'utf8')).toContain('lb-b');
  });

  it.each([
    [[]],
    [['--service', 'web']],
    [['--service', 'web/sctp/80=10.0.0.1:80']],
    [['--service', 'web/tcp/0=10.0.0.1:80']],
    [['--service', 'web/tcp/80=nonsense']],
    [['--service', 'web/tcp/80=10.0.0.1:80', '--node', '../escape']],
    [['--service', 'web/tcp/80=10.0.0.1:80', '--vrid', '256']],
    [['--service', 'web/tcp/80=10.0.0.1:80', '--node', 'lb-a', '--peer', 'lb-a', '--force']],
    [['--service', 'web/tcp/80=10.0.0.1:80', '--peer-ip', '10.0.0.3', '--own-ip', '10.0.0.2']],
    // the other node would speak multicast
    [[...PAIR, '--unicast-peer', '10.0.0.3']],
  ])('writes nothing when it is told %j: exit status 64', async (args) => {
    const { code, stderr } = await tandem('init', ...args, '--output', join(directory, 'out'));
    expect(code).toBe(EXIT.usage);
    expect(stderr).not.toBe('');
    expect(existsSync(join(directory, 'out'))).toBe(false);
  });

  it('asks on a terminal for what the flags leave open', async () => {
    const command = `${process.execPath} ${MAIN} init --node lb-a --output ${directory}`;
    const child = spawn('script', ['-qec', command, '/dev/null'], {
      env: { ...process.env, TERM: 'xterm' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    children.push(child);
    const answers: [RegExp, string][] = [
      [/other host.*: /, 'lb-a'],
      [/needs another name[\s\S]*other host.*: /, 'lb b'],
      [/not usable as a name[\s\S]*other host.*: /, 'lb-b'],
      [/Virtual addresses.*: /, '10.0.0.256/24'],
      [/not an IP address[\s\S]*Virtual addresses.*: /, '10.0.0.100/24'],
      [/Interface.*: /, 'eth0'],
      [/Address of the other host.*: /, 'lb-b'],
      [/does not resolve names[\s\S]*Address of the other host.*: /, '10.0.0.3'],
      [/Address of this host.*: /, '10.0.0.2'],
      [/multicast.*: /, 'perhaps'],
      [/Answer yes or no[\s\S]*multicast.*: /, 'no'],
      [/Name of the service.*: /, ''],
      [/Protocol.*: /, 'sctp'],
      [/not "sctp"[\s\S]*Protocol.*: /, ''],
      [/Port.*: /, '8080'],
      [/Backends.*: /, ''],
      [/at least one backend[\s\S]*Backends.*: /, '10.0.1.11:8080 10.0.1.12'],
      [/"10\.0\.1\.12" has no port: write[\s\S]*Backends.*: /, '10.0.1.11:8080 10.0.1.12:8080'],
      [/Path of.*: /, '/health'],
    ];
    let text = '';
    let all = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
      all += chunk;
      const next = answers[0];
      if (next === undefined || !next[0].test(text)) return;
      answers.shift();
      text = '';
      child.stdin.write(`${next[1]}\r`);
    });
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0);
    const { stdout } = await tandem('check', '--other-host', join(directory, 'lb-b.toml'));
    expect(stdout).toContain('ok (1 service, 2 backends, 1 failover group)');
    const [a, b] = ['lb-a', 'lb-b'].map((name) => readFileSync(join(directory, `${name}.toml`), 'utf8'));
    expect(a).toContain('unicast = { source = "10.0.0.2", peers = ["10.0.0.3"] }');
    expect(b).toMatch(/^address = "10\.0\.0\.2"$/m);
    const key = join(directory, 'peer.key');
    expect(statSync(key).mode & 0o777).toBe(0o600);
    const secret = readFileSync(key, 'utf8').trim();
    expect(secret).toMatch(/^[0-9a-f]{64}$/);
    // shown is what to copy where, and never the secret
    expect(all).not.toContain(secret);
    expect(all).toMatch(/install -D -m 640 -g tandem \S*lb-a\.toml \/etc\/tandem\/tandem\.toml/);
    expect(all).toMatch(/scp \S*lb-b\.toml \S*peer\.key root@10\.0\.0\.3:/);
  });

  it('what to copy where can be pasted into a shell: IPv6, and a folder with a space', async () => {
    const folder = join(directory, 'two words');
    const args = [...PAIR, '--own-ip', '2001:db8::2', '--peer-ip', '2001:db8::3', '--output-dir', folder];
    const { stderr } = await tandem('init', ...args);
    expect(stderr).toContain(`  scp '${folder}/lb-b.toml' '${folder}/peer.key' 'root@[2001:db8::3]:'\n`);
    expect(stderr).toContain(`  install -D -m 640 -g tandem '${folder}/lb-a.toml' /etc/tandem/tandem.toml\n`);
  });

  it('a key is not overwritten either, and with --force closed to others first', async () => {
    const args = [...PAIR, '--own-ip', '10.0.0.2', '--peer-ip', '10.0.0.3', '--output-dir', directory];
    const key = join(directory, 'peer.key');
    writeFileSync(key, 'precious', { mode: 0o644 });
    expect(await tandem('init', ...args)).toMatchObject({ code: EXIT.failure });
    expect(readFileSync(key, 'utf8')).toBe('precious');
    expect((await tandem('init', ...args, '--force')).code).toBe(0);
    expect(readFileSync(key, 'utf8')).toMatch(/^[0-9a-f]{64}\n$/);
    expect(statSync(key).mode & 0o777).toBe(0o600);
    const half = await tandem('init', ...PAIR, '--own-ip', '10.0.0.2', '--output-dir', join(directory, 'x'));
    expect(half).toMatchObject({ code: EXIT.usage });
    expect(half.stderr).toContain('belong together');
  });
});

describe('tandem completion', () => {
  it('is a script that bash takes, and that completes', async () => {
    const script = join(directory, 'completion.bash');
    writeFileSync(script, (await tandem('completion', 'bash')).stdout);
    execFileSync('bash', ['-n', script]);
    // a `tandem` on the path, as the script asks for backends
    writeFileSync(join(directory, 'tandem'), `#!/bin/sh\nexec ${process.execPath} ${MAIN} "$@"\n`);
    chmodSync(join(directory, 'tandem'), 0o755);
    const { PATH: searchPath } = process.env;
    const complete = async (line: string): Promise<string[]> => {
      const body = `. ${script}; COMP_LINE=$1; COMP_POINT=\${#1}; _tandem; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const child = spawn('bash', ['-c', body, 'bash', line], {
        env: { ...process.env, TANDEM_SOCKET: socket, PATH: `${directory}:${searchPath}` },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      children.push(child);
      return (await finished(child)).stdout.trim().split('\n');
    };
    expect(await complete('tandem st')).toEqual(['status']);
    expect(await complete('tandem backends dr')).toEqual(['drain']);
    expect(await complete('tandem --json failover hand')).toEqual(['handover']);
    expect(await complete('tandem backends drain web/10.0.1.11')).toEqual([B]);
    expect(await complete('tandem backends drain web/10.0.1.12:80')).toEqual(['8080']);
    expect(await complete('tandem completion f')).toEqual(['fish']);
  });

  it.each(['zsh', 'fish'])('is there for %s with every command', async (shell) => {
    const { code, stdout } = await tandem('completion', shell);
    expect(code).toBe(0);
    for (const word of ['status', 'drain', 'handover', '--follow'.slice(2)]) expect(stdout).toContain(word);
  });
});

describe('tandem version', () => {
  it('tells its own and the daemon’s', async () => {
    expect(JSON.parse((await tandem('version', '--json')).stdout)).toMatchObject({ daemon: '0.0.0' });
    expect((await tandem('--version')).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
