import { basename } from 'node:path';
import { type IpPrefix, ipFromBytes, prefixContains } from '../../lib/ip.ts';
import type { FailoverGroupSpec } from '../../model/failover.ts';
import type { AddressInfo, LinkInfo } from '../../native/index.ts';
import type { InterfaceFacts, LinkFacts, Manager } from '../facts.ts';
import { type Files, readNumber } from './files.ts';

/** <net/if.h> */
const IFF_MULTICAST = 0x1000;
/** <linux/if_addr.h> */
const IFA_F_DADFAILED = 0x08;

export interface Kernel {
  readonly links: readonly LinkInfo[];
  readonly addresses: readonly AddressInfo[];
}

/** Every interface that a failover group names, once. */
export function interfaceFacts(
  files: Files,
  kernel: Kernel,
  groups: readonly FailoverGroupSpec[],
): InterfaceFacts[] {
  const names = [...new Set(groups.map((group) => group.interface))];
  return names.map((name) =>
    factsOf(
      files,
      kernel,
      name,
      groups.filter((group) => group.interface === name),
    ),
  );
}

function factsOf(
  files: Files,
  kernel: Kernel,
  name: string,
  groups: readonly FailoverGroupSpec[],
): InterfaceFacts {
  const virtual = groups.flatMap(({ addresses }) => addresses);
  const link = kernel.links.find((candidate) => candidate.name === name) ?? null;
  const others = otherInterfaces(kernel, name);
  const greater = (key: string): number | null => greaterSysctl(files, name, key);
  return {
    name,
    families: ([4, 6] as const).filter((family) => virtual.some(({ address }) => address.family === family)),
    multicast: groups.some(({ unicast }) => unicast === null),
    link: link === null ? null : linkFacts(files, link),
    manager: link === null ? null : managerOf(files, link.index),
    rpFilter: greater('ipv4/conf/*/rp_filter'),
    arpIgnore: greater('ipv4/conf/*/arp_ignore'),
    arpAnnounce: greater('ipv4/conf/*/arp_announce'),
    acceptDad: greater('ipv6/conf/*/accept_dad'),
    ipv6Disabled: readNumber(files, `/proc/sys/net/ipv6/conf/${name}/disable_ipv6`) !== 0,
    otherInterfaces: others.map((other) => other.name),
    sameSubnet: others.filter((other) => sharesSubnet(other.addresses, virtual)).map((other) => other.name),
    duplicates: kernel.addresses
      .filter(({ ifindex, flags }) => ifindex === link?.index && (flags & IFA_F_DADFAILED) !== 0)
      .map(({ address }) => ipFromBytes(address).text),
    hostPrefix: virtual.some(({ address, length }) => address.family === 4 && length === 32),
  };
}

/** What is in force: the kernel takes the greater of "all" and the interface's own (ip-sysctl). */
function greaterSysctl(files: Files, name: string, key: string): number | null {
  const own = readNumber(files, `/proc/sys/net/${key.replace('*', name)}`);
  const all = readNumber(files, `/proc/sys/net/${key.replace('*', 'all')}`);
  return own === null || all === null ? (own ?? all) : Math.max(own, all);
}

interface Other {
  readonly name: string;
  readonly addresses: readonly AddressInfo[];
}

function otherInterfaces({ links, addresses }: Kernel, name: string): Other[] {
  return links
    .filter((link) => link.name !== name && link.name !== 'lo' && link.up)
    .map((link) => ({
      name: link.name,
      addresses: addresses.filter(({ ifindex, address }) => ifindex === link.index && address.length === 4),
    }))
    .filter((other) => other.addresses.length > 0);
}

function sharesSubnet(addresses: readonly AddressInfo[], virtual: readonly IpPrefix[]): boolean {
  return addresses.some((info) => {
    const address = ipFromBytes(info.address);
    const own = { address, length: info.prefixLength, text: '' };
    return virtual.some(
      (prefix) =>
        prefixContains(own, prefix.address) || (prefix.length < 32 && prefixContains(prefix, address)),
    );
  });
}

function linkFacts(files: Files, { name, up, carrier, mtu }: LinkInfo): LinkFacts {
  const base = `/sys/class/net/${name}`;
  const flags = readNumber(files, `${base}/flags`);
  const speed = readNumber(files, `${base}/speed`);
  const duplex = files.read(`${base}/duplex`)?.trim() ?? null;
  return {
    up,
    carrier,
    mtu,
    multicast: flags === null ? null : (flags & IFF_MULTICAST) !== 0,
    // -1 is "unknown"
    speed: speed !== null && speed > 0 ? speed : null,
    duplex,
    wireless: files.exists(`${base}/wireless`) || files.exists(`${base}/phy80211`),
    bridge: bridgeOf(files, name),
  };
}

function bridgeOf(files: Files, name: string): LinkFacts['bridge'] {
  const base = `/sys/class/net/${name}`;
  const port = files.link(`${base}/brport/bridge`);
  const [bridge, settings] =
    port === null ? [name, `${base}/bridge`] : [basename(port), `${base}/brport/bridge/bridge`];
  const snooping = readNumber(files, `${settings}/multicast_snooping`);
  if (snooping === null) return null;
  return {
    name: bridge,
    snooping: snooping !== 0,
    querier: readNumber(files, `${settings}/multicast_querier`) === 1,
  };
}

/** Both programs write what they manage into /run; they run in the host's first network namespace alone. */
function managerOf(files: Files, ifindex: number): Manager | null {
  const [own, first] = [files.link('/proc/self/ns/net'), files.link('/proc/1/ns/net')];
  if (own !== null && first !== null && own !== first) return null;
  const networkManager = files.read(`/run/NetworkManager/devices/${ifindex}`) ?? '';
  if (/^managed=(?:true|1)$/m.test(networkManager)) return { kind: 'NetworkManager' };
  const state = files.read(`/run/systemd/netif/links/${ifindex}`) ?? '';
  const file = /^NETWORK_FILE=(.+)$/m.exec(state)?.[1];
  if (file === undefined) return null;
  const dropIns = /^NETWORK_FILE_DROPINS="?([^"\n]*)"?$/m.exec(state)?.[1]?.split(' ') ?? [];
  const texts = [file, ...dropIns].map((path) => files.read(path) ?? '');
  const keep = texts.flatMap((text) => [...text.matchAll(/^\s*KeepConfiguration\s*=\s*(\S+)/gm)]).at(-1)?.[1];
  return { kind: 'networkd', file, keep: keep ?? null };
}
