import { type IpAddress, isLinkLocal } from '../lib/ip.ts';
import type { FailoverGroupSpec, VirtualRoute } from '../model/failover.ts';
import { type Group, groupsOf } from './check-failover.ts';
import { duplicates } from './check-services.ts';
import { type Finding, fault } from './finding.ts';
import type { KeyPath } from './positions.ts';
import type { FileSchema } from './schema.ts';

/** RT_TABLE_LOCAL: the kernel's own, for the addresses of this host. */
const LOCAL_TABLE = 255;

interface Route {
  readonly spec: VirtualRoute;
  readonly path: KeyPath;
}

/** The routes of groups: what the kernel would refuse, and what they would take from each other. */
export function checkRoutes(file: FileSchema): Finding[] {
  if (file.failover === undefined) return [];
  const groups = groupsOf(file.failover);
  const routes = groups.flatMap(routesOf);
  const written = file.failover.group;
  const findings = groups.flatMap((group, index) =>
    routesOf(group).flatMap((route, i) => [
      ...checkRoute(route, group.spec),
      ...checkDefault(route, written[index]?.routes[i]?.to === 'default'),
    ]),
  );
  const keys = routes.map(({ spec }) => `${spec.to.text} ${spec.table} ${spec.metric ?? 0}`);
  const twice = duplicates(keys).flatMap((index) => {
    const route = routes[index];
    if (route === undefined) return [];
    const hint = 'remove it, or give it a metric or a table of its own';
    return [fault(route.path, 'has the destination, table and metric of an earlier route', hint)];
  });
  return [...findings, ...twice];
}

function routesOf({ spec, path }: Group): Route[] {
  return spec.routes.map((route, index) => ({ spec: route, path: [...path, 'routes', index] }));
}

function checkRoute({ spec, path }: Route, group: FailoverGroupSpec): Finding[] {
  const { to, via, source, table, device } = spec;
  const findings: Finding[] = [];
  const other = (address: IpAddress | null): boolean =>
    address !== null && address.family !== to.address.family;
  if (other(via)) {
    const hint = `write an IPv${to.address.family} address`;
    findings.push(fault([...path, 'via'], `is not of the family of ${to.text}`, hint));
  }
  if (other(source)) {
    const hint = `write an IPv${to.address.family} address of this group`;
    findings.push(fault([...path, 'source'], `is not of the family of ${to.text}`, hint));
  }
  if (via !== null && isLinkLocal(via) && device === null) {
    const hint = `write interface = "${group.interface}" beside it`;
    findings.push(fault([...path, 'via'], 'a link-local address needs its interface', hint));
  }
  if (table === LOCAL_TABLE) {
    const hint = 'leave it out for the main table, or write another number';
    findings.push(fault([...path, 'table'], "255 is the table of the host's own addresses", hint));
  }
  return findings;
}

/** "default" has no family of its own. */
function checkDefault({ spec, path }: Route, isDefault: boolean): Finding[] {
  if (!isDefault || spec.via !== null || spec.source !== null) return [];
  const hint = 'write to = "0.0.0.0/0" or "::/0", or add via';
  return [fault([...path, 'to'], '"default" of which family?', hint)];
}
