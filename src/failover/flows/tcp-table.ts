import { endianness } from 'node:os';
import { type IpAddress, ipFromBytes } from '../../lib/ip.ts';

/** An established or closing connection of this host, as a packet of its client names it. */
export interface Flow {
  readonly client: IpAddress;
  readonly clientPort: number;
  readonly address: IpAddress;
  readonly port: number;
}

/** tcp_states.h: 6 is TIME_WAIT, 7 CLOSE, 10 LISTEN; 12 a SYN that has no socket yet. */
const WITHOUT_CONNECTION: ReadonlySet<number> = new Set([6, 7, 10, 12]);
const LITTLE_ENDIAN = endianness() === 'LE';

/** The connections in the text of /proc/net/tcp or tcp6 whose local address is one of these. */
export function flowsOf(table: string, local: ReadonlySet<string>): Flow[] {
  return table.split('\n').flatMap((line) => {
    const [, own, remote, state] = /^\s*\d+: (\S+) (\S+) (\S+)/.exec(line) ?? [];
    if (own === undefined || remote === undefined || state === undefined) return [];
    if (WITHOUT_CONNECTION.has(Number.parseInt(state, 16))) return [];
    const [here, there] = [endOf(own), endOf(remote)];
    if (here === undefined || there === undefined || !local.has(here.address.text)) return [];
    return [{ client: there.address, clientPort: there.port, address: here.address, port: here.port }];
  });
}

/** "0100007F:0050": 32-bit words in the host's byte order, then the port as a number. */
function endOf(text: string): { address: IpAddress; port: number } | undefined {
  const [words = '', port = ''] = text.split(':');
  if (!/^(?:[0-9A-F]{8}|[0-9A-F]{32})$/.test(words)) return undefined;
  const bytes = Buffer.from(words, 'hex');
  return { address: ipFromBytes(LITTLE_ENDIAN ? bytes.swap32() : bytes), port: Number.parseInt(port, 16) };
}
