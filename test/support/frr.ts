/**
 * FRR's zebra and vrrpd as a peer, with sockets and pid files in the lab's directory. vrrpd wants a macvlan
 * with the virtual MAC and the addresses for each family; it sets them protodown while Backup.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, type Host, type HostProcess, type Lab } from './netns.ts';

export interface FrrRouter {
  readonly vrid: number;
  readonly priority: number;
  /** Milliseconds, in tens. */
  readonly intervalMillis: number;
  /** With prefix lengths; the link-local one first. */
  readonly addresses4: readonly string[];
  readonly addresses6: readonly string[];
}

export interface FrrFamilyStatus {
  readonly status: string;
  readonly effectivePriority: number;
  readonly masterAdverInterval: number;
  readonly stats: { readonly adverTx: number; readonly adverRx: number; readonly transitions: number };
}

let serial = 0;

export class Frr {
  readonly #host: Host;
  readonly #dir: string;
  readonly vrrpd: HostProcess;
  readonly #zebra: HostProcess;

  private constructor(host: Host, dir: string, zebra: HostProcess, vrrpd: HostProcess) {
    this.#host = host;
    this.#dir = dir;
    this.#zebra = zebra;
    this.vrrpd = vrrpd;
  }

  static async start(lab: Lab, host: Host, router: FrrRouter): Promise<Frr> {
    addMacvlan(host, 'vrrp4', `00:00:5e:00:01:${hexByte(router.vrid)}`, router.addresses4);
    addMacvlan(host, 'vrrp6', `00:00:5e:00:02:${hexByte(router.vrid)}`, router.addresses6);
    const dir = privateDirectory(lab);
    writeFileSync(join(dir, 'zebra.conf'), 'log stdout\n');
    writeFileSync(join(dir, 'vrrpd.conf'), configuration(router));
    const daemon = (name: string): HostProcess =>
      host.spawn(name, [
        `/usr/lib/frr/${name}`,
        ...['-f', join(dir, `${name}.conf`), '-i', join(dir, `${name}.pid`)],
        ...['-z', join(dir, 'zserv.api'), '--vty_socket', dir, '-P', '0'],
      ]);
    const zebra = daemon('zebra');
    await eventually('zebra listens', () => {
      if (zebra.gone) throw new Error(`zebra ended:\n${zebra.log()}`);
      return existsSync(join(dir, 'zserv.api'));
    });
    const frr = new Frr(host, dir, zebra, daemon('vrrpd'));
    await eventually(`vrrpd knows its router: ${frr.vrrpd.logPath}`, async () => {
      if (frr.vrrpd.gone) throw new Error(`vrrpd ended:\n${frr.vrrpd.log()}`);
      return (await frr.show()) !== undefined;
    });
    return frr;
  }

  /** `show vrrp json` for its only router; undefined while it does not answer. */
  async show(): Promise<{ v4: FrrFamilyStatus; v6: FrrFamilyStatus } | undefined> {
    const shown = await this.#host.run([
      'vtysh',
      '--vty_socket',
      this.#dir,
      '-d',
      'vrrpd',
      '-c',
      'show vrrp json',
    ]);
    if (shown.status !== 0) return undefined;
    return (JSON.parse(shown.stdout) as { v4: FrrFamilyStatus; v6: FrrFamilyStatus }[])[0];
  }

  /** Of both families. */
  async waitState(state: 'Master' | 'Backup', timeoutMs = 15_000): Promise<void> {
    await eventually(
      `vrrpd is ${state}: ${this.vrrpd.logPath}`,
      async () => {
        const shown = await this.show();
        return shown?.v4.status === state && shown.v6.status === state;
      },
      timeoutMs,
    );
  }

  /** SIGTERM: vrrpd resigns with priority 0. */
  async stop(): Promise<void> {
    await this.vrrpd.stop();
    await this.#zebra.stop();
    this.#removeMacvlans();
  }

  /** kill -9 of both. */
  async crash(): Promise<void> {
    this.vrrpd.kill('SIGKILL');
    this.#zebra.kill('SIGKILL');
    await Promise.all([this.vrrpd.exited, this.#zebra.exited]);
    // vrrpd's macvlans outlive it and would go on answering for the addresses
    this.#removeMacvlans();
  }

  #removeMacvlans(): void {
    for (const device of ['vrrp4', 'vrrp6']) this.#host.ip('link', 'del', device);
  }
}

const hexByte = (n: number): string => n.toString(16).padStart(2, '0');

function addMacvlan(host: Host, device: string, mac: string, addresses: readonly string[]): void {
  host.ip('link', 'add', device, 'link', 'eth0', 'type', 'macvlan', 'mode', 'bridge');
  host.ip('link', 'set', device, 'address', mac);
  host.ip('link', 'set', device, 'addrgenmode', 'none');
  for (const address of addresses) {
    host.ip('addr', 'add', address, 'dev', device, ...(address.includes(':') ? ['nodad'] : []));
  }
  host.ip('link', 'set', device, 'up');
}

/** The daemons drop to the user frr, who must reach their sockets. */
function privateDirectory(lab: Lab): string {
  const dir = join(lab.dir, `frr-${++serial}`);
  mkdirSync(dir);
  chmodSync(lab.dir, 0o711);
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'frr'], { encoding: 'utf8' }));
  chownSync(dir, id('-u'), id('-g'));
  return dir;
}

function configuration({ vrid, priority, intervalMillis, addresses4, addresses6 }: FrrRouter): string {
  const bare = (address: string): string => address.split('/')[0] ?? address;
  const lines = [
    `vrrp ${vrid} version 3`,
    `vrrp ${vrid} priority ${priority}`,
    `vrrp ${vrid} advertisement-interval ${intervalMillis}`,
    ...addresses4.map((address) => `vrrp ${vrid} ip ${bare(address)}`),
    ...addresses6.map((address) => `vrrp ${vrid} ipv6 ${bare(address)}`),
  ];
  return `log stdout\ninterface eth0\n ${lines.join('\n ')}\n`;
}
