import type { IpAddress } from '../../lib/ip.ts';
import type { PoolMember } from '../../model/service.ts';

/** Who asks: all that a scheduler may base its choice on. Mapped IPv4 addresses are IPv4 already. */
export interface ClientKey {
  readonly source: IpAddress;
  readonly sourcePort: number;
  /** The service's address that the client wrote to. */
  readonly destination: IpAddress;
  readonly destinationPort: number;
  /** TLS server name in lower case, where it was looked at and there is one. */
  readonly serverName?: string;
}

/** How busy a backend is, by its slot in the shared counters. */
export interface LoadReader {
  /** In flight, connecting ones included, over all workers. */
  active(slot: number): number;
  /** Connect failures of late, fading with time; may be fractional, 0 for a backend that works. */
  recentFailures(slot: number): number;
}

/** Chooses backends for one service in one worker. Pure: same calls, same answers (given `random`). */
export interface Scheduler {
  /** Replaces the set; what is known of backends that stay is kept. Weights of 0 or less are left out. */
  update(eligible: readonly PoolMember[]): void;
  /**
   * A backend for this client, or null when none is left. `exclude` names those already tried or full; fullness
   * is the caller's business except for "first", which skips full backends by itself.
   */
  pick(client: ClientKey, load: LoadReader, exclude: ReadonlySet<string> | null): PoolMember | null;
}
