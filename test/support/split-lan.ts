/**
 * A link that falls apart and heals, with a client on either side. Carrier stays, so nobody is told:
 *
 *   lb-a 10.99.0.1, ::1 ───┐                        ┌─── lb-b 10.99.0.2, ::2
 *                          ├── lan-a ──x── lan-b ───┤        virtual: 10.99.0.100, 2001:db8:99::100
 *   client-a .8, ::8 ──────┘                        └─── client-b .9, ::9
 */
import { type Host, Lab } from './netns.ts';

export const VIPS = ['10.99.0.100', '2001:db8:99::100'] as const;

export class SplitLan {
  readonly lab: Lab;
  /** The balancers. */
  readonly hosts: readonly [Host, Host];
  readonly clients: readonly [Host, Host];
  readonly #far: Host;

  constructor(name: string) {
    this.lab = Lab.create(name);
    const near = this.lab.bridge('lan-a');
    this.#far = this.lab.bridge('lan-b');
    this.#far.join(near, 'trunk', []);
    this.#far.ip('link', 'set', 'trunk', 'master', 'br0');
    this.hosts = [this.#host('lb-a', near, 1), this.#host('lb-b', this.#far, 2)];
    this.clients = [this.#host('client-a', near, 8), this.#host('client-b', this.#far, 9)];
  }

  #host(name: string, lan: Host, number: number): Host {
    const made = this.lab.host(name);
    made.join(lan, 'eth0', [`10.99.0.${number}/24`]);
    // The link-local addresses follow from it, in the opposite order of the IPv4 ones: with equal priorities the greater
    // address wins, and IPv4 and IPv6 of a group move together all the same.
    made.ip('link', 'set', 'eth0', 'down');
    made.ip('link', 'set', 'eth0', 'address', `02:00:00:99:00:0${9 - number}`);
    made.ip('link', 'set', 'eth0', 'up');
    made.ip('addr', 'add', `2001:db8:99::${number}/64`, 'dev', 'eth0', 'nodad');
    return made;
  }

  set whole(whole: boolean) {
    this.#far.setConnected('trunk', whole);
  }

  /** No balancer holds one of the addresses. */
  get released(): boolean {
    return !this.hosts.some((host) => VIPS.some((vip) => host.holds(vip)));
  }

  /**
   * No client has an address elsewhere in its cache than on this host. One that asked the old holder in vain has
   * forgotten it (FAILED) and asks everybody the next time.
   */
  noneMisled(host: Host): boolean {
    const right = [macOf(host), undefined];
    return this.clients.every((client) => VIPS.every((vip) => right.includes(cacheOf(client, vip))));
  }

  /** Each client knows its own side's balancer. */
  get learnedApart(): boolean {
    return this.clients.every((client, i) => knows(client, this.hosts[i] ?? client));
  }

  /** Every client asks every address once. */
  async answers(): Promise<boolean> {
    const asked = this.clients.flatMap((client) =>
      VIPS.map((vip) => client.run(['ping', '-q', '-c', '1', '-W', '1', vip])),
    );
    return (await Promise.all(asked)).every(({ status }) => status === 0);
  }
}

const knows = (client: Host, host: Host): boolean =>
  VIPS.every((vip) => cacheOf(client, vip) === macOf(host));

const macOf = (host: Host): string =>
  /link\/ether (\S+)/.exec(host.ip('link', 'show', 'eth0'))?.[1] ?? 'no MAC address';

function cacheOf(client: Host, vip: string): string | undefined {
  const family = vip.includes(':') ? '-6' : '-4';
  const found = JSON.parse(client.ip(family, '-j', 'neigh', 'show', vip)) as { lladdr?: string }[];
  return found[0]?.lladdr;
}
