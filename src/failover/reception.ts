import { type IpAddress, isUnspecified } from '../lib/ip.ts';
import type { ChecksumStyle, DiscardReason } from '../model/failover.ts';
import {
  type Advertisement,
  decodeAdvertisement,
  type Envelope,
  type Expectation,
  passData,
  refusal,
  vridOf,
} from '../vrrp/packet.ts';
import { unicastPeers, type VirtualRouterSpec } from './router-spec.ts';

/** The receiving side of one virtual router: every check of RFC 9568, 7.1, and a count for each refusal. */
export class Reception {
  readonly #discarded = new Map<DiscardReason, number>();
  readonly #isOtherVrid: (vrid: number) => boolean;
  readonly #onDiscard: (reason: DiscardReason, source: IpAddress) => void;
  #expected: Expectation;
  #accepted = 0;
  #peerStyle: ChecksumStyle | null = null;

  /**
   * @param isOtherVrid whether another router of this agent listens to that VRID on the same interface
   * @param onDiscard for each one thrown away that was meant for this router
   */
  constructor(
    spec: VirtualRouterSpec,
    isOtherVrid: (vrid: number) => boolean,
    onDiscard: (reason: DiscardReason, source: IpAddress) => void,
  ) {
    this.#isOtherVrid = isOtherVrid;
    this.#onDiscard = onDiscard;
    this.#expected = expectation(spec, null);
  }

  /** Advertisements that passed. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Of the last one that passed. */
  get peerStyle(): ChecksumStyle | null {
    return this.#peerStyle;
  }

  get discarded(): Readonly<Partial<Record<DiscardReason, number>>> {
    return Object.fromEntries(this.#discarded);
  }

  configure(spec: VirtualRouterSpec, source: IpAddress | null): void {
    this.#expected = expectation(spec, source);
  }

  /** The advertisement, or null for one that must touch nothing. */
  accept(message: Uint8Array, envelope: Envelope): Advertisement | null {
    const vrid = vridOf(message);
    if (vrid !== null && vrid !== this.#expected.vrid && this.#isOtherVrid(vrid)) return null;
    const decoded = decodeAdvertisement(message, envelope);
    const reason =
      decoded.kind === 'discarded'
        ? decoded.reason
        : refusal(decoded.advertisement, envelope, this.#expected);
    if (reason !== null) this.#discard(reason, envelope.source);
    if (reason !== null || decoded.kind === 'discarded') return null;
    this.#accepted++;
    this.#peerStyle = decoded.checksumStyle;
    return decoded.advertisement;
  }

  #discard(reason: DiscardReason, source: IpAddress): void {
    this.#discarded.set(reason, (this.#discarded.get(reason) ?? 0) + 1);
    // other virtual routers on the link and our own echo are no news
    if (reason !== 'vrid' && reason !== 'own-packet') this.#onDiscard(reason, source);
  }
}

function expectation(spec: VirtualRouterSpec, source: IpAddress | null): Expectation {
  const { version, vrid, authPass } = spec.group;
  return {
    version,
    vrid,
    ownSources: source === null || isUnspecified(source) ? [] : [source],
    peers: unicastPeers(spec)?.peers ?? null,
    authPass: authPass === null ? null : passData(authPass),
  };
}
