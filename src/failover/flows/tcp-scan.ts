import { createReadStream } from 'node:fs';
import { errnoOf } from '../../lib/errors.ts';
import type { IpAddress } from '../../lib/ip.ts';
import { type Flow, flowsOf } from './tcp-table.ts';

const TCP_TABLES = ['/proc/net/tcp', '/proc/net/tcp6'] as const;

/**
 * The connections of this host whose local address is one of these, in portions: with a hundred thousand
 * connections the tables have megabytes, and the loop turns between two reads.
 */
export async function* scanFlows(addresses: readonly IpAddress[]): AsyncGenerator<Flow[], void, undefined> {
  const local = new Set(addresses.map(({ text }) => text));
  for (const table of TCP_TABLES) {
    let rest = '';
    for await (const text of read(table)) {
      const end = text.lastIndexOf('\n') + 1;
      yield flowsOf(rest + text.slice(0, end), local);
      rest = end === 0 ? rest + text : text.slice(end);
    }
    yield flowsOf(rest, local);
  }
}

export async function knownFlows(addresses: readonly IpAddress[]): Promise<Flow[]> {
  const flows: Flow[] = [];
  for await (const some of scanFlows(addresses)) flows.push(...some);
  return flows;
}

export async function countFlows(addresses: readonly IpAddress[]): Promise<number> {
  let count = 0;
  for await (const some of scanFlows(addresses)) count += some.length;
  return count;
}

/** A kernel without IPv6 has no tcp6. */
async function* read(path: string): AsyncGenerator<string, void, undefined> {
  try {
    for await (const chunk of createReadStream(path, 'latin1')) yield String(chunk);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}
