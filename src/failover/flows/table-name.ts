import type { FailoverGroupSpec } from '../../model/failover.ts';
import { TABLE_PREFIX } from './rules.ts';

/** The nftables table of a group's handover, in whichever family; also the key of what is kept for it. */
export function tableOf({ vrid, interface: device }: FailoverGroupSpec): string {
  return `${TABLE_PREFIX}_${vrid}_${tableWord(device)}`;
}

/** Any text as part of a table's name, and no two texts as the same: other characters by their code. */
export function tableWord(text: string): string {
  return text.replaceAll(/[^a-zA-Z0-9]/g, (character) => `_${character.charCodeAt(0).toString(16)}_`);
}
