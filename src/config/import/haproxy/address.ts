import { type IpAddress, isBroadcast, isMulticast, parseIp } from '../../../lib/ip.ts';

/** An address as HAProxy writes it (its manual, 4.2, "bind", and 5.2), as far as Tandem has use for it. */
export interface Written {
  readonly address: IpAddress;
  /** Undefined without a port; an offset of the client's port ("+100") is `offset`. */
  readonly ports: { readonly first: number; readonly last: number } | undefined;
  readonly offset: number;
  /** "::" without a family in front: HAProxy then takes IPv4 clients, too. */
  readonly bothFamilies: boolean;
}

export type Fault = { readonly fault: string };

const WILDCARDS: Readonly<Record<string, string>> = { '': '0.0.0.0', '*': '0.0.0.0' };

/**
 * "10.0.0.1:80", ":80", "*:80-90", "2001:db8::1:80", "[::]:80", "ipv4@10.0.0.1:80". Everything behind the last
 * colon is the port, as str2sa_range() of HAProxy has it.
 */
export function parseAddress(text: string): Written | Fault {
  const [, family, rest = text] = /^(ipv4|ipv6|tcp4|tcp6|tcp)@(.*)$/.exec(text) ?? [];
  if (/^(?:unix|abns|fd|sockpair|quic[46]|udp[46]?|uxst|uxdg|rhttp|abnsz)@|^\//.test(text)) {
    return { fault: 'Tandem takes TCP over IP: not a socket of this kind' };
  }
  if (family === undefined && /^[a-z0-9]+@/.test(text))
    return { fault: 'not a kind of address that is known' };
  const [, host = '', bracketless = '', portText = ''] =
    /^(?:\[([^\]]*)\]|(.*?))(?::([^:\]]*))?$/.exec(rest) ?? [];
  const name = host === '' ? bracketless : host;
  const literal =
    family === 'ipv6' || family === 'tcp6'
      ? name === '' || name === '*'
        ? '::'
        : name
      : (WILDCARDS[name] ?? name);
  const address = parseIp(literal);
  const port = parsePort(portText);
  if (address === undefined) {
    return {
      fault:
        /[a-zA-Z]/.test(name) && !name.includes(':')
          ? 'Tandem does not resolve names: write the address'
          : 'not an address',
    };
  }
  if (isMulticast(address)) return { fault: 'a multicast address' };
  if (isBroadcast(address)) return { fault: 'a broadcast address' };
  if (port === undefined) return { fault: 'not a port from 1 to 65535' };
  return { address, ...port, bothFamilies: literal === '::' };
}

function parsePort(text: string): Pick<Written, 'ports' | 'offset'> | undefined {
  if (text === '') return { ports: undefined, offset: 0 };
  const [, sign, number = ''] = /^([+-])(\d{1,5})$/.exec(text) ?? [];
  if (sign !== undefined) return { ports: undefined, offset: Number(`${sign}${number}`) };
  const [, from, to] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
  const first = Number(from);
  const last = Number(to ?? from);
  return first >= 1 && last >= first && last <= 65_535 ? { ports: { first, last }, offset: 0 } : undefined;
}
