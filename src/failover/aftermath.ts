import { errnoOf, messageOf } from '../lib/errors.ts';
import type { IpAddress } from '../lib/ip.ts';
import type { Emit } from '../model/event.ts';
import type { FailoverSpec } from '../model/failover.ts';
import type { AddressInfo, LinkInfo, Native } from '../native/index.ts';
import { takeOff } from './address-lease.ts';
import { type InterfaceView, isPermanent, readiness } from './interface-view.ts';
import type { RouterKey } from './protocol.ts';
import { openSender, sendAdvertisement } from './router-port.ts';
import {
  describeRouter,
  type HeldAddress,
  routerFields,
  type VirtualRouterSpec,
  virtualRouterSpecs,
} from './router-spec.ts';
import { macsCleaned, removeStaleMacs } from './virtual-mac.ts';
import { removeStaleRoutes, routesCleaned } from './virtual-routes.ts';

const FLUSH_LIMIT_MS = 200;

export interface AftermathOptions {
  readonly native: Native;
  readonly emit: Emit;
  readonly spec: FailoverSpec;
  /** Routers that the agent last reported as Active. */
  readonly wasActive: ReadonlySet<RouterKey>;
}

/**
 * What the supervisor does for an agent that died: takes the leased addresses off and sends priority 0, so
 * that the peer waits a Skew_Time and neither three intervals nor the end of the lease. Never throws: what
 * fails is an event, and the kernel's clock removes the addresses in the end.
 */
export async function cleanUpAfterAgent(options: AftermathOptions): Promise<void> {
  const specs = virtualRouterSpecs(options.spec);
  let views: Map<string, InterfaceView>;
  try {
    views = viewsOf(options.native.listLinks(), options.native.listAddresses());
  } catch (error) {
    complain(options, 'the interfaces cannot be listed', error);
    return;
  }
  removeRoutes(options);
  const virtual = new Set(specs.flatMap(({ held }) => held.map(({ address }) => address.text)));
  const isVirtual = (address: IpAddress): boolean => virtual.has(address.text);
  // every address first: they are what hurts
  const removed = specs.map((spec) => removeAddresses(options, spec, views));
  removeMacs(options);
  await Promise.all(
    specs.map(async (spec, index) => {
      const texts = removed[index] ?? [];
      if (texts.length === 0 && !options.wasActive.has(spec.key)) return;
      const resigned = await resign(options, spec, views.get(spec.group.interface), isVirtual);
      report(options, spec, texts, resigned);
    }),
  );
}

function viewsOf(links: readonly LinkInfo[], addresses: readonly AddressInfo[]): Map<string, InterfaceView> {
  return new Map(
    links.map((link) => [
      link.name,
      { ...link, addresses: addresses.filter(({ ifindex }) => ifindex === link.index) },
    ]),
  );
}

function removeRoutes(options: AftermathOptions): void {
  try {
    const count = removeStaleRoutes(options.native, []);
    if (count > 0) options.emit(routesCleaned(count));
  } catch (error) {
    complain(options, 'the routes cannot be removed', error);
  }
}

function removeMacs({ native, emit }: AftermathOptions): void {
  try {
    const names = removeStaleMacs(native, new Set());
    if (names.length > 0) emit(macsCleaned(names));
  } catch (error) {
    complain({ emit }, 'the interfaces of the virtual MAC addresses cannot be removed', error);
  }
}

function removeAddresses(
  options: AftermathOptions,
  spec: VirtualRouterSpec,
  views: ReadonlyMap<string, InterfaceView>,
): string[] {
  const remove = (held: HeldAddress): boolean => {
    const view = views.get(held.device);
    if (view === undefined) return false;
    const permanent = (_: number, address: IpAddress): boolean =>
      view.addresses.some((info) => isPermanent(info) && Buffer.compare(info.address, address.bytes) === 0);
    return takeOff(options.native, view.index, held, permanent);
  };
  try {
    return spec.held.filter(remove).map(({ text }) => text);
  } catch (error) {
    complain(options, `${describeRouter(spec)}: the addresses cannot be removed`, error);
    return [];
  }
}

/** Priority 0 on the dead agent's behalf; false when it could not be sent. */
async function resign(
  options: AftermathOptions,
  spec: VirtualRouterSpec,
  view: InterfaceView | undefined,
  isVirtual: (address: IpAddress) => boolean,
): Promise<boolean> {
  const found = readiness(spec, view ?? null, isVirtual);
  if (!found.ready) return false;
  let failed = false;
  try {
    const onFailure = (): void => {
      failed = true;
    };
    const sender = openSender(options.native, spec, found.view, onFailure, onFailure);
    // twice: for good (vrrp/resignation.ts)
    for (let n = 0; n < 2; n++) sendAdvertisement(sender, spec, found.source, 0);
    await sender.flush(FLUSH_LIMIT_MS);
    sender.close();
  } catch (error) {
    complain(options, `${describeRouter(spec)}: priority 0 cannot be sent for the dead agent`, error);
    return false;
  }
  return !failed;
}

function report(
  { emit }: AftermathOptions,
  spec: VirtualRouterSpec,
  removed: readonly string[],
  resigned: boolean,
): void {
  const addresses = removed.length === 0 ? 'no address was left' : `removed ${removed.join(', ')}`;
  const goodbye = resigned ? 'sent priority 0' : 'could not send priority 0';
  emit({
    level: 'warn',
    name: 'failover.cleanup',
    message: `${describeRouter(spec)}: cleaned up after the agent: ${addresses}, ${goodbye}`,
    fields: { ...routerFields(spec), removed: removed.join(' '), resigned },
  });
}

function complain({ emit }: Pick<AftermathOptions, 'emit'>, what: string, error: unknown): void {
  emit({
    level: 'error',
    name: 'failover.error',
    message: `${what}: ${messageOf(error)}`,
    fields: { errno: errnoOf(error) ?? null },
  });
}
