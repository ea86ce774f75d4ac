import type { IpFamily } from '../../../lib/ip.ts';
import { readVirtualAddress } from '../../addresses.ts';
import { isDeviceName } from '../names.ts';
import type { TomlValue } from '../toml.ts';
import type { VirtualIp, VrrpInstance } from './model.ts';

export interface GroupAddresses {
  readonly addresses: readonly TomlValue[];
  readonly excluded: readonly TomlValue[];
}

/** As many as fit in one advertisement of 1500 bytes, which Tandem's own check asks for. */
const MAX_ADVERTISED: Readonly<Record<IpFamily, number>> = { 4: 255, 6: 80 };

/**
 * `addresses` and `excluded_addresses`; `take` is false for an address that another group has. What does not fit
 * in an advertisement is held without being advertised, as keepalived does.
 */
export function convertAddresses(
  { section, addresses }: VrrpInstance,
  device: string,
  family: IpFamily,
  take: (address: string) => boolean,
): GroupAddresses {
  const { journal } = section;
  const kept = { addresses: [] as TomlValue[], excluded: [] as TomlValue[] };
  for (const virtual of addresses) {
    const fault = faultOf(virtual, take);
    if (fault !== undefined) {
      journal.remark(virtual.item, 'missing', `left out: ${fault}`);
      continue;
    }
    const full = kept.addresses.length >= MAX_ADVERTISED[family];
    if (full && !virtual.excluded) {
      journal.remark(virtual.item, 'changed', 'excluded_addresses: it does not fit in an advertisement');
    }
    (virtual.excluded || full ? kept.excluded : kept.addresses).push(written(virtual, device));
  }
  return kept;
}

function faultOf({ prefix, device }: VirtualIp, take: (address: string) => boolean): string | undefined {
  if (device !== undefined && !isDeviceName(device)) return 'its interface has no usable name';
  const read = readVirtualAddress(prefix.text);
  if (!read.ok) return read.message;
  return take(prefix.address.text) ? undefined : 'it is a virtual address already';
}

const written = ({ prefix, device: own }: VirtualIp, device: string): TomlValue =>
  own === undefined || own === device ? prefix.text : { address: prefix.text, interface: own };
