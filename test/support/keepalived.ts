/**
 * Debian's keepalived as a peer, with its pid files and its dumps in the lab's directory.
 *
 *   const k = await Keepalived.start(lab, host, [{ name: 'v4', family: 4, vrid: 51, priority: 100, ... }]);
 *   await k.waitState('v4', 'MASTER');
 *   (await k.stats()).get('v4')?.errors            // every "Packet Errors" and "Authentication Errors" counter
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, type Host, type HostProcess, type Lab } from './netns.ts';

export interface KeepalivedInstance {
  readonly name: string;
  readonly version: 2 | 3;
  readonly vrid: number;
  readonly priority: number;
  /** Seconds; fractions for version 3. */
  readonly interval: number;
  /** With prefix lengths; for IPv6 the link-local one first. */
  readonly addresses: readonly string[];
  readonly unicast?: { readonly source: string; readonly peers: readonly string[] };
  readonly authPass?: string;
  readonly nopreempt?: boolean;
  readonly vmac?: boolean;
}

export interface KeepalivedStats {
  readonly received: number;
  readonly sent: number;
  readonly priorityZeroReceived: number;
  readonly priorityZeroSent: number;
  /** "Packet Errors/TTL" and the like. */
  readonly errors: Readonly<Record<string, number>>;
}

let serial = 0;

export class Keepalived {
  readonly process: HostProcess;
  readonly host: Host;
  readonly #dir: string;

  private constructor(host: Host, process: HostProcess, dir: string) {
    this.host = host;
    this.process = process;
    this.#dir = dir;
  }

  /** Returns when its VRRP process has started up. */
  static start(lab: Lab, host: Host, instances: readonly KeepalivedInstance[]): Promise<Keepalived> {
    return Keepalived.startText(lab, host, configuration(instances));
  }

  /** The same with a whole configuration; `configId` (by default the host's name) decides its "@" lines. */
  static async startText(lab: Lab, host: Host, text: string, configId = host.name): Promise<Keepalived> {
    const dir = join(lab.dir, `keepalived-${++serial}`);
    mkdirSync(dir);
    writeFileSync(join(dir, 'keepalived.conf'), text, { mode: 0o600 });
    const files = ['-f', 'keepalived.conf', '-p', 'parent.pid', '-r', 'vrrp.pid'];
    const args = files.map((word, i) => (i % 2 === 0 ? word : join(dir, word)));
    // TMPDIR is where it writes keepalived.data and keepalived.stats
    const command = ['keepalived', '-n', '-l', '-D', '-P', '-i', configId, ...args];
    const process = host.spawn('keepalived', command, {
      env: { TMPDIR: dir },
    });
    const keepalived = new Keepalived(host, process, dir);
    await eventually(`keepalived on ${host.name} has started: ${process.logPath}`, () => {
      if (process.gone) throw new Error(`keepalived on ${host.name} ended:\n${process.log()}`);
      return process.log().includes('Startup complete');
    });
    return keepalived;
  }

  /** The state that the instance entered last. */
  state(instance: string): string | undefined {
    const entered = new RegExp(`\\(${instance}\\) Entering (\\w+) STATE`, 'g');
    return [...this.process.log().matchAll(entered)].at(-1)?.[1];
  }

  async waitState(instance: string, state: 'MASTER' | 'BACKUP', timeoutMs = 15_000): Promise<void> {
    await eventually(
      `keepalived's ${instance} is ${state}: ${this.process.logPath}`,
      () => this.state(instance) === state,
      timeoutMs,
    );
  }

  /** What SIGUSR2 makes it write, by instance. */
  async stats(): Promise<Map<string, KeepalivedStats>> {
    const path = join(this.#dir, 'keepalived.stats');
    rmSync(path, { force: true });
    process.kill(Number(readFileSync(join(this.#dir, 'vrrp.pid'), 'utf8')), 'SIGUSR2');
    // its last line says that it is whole
    const complete = (): boolean =>
      existsSync(path) && /Priority Zero:\n.*\n.*Sent: \d+\n$/.test(readFileSync(path, 'utf8'));
    await eventually('keepalived writes its statistics', complete);
    return parseStats(readFileSync(path, 'utf8'));
  }

  /** SIGTERM: priority 0, addresses removed. */
  stop(): Promise<void> {
    return this.process.stop();
  }
}

function configuration(instances: readonly KeepalivedInstance[]): string {
  return `global_defs {\n  router_id test\n}\n${instances.map(instanceBlock).join('')}`;
}

function instanceBlock(instance: KeepalivedInstance): string {
  const { unicast, authPass } = instance;
  const lines = [
    `version ${instance.version}`,
    'state BACKUP',
    'interface eth0',
    `virtual_router_id ${instance.vrid}`,
    `priority ${instance.priority}`,
    `advert_int ${instance.interval}`,
    ...(instance.nopreempt === true ? ['nopreempt'] : []),
    ...(instance.vmac === true ? ['use_vmac'] : []),
    ...(authPass === undefined
      ? []
      : [`authentication {\n    auth_type PASS\n    auth_pass ${authPass}\n  }`]),
    ...(unicast === undefined
      ? []
      : [`unicast_src_ip ${unicast.source}`, `unicast_peer {\n    ${unicast.peers.join('\n    ')}\n  }`]),
    `virtual_ipaddress {\n    ${instance.addresses.join('\n    ')}\n  }`,
  ];
  return `vrrp_instance ${instance.name} {\n  ${lines.join('\n  ')}\n}\n`;
}

function parseStats(text: string): Map<string, KeepalivedStats> {
  const byInstance = new Map<string, Map<string, number>>();
  let counters = new Map<string, number>();
  let section = '';
  for (const line of text.split('\n')) {
    const instance = /^VRRP Instance: (.+)$/.exec(line)?.[1];
    const heading = /^ {2}([\w ]+):$/.exec(line)?.[1];
    const counter = /^ {4}([\w ]+): (\d+)$/.exec(line);
    if (instance !== undefined) {
      counters = new Map();
      byInstance.set(instance, counters);
    } else if (heading !== undefined) section = heading;
    else if (counter !== null) counters.set(`${section}/${counter[1]}`, Number(counter[2]));
  }
  return new Map([...byInstance].map(([name, found]) => [name, statsOf(found)]));
}

function statsOf(counters: ReadonlyMap<string, number>): KeepalivedStats {
  const counter = (name: string): number => {
    const value = counters.get(name);
    if (value === undefined) throw new Error(`keepalived's statistics have no ${name}`);
    return value;
  };
  return {
    received: counter('Advertisements/Received'),
    sent: counter('Advertisements/Sent'),
    priorityZeroReceived: counter('Priority Zero/Received'),
    priorityZeroSent: counter('Priority Zero/Sent'),
    errors: Object.fromEntries([...counters].filter(([name]) => name.includes('Errors/'))),
  };
}
