import { compareIp, type IpAddress, ipFromBytes, isLinkLocal } from '../lib/ip.ts';
import type { AddressInfo } from '../native/index.ts';
import { unicastPeers, type VirtualRouterSpec, wantsLinkLocalSource } from './router-spec.ts';

const IFA_F_DADFAILED = 0x08;
const IFA_F_TENTATIVE = 0x40;
const IFA_F_PERMANENT = 0x80;
const RT_SCOPE_HOST = 254;

/** An interface as netlink last reported it. */
export interface InterfaceView {
  readonly index: number;
  readonly name: string;
  readonly mac: Uint8Array;
  /** IFF_UP */
  readonly up: boolean;
  readonly carrier: boolean;
  readonly addresses: readonly AddressInfo[];
}

/** Can a virtual router run on an interface, and from which address; or why not, for people. */
export type Readiness =
  | { readonly ready: true; readonly view: InterfaceView; readonly source: IpAddress }
  | { readonly ready: false; readonly why: string };

/**
 * @param isVirtual whether an address is one of this agent's own virtual addresses, on any router: those
 * come and go and must never be taken for the interface's primary address.
 */
export function readiness(
  spec: VirtualRouterSpec,
  view: InterfaceView | null,
  isVirtual: (address: IpAddress) => boolean,
): Readiness {
  const name = spec.group.interface;
  const not = (why: string): Readiness => ({ ready: false, why });
  if (view === null) return not(`interface ${name} does not exist`);
  if (!view.up) return not(`interface ${name} is down`);
  if (!view.carrier) return not(`interface ${name} has no carrier`);
  const wanted = unicastPeers(spec)?.source ?? null;
  const linkLocal = wantsLinkLocalSource(spec);
  for (const address of usableAddresses(spec, view, isVirtual)) {
    const isIt =
      wanted === null
        ? spec.family === 4 || isLinkLocal(address) === linkLocal
        : compareIp(address, wanted) === 0;
    if (isIt) return { ready: true, view, source: address };
  }
  if (wanted !== null) return not(`${wanted.text}, the source of the advertisements, is not on ${name}`);
  const what = linkLocal ? 'usable link-local IPv6 address' : `IPv${spec.family} address of its own`;
  return not(`interface ${name} has no ${what}`);
}

/** One after the other: reading an address takes time, and an interface may hold hundreds. */
function* usableAddresses(
  spec: VirtualRouterSpec,
  view: InterfaceView,
  isVirtual: (address: IpAddress) => boolean,
): Iterable<IpAddress> {
  for (const info of view.addresses) {
    if ((info.flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) !== 0 || info.scope >= RT_SCOPE_HOST) continue;
    const address = ipFromBytes(info.address);
    if (address.family === spec.family && (isPermanent(info) || !isVirtual(address))) yield address;
  }
}

/** Without a lifetime: the host's own, never one that we have leased. */
export function isPermanent({ flags }: AddressInfo): boolean {
  return (flags & IFA_F_PERMANENT) !== 0;
}
