import { type IpAddress, prefixContains } from '../../lib/ip.ts';
import { decodeProxyHeader, type ProxyHeader } from '../../lib/proxy-header.ts';
import type { RefusalReason } from '../../model/reason.ts';
import type { ServiceSpec } from '../../model/service.ts';
import { Timed } from '../forward/timer-wheel.ts';
import { type Arrival, deadlineIn, type Peek, type PeekWatcher } from '../forward/transport.ts';
import type { Refusals } from '../refusals.ts';
import type { ClientKey } from '../scheduler/types.ts';
import type { WorkerContext } from '../worker-context.ts';
import { decodeClientHello } from './client-hello.ts';
import { routeOf } from './routes.ts';

/** Who a client is, by its socket or by what a trusted proxy said of it. */
export interface Introduction {
  readonly key: ClientKey;
  /** Of the PROXY header that it came with; they are passed on. */
  readonly tlvs: Uint8Array;
}

export interface GateOwner {
  /** Why nobody else could be served right now, or null; nothing is taken. */
  objection(): RefusalReason | null;
  /** By the lists of networks. */
  permits(source: IpAddress): boolean;
  /** @param service the one whose route this client takes; null for this one */
  introduced(arrival: Arrival, introduction: Introduction, service: string | null): void;
  /** The last one that waited has gone on or away. */
  gateEmptied(): void;
}

/** Of one service in one worker that may be waited for at once: each costs a descriptor and up to 20 KiB. */
const MAX_WAITING = 4_096;
/** Of one address, where the address is the client's own: nobody can take all places alone. */
const MAX_OF_ONE = 256;

export const NO_TLVS = new Uint8Array(0);

/** Does a client have to be looked at before it is served? */
export function wantsPreface({ proxyProtocol, sni, schedule }: ServiceSpec): boolean {
  return proxyProtocol.accept !== null || wantsHello({ sni, schedule });
}

const wantsHello = ({ sni, schedule }: Pick<ServiceSpec, 'sni' | 'schedule'>): boolean =>
  sni.length > 0 || schedule.hashKey === 'server-name';

/**
 * Stands between accept and guard where a client's first bytes say who it is (PROXY protocol) or whom it wants (TLS
 * server name). It looks at them without taking them, for a bounded time and in a bounded number.
 */
export class PrefaceGate {
  readonly #context: WorkerContext;
  readonly #owner: GateOwner;
  readonly #refusals: Refusals;
  readonly #waiting = new Set<Waiting>();
  /** How many wait, by their address. */
  readonly #bySource = new Map<string, number>();
  #spec: ServiceSpec;

  constructor(context: WorkerContext, spec: ServiceSpec, refusals: Refusals, owner: GateOwner) {
    this.#context = context;
    this.#spec = spec;
    this.#refusals = refusals;
    this.#owner = owner;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** For those who come from now on. */
  update(spec: ServiceSpec): void {
    this.#spec = spec;
  }

  receive(arrival: Arrival): void {
    const objection = this.#objection(arrival.key);
    if (objection !== null) {
      this.#refusals.add(objection, arrival.key.source.text);
      arrival.turnAway();
      return;
    }
    const { wheel, counters } = this.#context;
    counters.fdOpened();
    const waiting = new Waiting(arrival, this.#spec, (verdict) => this.#decided(waiting, verdict));
    this.#waiting.add(waiting);
    this.#count(arrival.key, 1);
    wheel.schedule(waiting, deadlineIn(wheel, this.#spec.timeouts.preface));
  }

  /** Turns away all who wait. */
  cut(): void {
    for (const waiting of this.#waiting) waiting.cancel();
  }

  #objection({ source }: ClientKey): RefusalReason | null {
    const { accept } = this.#spec.proxyProtocol;
    if (accept !== null) {
      if (!accept.some((prefix) => prefixContains(prefix, source))) return 'proxy-untrusted';
    } else {
      if (!this.#owner.permits(source)) return 'deny-list';
      if ((this.#bySource.get(source.text) ?? 0) >= MAX_OF_ONE) return 'preface-limit';
    }
    if (this.#waiting.size >= MAX_WAITING) return 'preface-limit';
    return this.#owner.objection();
  }

  #count({ source }: ClientKey, change: 1 | -1): void {
    const count = (this.#bySource.get(source.text) ?? 0) + change;
    if (count > 0) this.#bySource.set(source.text, count);
    else this.#bySource.delete(source.text);
  }

  #decided(waiting: Waiting, verdict: Verdict): void {
    const { wheel, counters } = this.#context;
    this.#waiting.delete(waiting);
    this.#count(waiting.arrival.key, -1);
    wheel.cancel(waiting);
    counters.fdClosed();
    const { arrival } = waiting;
    if (verdict.type === 'introduced') this.#owner.introduced(arrival, verdict.introduction, verdict.service);
    else if (verdict.type === 'refused') {
      // the proxy's own address where the client's is not known yet
      this.#refusals.add(verdict.reason, verdict.key.source.text);
      arrival.turnAway();
    } else if (verdict.type === 'cut') arrival.turnAway();
    if (this.#waiting.size === 0) this.#owner.gateEmptied();
  }
}

type Verdict =
  | { readonly type: 'introduced'; readonly introduction: Introduction; readonly service: string | null }
  | { readonly type: 'refused'; readonly reason: RefusalReason; readonly key: ClientKey }
  /** It went away by itself. */
  | { readonly type: 'lost' }
  | { readonly type: 'cut' };

/** One client whose first bytes are waited for. */
class Waiting extends Timed implements PeekWatcher {
  readonly arrival: Arrival;
  readonly #spec: ServiceSpec;
  readonly #decide: (verdict: Verdict) => void;
  readonly #peek: Peek;
  #header: { readonly length: number; readonly header: ProxyHeader } | null = null;

  constructor(arrival: Arrival, spec: ServiceSpec, decide: (verdict: Verdict) => void) {
    super();
    this.arrival = arrival;
    this.#spec = spec;
    this.#decide = decide;
    this.#peek = arrival.peek(this);
  }

  peeked(bytes: Uint8Array): void {
    if (this.#spec.proxyProtocol.accept !== null && this.#header === null && !this.#readHeader(bytes)) return;
    if (!wantsHello(this.#spec)) this.#introduce(null, null);
    else this.#readHello(bytes.subarray(this.#header?.length ?? 0));
  }

  /** @returns false when there is no header yet, or it is a bad one */
  #readHeader(bytes: Uint8Array): boolean {
    const decoded = decodeProxyHeader(bytes);
    if (decoded.status === 'complete') this.#header = decoded;
    else if (decoded.status === 'fault') this.#refuse('proxy-malformed');
    return decoded.status === 'complete';
  }

  #readHello(bytes: Uint8Array): void {
    const decoded = decodeClientHello(bytes);
    if (decoded.status === 'complete') {
      const { serverName } = decoded.hello;
      this.#introduce(serverName, routeOf(this.#spec.sni, serverName));
    } else if (decoded.status === 'fault') this.#refuse('tls-malformed');
  }

  peekEnded(): void {
    this.#refuse(
      this.#header === null && this.#spec.proxyProtocol.accept !== null ? 'proxy-malformed' : 'tls-malformed',
    );
  }

  peekLost(): void {
    this.#decide({ type: 'lost' });
  }

  override expire(): void {
    this.#refuse('preface-timeout');
  }

  cancel(): void {
    this.#peek.cancel();
    this.#decide({ type: 'cut' });
  }

  #introduce(serverName: string | null, service: string | null): void {
    this.#peek.take(this.#header?.length ?? 0);
    const key = serverName === null ? this.#key() : { ...this.#key(), serverName };
    const tlvs = this.#header?.header.tlvs ?? NO_TLVS;
    this.#decide({ type: 'introduced', introduction: { key, tlvs }, service });
  }

  #refuse(reason: RefusalReason): void {
    this.#peek.cancel();
    this.#decide({ type: 'refused', reason, key: this.#key() });
  }

  /** By the header, where there is one and it names somebody. */
  #key(): ClientKey {
    const addresses = this.#header?.header.addresses ?? null;
    if (addresses === null) return this.arrival.key;
    const { source, destination } = addresses;
    return {
      source: source.address,
      sourcePort: source.port,
      destination: destination.address,
      destinationPort: destination.port,
    };
  }
}
