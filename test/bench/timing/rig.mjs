// The network of the timing bench, in namespaces of this process's own (tdt<pid>-...), and what runs in it:
//
//      client          lb            backup         backend
//    10.96.0.50     10.96.0.1      10.96.0.2      10.96.0.11     /24, 2001:db8:96::/64
//        |        (10.96.0.100)        |              |
//    ====+=============+===============+==============+====   wire (a bridge)
import { spawn, spawnSync } from 'node:child_process';
import { createWriteStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseCapture } from './wire.mjs';

const MAIN = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));
const HOSTS = { lb: 1, backup: 2, backend: 11, client: 50 };
const VIP4 = '10.96.0.100';
const VIP6 = '2001:db8:96::100';
const VIP6_LINK_LOCAL = 'fe80::96:100';
const VRID = 51;

/** How the agent is scheduled: as Tandem has it; as where SCHED_FIFO is refused; as everything else. */
export const CASES = {
  fifo: { realtime: 50, nice: 0 },
  nice: { realtime: 0, nice: -20 },
  normal: { realtime: 0, nice: 0 },
};

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function sh(script) {
  const options = { encoding: 'utf8', maxBuffer: 256 << 20 };
  const { status, stdout, stderr } = spawnSync('bash', ['-ec', script], options);
  if (status !== 0) throw new Error(`${script}\n${stderr}`);
  return stdout;
}

async function eventually(what, condition, limitMs = 15_000) {
  const end = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`);
    await sleep(50);
  }
}

export class Rig {
  #prefix = `tdt${process.pid}-`;
  #dir = mkdtempSync(join(tmpdir(), 'tandem-timing-'));
  #processes = [];
  #options;
  #tandem;
  #keepalived;

  constructor(options) {
    this.#options = options;
  }

  /** Tandem is Active and reaches its backend; keepalived is the backup and has heard of it. */
  async start() {
    this.#network();
    this.#backend();
    this.#tandem = await this.#startTandem();
    if (this.#options.nice !== 0) sh(`renice -n ${this.#options.nice} -p ${await this.#agentPid()}`);
    this.#keepalived = this.#startKeepalived();
    await eventually('keepalived is the backup', () => {
      return ['v4', 'v6'].every((name) => this.#keepalived.log().includes(`(${name}) Entering BACKUP STATE`));
    });
    await eventually('the client reaches the backend', () => {
      return this.#in('client', ['curl', '-sf', '-m1', `http://${VIP4}/`]).status === 0;
    });
    await sleep(500);
    // without real-time priority that may well be so; it counts
    const sound = this.#options.realtime === 0 || this.takeovers() === 0;
    if (!sound) throw new Error(`the backup was never one:\n${this.#keepalived.log()}`);
  }

  #ns = (host) => `${this.#prefix}${host}`;

  #network() {
    const wire = this.#ns('wire');
    const steps = [
      `ip netns add ${wire}`,
      `ip -n ${wire} link add br0 type bridge forward_delay 0 mcast_snooping 0`,
      `ip -n ${wire} link set br0 up`,
    ];
    for (const [host, number] of Object.entries(HOSTS)) {
      const ns = this.#ns(host);
      steps.push(
        `ip netns add ${ns}`,
        `ip -n ${ns} link set lo up`,
        `ip netns exec ${ns} sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0`,
        `ip -n ${wire} link add ${host} type veth peer name eth0 netns ${ns}`,
        `ip -n ${wire} link set ${host} master br0 up`,
        `ip netns exec ${ns} sysctl -qw net.ipv6.conf.eth0.accept_dad=0`,
        `ip -n ${ns} addr add 10.96.0.${number}/24 dev eth0`,
        `ip -n ${ns} addr add 2001:db8:96::${number}/64 dev eth0 nodad`,
        `ip -n ${ns} link set eth0 up`,
      );
    }
    sh(steps.join('\n'));
  }

  #backend() {
    const path = join(this.#dir, 'nginx.conf');
    writeFileSync(
      path,
      `daemon off; user root; worker_processes 1; pid ${this.#dir}/nginx.pid; error_log stderr error;
events { worker_connections 4096; }
http { access_log off; keepalive_requests 1000000000;
  server { listen 8080 backlog=4096; location / { return 200 "${'x'.repeat(199)}\\n"; } } }`,
    );
    this.#spawn('backend', 'nginx', ['nginx', '-c', path, '-e', 'stderr']);
    this.#spawn('backend', 'iperf3', ['iperf3', '-s']);
  }

  async #startTandem() {
    const { intervalMs, realtime } = this.#options;
    const path = join(this.#dir, 'tandem.toml');
    const service = (name, port, to) => `
[[service]]
name = "${name}"
protocol = "tcp"
listen = ["${VIP4}:${port}"]
[[service.backend]]
address = "10.96.0.11:${to}"
`;
    writeFileSync(
      path,
      `[node]
name = "lb"
[admin]
socket = "${this.#socket}"
${service('web', 80, 8080)}${service('bulk', 5201, 5201)}
[failover]
interface = "eth0"
realtime_priority = ${realtime}
[[failover.group]]
vrid = ${VRID}
priority = 200
advertise_interval = "${intervalMs}ms"
addresses = ["${VIP4}/24", "${VIP6_LINK_LOCAL}/64", "${VIP6}/64"]
`,
    );
    const tandem = this.#spawn('lb', 'tandem', [process.execPath, MAIN, 'run', '--config', path]);
    await eventually(`Tandem is Active: ${tandem.logPath}`, async () => {
      if (tandem.child.exitCode !== null) throw new Error(`Tandem ended:\n${tandem.log()}`);
      const routers = (await this.#status())?.failover?.routers ?? [];
      return routers.length === 2 && routers.every(({ state }) => state === 'Active');
    });
    return tandem;
  }

  #startKeepalived() {
    const instance = (name, addresses) => `vrrp_instance ${name} {
  version 3
  state BACKUP
  interface eth0
  virtual_router_id ${VRID}
  priority 100
  advert_int ${this.#options.intervalMs / 1_000}
  virtual_ipaddress {
    ${addresses.join('\n    ')}
  }
}
`;
    const path = join(this.#dir, 'keepalived.conf');
    // real-time as well: a backup that is late itself would prove nothing
    writeFileSync(
      path,
      `global_defs {
  router_id backup
  vrrp_rt_priority 50
}
${instance('v4', [`${VIP4}/24`])}${instance('v6', [`${VIP6_LINK_LOCAL}/64`, `${VIP6}/64`])}`,
      { mode: 0o600 },
    );
    const pids = ['-p', join(this.#dir, 'parent.pid'), '-r', join(this.#dir, 'vrrp.pid')];
    return this.#spawn('backup', 'keepalived', ['keepalived', '-n', '-l', '-D', '-P', '-f', path, ...pids]);
  }

  /** From now on every advertisement is taken down as it reaches the backup; the function ends that and reads them. */
  async capture() {
    const file = join(this.#dir, 'wire.pcap');
    const filter = '(src host 10.96.0.1 and ip proto 112) or (ip6 proto 112 and ip6[8] == 0xfe)';
    const words = [
      'tcpdump',
      '-n',
      '-i',
      'eth0',
      '-B',
      '8192',
      '-s',
      '128',
      '-Z',
      'root',
      '-w',
      file,
      filter,
    ];
    const dump = this.#spawn('backup', 'tcpdump', words);
    await eventually('tcpdump listens', () => dump.log().includes('listening on'));
    return async () => {
      await dump.stop('SIGINT');
      const lost = Number(/(\d+) packets dropped by kernel/.exec(dump.log())?.[1] ?? Number.NaN);
      const text = sh(`tcpdump -tt -n -r ${file} 2>/dev/null`);
      return { ...parseCapture(text), lost };
    };
  }

  /** Endless loops, which end by themselves whatever becomes of this process. */
  spin(count, seconds) {
    for (let i = 0; i < count; i++) {
      this.#spawn('wire', `spin${i}`, ['timeout', String(seconds), 'sh', '-c', 'while :; do :; done']);
    }
  }

  /** Small requests and bulk at once, as much as goes through; what it met besides are `errors`. */
  async traffic(seconds) {
    const wrk = this.#spawn('client', 'wrk', ['wrk', '-t1', '-c64', `-d${seconds}s`, `http://${VIP4}/`]);
    const iperf = this.#spawn('client', 'bulk', ['iperf3', '-J', '-c', VIP4, '-P4', '-t', String(seconds)]);
    await Promise.all([wrk.exited, iperf.exited]);
    const { end, error, intervals } = JSON.parse(iperf.log());
    const bits = intervals.map(({ sum }) => sum.bytes * 8).reduce((sum, one) => sum + one, 0);
    const errors = [error, /Socket errors: .*/.exec(wrk.log())?.[0]].filter((one) => one !== undefined);
    return {
      requestsPerSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(wrk.log())?.[1] ?? 0),
      gigabitsPerSecond: (end.sum_received?.bits_per_second ?? bits / seconds) / 1e9,
      errors,
    };
  }

  /** How often the backup believed that Tandem was gone, over both families. */
  takeovers() {
    return [...this.#keepalived.log().matchAll(/Entering MASTER STATE/g)].length;
  }

  /** What keepalived said since it was the backup; for when it took over. */
  keepalivedLog() {
    return this.#keepalived.log().split('Startup complete').at(-1);
  }

  async transitions() {
    const routers = (await this.#status())?.failover?.routers ?? [];
    return routers.reduce((sum, router) => sum + router.transitions, 0);
  }

  stalls() {
    return this.#tandem.log().split('failover.stall').length - 1;
  }

  /** Of the agent's main thread, as the kernel has it. */
  async scheduling() {
    const pid = await this.#agentPid();
    const stat = readFileSync(`/proc/${pid}/task/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const policy = Number(fields[38]);
    return policy === 1 ? `SCHED_FIFO ${fields[37]}` : `nice ${fields[16]}`;
  }

  async #agentPid() {
    return (await this.#status()).failover.agentPid;
  }

  async stop() {
    await Promise.all(this.#processes.map((process) => process.stop('SIGTERM')));
    for (const host of [...Object.keys(HOSTS), 'wire']) {
      spawnSync('ip', ['netns', 'del', this.#ns(host)], { stdio: 'ignore' });
    }
    rmSync(this.#dir, { recursive: true, force: true });
  }

  get #socket() {
    return join(this.#dir, 'tandem.sock');
  }

  #status() {
    return new Promise((resolve) => {
      const asked = request({ socketPath: this.#socket, path: '/v1/status', timeout: 5_000 }, (answer) => {
        let body = '';
        answer.setEncoding('utf8').on('data', (text) => {
          body += text;
        });
        answer.once('end', () => resolve(JSON.parse(body)));
      });
      asked.once('timeout', () => asked.destroy());
      asked.once('error', () => resolve(null));
      asked.end();
    });
  }

  #in(host, command) {
    return spawnSync('ip', ['netns', 'exec', this.#ns(host), ...command], { encoding: 'utf8' });
  }

  #spawn(host, name, command) {
    const process = new Owned(this.#ns(host), join(this.#dir, `${name}.log`), command);
    this.#processes.push(process);
    return process;
  }
}

/** A process in a namespace, its output in a file. */
class Owned {
  constructor(ns, logPath, command) {
    this.logPath = logPath;
    this.child = spawn('ip', ['netns', 'exec', ns, ...command], { stdio: ['ignore', 'pipe', 'pipe'] });
    const log = createWriteStream(logPath);
    this.child.stdout.pipe(log, { end: false });
    this.child.stderr.pipe(log, { end: false });
    // closed, not only ended: everything that it said is in the log
    this.exited = new Promise((resolve, reject) => {
      this.child.once('error', reject);
      this.child.once('close', () => log.end(resolve));
    });
    this.exited.catch(() => undefined);
  }

  log() {
    return readFileSync(this.logPath, { encoding: 'utf8', flag: 'a+' });
  }

  async stop(signal) {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    const late = setTimeout(() => this.child.kill('SIGKILL'), 5_000);
    await this.exited.catch(() => undefined);
    clearTimeout(late);
  }
}
