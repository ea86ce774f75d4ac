import { MAX_WEIGHT, type Standing } from '../model/failover.ts';
import type { Router } from '../vrrp/router.ts';
import { describeRouter, type VirtualRouterSpec } from './router-spec.ts';

/** Why a router cannot hand its role over now; null when it can. */
export function refuseHandover(spec: VirtualRouterSpec, router: Router): string | null {
  const name = describeRouter(spec);
  if (router.state !== 'Active') return `${name} is not Active on this node`;
  if (router.settings.priority !== 255) return null;
  return `${name} owns its addresses (priority 255) and would take them back`;
}

/** Why a router cannot take the role over now; null when it can try. */
export function refuseTakeover(
  spec: VirtualRouterSpec,
  { state, peer }: Router,
  { weight, reason }: Standing,
): string | null {
  const name = describeRouter(spec);
  if (weight === -MAX_WEIGHT) return `${name}: ${reason ?? 'this node is not fit'}`;
  if (state !== 'Backup' || peer?.priority !== 255) return null;
  return `${name}: ${peer.source.text} owns the addresses (priority 255)`;
}
