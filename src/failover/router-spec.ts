import { type IpFamily, type IpPrefix, isLinkLocal } from '../lib/ip.ts';
import type { FailoverGroupSpec, FailoverSpec, VirtualAddress, VirtualRoute } from '../model/failover.ts';
import { advertisedAddresses } from '../vrrp/packet.ts';
import type { RouterKey } from './protocol.ts';

/** One family of a group: what one state machine runs. */
export interface VirtualRouterSpec {
  readonly key: RouterKey;
  readonly family: IpFamily;
  readonly group: FailoverGroupSpec;
  /** In the order in which they are advertised, the derived link-local one included. */
  readonly addresses: readonly IpPrefix[];
  /** Those and the excluded ones, with the interfaces that carry them. */
  readonly held: readonly HeldAddress[];
  /** `[failover.peer]` is configured: there are two nodes. */
  readonly paired: boolean;
  /** Of this family; of the other one too, where that is not advertised. */
  readonly routes: readonly VirtualRoute[];
  /** The interface with the virtual MAC address; null where the group's own carries the addresses. */
  readonly mac: { readonly device: string; readonly address: Uint8Array } | null;
}

/** A virtual address and the interface that carries it. */
export interface HeldAddress extends IpPrefix {
  readonly device: string;
}

/** The virtual routers of a configuration, one for each group and family that has addresses. */
export function virtualRouterSpecs(spec: FailoverSpec): VirtualRouterSpec[] {
  return spec.groups.flatMap((group) =>
    ([4, 6] as const)
      .filter((family) => group.addresses.some(({ address }) => address.family === family))
      .map((family) => virtualRouterSpec(group, family, spec.peer !== null)),
  );
}

/** RFC 9568, 7.3: 00-00-5E-00-01-{VRID} for IPv4, 00-00-5E-00-02-{VRID} for IPv6. */
export function virtualMacAddress(vrid: number, family: IpFamily): Uint8Array {
  return Uint8Array.of(0x00, 0x00, 0x5e, 0x00, family === 4 ? 0x01 : 0x02, vrid);
}

/** Addresses and routes go with the virtual router of their family; where there is none, with the other one. */
function goesWith(group: FailoverGroupSpec, router: IpFamily, family: IpFamily): boolean {
  return family === router || !group.addresses.some(({ address }) => address.family === family);
}

function virtualRouterSpec(group: FailoverGroupSpec, family: IpFamily, paired: boolean): VirtualRouterSpec {
  const configured = new Map(group.addresses.map((prefix) => [prefix.address.text, prefix]));
  const addresses = advertisedAddresses(
    family,
    group.vrid,
    group.addresses.map(({ address }) => address),
  ).map((address): VirtualAddress => {
    const prefix = configured.get(address.text);
    if (prefix !== undefined) return prefix;
    // the derived link-local address: the link's own fe80::/64 route already covers it
    return { address, length: 128, text: `${address.text}/128`, device: null };
  });
  const device = group.virtualMac?.[family];
  const mac = device === undefined ? null : { device, address: virtualMacAddress(group.vrid, family) };
  const excluded = group.excluded.filter(({ address }) => goesWith(group, family, address.family));
  const held = [...addresses, ...excluded].map((prefix): HeldAddress => {
    return { ...prefix, device: prefix.device ?? mac?.device ?? group.interface };
  });
  const routes = group.routes.filter(({ to }) => goesWith(group, family, to.address.family));
  return {
    key: `${group.vrid}/${family}@${group.interface}`,
    family,
    group,
    addresses,
    held,
    paired,
    routes,
    mac,
  };
}

/** The interfaces that the router holds addresses on, its own first; one with the virtual MAC address is among them. */
export function devicesOf({ group, held }: VirtualRouterSpec): string[] {
  return [...new Set([group.interface, ...held.map(({ device }) => device)])];
}

/** The virtual addresses on the link that the nodes share; connections to those elsewhere are not kept. */
export function onLink({ interface: link, addresses, excluded }: FailoverGroupSpec): VirtualAddress[] {
  return [...addresses, ...excluded].filter(({ device }) => device === null || device === link);
}

/** The same for all routers that move together. */
export function bundleOf({ group }: VirtualRouterSpec): string {
  return group.sync === null ? `group ${group.name}` : `sync ${group.sync}`;
}

/** Does this family speak to unicast peers? A group may have peers in one family alone. */
export function unicastPeers({ group, family }: VirtualRouterSpec): VirtualRouterSpec['group']['unicast'] {
  if (group.unicast === null) return null;
  const peers = group.unicast.peers.filter((peer) => peer.family === family);
  const source = group.unicast.source?.family === family ? group.unicast.source : null;
  return { source, peers };
}

/** True when the peers can only be reached from a link-local address (or from the multicast's). */
export function wantsLinkLocalSource(spec: VirtualRouterSpec): boolean {
  const unicast = unicastPeers(spec);
  return spec.family === 6 && (unicast === null || unicast.peers.every(isLinkLocal));
}

/** "10.0.5.1/24 dev eth1", or the address alone where the group is. */
export function heldText({ text, device }: HeldAddress, own: string): string {
  return device === own ? text : `${text} dev ${device}`;
}

/** "group web (VRID 51, IPv4)" */
export function describeRouter({ group, family }: VirtualRouterSpec): string {
  return `group ${group.name} (VRID ${group.vrid}, IPv${family})`;
}

/** The fields that every event about a virtual router carries. */
export function routerFields({ group, family }: VirtualRouterSpec): {
  group: string;
  vrid: number;
  family: IpFamily;
  interface: string;
} {
  return { group: group.name, vrid: group.vrid, family, interface: group.interface };
}
