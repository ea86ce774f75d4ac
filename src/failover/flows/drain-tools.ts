import type { Clock, Timer } from '../../lib/clock.ts';
import { between, type Duration, type Instant, toMillis } from '../../lib/duration.ts';
import { errnoOf, messageOf } from '../../lib/errors.ts';
import type { Emit, EventFields } from '../../model/event.ts';
import type { FailoverGroupSpec } from '../../model/failover.ts';
import type { Nft } from './nft.ts';
import { deleteTable } from './rules.ts';

/** A handover by its name (the same on both nodes), and how long its drain may take. */
export interface DrainTerms {
  readonly handover: string;
  readonly drain: Duration;
}

/** What both sides of a drain need of the node: its clock, nftables, and somebody to tell. */
export class DrainTools {
  readonly clock: Clock;
  readonly nft: Nft;
  readonly #emit: Emit;

  constructor(clock: Clock, nft: Nft, emit: Emit) {
    this.clock = clock;
    this.nft = nft;
    this.#emit = emit;
  }

  later(delay: Duration, task: () => Promise<void>): Timer {
    return this.clock.timerAfter(delay, () => this.undo(task()));
  }

  /** For what is undone while nobody waits for it. */
  undo(done: Promise<void>): void {
    done.catch((error: unknown) => this.complain('ending a drain', error));
  }

  async deleteTable(family: 'netdev' | 'arp', table: string): Promise<void> {
    try {
      await this.nft.apply(deleteTable(family, table));
    } catch (error) {
      this.complain(`removing the nftables table ${family} ${table}`, error);
    }
  }

  remaining(deadline: Instant): number {
    return Math.max(0, Math.round(toMillis(between(this.clock.now(), deadline))));
  }

  tell(group: FailoverGroupSpec, what: string, more: EventFields = {}): void {
    this.#emit({
      level: 'info',
      name: 'failover.handover',
      message: `group ${group.name}: ${what}`,
      fields: { group: group.name, vrid: group.vrid, interface: group.interface, ...more },
    });
  }

  complain(what: string, error: unknown): void {
    this.#emit({
      level: 'error',
      name: 'failover.error',
      message: `${what}: ${messageOf(error)}`,
      fields: { errno: errnoOf(error) ?? null },
    });
  }
}
