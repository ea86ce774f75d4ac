// The contenders: how a node of each is configured, started, and which of its processes is which. VRRPv3, preemption,
// both families; all else at its default. vrrp_rt_priority did keepalived no good: longer gaps, and at 10 ms the kernel
// killed it for its default vrrp_rlimit_rttime.
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { sh } from '../forwarding/shell.mjs';
import { commandLine, exec, killAll, pidsIn } from './host.mjs';
import { BACKEND, TCP_PORT, VIPS } from './network.mjs';

const MAIN = new URL('../../../dist/main.js', import.meta.url).pathname;
const VRID = 51;
const LINK_LOCAL = 'fe80::96:100';
/** How long TCP connections may live on after a planned handover; longer than a run. */
const DRAIN = '30s';

const priorityOf = (name) => (name === 'a' ? 200 : 100);
const bracketed = (vip) => (vip.includes(':') ? `[${vip}]` : vip);

class TandemNode {
  constructor(cell, name) {
    this.cell = cell;
    this.name = name;
    this.socket = join(cell.dir, `${name}.sock`);
  }

  start() {
    const { cell, name } = this;
    const [own, other] = name === 'a' ? [1, 2] : [2, 1];
    const key = join(cell.dir, `${name}.key`);
    const config = join(cell.dir, `${name}.toml`);
    writeFileSync(key, 'the key of one run of the bench, long enough\n', { mode: 0o600 });
    const prefixes = cell.families.map((family) => `"${VIPS[family]}/${family === 4 ? 24 : 64}"`);
    writeFileSync(
      config,
      `[node]
name = "${name}"
[[service]]
name = "echo"
listen = [${cell.vips.map((vip) => `"${bracketed(vip)}:${TCP_PORT}"`).join(', ')}]
[[service.backend]]
address = "${BACKEND}:${TCP_PORT}"
[failover]
interface = "eth0"
priority = ${priorityOf(name)}
advertise_interval = "${cell.work.advert}ms"
[failover.peer]
address = "10.96.0.${other}"
listen = "10.96.0.${own}:8694"
secret_file = "${key}"
drain = "${DRAIN}"
[[failover.group]]
vrid = ${VRID}
addresses = [${prefixes.join(', ')}]
[admin]
socket = "${this.socket}"
`,
    );
    this.daemon = cell.daemon(name, `node ${MAIN} run --config ${config}`, 'tandem');
  }

  async #states() {
    const status = await get(this.socket, '/v1/status').catch(() => null);
    return (status?.failover?.routers ?? []).map(({ state }) => state);
  }

  async #are(state) {
    const states = await this.#states();
    return states.length === this.cell.families.length && states.every((one) => one === state);
  }

  isActive() {
    return this.#are('Active');
  }

  isBackup() {
    return this.#are('Backup');
  }

  /** The process that advertises, and the one that started it. */
  async processes() {
    const pids = await pidsIn(this.cell.ns[this.name]);
    const advertiser = pids.find((pid) => /failover\/agent\.js/.test(commandLine(pid)));
    if (advertiser === undefined) throw new Error(`no failover agent on ${this.name}`);
    return { advertiser, parent: this.daemon.child.pid };
  }

  stop() {
    this.daemon.child.kill('SIGTERM');
  }

  handOver() {
    const { cell, name, socket } = this;
    return exec(
      `ip netns exec ${cell.ns[name]} node ${MAIN} failover handover --require-peer --socket ${socket}`,
    );
  }
}

class KeepalivedNode {
  constructor(cell, name) {
    this.cell = cell;
    this.name = name;
    this.config = join(cell.dir, `${name}.conf`);
    this.pidFile = join(cell.dir, `${name}-vrrp.pid`);
  }

  start() {
    const { cell, name } = this;
    this.#configure(priorityOf(name));
    const files = `-f ${this.config} -p ${join(cell.dir, `${name}.pid`)} -r ${this.pidFile}`;
    this.daemon = cell.daemon(name, `keepalived -n -l -P ${files}`, 'keepalived');
    if (cell.fault.connections) this.#startProxy();
  }

  #configure(priority) {
    const instance = (family) => `vrrp_instance v${family} {
  state BACKUP
  interface eth0
  virtual_router_id ${VRID}
  priority ${priority}
  advert_int ${this.cell.work.advert / 1_000}
  virtual_ipaddress {
${family === 4 ? `    ${VIPS[4]}/24` : `    ${LINK_LOCAL}/64\n    ${VIPS[6]}/64`}
  }
}
`;
    const globals = `global_defs {
  router_id ${this.name}
  vrrp_version 3
}
`;
    writeFileSync(this.config, globals + this.cell.families.map(instance).join(''), { mode: 0o600 });
  }

  /** As it is done beside keepalived: the proxy of the standby binds an address that is not there yet. */
  #startProxy() {
    const { cell, name } = this;
    const path = join(cell.dir, `${name}-haproxy.cfg`);
    writeFileSync(
      path,
      `global
  maxconn 1000
defaults
  mode tcp
  timeout connect 5s
  timeout client 600s
  timeout server 600s
listen echo
${cell.vips.map((vip) => `  bind ${vip}:${TCP_PORT} transparent`).join('\n')}
  server backend ${BACKEND}:${TCP_PORT}
`,
    );
    cell.daemon(name, `haproxy -db -f ${path}`, 'haproxy');
  }

  /** Every instance's last state is this one. */
  #are(state) {
    const text = readFileSync(this.daemon.logPath, 'utf8');
    return this.cell.families.every((family) => {
      const entered = [...text.matchAll(new RegExp(`\\(v${family}\\) Entering (\\w+) STATE`, 'g'))];
      return entered.at(-1)?.[1] === state;
    });
  }

  isActive() {
    return this.#are('MASTER');
  }

  isBackup() {
    return this.#are('BACKUP');
  }

  async processes() {
    return { advertiser: Number(readFileSync(this.pidFile, 'utf8')), parent: this.daemon.child.pid };
  }

  stop() {
    this.daemon.child.kill('SIGTERM');
  }

  /** Its way to move an address and keep the node: a priority below the peer's, and a reload. */
  handOver() {
    this.#configure(50);
    killAll([this.daemon.child.pid], 'SIGHUP');
  }
}

export const CONTENDERS = {
  tandem: {
    title: 'Tandem',
    Node: TandemNode,
    version: () =>
      `Tandem ${JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')).version}`,
  },
  keepalived: {
    title: 'keepalived',
    Node: KeepalivedNode,
    // it says so on stderr
    version: () => sh('keepalived --version 2>&1').split('\n')[0],
  },
};

function get(socketPath, path) {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path, timeout: 2_000 }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (text) => {
        body += text;
      });
      answer.once('error', reject);
      answer.once('end', () => {
        try {
          resolve(JSON.parse(body));
        } catch (error) {
          reject(error);
        }
      });
    });
    asked.once('timeout', () => asked.destroy(new Error('no answer')));
    asked.once('error', reject);
    asked.end();
  });
}
