import type { Instant } from '../../lib/duration.ts';
import type { PoolMember } from '../../model/service.ts';
import type { Ticket } from '../guard/types.ts';
import { Timed } from './timer-wheel.ts';
import type { UdpFlow } from './udp-transport.ts';

/** What is decided of one client's flow: the backend, and how long it lasts. */
export class UdpSession extends Timed {
  readonly flow: UdpFlow;
  readonly ticket: Ticket;
  member: PoolMember;
  /** Has the present backend answered? */
  answered = false;
  /** The present backend was unreachable: the next datagram looks for another one. */
  unreachable = false;
  readonly #expired: (session: UdpSession, now: Instant) => void;

  constructor(options: {
    readonly flow: UdpFlow;
    readonly ticket: Ticket;
    readonly member: PoolMember;
    readonly expired: (session: UdpSession, now: Instant) => void;
  }) {
    super();
    this.flow = options.flow;
    this.ticket = options.ticket;
    this.member = options.member;
    this.#expired = options.expired;
  }

  override expire(now: Instant): void {
    this.#expired(this, now);
  }
}
