import type { PoolMember, ServiceSpec } from '../../model/service.ts';
import type { RelayContext } from './transport.ts';

/** native/src/relay-api.cc: kRouteWords. */
const ROUTE_WORDS = 11;
const [NO_DELAY, KEEP_ALIVE] = [1, 2];

export type RouteContext = Pick<RelayContext, 'spec' | 'counters' | 'slot'>;

interface Packed {
  readonly spec: ServiceSpec;
  readonly words: Uint32Array;
}

/** Where the addon is to connect to and what it is to count, packed once for each backend. */
export class Routes {
  /** A backend's entry goes with the set that it came in. */
  readonly #packed = new WeakMap<PoolMember, Packed>();

  to(member: PoolMember, context: RouteContext): Uint32Array {
    const known = this.#packed.get(member);
    if (known !== undefined && known.spec === context.spec) return known.words;
    const words = pack(member, context);
    this.#packed.set(member, { spec: context.spec, words });
    return words;
  }
}

function pack({ endpoint, slot }: PoolMember, { spec, counters, slot: service }: RouteContext): Uint32Array {
  const { address, port } = endpoint;
  const { serviceIn, backendIn, serviceOut, backendOut } = counters.byteCells(service, slot);
  const flags = (spec.noDelay ? NO_DELAY : 0) | (spec.keepAlive ? KEEP_ALIVE : 0);
  const head = [address.family, port, flags, serviceIn, backendIn, serviceOut, backendOut];
  const words = new Uint32Array(ROUTE_WORDS);
  words.set(head);
  new Uint8Array(words.buffer).set(address.bytes, head.length * Uint32Array.BYTES_PER_ELEMENT);
  return words;
}
