import { isDeviceName } from '../names.ts';
import type { TomlValue } from '../toml.ts';
import type { Globals, VrrpInstance } from './model.ts';

/**
 * `virtual_mac` for use_vmac: keepalived's names are kept, and its own ones are Tandem's defaults. `take` is false
 * for a name that another interface has.
 */
export function convertVirtualMac(
  { section, family, vrid }: VrrpInstance,
  take: (name: string) => boolean,
): TomlValue | undefined {
  const statement = section.last('use_vmac');
  section.all('vmac_xmit_base');
  if (statement === undefined) return undefined;
  const { journal } = section;
  const [mac] = statement.args.filter((word) => word.includes(':'));
  if (mac !== undefined)
    journal.remark(statement, 'changed', "the MAC address of the RFC, not the file's own");
  const [wanted] = statement.args.filter((word) => !word.includes(':'));
  const standard = family === 6 ? `vrrp6.${vrid}` : `vrrp.${vrid}`;
  const usable = wanted !== undefined && isDeviceName(wanted) ? wanted : standard;
  const name = firstFree(usable, standard, take);
  if (name !== (wanted ?? standard)) journal.remark(statement, 'changed', `its interface is called ${name}`);
  if (name === standard) return true;
  return family === 6 ? { name_v6: name } : { name };
}

function firstFree(wanted: string, standard: string, take: (name: string) => boolean): string {
  let name = wanted;
  for (let n = 2; !take(name); n++) name = `${standard}.${n}`;
  return name;
}

/** RFC 9568's Accept_Mode: off with no_accept, and where the RFC is strictly followed. */
export function convertAccept(
  { section, priority, version, family }: VrrpInstance,
  globals: Globals,
): boolean | undefined {
  const strict = section.flag('strict_mode') ?? globals.strict;
  const refused = section.last('no_accept');
  const asked = section.last('accept');
  if (priority === 255) return undefined;
  if (refused !== undefined) return false;
  // accept is no part of version 2 (RFC 3768), and strict mode takes it back
  const isThree = family === 6 || version === 3;
  if (!strict || (asked !== undefined && isThree)) return undefined;
  const text =
    'accept = false: packets to its addresses are dropped, as in keepalived; remove it if that is not meant';
  section.journal.remark(section.last('strict_mode') ?? section.statement, 'changed', text);
  return false;
}
