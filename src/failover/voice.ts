import type { AddressClaim } from '../vrrp/claim.ts';
import type { Router } from '../vrrp/router.ts';
import { Announcers } from './announcers.ts';
import { DuplicateWatch } from './duplicate-watch.ts';
import type { Holdings } from './holdings.ts';
import { routerFields, type VirtualRouterSpec } from './router-spec.ts';
import type { Surroundings } from './surroundings.ts';

export interface VoiceOptions {
  readonly spec: VirtualRouterSpec;
  readonly around: Pick<Surroundings, 'native' | 'clock' | 'emit' | 'guard'>;
  readonly holdings: Pick<Holdings, 'announcedFrom' | 'lease'>;
  readonly router: () => Router;
  /** Somebody else may have drawn the traffic. */
  readonly onContested: () => void;
  /** A host that is no router of ours has the address. */
  readonly onDuplicate: (claim: AddressClaim, count: number) => void;
}

/** What a virtual router tells its links of its addresses, and what it makes of others' claims to them. */
export interface Voice {
  readonly announcers: Announcers;
  readonly duplicates: DuplicateWatch;
}

/** Announces nothing unless the router is Active and holds every address. */
export function createVoice(options: VoiceOptions): Voice {
  const { spec, holdings, router, onContested, onDuplicate } = options;
  const { native, clock, emit, guard } = options.around;
  const duplicates = new DuplicateWatch({ clock, router, onContested, onDuplicate });
  const announcers = new Announcers(
    {
      view: (device) => holdings.announcedFrom(device),
      native,
      clock,
      emit,
      fields: routerFields(spec),
      isOwner: () => router().state === 'Active' && holdings.lease.complete,
      whenCurrent: (act) => guard.run(act),
      onForeignClaim: (claim) => duplicates.claimed(claim),
    },
    spec.held,
    spec.group.announce,
  );
  return { announcers, duplicates };
}
