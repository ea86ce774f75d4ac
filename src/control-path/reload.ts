import type { ConfigDiff } from '../config/diff.ts';
import type { Endpoint } from '../lib/ip.ts';
import type { FailoverSpec } from '../model/failover.ts';
import type { Protocol, ServiceSpec } from '../model/service.ts';

/** A socket to open before anything is changed: the one step of a reload that can fail. */
export interface WantedListener {
  readonly service: string;
  readonly protocol: Protocol;
  readonly endpoint: Endpoint;
  readonly backlog: number;
}

export type ReloadStep =
  | { readonly type: 'open'; readonly spec: ServiceSpec }
  /** New settings, backends and listeners; what is established goes on. */
  | { readonly type: 'change'; readonly spec: ServiceSpec; readonly closed: readonly Endpoint[] }
  /** `drain` false: the name is needed at once by a service of another protocol. */
  | { readonly type: 'close'; readonly service: string; readonly drain: boolean }
  | { readonly type: 'failover-start'; readonly spec: FailoverSpec }
  | { readonly type: 'failover-configure'; readonly spec: FailoverSpec }
  | { readonly type: 'failover-stop' };

export interface ReloadPlan {
  readonly listeners: readonly WantedListener[];
  /** Rows that the shared counters must have room for. */
  readonly joining: { readonly services: number; readonly backends: number };
  readonly steps: readonly ReloadStep[];
}

/**
 * What to do for a changed configuration, in order.
 *
 * All new listeners come first, before anything is touched: when one cannot be opened, nothing has changed.
 * Services are open before an address is claimed for them, and an address is given up before the services
 * behind it close. Listeners that stay are in no step at all.
 */
export function planReload(diff: ConfigDiff): ReloadPlan {
  const { added, removed, changed } = diff.services;
  const reused = new Set(added.map((spec) => spec.name));
  const listeners = [
    ...added.flatMap((spec) => wanted(spec, spec.listen)),
    ...changed.flatMap((change) => wanted(change.after, change.opened)),
  ];
  const closing = removed.map((spec) => ({ service: spec.name, drain: !reused.has(spec.name) }));
  return {
    listeners,
    joining: {
      services: added.length,
      backends:
        added.reduce((sum, spec) => sum + spec.backends.length, 0) +
        changed.reduce((sum, change) => sum + change.backends.added.length, 0),
    },
    steps: [
      ...closing.filter((step) => !step.drain).map((step): ReloadStep => ({ type: 'close', ...step })),
      ...added.map((spec): ReloadStep => ({ type: 'open', spec })),
      ...changed.map(({ after, closed }): ReloadStep => ({ type: 'change', spec: after, closed })),
      ...failoverSteps(diff.failover),
      ...closing.filter((step) => step.drain).map((step): ReloadStep => ({ type: 'close', ...step })),
    ],
  };
}

function wanted(spec: ServiceSpec, endpoints: readonly Endpoint[]): WantedListener[] {
  const { name: service, protocol, backlog } = spec;
  return endpoints.map((endpoint) => ({ service, protocol, endpoint, backlog }));
}

function failoverSteps(diff: ConfigDiff['failover']): ReloadStep[] {
  if (diff === null) return [];
  if (diff.after === null) return [{ type: 'failover-stop' }];
  return [{ type: diff.before === null ? 'failover-start' : 'failover-configure', spec: diff.after }];
}
