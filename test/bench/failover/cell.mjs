// One run: a network of its own, a contender's pair on it, one fault, and what a client saw.
//
//      client           a            b          backend
//     10.96.0.50    10.96.0.1    10.96.0.2    10.96.0.20   /24      the addresses: 10.96.0.100
//         |             |            |             |
//     ====+=============+============+=============+====   a switch    2001:db8:96::100
//         |             |            |             |
//   2001:db8:96::50    ::1          ::2           ::20     /64
//
// The client probes both addresses every millisecond. A plain echo on a and on b answers, the same for every contender
// and outside of it: what is compared is the failover alone. `a` has the higher priority and is Active at first. The
// same echo on the backend, to which nothing happens, tells the machine's own hiccups.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Daemon, sleep } from '../forwarding/shell.mjs';
import { CONTENDERS } from './contenders.mjs';
import { FAULTS } from './faults.mjs';
import { exec, Lines, OWN, removeNamespaces } from './host.mjs';
import { BACKEND, PROBE_PORT, TCP_PORT, VIPS } from './network.mjs';

const CONNECTIONS = 50;
/** Without an answer for so long a connection is lost. */
const REPLY_MS = 2_000;
const NUMBERS = { client: 50, a: 1, b: 2, backend: 20 };
const ECHO = fileURLToPath(new URL('../../support/echo-server.mjs', import.meta.url));
const CLIENTS = fileURLToPath(new URL('../../support/live-clients.mjs', import.meta.url));
/** From its start until the pair is Active and Backup; several start at once. */
const READY_LIMIT_MS = 40_000;

let serial = 0;

export class Cell {
  /** @param work `{ contender, fault, advert, rep }`; advert in ms */
  constructor(work, { dir, helpers, families, runs }) {
    this.work = work;
    this.fault = FAULTS[work.fault];
    this.families = families;
    this.runs = runs;
    this.helpers = helpers;
    this.id = `${OWN}${++serial}`;
    this.dir = join(dir, this.id);
    this.ns = Object.fromEntries(
      ['wire', ...Object.keys(NUMBERS)].map((host) => [host, `${this.id}-${host}`]),
    );
    this.nodes = {};
    this.echoes = {};
  }

  get vips() {
    return this.families.map((family) => VIPS[family]);
  }

  async setUp() {
    await exec(`mkdir -p ${this.dir}\n${this.#network()}`);
    for (const name of ['a', 'b', 'backend']) {
      const command = `${this.helpers}/failover-probe echo ${name} ${PROBE_PORT}`;
      this.echoes[name] = this.daemon(name, command, 'echo');
    }
    if (this.fault.connections) this.daemon('backend', `node ${ECHO} ${TCP_PORT}`, 'backend');
    for (const name of ['a', 'b']) this.nodes[name] = new CONTENDERS[this.work.contender].Node(this, name);
    await Promise.all(Object.values(this.nodes).map((node) => node.start()));
    await this.#become('ready', () => Promise.all([this.nodes.a.isActive(), this.nodes.b.isBackup()]));
    // not before: it would take the CPU from those who start
    const targets = [...this.vips, BACKEND].join(' ');
    const probe = `${this.helpers}/failover-probe probe ${PROBE_PORT} ${targets}`;
    this.probe = new Lines(this.daemon('client', probe, 'probe', true));
    await this.#become('reached', async () => (await this.#silence()).map((ms) => ms < 50));
    if (this.fault.connections) await this.#connect();
  }

  daemon(host, command, name, pipe = false) {
    return new Daemon(this.ns[host], command, { dir: this.dir, name: `${host}-${name}`, pipe });
  }

  /** The first half: the fault, at its phase of the advertisements, until the address has settled again. */
  async strike() {
    const { advert, rep } = this.work;
    const phase = ((rep + 0.5) / this.runs) * advert;
    this.prepared = await this.fault.prepare(this);
    await this.probe.ask(`fault ${Math.round(phase * 1_000)}`);
    await this.fault.strike(this.prepared);
    await this.#watch(this.fault.watch(advert));
    await this.probe.ask('mark'); // what comes now, other runs' business included, is not looked at
    this.after = await this.#holders();
  }

  /** The second half, for faults that end. */
  async heal() {
    if (this.fault.heal === undefined) return;
    await this.probe.ask('mark');
    await this.fault.heal(this, this.prepared);
    await this.#watch(this.fault.watch(this.work.advert));
    await this.probe.ask('mark');
    this.healed = await this.#holders();
  }

  /** `[{ fault, family, gap, lost, ... }]`, one for each half and family. */
  async result() {
    const windows = JSON.parse(await this.probe.ask('end'));
    const halves = [
      { name: this.work.fault, windows: windows[0], holders: this.after },
      ...(this.fault.heal === undefined
        ? []
        : [{ name: `${this.work.fault}-heal`, windows: windows[2], holders: this.healed }]),
    ];
    const connections = await this.#disconnect();
    return halves.flatMap(({ name, windows: seen, holders }) =>
      this.families.map((family, i) => ({
        ...this.work,
        row: name,
        family,
        ...seen[i],
        noise: seen.at(-1).gap,
        holder: holders[family],
        ...(this.fault.connections && { connections: connections[family] }),
      })),
    );
  }

  async tearDown({ keep = false } = {}) {
    await removeNamespaces(Object.values(this.ns));
    if (!keep) rmSync(this.dir, { recursive: true, force: true });
  }

  /** Takes host out of the switch without a word: what it sends and what is sent to it is dropped. */
  silence(host) {
    return exec(`ip netns exec ${this.ns.wire} nft -f - <<'END'
table netdev silence {
  chain from { type filter hook ingress device "p-${host}" priority 0; policy drop; }
  chain to { type filter hook egress device "p-${host}" priority 0; policy drop; }
}
END`);
  }

  unsilence() {
    return exec(`ip netns exec ${this.ns.wire} nft delete table netdev silence`);
  }

  cable(host, state) {
    return exec(`ip -n ${this.ns.wire} link set p-${host} ${state}`);
  }

  #network() {
    const lines = ['set -e'];
    for (const ns of Object.values(this.ns)) lines.push(`ip netns add ${ns}`, `ip -n ${ns} link set lo up`);
    const bridge = 'type bridge forward_delay 0 mcast_snooping 0';
    lines.push(`ip -n ${this.ns.wire} -batch - <<'END'`, `link add br0 ${bridge}`, 'link set br0 up');
    for (const host of Object.keys(NUMBERS)) {
      lines.push(`link add p-${host} type veth peer name eth0 netns ${this.ns[host]}`);
      lines.push(`link set p-${host} master br0 up`);
    }
    lines.push('END');
    for (const [host, number] of Object.entries(NUMBERS)) {
      lines.push(`ip -n ${this.ns[host]} -batch - <<'END'`, `addr add 10.96.0.${number}/24 dev eth0`);
      lines.push(`addr add 2001:db8:96::${number}/64 dev eth0 nodad`, 'link set eth0 up', 'END');
    }
    return lines.join('\n');
  }

  async #become(what, condition) {
    const limit = performance.now() + READY_LIMIT_MS;
    for (;;) {
      for (const [name, node] of Object.entries(this.nodes)) {
        if (node.daemon.gone) {
          throw new Error(`${this.work.contender} on ${name} ended:\n${node.daemon.log()}`);
        }
      }
      const met = await condition();
      if (met.every(Boolean)) return;
      if (performance.now() > limit) throw new Error(`${this.id}: not ${what}: ${met}`);
      await sleep(100);
    }
  }

  /** At least `least` ms; then until every address answers steadily, or until `most` ms are over. */
  async #watch({ least, most }) {
    const begin = performance.now();
    await sleep(least);
    for (let steady = 0; steady < 10; await sleep(50)) {
      const silent = await this.#silence();
      steady = silent.every((ms) => ms < 25) ? steady + 1 : 0;
      if (performance.now() - begin > most) return;
    }
  }

  /** Milliseconds since the last answer of each virtual address. */
  async #silence() {
    const silent = JSON.parse(await this.probe.ask('ask'));
    return silent.slice(0, this.families.length);
  }

  /** By family: which nodes have the address on the link. An address on lo alone answers nobody. */
  async #holders() {
    const [a, b] = await Promise.all(
      ['a', 'b'].map((host) => exec(`ip -n ${this.ns[host]} -o addr show dev eth0`)),
    );
    return Object.fromEntries(
      this.families.map((family) => {
        const on = (text) => text.includes(` ${VIPS[family]}/`);
        return [family, on(a) ? (on(b) ? 'both' : 'a') : on(b) ? 'b' : 'nobody'];
      }),
    );
  }

  async #connect() {
    this.clients = this.vips.map((vip) =>
      this.daemon(
        'client',
        `node ${CLIENTS} ${vip} ${TCP_PORT} ${CONNECTIONS} 0 ${REPLY_MS}`,
        `clients-${vip}`,
        true,
      ),
    );
    this.reports = this.clients.map((clients) => new Lines(clients));
    for (const report of this.reports) await report.line();
    await sleep(1_000);
  }

  async #disconnect() {
    if (this.clients === undefined) return {};
    for (const { child } of this.clients) child.kill('SIGTERM');
    const reports = await Promise.all(this.reports.map(async (report) => JSON.parse(await report.line())));
    return Object.fromEntries(this.families.map((family, i) => [family, reports[i]]));
  }
}
