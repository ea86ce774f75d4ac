import { mostCommon } from '../majority.ts';
import type { Server } from './read-server.ts';

/**
 * What most servers say, where Tandem has one value for a service; undefined may be what most say. Those that say
 * otherwise are told, at the option if they have it.
 */
export function agree<T>(
  servers: readonly Server[],
  option: string,
  said: (server: Server) => T,
): T | undefined {
  const all = servers.map((server) => ({ server, value: said(server) }));
  const common = mostCommon(all, ({ value }) => JSON.stringify(value) ?? '');
  const taken = new Set(common);
  const [chosen] = common;
  for (const one of all) {
    if (taken.has(one)) continue;
    const text = `a service has one value for all its backends, and this one differs: ${JSON.stringify(chosen?.value) ?? 'none'} holds`;
    if (one.server.has(option)) one.server.remarkOption(option, 'missing', text);
    else one.server.remark('changed', `it has no ${option}, and gets that of the others of its service`);
  }
  return chosen?.value;
}
