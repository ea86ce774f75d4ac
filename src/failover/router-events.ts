import type { Clock } from '../lib/clock.ts';
import { errnoOf, messageOf, TandemError } from '../lib/errors.ts';
import type { IpAddress } from '../lib/ip.ts';
import { formatMac } from '../lib/mac.ts';
import type { Emit, EventFields, EventInput } from '../model/event.ts';
import type { DiscardReason } from '../model/failover.ts';
import type { TransitionRecord } from '../model/history.ts';
import { type AddressClaim, isVirtualMac } from '../vrrp/claim.ts';
import { effectivePriority, type Router } from '../vrrp/router.ts';
import { Complaint } from './complaint.ts';
import { describeRouter, routerFields, type VirtualRouterSpec } from './router-spec.ts';

/** What one virtual router tells about itself. */
export class RouterEvents {
  readonly #emit: Emit;
  readonly #spec: () => VirtualRouterSpec;
  readonly #complaint: Complaint;
  #conflicts = 0;

  constructor(clock: Clock, emit: Emit, spec: () => VirtualRouterSpec) {
    this.#emit = emit;
    this.#spec = spec;
    this.#complaint = new Complaint(clock, emit);
  }

  /** Since this router was made. */
  get conflicts(): number {
    return this.#conflicts;
  }

  /** @param router after the transition. */
  transition({ from, to, reason, cause, peer }: TransitionRecord, router: Router): void {
    this.#emit(
      this.#event('info', 'failover.transition', `: ${from} -> ${to}; ${cause}`, {
        from,
        to,
        reason,
        priority: effectivePriority(router),
        peer: peer?.address ?? null,
        peerPriority: peer?.priority ?? null,
        peerAgeMillis: peer === null ? null : Math.round(peer.ageMillis),
      }),
    );
  }

  conflict(source: IpAddress, priority: number): void {
    this.#conflicts++;
    const what = `: ${source.text} (priority ${priority}) was Active beside this node; announcing again`;
    const fields = { peer: source.text, peerPriority: priority };
    this.#emit(this.#event('warn', 'failover.conflict', what, fields));
  }

  /** @param count of such claims so far */
  duplicate({ address, mac }: AddressClaim, count: number): void {
    const { family, group } = this.#spec();
    const router = `the virtual MAC of VRID ${group.vrid}, whose advertisements are not heard here,`;
    const who = isVirtualMac(mac, family, group.vrid) ? router : `another host (${formatMac(mac)})`;
    const what = `: ${who} claims ${address.text} while this node holds it; announcing it again`;
    const fields = { address: address.text, mac: formatMac(mac), count };
    this.#emit(this.#event('warn', 'failover.duplicate-address', what, fields));
  }

  /** A wrong password or version makes two nodes Active: the log must name it. Once a reason in a while. */
  discarded(reason: DiscardReason, source: IpAddress): void {
    const what = `: advertisements for this VRID are discarded: ${reason}`;
    const event = this.#event('warn', 'failover.discarded', what, { reason, peer: source.text });
    this.#complaint.raise(what, event);
  }

  link(level: 'info' | 'warn', what: string): void {
    this.#emit(this.#event(level, 'failover.link', ` ${what}`));
  }

  removedStale(addresses: readonly string[]): void {
    const what = `: removed what a predecessor left: ${addresses.join(', ')}`;
    this.#emit(this.#event('warn', 'failover.cleanup', what, { removed: addresses.join(' ') }));
  }

  /** A fault that may go on: told at once, and now and then while it lasts. */
  error(what: string, error: unknown): void {
    const hint = error instanceof TandemError ? (error.hint ?? null) : null;
    this.#complaint.raise(
      what,

      this.#event('error', 'failover.error', `: ${what}: ${messageOf(error)}`, {
        errno: errnoOf(error) ?? null,
        hint,
      }),
    );
  }

  #event(
    level: EventInput['level'],
    name: EventInput['name'],
    what: string,
    fields: EventFields = {},
  ): EventInput {
    const spec = this.#spec();
    return {
      level,
      name,
      message: `${describeRouter(spec)}${what}`,
      fields: { ...routerFields(spec), ...fields },
    };
  }
}
