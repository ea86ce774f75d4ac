/**
 * Network namespaces as hosts. A test draws its topology in its header, makes a `Lab`, and calls
 * `lab.destroy()` in `afterAll`; the global set-up removes what a killed run left behind.
 *
 *   const lab = Lab.create('vrrp');
 *   const sw = lab.bridge('lan');                     // a switch, in a namespace of its own
 *   const a = lab.host('lb-a'); a.join(sw, 'eth0', ['10.99.0.1/24', '2001:db8:99::1/64']);
 *   await a.run(['ping', '-c1', '10.99.0.2']);        // to completion
 *   const p = a.spawn('daemon', ['node', 'dist/main.js', 'run', ...]);   // owned by the lab
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { createWriteStream, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PREFIX = 'tdt';
let serial = 0;

const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8', stdio: 'pipe' });

export interface RunResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process inside a namespace. `stop` ends it (SIGTERM, then SIGKILL) and waits until it is gone. */
export class HostProcess {
  readonly name: string;
  readonly child: ChildProcess;
  readonly logPath: string;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  #gone = false;

  constructor(name: string, child: ChildProcess, logPath: string) {
    this.name = name;
    this.child = child;
    this.logPath = logPath;
    this.exited = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => {
        this.#gone = true;
        resolve({ code, signal });
      });
    });
    // a spawn error is reported to whoever awaits `exited`; it must not crash the test run by itself
    this.exited.catch(() => {
      this.#gone = true;
    });
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error(`${this.name} did not start`);
    return this.child.pid;
  }

  get gone(): boolean {
    return this.#gone;
  }

  /** Everything it printed so far. */
  log(): string {
    return existsSync(this.logPath) ? readFileSync(this.logPath, 'utf8') : '';
  }

  kill(signal: NodeJS.Signals): void {
    if (!this.#gone) process.kill(this.pid, signal);
  }

  async stop(graceMs = 5_000): Promise<void> {
    if (this.#gone) return;
    // a stopped (SIGSTOP) process would never act on SIGTERM
    process.kill(this.pid, 'SIGCONT');
    process.kill(this.pid, 'SIGTERM');
    const deadline = setTimeout(() => {
      if (!this.#gone) process.kill(this.pid, 'SIGKILL');
    }, graceMs);
    await this.exited.catch(() => undefined);
    clearTimeout(deadline);
  }
}

/** One namespace. */
export class Host {
  readonly name: string;
  readonly ns: string;
  readonly #lab: Lab;

  constructor(lab: Lab, name: string, ns: string) {
    this.#lab = lab;
    this.name = name;
    this.ns = ns;
    ip('netns', 'add', ns);
    ip('-n', ns, 'link', 'set', 'lo', 'up');
    this.sysctl('net.ipv6.conf.all.accept_dad', '0');
    this.sysctl('net.ipv6.conf.default.accept_dad', '0');
  }

  /** Plugs a veth called `device` into the switch and gives it the addresses. */
  join(bridge: Host, device: string, addresses: readonly string[]): void {
    const port = `p${++serial}`;
    ip('-n', bridge.ns, 'link', 'add', port, 'type', 'veth', 'peer', 'name', device, 'netns', this.ns);
    ip('-n', bridge.ns, 'link', 'set', port, 'master', 'br0', 'up');
    this.#ports.set(device, { bridge, port });
    this.sysctl(`net.ipv6.conf.${device}.accept_dad`, '0');
    for (const address of addresses) {
      ip('-n', this.ns, 'addr', 'add', address, 'dev', device, ...(address.includes(':') ? ['nodad'] : []));
    }
    ip('-n', this.ns, 'link', 'set', device, 'up');
  }

  readonly #ports = new Map<string, { bridge: Host; port: string }>();

  /** Pulls or plugs the cable of `device` (the switch's end goes down: carrier is lost here). */
  setCable(device: string, plugged: boolean): void {
    const port = this.#ports.get(device);
    if (port === undefined) throw new Error(`${this.name} has no ${device}`);
    ip('-n', port.bridge.ns, 'link', 'set', port.port, plugged ? 'up' : 'down');
  }

  /** Takes `device` out of its switch without touching carrier (a silent partition), or puts it back. */
  setConnected(device: string, connected: boolean): void {
    const port = this.#ports.get(device);
    if (port === undefined) throw new Error(`${this.name} has no ${device}`);
    if (connected) ip('-n', port.bridge.ns, 'link', 'set', port.port, 'master', 'br0');
    else ip('-n', port.bridge.ns, 'link', 'set', port.port, 'nomaster');
  }

  /** `ip -n <this>` with these arguments. */
  ip(...args: string[]): string {
    return ip('-n', this.ns, ...args);
  }

  sysctl(key: string, value: string): void {
    execFileSync('ip', ['netns', 'exec', this.ns, 'sysctl', '-qw', `${key}=${value}`], { stdio: 'pipe' });
  }

  /** Does any interface here hold this address now? */
  holds(address: string): boolean {
    return (
      JSON.parse(ip('-n', this.ns, '-j', 'addr', 'show')) as { addr_info?: { local?: string }[] }[]
    ).some((link) => (link.addr_info ?? []).some((info) => info.local === address));
  }

  /** Runs a program to its end (at most `timeoutMs`); never throws on its exit status. */
  run(command: readonly string[], options: { timeoutMs?: number; input?: string } = {}): Promise<RunResult> {
    return new Promise((resolve, reject) => {
      const child = spawn('ip', ['netns', 'exec', this.ns, ...command], {
        stdio: ['pipe', 'pipe', 'pipe'],
        timeout: options.timeoutMs ?? 60_000,
        killSignal: 'SIGKILL',
      });
      let stdout = '';
      let stderr = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        stdout += text;
      });
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        stderr += text;
      });
      child.stdin.on('error', () => undefined); // the program may end without reading its input
      child.stdin.end(options.input ?? '');
      child.once('error', reject);
      child.once('close', (status) => resolve({ status, stdout, stderr }));
    });
  }

  /** Starts a program that the lab ends at the latest in `destroy`. Output goes to a log file. */
  spawn(
    name: string,
    command: readonly string[],
    options: { env?: Record<string, string>; cwd?: string } = {},
  ): HostProcess {
    const logPath = join(this.#lab.dir, `${this.name}-${name}-${++serial}.log`);
    // ip-netns exec replaces itself by the program: the pid is the program's own
    const child = spawn('ip', ['netns', 'exec', this.ns, ...command], {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
    });
    const log = createWriteStream(logPath);
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    child.once('close', () => log.end());
    const owned = new HostProcess(`${this.name}/${name}`, child, logPath);
    this.#lab.own(owned);
    return owned;
  }
}

/** A set of hosts that live and die together. */
export class Lab {
  /** A directory of its own for configs, sockets and logs; removed by `destroy`. */
  readonly dir: string;
  readonly #id: string;
  readonly #hosts: Host[] = [];
  readonly #processes: HostProcess[] = [];

  private constructor(id: string) {
    this.#id = id;
    this.dir = mkdtempSync(join(tmpdir(), `${id}-`));
  }

  static create(name: string): Lab {
    return new Lab(`${PREFIX}${process.pid}-${++serial}${name}`.slice(0, 40));
  }

  host(name: string): Host {
    const host = new Host(this, name, `${this.#id}-${name}`);
    this.#hosts.push(host);
    return host;
  }

  /** A switch: a namespace with the bridge `br0`, without multicast snooping so that VRRP reaches every port. */
  bridge(name: string): Host {
    const host = this.host(name);
    host.ip('link', 'add', 'br0', 'type', 'bridge', 'forward_delay', '0', 'mcast_snooping', '0');
    host.ip('link', 'set', 'br0', 'up');
    return host;
  }

  own(process: HostProcess): void {
    this.#processes.push(process);
  }

  async destroy(): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.stop()));
    for (const host of this.#hosts) killInside(host.ns);
    for (const host of this.#hosts) spawnSync('ip', ['netns', 'del', host.ns], { stdio: 'ignore' });
    if (process.env['TANDEM_KEEP_LOGS'] === undefined) rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Ends whatever still runs inside a namespace that this test run made (children of a killed daemon). */
function killInside(ns: string): void {
  const pids = spawnSync('ip', ['netns', 'pids', ns], { encoding: 'utf8' }).stdout ?? '';
  for (const pid of pids.split('\n').filter((line) => line !== '')) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // gone between the listing and the signal
    }
  }
}

/** Removes namespaces of test runs whose process no longer exists. */
export function removeLeftovers(): void {
  const list = spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' }).stdout ?? '';
  for (const line of list.split('\n')) {
    const ns = line.split(' ')[0] ?? '';
    const owner = new RegExp(`^${PREFIX}(\\d+)-`).exec(ns)?.[1];
    if (owner === undefined || existsSync(`/proc/${owner}`)) continue;
    killInside(ns);
    spawnSync('ip', ['netns', 'del', ns], { stdio: 'ignore' });
  }
}

/** Waits until `condition` holds, asking every `everyMs`; throws with `what` after `timeoutMs`. */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
  everyMs = 20,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    if (await condition()) return;
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

const has = (program: string): boolean => spawnSync('which', [program], { stdio: 'ignore' }).status === 0;

/**
 * Why a test that needs root, namespaces or these programs cannot run here; null when it can.
 * In CI (CI=true) nothing may be skipped: it throws instead.
 */
export function missing(...programs: string[]): string | null {
  const reasons: string[] = [];
  if (process.getuid?.() !== 0) reasons.push('needs root');
  for (const program of ['ip', 'sysctl', ...programs]) if (!has(program)) reasons.push(`needs ${program}`);
  if (reasons.length === 0) return null;
  const why = reasons.join(', ');
  if (process.env['CI'] === 'true') throw new Error(`CI skips nothing: ${why}`);
  process.stderr.write(`skipped: ${why}\n`);
  return why;
}
