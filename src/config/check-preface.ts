import { type Finding, fault, warning } from './finding.ts';
import type { KeyPath } from './positions.ts';
import type { FileSchema, ServiceSection } from './schema.ts';
import { quote } from './values.ts';

/** PROXY protocol and routes by TLS server name: what must be true before the first byte is looked at. */
export function checkPrefaces(file: FileSchema): Finding[] {
  return file.service.flatMap((service, index) => {
    const path = ['service', index];
    return [...checkProxyProtocol(service, [...path, 'proxy_protocol']), ...checkRoutes(file, service, path)];
  });
}

function checkProxyProtocol({ proxy_protocol: proxy }: ServiceSection, path: KeyPath): Finding[] {
  const hint = 'write the networks of the proxies before this one, such as trusted = ["10.0.0.0/24"]';
  if (proxy.accept && proxy.trusted.length === 0) {
    const message = 'nobody may connect: "accept" takes clients from trusted proxies alone';
    return [fault([...path, 'trusted'], message, hint)];
  }
  if (!proxy.accept && proxy.trusted.length > 0) {
    return [warning([...path, 'trusted'], 'has no effect without accept = true', 'add that, or remove it')];
  }
  const open = proxy.trusted.findIndex(({ length }) => length === 0);
  if (open < 0) return [];
  const message = 'everybody may claim any client address, also past allow, deny and source limits';
  return [warning([...path, 'trusted', open], message, hint)];
}

/** Names of services that serve clients of another one: they need not listen themselves. */
export function routeTargets(file: FileSchema): Set<string> {
  return new Set(file.service.flatMap(({ sni }) => sni.map(({ service }) => service)));
}

function checkRoutes(file: FileSchema, service: ServiceSection, path: KeyPath): Finding[] {
  const seen = new Set<string>();
  return service.sni.flatMap((route, index) => {
    const at = [...path, 'sni', index];
    return [
      ...checkTarget(file, service, route.service, [...at, 'service']),
      ...checkServerNames(route.names, seen, at),
    ];
  });
}

function checkTarget(file: FileSchema, service: ServiceSection, name: string, path: KeyPath): Finding[] {
  const target = file.service.find((other) => other.name === name);
  if (target === undefined) {
    const others = file.service.filter((other) => other !== service && other.protocol === 'tcp');
    const hint =
      others.length === 0
        ? 'add a [[service]] with that name'
        : `there is ${others.map((other) => quote(other.name)).join(', ')}`;
    return [fault(path, `there is no service ${quote(name)}`, hint)];
  }
  if (target === service)
    return [fault(path, 'leads back to this service', 'remove the route: who has none stays here')];
  if (target.protocol !== 'tcp') return [fault(path, `service ${quote(name)} is UDP`, 'name a TCP service')];
  if (target.sni.length > 0) {
    const message = `service ${quote(name)} has routes of its own: a client is routed once`;
    return [fault(path, message, 'name the service that serves the client in the end')];
  }
  return [];
}

function checkServerNames(names: readonly string[], seen: Set<string>, at: KeyPath): Finding[] {
  if (names.length === 0) {
    return [fault([...at, 'names'], 'no name leads here', 'write names = ["app.example.org"]')];
  }
  return names.flatMap((name, index) => {
    if (!seen.has(name)) {
      seen.add(name);
      return [];
    }
    return [fault([...at, 'names', index], `${quote(name)} has a route already`, 'remove one of the two')];
  });
}
