import {
  type IpAddress,
  type IpFamily,
  ipFromBytes,
  isLinkLocal,
  parseIp,
  prefixContains,
} from '../../lib/ip.ts';
import type { FailoverGroupSpec, VirtualRouterStatus } from '../../model/failover.ts';
import type { Native } from '../../native/index.ts';
import type { SteeredGroup } from '../flows/flow-keeper.ts';
import { onLink } from '../router-spec.ts';

/** Where the giver of each group is on the link; or why packets cannot be sent on to it. */
export function steeredGroups(
  groups: readonly FailoverGroupSpec[],
  routers: readonly VirtualRouterStatus[],
  native: Native,
): SteeredGroup[] | string {
  const steered: SteeredGroup[] = [];
  for (const group of groups) {
    const families: SteeredGroup['families'][number][] = [];
    for (const family of [4, 6] as const) {
      const addresses = onLink(group)
        .map(({ address }) => address)
        .filter((own) => own.family === family);
      if (addresses.length === 0) continue;
      const via = giverOf(group, family, routers, native);
      if (via === null) return `the giver of group ${group.name} is not on the link over IPv${family}`;
      families.push({ addresses, via });
    }
    steered.push({ group, families });
  }
  return steered;
}

/** Where the Active router of the group advertises from, if that is a neighbour. */
function giverOf(
  group: FailoverGroupSpec,
  family: IpFamily,
  routers: readonly VirtualRouterStatus[],
  native: Native,
): IpAddress | null {
  const router = routers.find((one) => one.group === group.name && one.family === family);
  const address = parseIp(router?.peer?.address ?? '');
  if (address === undefined) return null;
  return isLinkLocal(address) || isOnLink(group.interface, address, native) ? address : null;
}

function isOnLink(name: string, address: IpAddress, native: Native): boolean {
  const link = native.listLinks().find((candidate) => candidate.name === name);
  return native
    .listAddresses()
    .filter(
      ({ ifindex, address: { byteLength } }) =>
        ifindex === link?.index && byteLength === address.bytes.byteLength,
    )
    .some((info) => {
      const own = ipFromBytes(info.address);
      return prefixContains({ address: own, length: info.prefixLength, text: own.text }, address);
    });
}
