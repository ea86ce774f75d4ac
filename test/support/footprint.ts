import type { Host } from './netns.ts';

/**
 * What a handover could leave behind on a host: rules, routes, addresses, sysctls. Without the virtual addresses
 * that the Active node has on its interface: those go with the role.
 * @param virtual the virtual addresses
 */
export async function footprint(host: Host, virtual: readonly string[]): Promise<string> {
  const parts = await Promise.all(
    [
      ['nft', 'list', 'ruleset'],
      ['ip', 'rule'],
      ['ip', '-6', 'rule'],
      ['ip', '-4', 'route', 'show', 'table', 'all'],
      ['ip', '-6', 'route', 'show', 'table', 'all'],
      ['ip', '-o', 'addr'],
      ['sh', '-c', 'sysctl -a 2>/dev/null | grep -E "^net.ipv[46].(conf|ip_forward)"'],
    ].map(async (command) => (await host.run(command)).stdout),
  );
  const held = [...virtual, 'fe80::200:5eff:fe00:'].map((address) => ` ${address}`);
  return (
    parts
      .join('')
      .split('\n')
      .filter((line) => !(line.includes('eth0') && held.some((address) => line.includes(address))))
      .join('\n')
      // the lease's countdown, and ND's
      .replace(/(valid_lft|preferred_lft|expires) \S+/g, '$1 N')
  );
}
