import { type IpAddress, isLinkLocal } from '../lib/ip.ts';
import type { FailoverGroupSpec, VirtualRoute } from '../model/failover.ts';
import { type Group, groupsOf } from './check-failover.ts';
import { duplicates } from './check-services.ts';
import { type Finding, fault } from './finding.ts';
import type { KeyPath } from './positions.ts';
import type { FileSchema, RouteSection } from './schema.ts';
import { virtualAddresses } from './virtual.ts';

/** RT_TABLE_LOCAL: the kernel's own, for the addresses of this host. */
const LOCAL_TABLE = 255;

export const MAIN_TABLE = 254;

export interface Route {
  readonly spec: VirtualRoute;
  readonly written: RouteSection;
  readonly path: KeyPath;
}

/** The routes of groups: what the kernel would refuse, and what they would take from each other. */
export function checkRoutes(file: FileSchema): Finding[] {
  if (file.failover === undefined) return [];
  const groups = groupsOf(file.failover);
  const routes = groups.flatMap(routesOf);
  const virtual = virtualAddresses(file);
  const findings = groups.flatMap((group) =>
    routesOf(group).flatMap((route) => [
      ...checkRoute(route, group.spec),
      ...checkDefault(route),
      ...checkVirtual(route, virtual),
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

export function routesOf({ spec, section, path }: Group): Route[] {
  return spec.routes.flatMap((route, index) => {
    const written = section.routes[index];
    return written === undefined ? [] : [{ spec: route, written, path: [...path, 'routes', index] }];
  });
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
function checkDefault({ spec, written, path }: Route): Finding[] {
  if (written.to !== 'default' || spec.via !== null || spec.source !== null) return [];
  const hint = 'write to = "0.0.0.0/0" or "::/0", or add via';
  return [fault([...path, 'to'], '"default" of which family?', hint)];
}

/** While it is here, a virtual address is this host itself: nothing can be sent through it, nor to it. */
function checkVirtual({ spec: { to, via }, path }: Route, virtual: ReadonlySet<string>): Finding[] {
  const findings: Finding[] = [];
  if (via !== null && virtual.has(via.text)) {
    const message = `${via.text} is a virtual address: the Active node would send to itself`;
    findings.push(fault([...path, 'via'], message, 'write the address of the gateway'));
  }
  if (to.length === to.address.bytes.length * 8 && virtual.has(to.address.text)) {
    const message = `${to.address.text} is a virtual address: the Active node itself is the destination`;
    findings.push(fault([...path, 'to'], message, 'write a network that lies behind the gateway'));
  }
  return findings;
}
