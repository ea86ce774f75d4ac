import type { Environment } from './environment.ts';
import { type Finding, fault, warning } from './finding.ts';
import type { KeyPath } from './positions.ts';
import type { FileSchema, ServiceSection } from './schema.ts';
import { quote } from './values.ts';
import { virtualAddresses } from './virtual.ts';

/** `source`: addresses that connections to backends can leave from, on both nodes of a pair. */
export function checkSources(file: FileSchema): Finding[] {
  const virtual = virtualAddresses(file);
  return file.service.flatMap((service, index) => {
    const path = ['service', index, 'source'];
    if (service.source === undefined) return [];
    if (service.source.kind === 'pool') return checkPool(service, service.source.addresses, virtual, path);
    return service.protocol === 'tcp' ? checkClient(file, path) : [];
  });
}

function checkClient({ data_path: { relay } }: FileSchema, path: KeyPath): Finding[] {
  if (relay !== 'node') return [];
  const message = '"client" takes the native relay: Node has no transparent sockets';
  return [fault(path, message, 'remove relay = "node", or name addresses')];
}

type Pool = Extract<NonNullable<ServiceSection['source']>, { kind: 'pool' }>['addresses'];

function checkPool(
  { backend }: ServiceSection,
  addresses: Pool,
  virtual: ReadonlySet<string>,
  path: KeyPath,
): Finding[] {
  if (addresses.length === 0) {
    return [fault(path, 'is empty', 'write an address of this host, "client", or remove it')];
  }
  const moving = addresses.flatMap(({ text }, index) => {
    if (!virtual.has(text)) return [];
    const message = `${text} is a virtual address: connections from it break when it moves, and the other node has none`;
    return [fault([...path, index], message, 'write an address that this node keeps')];
  });
  const families = new Set(addresses.map(({ family }) => family));
  const left = backend.find(({ address }) => !families.has(address.address.family));
  if (left === undefined) return moving;
  const family = left.address.address.family;
  const message = `has no IPv${family} address, and there are IPv${family} backends: for them the kernel chooses`;
  return [...moving, warning(path, message, `add an IPv${family} address`)];
}

/** The addresses of a pool that this host does not have now. */
export function checkSourcesHere(file: FileSchema, environment: Environment): Finding[] {
  const pools = file.service.flatMap(({ source }, index) =>
    source?.kind === 'pool'
      ? source.addresses.map(({ text }, at) => ({ text, path: ['service', index, 'source', at] }))
      : [],
  );
  if (pools.length === 0) return [];
  const virtual = virtualAddresses(file);
  const here = new Set(
    environment.interfaces().flatMap(({ addresses }) => addresses.map((each) => each.address.text)),
  );
  return (
    pools
      // a virtual address is a fault on whichever node
      .filter(({ text }) => !here.has(text) && !virtual.has(text))
      .map(({ text, path }) =>
        fault(
          path,
          `this host does not have ${quote(text)}: no backend could be reached`,
          'write an address of this host',
        ),
      )
  );
}
