/** The pair of the Vagrantfile under test: who holds the address all the time, what both say, and the client's measurements. */
import { setTimeout as sleep } from 'node:timers/promises';
import { addressLine, Holders } from './holders.mjs';

export const ADDRESS = '10.0.0.100';
const BALANCERS = ['lb-a', 'lb-b'];
const CLIENT = 'client';
const POLL_MS = 500;
// what `tandem status --json` asks; in an emulated machine the start of Node alone takes seconds
const STATUS =
  'sudo curl --silent --max-time 10 --unix-socket /run/tandem/admin.sock http://localhost/v1/status';
/** Connections of every kind of kept-clients.mjs. */
const KEPT = 7;

export class Pair {
  #machines;
  #signal;
  /** What ends waiting: `#signal` until that has come, and what is mended then is not cut short. */
  #waiting;
  #patienceMs;
  #intervalMs;
  #note;
  #holders = new Holders();
  /** By balancer: interface and MAC address in the network of the address. */
  #fronts = new Map();
  #monitors = new Map();

  constructor(machines, { signal, patienceMs, intervalMs, note }) {
    this.#machines = machines;
    this.#signal = signal;
    this.#waiting = signal;
    this.#patienceMs = patienceMs;
    this.#intervalMs = intervalMs;
    this.#note = note;
  }

  get holders() {
    return this.#holders;
  }

  /** Reaches all machines, and looks from now on who holds the address. */
  async open() {
    await this.#machines.reach([...BALANCERS, CLIENT]);
    for (const name of BALANCERS) await this.#watch(name);
  }

  async #watch(name) {
    // the front is where the node's own address of that network is
    const shown = await this.#machines.need(name, 'ip -o -4 address; ip -o link');
    const front = /^\d+: (\S+)\s+inet 10\.0\.0\.[23]\//m.exec(shown)?.[1];
    const mac = new RegExp(`^\\d+: ${front}[:@].*link/ether (\\S+)`, 'm').exec(shown)?.[1];
    if (front === undefined || mac === undefined) throw new Error(`${name} has no interface in 10.0.0.0/24`);
    this.#fronts.set(name, { interface: front, mac });
    const heard = Promise.withResolvers?.() ?? withResolvers();
    const onLine = (line) => {
      if (line === 'watching') heard.resolve();
      else this.#heard(name, front, line);
    };
    // a lease is renewed all the time, so what changes between the two is said again
    const command = `ip -o -4 address; echo watching; stdbuf -oL ip -o -4 monitor address & read -r _; kill $!`;
    // what was seen of it before is old
    this.#holders.changed(performance.now(), name, false);
    const monitor = this.#machines.stream(name, command, onLine);
    this.#monitors.set(name, monitor);
    // without it nothing is known of this balancer: looked at again in `settled`, and no verdict until then
    monitor.ended.then(() => this.#monitors.get(name) === monitor && this.#monitors.delete(name));
    await this.#within('the balancer says its addresses', heard.promise);
  }

  #heard(name, front, line) {
    const found = addressLine(line);
    if (found?.address === ADDRESS && found.interface === front) {
      this.#holders.changed(performance.now(), name, !found.gone);
    }
  }

  /** A command that must end well. */
  command(name, command) {
    return this.#machines.need(name, command);
  }

  /** Also after an interruption. */
  async mend(fault) {
    if (this.#signal.aborted) {
      this.#machines.goOn();
      this.#waiting = new AbortController().signal;
    }
    await fault.mend(this);
  }

  async link(name, up) {
    await this.#machines.link(name, this.#fronts.get(name).mac, up);
  }

  async powerOff(name) {
    await this.#machines.powerOff(name);
    this.#monitors.get(name)?.kill();
    this.#holders.changed(performance.now(), name, false);
  }

  async powerOn(name) {
    await this.#machines.powerOn(name);
    let why = '';
    const reached = await this.until(async () => {
      try {
        await this.#machines.reach([...BALANCERS, CLIENT]);
        await this.#watch(name);
        return true;
      } catch (error) {
        why = error.message;
        return false;
      }
    });
    if (!reached) throw new Error(`${name} does not come up: ${why}`);
  }

  /** The role comes back, unless it already has. */
  async retake(name) {
    if (this.#holders.now.join() === name) return;
    await this.command(name, 'sudo tandem failover takeover --ask-peer');
  }

  /** Waits until it holds. @returns false when it does not within the patience */
  async until(holds) {
    const deadline = performance.now() + this.#patienceMs;
    while (!(await holds())) {
      if (performance.now() > deadline) return false;
      await sleep(POLL_MS, undefined, { signal: this.#waiting });
    }
    return true;
  }

  /** lb-a Active, lb-b Backup, all backends in reach of both, nothing left of a handover. @throws Error when it does not get there */
  async settled() {
    let why = '';
    const ok = await this.until(async () => {
      const now = await this.#unsettled();
      if (now !== null && now !== why) this.#note(`    not ready yet: ${now}`);
      why = now;
      return why === null;
    });
    if (!ok) throw new Error(`the pair does not get ready: ${why}`);
  }

  /** Balancers whose addresses cannot be seen. */
  get blind() {
    return BALANCERS.filter((name) => !this.#monitors.has(name));
  }

  async #unsettled() {
    for (const name of this.blind) await this.#watch(name);
    for (const [name, wanted] of [
      ['lb-a', 'Active'],
      ['lb-b', 'Backup'],
    ]) {
      const status = await this.#status(name);
      if (!status?.failover) return `${name} does not answer, or its failover does not run`;
      const { failover, services } = status;
      const states = failover.routers.map(({ state }) => state);
      if (states.length === 0 || states.some((state) => state !== wanted))
        return `${name} is ${states.join('/')}, not ${wanted}`;
      if (failover.drains.length > 0) return `${name} still drains after a handover`;
      const down = services.flatMap((one) =>
        one.backends.filter(({ eligible }) => !eligible).map(({ id }) => `${one.name}/${id}`),
      );
      if (down.length > 0) return `${name} does not reach ${down.join(', ')}`;
      if (failover.peer?.peerReaches == null) return `${name} has not heard of its peer's backends`;
    }
    return this.#holders.now.join() === 'lb-a'
      ? null
      : `the address is held by ${this.#holders.now.join(' and ') || 'nobody'}`;
  }

  async #status(name) {
    const { stdout } = await this.#machines.run(name, STATUS);
    try {
      return JSON.parse(stdout);
    } catch {
      return null;
    }
  }

  /** Whose MAC address answers the client's ARP requests, broadcast, so that nobody is left out. */
  async answers() {
    const front = `$(ip -o -4 address | awk 'index($4, "10.0.0.") == 1 { print $2; exit }')`;
    const { stdout } = await this.#machines.run(CLIENT, `sudo arping -b -c 3 -w 6 -I "${front}" ${ADDRESS}`);
    const macs = new Set([...stdout.matchAll(/\[([0-9A-Fa-f:]{17})\]/g)].map(([, mac]) => mac.toLowerCase()));
    return [...macs]
      .map((mac) => [...this.#fronts].find(([, front]) => front.mac === mac)?.[0] ?? mac)
      .sort();
  }

  /** Begins to measure. @returns what ends it and tells, or throws when the address does not answer */
  async measure() {
    const prober = await this.#client(
      `tandem failover probe --controlled --connections 0 --interval ${this.#intervalMs}ms tcp://${ADDRESS}:80 udp://${ADDRESS}:9000`,
      (line) => line.startsWith('{"ready"'),
    );
    const clients = await this.#client(
      `node /usr/local/lib/tandem/kept-clients.mjs ${ADDRESS} 7000 ${KEPT} ${this.#intervalMs * 5} & read -r _; kill $!; wait $!`,
      (line) => line === 'started',
    );
    return async () => {
      const [connections, probes] = await Promise.all([clients(), prober()]);
      return { probes: probes?.report ?? null, connections };
    };
  }

  /** A program of the client that is there when `ready` says so, and tells what it saw in its last line, in JSON. */
  async #client(command, ready) {
    const lines = [];
    const heard = Promise.withResolvers?.() ?? withResolvers();
    const stream = this.#machines.stream(CLIENT, command, (line) => {
      lines.push(line);
      if (lines.length > 100) lines.shift();
      if (ready(line)) heard.resolve();
      else if (line.startsWith('{"problem"')) heard.reject(new Error(`the client cannot measure: ${line}`));
    });
    await this.#within('the client measures', heard.promise);
    return async () => {
      await stream.end();
      try {
        return JSON.parse(lines.at(-1) ?? '');
      } catch {
        return null;
      }
    };
  }

  async #within(what, promise) {
    const timer = new AbortController();
    const late = sleep(this.#patienceMs, undefined, {
      signal: AbortSignal.any([this.#waiting, timer.signal]),
    }).then(() => {
      throw new Error(`not within ${this.#patienceMs / 1_000} s: ${what}`);
    });
    try {
      await Promise.race([promise, late]);
    } finally {
      timer.abort();
      // it was only to be late
      late.catch(() => undefined);
    }
  }

  async close() {
    await this.#machines.close([...BALANCERS, CLIENT]);
  }
}

/** Promise.withResolvers, which Node 20 does not have. */
function withResolvers() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}
