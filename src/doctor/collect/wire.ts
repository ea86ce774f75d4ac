import { openReceiver } from '../../failover/vrrp-socket.ts';
import { toMillis } from '../../lib/duration.ts';
import { messageOf } from '../../lib/errors.ts';
import { type IpFamily, ipFromBytes } from '../../lib/ip.ts';
import type { FailoverGroupSpec } from '../../model/failover.ts';
import type { Native, NativeHandle } from '../../native/index.ts';
import { type Authentication, decodeAdvertisement, type Envelope, vridOf } from '../../vrrp/packet.ts';
import { type Fact, type Heard, type Junk, known, missing, type Wire } from '../facts.ts';

/** Somebody who sends under ever new addresses and VRIDs must not fill our memory. */
const MAX_SPEAKERS = 512;
const MIN_LISTEN_MS = 500;
/** Longer advertisement intervals are not waited for. */
const MAX_LISTEN_MS = 4_000;

/** Three intervals and a little: what a Backup waits before it takes over. Milliseconds. */
export function listeningTime(groups: readonly FailoverGroupSpec[]): number {
  const longest = Math.max(0, ...groups.map((group) => toMillis(group.advertiseInterval)));
  return Math.min(MAX_LISTEN_MS, Math.max(MIN_LISTEN_MS, 3 * longest + 200));
}

/** One family on one interface. */
export interface Place {
  readonly family: IpFamily;
  readonly interface: string;
}

/** Listens beside the agent, which notices nothing; sends nothing. Resolves after `listenMillis`. */
export async function listen(native: Native, place: Place, listenMillis: number): Promise<Fact<Wire>> {
  const link = native.listLinks().find(({ name }) => name === place.interface);
  if (link === undefined) return missing(`there is no interface ${place.interface}`);
  const ear = new Ear(new Set(native.listAddresses().map(({ address }) => ipFromBytes(address).text)));
  let failure: Error | null = null;
  let receiver: NativeHandle;
  try {
    receiver = openReceiver(native, {
      ...place,
      ifindex: link.index,
      unicast: false,
      onMessage: (message, envelope) => ear.hear(message, envelope, performance.now()),
      onError: (error) => {
        failure ??= error;
      },
    });
  } catch (error) {
    return missing(`listening needs root (CAP_NET_RAW): ${messageOf(error)}`);
  }
  const from = performance.now();
  await new Promise((resolve) => setTimeout(resolve, listenMillis));
  receiver.close();
  if (failure !== null) return missing(`listening on ${place.interface} failed: ${messageOf(failure)}`);
  const now = performance.now();
  return known({ listenedMillis: now - from, ...ear.report(now) });
}

type Speaker = Omit<Heard, 'ageMillis'> & { readonly at: number };

/** Sorts what arrives by source and VRID. */
export class Ear {
  readonly #own: ReadonlySet<string>;
  readonly #speakers = new Map<string, Speaker>();
  readonly #junk = new Map<string, Junk>();

  /** @param own this host's addresses: its own messages are not news. */
  constructor(own: ReadonlySet<string>) {
    this.#own = own;
  }

  hear(message: Uint8Array, envelope: Envelope, at: number): void {
    const source = envelope.source.text;
    if (this.#own.has(source)) return;
    // as unicast: a wrong hop limit is to be told, not discarded
    const decoded = decodeAdvertisement(message, { ...envelope, unicast: true });
    if (decoded.kind === 'discarded') {
      const vrid = vridOf(message);
      const key = `${source} ${vrid} ${decoded.reason}`;
      const count = (this.#junk.get(key)?.count ?? 0) + 1;
      put(this.#junk, key, { source, vrid, reason: decoded.reason, count });
      return;
    }
    const { vrid, version, priority, addresses, interval, authentication } = decoded.advertisement;
    const key = `${source} ${vrid}`;
    put(this.#speakers, key, {
      source,
      vrid,
      version,
      priority,
      addresses: addresses.map(({ text }) => text),
      intervalMillis: toMillis(interval),
      checksum: decoded.checksumStyle,
      hopLimit: envelope.hopLimit,
      count: (this.#speakers.get(key)?.count ?? 0) + 1,
      at,
      secret: secretOf(authentication),
    });
  }

  report(now: number): Pick<Wire, 'heard' | 'junk'> {
    const heard = [...this.#speakers.values()].map(({ at, ...rest }) => ({ ...rest, ageMillis: now - at }));
    return { heard, junk: [...this.#junk.values()] };
  }
}

function put<T>(map: Map<string, T>, key: string, value: T): void {
  if (map.size < MAX_SPEAKERS || map.has(key)) map.set(key, value);
}

/** A PASS as text that can be compared. */
export function secretOf(authentication: Authentication): string | null {
  return authentication.type === 'none' ? null : Buffer.from(authentication.data).toString('hex');
}
