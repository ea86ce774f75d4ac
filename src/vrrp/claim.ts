import { between, type Duration, type Instant, micros, millis } from '../lib/duration.ts';
import type { IpAddress, IpFamily } from '../lib/ip.ts';
import { decodeArp } from './arp.ts';
import { decodeNeighbourMessage } from './ndp.ts';
import { virtualMac } from './packet.ts';
import type { Router } from './router.ts';

/** "`address` is at `mac`", said by a host on the link. */
export interface AddressClaim {
  readonly address: IpAddress;
  readonly mac: Uint8Array;
}

/**
 * What an ARP frame says of its sender: a request and a reply as much as an announcement, for hosts learn from
 * all of them (RFC 826). A probe (RFC 5227) has the sender 0.0.0.0 and claims nothing of ours.
 */
export function claimOfArp(frame: Uint8Array): AddressClaim | null {
  const arp = decodeArp(frame);
  return arp === null ? null : { address: arp.senderIp, mac: arp.senderMac };
}

/** The same of an ICMPv6 message. Without the link-layer option, which one to a group always has, it moves nothing. */
export function claimOfNeighbourMessage(message: Uint8Array): AddressClaim | null {
  const told = decodeNeighbourMessage(message);
  return told === null || told.targetMac === null ? null : { address: told.target, mac: told.targetMac };
}

export function isForeign(claim: AddressClaim, address: IpAddress, ownMac: Uint8Array): boolean {
  return claim.address.text === address.text && !sameMac(claim.mac, ownMac);
}

/** Does the MAC address belong to a virtual router with this VRID (RFC 9568, 7.3), such as a keepalived with use_vmac? */
export function isVirtualMac(mac: Uint8Array, family: IpFamily, vrid: number): boolean {
  return sameMac(mac, virtualMac(family, vrid));
}

function sameMac(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** After a foreign claim: an advertisement that explains it (a preempting peer) comes first. */
const GRACE = millis(100);

/** A preempting router announces before it advertises, and a busy one advertises up to an interval later. */
export function claimGrace({ activeInterval }: Router): Duration {
  return micros(Math.max(GRACE, activeInterval));
}

/**
 * What to think of a foreign claim of `heardAt` once the grace is over.
 * - `moved`: the role has moved; that was the announcement.
 * - `router`: another router was Active beside us, which its advertisements have told already.
 * - `duplicate`: a host that speaks no VRRP which we heed has our address.
 */
export type ClaimVerdict = 'moved' | 'router' | 'duplicate';

export function judgeClaim(router: Router, heardAt: Instant): ClaimVerdict {
  if (router.state !== 'Active') return 'moved';
  const { peer } = router;
  // one of just before it: the last frames of a router that is being told to let go
  const explained = peer !== null && between(peer.at, heardAt) <= claimGrace(router);
  return explained ? 'router' : 'duplicate';
}
