import {
  compareIp,
  type IpAddress,
  type IpFamily,
  type IpPrefix,
  isLinkLocal,
  networkOf,
  prefixContains,
} from '../lib/ip.ts';
import type { VirtualRoute } from '../model/failover.ts';
import { groupsOf } from './check-failover.ts';
import { LOOPBACK, missingInterface } from './check-interface.ts';
import { MAIN_TABLE, type Route, routesOf } from './check-routes.ts';
import type { Environment, HostInterface } from './environment.ts';
import { type Finding, fault, warning } from './finding.ts';
import type { FileSchema } from './schema.ts';
import { virtualAddresses } from './virtual.ts';

/** The metrics of the kernel's own routes to the networks of its addresses, and of routes without a metric. */
const CONNECTED_METRIC: Readonly<Record<IpFamily, number>> = { 4: 0, 6: 256 };
const USUAL_METRIC: Readonly<Record<IpFamily, number>> = { 4: 0, 6: 1_024 };

/** This host, without the virtual addresses that it may happen to hold now. */
interface Here {
  readonly interfaces: readonly HostInterface[];
  readonly virtual: ReadonlySet<string>;
  /** Made by Tandem itself, there or not. */
  readonly made: ReadonlySet<string>;
}

/** Virtual routes that this host's kernel would refuse, never use, or send nowhere. */
export function checkRoutesHere(file: FileSchema, environment: Environment): Finding[] {
  if (file.failover === undefined) return [];
  const groups = groupsOf(file.failover);
  const routes = groups.flatMap(routesOf);
  if (routes.length === 0) return [];
  const virtual = virtualAddresses(file);
  const interfaces = environment.interfaces().map(({ name, addresses }) => ({
    name,
    addresses: addresses.filter(({ address }) => !virtual.has(address.text)),
  }));
  const made = new Set(groups.flatMap(({ spec }) => Object.values(spec.virtualMac ?? {})));
  const here = { interfaces, virtual, made };
  return routes.flatMap((route) => [
    ...checkDevice(route, here),
    ...checkGateway(route, here),
    ...checkSource(route, here),
    ...checkConnected(route, here),
  ]);
}

function checkDevice({ written, path }: Route, { interfaces, made }: Here): Finding[] {
  const { interface: wanted } = written;
  if (wanted === undefined || made.has(wanted) || interfaces.some(({ name }) => name === wanted)) return [];
  return [missingInterface(wanted, [...path, 'interface'], interfaces)];
}

const ownerOf = (address: IpAddress, { interfaces }: Here): HostInterface | undefined =>
  interfaces.find(({ addresses }) => addresses.some((own) => compareIp(own.address, address) === 0));

/** Linux refuses a gateway that is no neighbour; the host itself it takes, and sends nowhere. */
function checkGateway({ spec, path }: Route, here: Here): Finding[] {
  const { via } = spec;
  if (via === null || here.virtual.has(via.text)) return [];
  const at = [...path, 'via'];
  const own = ownerOf(via, here);
  if (own !== undefined) {
    const message = `${via.text} is this host's own address, on ${own.name}`;
    return [fault(at, message, 'write the address of the gateway')];
  }
  const carried = carriedFor(spec, via.family, here);
  if (isLinkLocal(via) || carried.length === 0 || carried.some((own) => prefixContains(own, via))) return [];
  const where = spec.device ?? 'this host';
  const message = `${via.text} is in no network of ${where} now: the kernel takes a neighbour alone`;
  const list = carried.map(({ text }) => text).join(', ');
  return [warning(at, message, `write a gateway in one of its networks: ${list}`)];
}

/** What leads to gateways of a family: loopback apart. */
function carriedFor({ device }: VirtualRoute, family: IpFamily, { interfaces }: Here): readonly IpPrefix[] {
  return interfaces
    .filter(({ name }) => (device === null ? name !== LOOPBACK : name === device))
    .flatMap(({ addresses }) => addresses)
    .filter(({ address }) => address.family === family);
}

function checkSource({ spec, path }: Route, here: Here): Finding[] {
  const { source } = spec;
  if (source === null || here.virtual.has(source.text) || ownerOf(source, here) !== undefined) return [];
  const message = `${source.text} is neither an address of this host nor a virtual one`;
  return [fault([...path, 'source'], message, 'write a virtual address of this group, or remove it')];
}

/** The kernel's own route to that network is there already, and comes first. */
function checkConnected({ spec, path }: Route, { interfaces }: Here): Finding[] {
  const { to, table, metric } = spec;
  if (table !== MAIN_TABLE) return [];
  const { family } = to.address;
  const isTo = ({ address, length }: IpPrefix): boolean =>
    length === to.length &&
    address.family === family &&
    networkOf(address, length) === networkOf(to.address, to.length);
  const own = interfaces.find(({ addresses }) => addresses.some(isTo));
  const wins = (metric ?? USUAL_METRIC[family]) - CONNECTED_METRIC[family];
  if (own === undefined || wins < 0) return [];
  const message = `${to.text} is the network of ${own.name} itself, to which the kernel has a route`;
  const at = [...path, 'to'];
  const hint = 'remove the route, or write the network behind the gateway';
  return wins === 0
    ? [fault(at, `${message}: this one could not be added`, hint)]
    : [warning(at, `${message}: this one would not be used`, hint)];
}
