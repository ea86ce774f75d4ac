import { isPermanent } from '../../failover/interface-view.ts';
import { type IpAddress, ipFromBytes } from '../../lib/ip.ts';
import type { Native } from '../../native/index.ts';
import type { AddressFacts } from '../facts.ts';

/** Where this host has the address, and whether without a lifetime. */
export function addressHolders(native: Native, address: IpAddress): AddressFacts['held'] {
  const names = new Map(native.listLinks().map(({ index, name }) => [index, name]));
  return native
    .listAddresses()
    .filter((info) => ipFromBytes(info.address).text === address.text)
    .map((info) => ({
      interface: names.get(info.ifindex) ?? `interface ${info.ifindex}`,
      permanent: isPermanent(info),
    }));
}
