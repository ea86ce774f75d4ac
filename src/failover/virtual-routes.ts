import type { Clock, Timer } from '../lib/clock.ts';
import { between, type Instant, millis, seconds } from '../lib/duration.ts';
import { errnoOf, messageOf } from '../lib/errors.ts';
import type { Emit, EventFields, EventInput } from '../model/event.ts';
import type { VirtualRoute } from '../model/failover.ts';
import type { Native, RouteInfo } from '../native/index.ts';
import { Complaint } from './complaint.ts';

/**
 * rtm_protocol of our routes (the IP protocol number of VRRP; no other program's, see rt_protos of iproute2):
 * what carries it is ours, also after a crash, and nothing else is ever touched.
 */
export const ROUTE_PROTOCOL = 112;

/** The kernel does not tell of every route that it drops itself. */
const LOOK_EVERY = seconds(2);
/** Another program that deletes routes as fast as they come back is not raced. */
const HEAL_PAUSE = millis(100);
/** What an IPv6 route without a metric gets (IP6_RT_PRIO_USER). */
const IPV6_METRIC = 1_024;

export interface VirtualRoutesOptions {
  readonly native: Native;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly fields: EventFields;
  /** Null when there is no such interface. */
  readonly ifindexOf: (device: string) => number | null;
  /** Through which routes are put back, so that a stalled process does not undo what its successor did. */
  readonly whenCurrent: (act: () => void) => void;
}

/**
 * Routes that are there while a virtual router is Active. A route that cannot be added does not cost the role:
 * it is told, and tried again. Acquire and release are idempotent.
 */
export class VirtualRoutes {
  readonly #options: VirtualRoutesOptions;
  readonly #complaint: Complaint;
  readonly #installed = new Set<string>();
  #routes: readonly VirtualRoute[];
  #claimed = false;
  #timer: Timer | null = null;
  #healedAt: Instant | null = null;

  constructor(options: VirtualRoutesOptions, routes: readonly VirtualRoute[]) {
    this.#options = options;
    this.#complaint = new Complaint(options.clock, options.emit);
    this.#routes = routes;
  }

  /** For people and programs: every route, and whether it is in place. */
  status(): { readonly route: string; readonly installed: boolean }[] {
    return this.#routes.map((route) => ({
      route: describeRoute(route),
      installed: this.#installed.has(describeRoute(route)),
    }));
  }

  acquire(): void {
    this.#claimed = true;
    this.#look();
  }

  release(): void {
    this.abandon();
    for (const route of this.#routes) this.#remove(route);
    this.#installed.clear();
  }

  /** Leaves the routes as they are, to a successor. */
  abandon(): void {
    this.#claimed = false;
    this.#timer?.cancel();
    this.#timer = null;
  }

  update(routes: readonly VirtualRoute[]): void {
    const kept = new Set(routes.map(describeRoute));
    const dropped = this.#routes.filter((route) => !kept.has(describeRoute(route)));
    this.#routes = routes;
    if (!this.#claimed) return;
    for (const route of dropped) this.#remove(route);
    this.#look();
  }

  /** Something happened to routes, addresses or interfaces: what is missing comes back. */
  verify(): void {
    if (!this.#claimed || this.#routes.length === 0) return;
    const { clock, whenCurrent } = this.#options;
    const now = clock.now();
    const wait = this.#healedAt === null ? HEAL_PAUSE : between(this.#healedAt, now);
    if (wait < HEAL_PAUSE) {
      this.#arm(HEAL_PAUSE);
      return;
    }
    whenCurrent(() => {
      if (this.#claimed) this.#look();
    });
  }

  #arm(pause = LOOK_EVERY): void {
    this.#timer?.cancel();
    const { clock, whenCurrent } = this.#options;
    this.#timer = clock.timerAfter(pause, () =>
      whenCurrent(() => {
        if (this.#claimed) this.#look();
      }),
    );
  }

  #look(): void {
    if (this.#routes.length === 0) return;
    this.#arm();
    try {
      const present = this.#list();
      this.#complaint.clear('');
      for (const route of this.#routes) this.#put(route, present);
    } catch (error) {
      this.#complain('', `the routes cannot be listed: ${messageOf(error)}`, error);
    }
  }

  #list(): RouteInfo[] {
    return ([4, 6] as const)
      .filter((family) => this.#routes.some(({ to }) => to.address.family === family))
      .flatMap((family) => this.#options.native.listRoutes(family, ROUTE_PROTOCOL));
  }

  #put(route: VirtualRoute, present: readonly RouteInfo[]): void {
    const text = describeRoute(route);
    try {
      const wanted = requestOf(route, this.#options.ifindexOf);
      const ours = present.find((info) => isSameKey(info, wanted));
      if (ours !== undefined && fits(ours, wanted)) {
        this.#installed.add(text);
        return;
      }
      // a predecessor's, or that of another configuration
      if (ours !== undefined) this.#options.native.removeRoute(wanted);
      const lost = this.#installed.delete(text);
      if (this.#options.native.addRoute(wanted)) this.#added(route, lost);
      else this.#foreign(route);
    } catch (error) {
      this.#installed.delete(text);
      this.#complain(text, `route ${text} cannot be added: ${messageOf(error)}`, error);
    }
  }

  #added(route: VirtualRoute, lost: boolean): void {
    const text = describeRoute(route);
    this.#installed.add(text);
    this.#complaint.clear(text);
    if (lost) this.#healedAt = this.#options.clock.now();
    this.#options.emit({
      level: lost ? 'warn' : 'info',
      name: lost ? 'failover.route-restored' : 'failover.route-added',
      message: lost ? `route ${text} was missing and is back` : `route ${text} was added`,
      fields: { ...this.#options.fields, route: text },
    });
  }

  /** Somebody else's route stands where ours belongs: it stays, and ours waits until it is gone. */
  #foreign(route: VirtualRoute): void {
    const text = describeRoute(route);
    this.#complaint.raise(text, {
      level: 'error',
      name: 'failover.route-foreign',
      message: `route ${text} is not added: another program's route has its destination, table and metric`,
      fields: { ...this.#options.fields, route: text },
    });
  }

  #remove(route: VirtualRoute): void {
    const text = describeRoute(route);
    if (!this.#installed.delete(text)) return;
    try {
      if (!this.#options.native.removeRoute(requestOf(route, () => 0))) return;
      this.#options.emit({
        level: 'info',
        name: 'failover.route-removed',
        message: `route ${text} was removed`,
        fields: { ...this.#options.fields, route: text },
      });
    } catch (error) {
      this.#complain(text, `route ${text} cannot be removed: ${messageOf(error)}`, error);
    }
  }

  #complain(text: string, message: string, error: unknown): void {
    this.#complaint.raise(text, {
      level: 'error',
      name: 'failover.error',
      message,
      fields: { ...this.#options.fields, route: text, errno: errnoOf(error) ?? null },
    });
  }
}

/** As `ip route` has it: "default via 10.0.0.1 dev eth1 table 100 metric 50 src 10.0.0.100". */
export function describeRoute({ to, via, device, table, metric, source }: VirtualRoute): string {
  const parts = [
    to.length === 0 ? `default (IPv${to.address.family})` : to.text,
    via === null ? '' : `via ${via.text}`,
    device === null ? '' : `dev ${device}`,
    table === 254 ? '' : `table ${table}`,
    metric === null ? '' : `metric ${metric}`,
    source === null ? '' : `src ${source.text}`,
  ];
  return parts.filter((part) => part !== '').join(' ');
}

/**
 * Removes every route of ours that is not among `kept`: a predecessor that was killed left it behind.
 * @returns how many there were
 * @throws NativeError
 */
export function removeStaleRoutes(native: Native, kept: readonly VirtualRoute[]): number {
  const keys = kept.map((route) => requestOf(route, () => 0));
  const stale = ([4, 6] as const)
    .flatMap((family) => listIfThere(native, family))
    .filter((info) => !keys.some((key) => isSameKey(info, key)));
  return stale.filter((info) => native.removeRoute(info)).length;
}

/** A kernel without IPv6 has no such routes. */
function listIfThere(native: Native, family: 4 | 6): RouteInfo[] {
  try {
    return native.listRoutes(family, ROUTE_PROTOCOL);
  } catch (error) {
    if (family === 6 && (errnoOf(error) === 'EOPNOTSUPP' || errnoOf(error) === 'EAFNOSUPPORT')) return [];
    throw error;
  }
}

function requestOf(route: VirtualRoute, ifindexOf: (device: string) => number | null): RouteInfo {
  const { to, via, device, table, metric, source } = route;
  const ifindex = device === null ? 0 : ifindexOf(device);
  if (ifindex === null) throw new Error(`no interface ${device}`);
  return {
    destination: to.address.bytes,
    prefixLength: to.length,
    table,
    metric: metric ?? (to.address.family === 6 ? IPV6_METRIC : 0),
    protocol: ROUTE_PROTOCOL,
    ifindex,
    gateway: via?.bytes ?? null,
    source: source?.bytes ?? null,
  };
}

function isSameKey(a: RouteInfo, b: RouteInfo): boolean {
  return (
    Buffer.compare(a.destination, b.destination) === 0 &&
    a.prefixLength === b.prefixLength &&
    a.table === b.table &&
    a.metric === b.metric
  );
}

/** The kernel fills in the interface of a route that was given none. */
function fits(present: RouteInfo, wanted: RouteInfo): boolean {
  const same = (a: Uint8Array | null, b: Uint8Array | null): boolean =>
    a === null || b === null ? a === b : Buffer.compare(a, b) === 0;
  return (
    (wanted.ifindex === 0 || present.ifindex === wanted.ifindex) &&
    same(present.gateway, wanted.gateway) &&
    same(present.source, wanted.source)
  );
}

export const routesCleaned = (count: number): EventInput => ({
  level: 'warn',
  name: 'failover.cleanup',
  message: `removed ${count} routes that a predecessor left`,
  fields: { routes: count },
});

export const routesFailed = (what: string, error: unknown): EventInput => ({
  level: 'error',
  name: 'failover.error',
  message: `${what}: ${messageOf(error)}`,
  fields: { errno: errnoOf(error) ?? null },
});
