/**
 * N virtual routers on a fake link with a fake clock. The link loses, delays, duplicates and (thereby)
 * reorders; it can be cut in two and joined again. Messages travel as bytes through the real codec.
 */

import type { AnnounceCause } from '../../src/failover/announcer.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { type Duration, type Instant, instant, millis } from '../../src/lib/duration.ts';
import { type IpAddress, type IpFamily, ipFromBytes } from '../../src/lib/ip.ts';
import type { VrrpState } from '../../src/model/failover.ts';
import {
  decodeAdvertisement,
  type Envelope,
  encodeAdvertisement,
  refusal,
  VRRP_GROUP_4,
  VRRP_GROUP_6,
} from '../../src/vrrp/packet.ts';
import {
  createRouter,
  type Router,
  type RouterInput,
  TIMER_NAMES,
  type TimerName,
} from '../../src/vrrp/router.ts';
import { step } from '../../src/vrrp/state-machine.ts';
import { coordinate } from '../../src/vrrp/sync.ts';

export interface LinkQuality {
  /** Share of messages lost for each receiver, 0 to 1. */
  readonly loss: number;
  /** Share delivered twice, 0 to 1. */
  readonly duplication: number;
  /** The longest delay; each message draws its own. */
  readonly delay: Duration;
}

export interface NodeSpec {
  readonly priority: number;
  readonly preempt: boolean;
  readonly interval: Duration;
  /** Routers of one host move together; left out: each is on a host of its own. */
  readonly host?: string;
  readonly vrid?: number;
  readonly paired?: boolean;
  /** Of the routers of its host; left out: yes. */
  readonly leads?: boolean;
  /** The last byte of its address; left out: its place, from 1. */
  readonly source?: number;
}

export interface SimNode {
  readonly index: number;
  readonly source: IpAddress;
  readonly vrid: number;
  readonly host: string | null;
  /** At the last coordination with its partners. */
  before: VrrpState;
  router: Router;
  /** Does it hold the virtual address? By the actions, not by the state. */
  holds: boolean;
  /** Dead: neither hears nor speaks nor keeps time. */
  dead: boolean;
  side: number;
  sent: Instant[];
  announced: Instant[];
  discarded: number;
}

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** The virtual address of each family. */
export const VIPS: Readonly<Record<IpFamily, IpAddress>> = { 4: address(4, 100), 6: address(6, 100) };

/** 10.0.0.n, or fe80::n, which the IPv6 list of addresses has to begin with. */
function address(family: IpFamily, n: number): IpAddress {
  if (family === 4) return ipFromBytes(Uint8Array.of(10, 0, 0, n));
  return ipFromBytes(Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, n));
}

const VRID = 51;

export class Network {
  now: Instant = instant(0);
  readonly nodes: SimNode[];
  quality: LinkQuality;
  /** Claims so far, and how often the last holder let go while nobody else held the address. */
  moves = 0;
  abandoned = 0;
  /** More that a node does when it announces its address, or lets go of it. */
  onAnnounce: (node: SimNode, cause: AnnounceCause) => void = () => undefined;
  onRelease: (node: SimNode) => void = () => undefined;
  readonly family: IpFamily;
  readonly #random: () => number;
  readonly #timers = new Map<string, number>();
  #events: Event[] = [];
  #order = 0;

  constructor(specs: readonly NodeSpec[], quality: LinkQuality, seed: number, family: IpFamily = 4) {
    this.quality = quality;
    this.family = family;
    this.#random = mulberry32(seed);
    this.nodes = specs.map((spec, index) => {
      const source = address(family, spec.source ?? index + 1);
      const router = createRouter({
        version: 3,
        priority: spec.priority,
        advertiseInterval: spec.interval,
        preempt: spec.preempt,
        preemptDelay: millis(0),
        source,
        synced: spec.host !== undefined,
        leads: spec.leads ?? true,
        paired: spec.paired ?? false,
      });
      return {
        index,
        source,
        vrid: spec.vrid ?? VRID,
        host: spec.host ?? null,
        before: 'Initialize',
        router,
        holds: false,
        dead: false,
        side: 0,
        sent: [],
        announced: [],
        discarded: 0,
      };
    });
  }

  input(node: SimNode, input: RouterInput): void {
    this.#step(node, input);
    this.#coordinate(node.host);
  }

  /** To all of the routers of a host, before they are coordinated. */
  inputAll(host: string, input: RouterInput): void {
    for (const node of this.nodes) if (node.host === host) this.#step(node, input);
    this.#coordinate(host);
  }

  #coordinate(host: string | null): void {
    if (host === null) return;
    const members = this.nodes.filter((node) => node.host === host && !node.dead);
    for (let round = 0; ; round++) {
      if (round > 8) throw new Error('the partners do not come to an end');
      const inputs = coordinate(members);
      for (const member of members) member.before = member.router.state;
      if (inputs.every((input) => input === null)) return;
      for (const [i, member] of members.entries()) {
        const input = inputs[i] ?? null;
        if (input !== null) this.#step(member, input);
      }
    }
  }

  #step(node: SimNode, input: RouterInput): void {
    if (node.dead) return;
    const cause = node.router.state === 'Active' ? 'conflict' : 'active';
    const { router, actions } = step(node.router, input, this.now);
    node.router = router;
    for (const action of actions) {
      if (action.type === 'send') this.#send(node, action.priority);
      else if (action.type === 'arm') this.#arm(node, action.timer, action.at);
      else if (action.type === 'cancel') this.#timers.delete(`${node.index}/${action.timer}`);
      else if (action.type === 'claim') this.#claim(node);
      else if (action.type === 'release') this.#release(node);
      else if (action.type === 'announce') this.#announce(node, cause);
    }
  }

  #claim(node: SimNode): void {
    if (!node.holds) this.moves++;
    node.holds = true;
  }

  #announce(node: SimNode, cause: AnnounceCause): void {
    node.announced.push(this.now);
    this.onAnnounce(node, cause);
  }

  #release(node: SimNode): void {
    node.holds = false;
    this.onRelease(node);
    if (this.holders().length === 0) this.abandoned++;
  }

  startAll(): void {
    for (const node of this.nodes) this.input(node, { type: 'start', resume: null });
  }

  /** The network's time for shells that want a clock. */
  readonly clock: Clock = {
    now: () => this.now,
    wallMillis: () => this.now / 1_000,
    timerAfter: (delay, fire) => this.clock.timerAt(instant(this.now + delay), fire),
    timerAt: (at, fire) => {
      let live = true;
      this.at(at, () => {
        if (live) fire();
      });
      return {
        cancel: () => {
          live = false;
        },
      };
    },
  };

  /** Dies without a word; its leased address dies with it. */
  crash(node: SimNode): void {
    node.dead = true;
    node.holds = false;
  }

  /** Dies, if it has not yet, and comes again remembering nothing. */
  restart(node: SimNode): void {
    this.crash(node);
    for (const timer of TIMER_NAMES) this.#timers.delete(`${node.index}/${timer}`);
    node.dead = false;
    node.router = createRouter(node.router.settings);
    this.input(node, { type: 'start', resume: null });
  }

  /** Sides: nodes with the same number hear each other. */
  partition(sides: readonly number[]): void {
    for (const node of this.nodes) node.side = sides[node.index] ?? 0;
  }

  heal(): void {
    this.partition([]);
  }

  /** Anybody's bytes, to everybody, as the socket would hand them over. */
  inject(message: Uint8Array, envelope: Envelope): void {
    for (const node of this.nodes) this.#receive(node, message, envelope);
  }

  /** Calls `arrive` when, and as often as, the link delivers what one side sends to another. */
  deliver(fromSide: number, toSide: number, arrive: () => void): void {
    if (fromSide !== toSide || this.#random() < this.quality.loss) return;
    const copies = this.#random() < this.quality.duplication ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      this.at(instant(this.now + 1 + Math.floor(this.#random() * this.quality.delay)), arrive);
    }
  }

  at(when: Instant, run: () => void): void {
    this.#events.push({ at: when, order: this.#order++, run });
  }

  /** Runs everything that happens in the next `span`. */
  run(span: Duration): void {
    const end = this.now + span;
    for (;;) {
      const next = this.#takeNext(end);
      if (next === undefined) break;
      this.now = instant(Math.max(this.now, next.at));
      next.run();
    }
    this.now = instant(end);
  }

  holders(): SimNode[] {
    return this.nodes.filter((node) => node.holds && !node.dead);
  }

  #takeNext(end: number): Event | undefined {
    let best = -1;
    for (const [i, event] of this.#events.entries()) {
      const rival = this.#events[best];
      if (
        rival === undefined ||
        event.at < rival.at ||
        (event.at === rival.at && event.order < rival.order)
      ) {
        best = i;
      }
    }
    const found = this.#events[best];
    if (found === undefined || found.at > end) return undefined;
    this.#events.splice(best, 1);
    return found;
  }

  #arm(node: SimNode, timer: TimerName, at: Instant): void {
    const key = `${node.index}/${timer}`;
    const token = this.#order;
    this.#timers.set(key, token);
    this.at(at, () => {
      if (this.#timers.get(key) !== token) return;
      this.#timers.delete(key);
      this.input(node, { type: 'timer', timer });
    });
  }

  #send(node: SimNode, priority: number): void {
    node.sent.push(this.now);
    const { family } = this;
    const destination = family === 4 ? VRRP_GROUP_4 : VRRP_GROUP_6;
    const envelope: Envelope = { family, source: node.source, destination, hopLimit: 255 };
    const message = encodeAdvertisement(
      {
        version: 3,
        family,
        vrid: node.vrid,
        priority,
        addresses: [VIPS[family]],
        interval: node.router.settings.advertiseInterval,
        authentication: { type: 'none' },
      },
      { ...envelope, checksumStyle: 'rfc5798' },
    );
    for (const other of this.nodes) {
      if (other === node || other.vrid !== node.vrid) continue;
      this.deliver(node.side, other.side, () => this.#receive(other, message, envelope));
    }
  }

  #receive(node: SimNode, message: Uint8Array, envelope: Envelope): void {
    if (node.dead) return;
    const decoded = decodeAdvertisement(message, envelope);
    const expected = {
      version: 3,
      vrid: node.vrid,
      ownSources: [node.source],
      peers: null,
      authPass: null,
    } as const;
    if (decoded.kind !== 'ok' || refusal(decoded.advertisement, envelope, expected) !== null) {
      node.discarded++;
      return;
    }
    const { priority, interval } = decoded.advertisement;
    this.input(node, { type: 'advertisement', source: envelope.source, priority, interval });
  }
}

/** A small seeded generator (mulberry32, public domain), so that a failing run can be run again. */
export function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
