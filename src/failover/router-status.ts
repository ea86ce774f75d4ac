import { between, type Instant, toMillis } from '../lib/duration.ts';
import type { Standing, VirtualRouterStatus } from '../model/failover.ts';
import { explain } from '../vrrp/explain.ts';
import { outlook } from '../vrrp/outlook.ts';
import { effectivePriority, type Router } from '../vrrp/router.ts';
import type { DuplicateWatch } from './duplicate-watch.ts';
import type { Holdings } from './holdings.ts';
import type { Reception } from './reception.ts';
import { heldText, type VirtualRouterSpec } from './router-spec.ts';
import type { TransitionLog } from './transition-log.ts';

export interface StatusInput {
  readonly spec: VirtualRouterSpec;
  readonly router: Router;
  readonly reception: Reception;
  /** What keeps the router in its state from outside its state machine, unless that is Active; null for nothing. */
  readonly hindrance: string | null;
  readonly standing: Standing;
  readonly holdings: Pick<Holdings, 'lease' | 'holdsAddresses' | 'routes'>;
  readonly log: Pick<TransitionLog, 'since' | 'count'>;
  readonly conflicts: number;
  readonly duplicates: Pick<DuplicateWatch, 'status'>;
  readonly sent: number;
  readonly now: Instant;
}

/** A virtual router as `status` and the heartbeats show it. */
export function routerStatus(input: StatusInput): VirtualRouterStatus {
  const { spec, router, reception, hindrance, now } = input;
  const { peer, state } = router;
  const { name, vrid, interface: device } = spec.group;
  const { refreshedAt } = input.holdings.lease;
  const leaseAge = refreshedAt && between(refreshedAt, now);
  const explained = state !== 'Active' && router.started ? hindrance : null;
  const explanation = explained === null ? explain(router, input.standing.reason) : `${state}: ${explained}`;
  return {
    group: name,
    family: spec.family,
    vrid,
    interface: device,
    state,
    reason: router.reason,
    since: input.log.since,
    priority: router.settings.priority,
    effectivePriority: effectivePriority(router),
    addresses: spec.held.map((held) => heldText(held, device)),
    holdsAddresses: input.holdings.holdsAddresses(),
    routes: input.holdings.routes(),
    leaseAgeMillis: leaseAge === null ? null : toMillis(leaseAge),
    explanation,
    outlook: outlook(router),
    peer: peer && {
      address: peer.source.text,
      priority: peer.priority,
      intervalMillis: toMillis(peer.interval),
      checksum: reception.peerStyle,
      ageMillis: toMillis(between(peer.at, now)),
    },
    advertisementsSent: input.sent,
    advertisementsReceived: reception.accepted,
    discarded: reception.discarded,
    transitions: input.log.count,
    conflicts: input.conflicts,
    duplicates: input.duplicates.status(now),
  };
}
