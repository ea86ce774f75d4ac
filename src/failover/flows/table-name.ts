import type { FailoverGroupSpec } from '../../model/failover.ts';
import { TABLE_PREFIX } from './rules.ts';

/** The nftables table of a group's handover, in whichever family; also the key of what is kept for it. */
export function tableOf({ vrid, interface: device }: FailoverGroupSpec): string {
  return `${TABLE_PREFIX}_${vrid}_${device.replace(/[^a-zA-Z0-9]/g, '_')}`;
}
