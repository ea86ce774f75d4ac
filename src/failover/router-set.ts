import type { Clock } from '../lib/clock.ts';
import { type Duration, formatDuration, micros, millis, seconds, toMillis } from '../lib/duration.ts';
import type { IpAddress } from '../lib/ip.ts';
import type { Emit } from '../model/event.ts';
import {
  type FailoverSpec,
  GOOD_STANDING,
  type Standing,
  type Standings,
  type VirtualRouterStatus,
  type VrrpState,
} from '../model/failover.ts';
import type { TransitionRecord } from '../model/history.ts';
import type { Native, NativeHandle } from '../native/index.ts';
import type { ResumePoint } from '../vrrp/router.ts';
import { coordinate } from '../vrrp/sync.ts';
import { LinkMonitor } from './link-monitor.ts';
import type { ClaimRequest, ClaimVerdict } from './notifier.ts';
import type { FailoverCommand, RouterKey } from './protocol.ts';
import {
  bundleOf,
  describeRouter,
  devicesOf,
  routerFields,
  type VirtualRouterSpec,
  virtualRouterSpecs,
} from './router-spec.ts';
import { StallGuard } from './stall-guard.ts';
import type { Partnership } from './surroundings.ts';
import { macsCleaned, removeStaleMacs } from './virtual-mac.ts';
import { VirtualRouter } from './virtual-router.ts';
import { ROUTE_PROTOCOL, removeStaleRoutes, routesCleaned, routesFailed } from './virtual-routes.ts';

/** How long goodbyes may take to leave the host. */
const FLUSH_LIMIT_MS = 200;
const MIN_TOLERANCE = millis(20);
const MAX_TOLERANCE = seconds(1);
const MAX_ROUNDS = 8;

export interface RouterSetOptions {
  readonly native: Native;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly onTransition: (record: TransitionRecord) => void;
  /** Since the supervisor's last heartbeat. */
  readonly supervisorSilence: () => Duration;
  /** Has the supervisor run before_claim; the answer may never come. */
  readonly askClaim: (request: ClaimRequest, answer: (verdict: ClaimVerdict) => void) => void;
}

export interface CommandOutcome {
  readonly ok: boolean;
  readonly message: string;
}

/** All virtual routers of an agent, and what they share: the link monitor and the watch over stalls. */
export class RouterSet {
  readonly #options: RouterSetOptions;
  readonly #routers = new Map<RouterKey, VirtualRouter>();
  readonly #links: LinkMonitor;
  readonly #guard: StallGuard;
  /** Null before the first configuration. */
  #specs: readonly VirtualRouterSpec[] | null = null;
  #routeMonitor: NativeHandle | null = null;
  #witnessTimeout: Duration | null = null;
  #standings: Standings = {};
  #resigned = false;
  /** States at the last coordination of partners. */
  readonly #before = new Map<RouterKey, VrrpState>();
  /** Above 0 while several routers are fed one after the other: partners are coordinated after the last. */
  #together = 0;

  /** @throws NativeError when netlink cannot be used. */
  constructor(options: RouterSetOptions) {
    this.#options = options;
    this.#links = new LinkMonitor(options.native, {
      interfaceChanged: (name) => this.#interfaceChanged(name),
      addressRemoved: (ifindex, address) => {
        for (const router of this.#routers.values()) router.addressRemoved(ifindex, address);
      },
      isVirtual: (address) => this.#isVirtual(address),
    });
    this.#guard = new StallGuard({
      clock: options.clock,
      tolerance: MAX_TOLERANCE,
      onStall: (length) => this.#stalled(length),
    });
  }

  /** Starts new routers, stops dropped ones, and leaves state and timers of the others alone. */
  configure(spec: FailoverSpec, resume: Readonly<Record<RouterKey, ResumePoint>>): void {
    const wanted = virtualRouterSpecs(spec);
    if (this.#specs === null) this.#removeStale(wanted, resume);
    this.#specs = wanted;
    this.#watchRoutes(wanted.some(({ routes }) => routes.length > 0));
    this.#witnessTimeout = spec.witness?.timeout ?? null;
    this.#guard.tolerance = toleranceOf(wanted);
    // an interface of another name cannot be swapped while the addresses are on it
    const isSame = ({ key, mac }: VirtualRouterSpec): boolean =>
      this.#routers.get(key)?.spec.mac?.device === mac?.device;
    this.#drop(new Set(wanted.filter(isSame).map(({ key }) => key)));
    const created = wanted.filter(({ key }) => !this.#routers.has(key)).map((one) => this.#create(one));
    // only when all are known: one router's virtual address must not become another's source
    this.#asOne(() => {
      for (const one of wanted) this.#routers.get(one.key)?.reconfigure(one);
      for (const router of created) this.#start(router, resume[router.spec.key] ?? null);
    });
  }

  setStandings(standings: Standings): void {
    this.#standings = standings;
    this.#asOne(() => {
      for (const router of this.#routers.values()) router.setStanding(this.#standingOf(router));
    });
  }

  /** Groups that move together are told together. @param by who asked, for the history. */
  command(command: FailoverCommand, group: string | null, by: string): CommandOutcome {
    const routers = [...this.#routers.values()];
    const named = routers.filter((router) => group === null || router.spec.group.name === group);
    const bundles = new Set(named.map(({ spec }) => bundleOf(spec)));
    const chosen = routers.filter(({ spec }) => bundles.has(bundleOf(spec)));
    if (chosen.length === 0) {
      const message =
        group === null ? 'no failover group is configured' : `there is no failover group "${group}"`;
      return { ok: false, message };
    }
    const outcomes = this.#asOne(() =>
      chosen.map((router) => (command === 'handover' ? router.handover(by) : router.takeover(by))),
    );
    return {
      ok: outcomes.every(({ ok }) => ok),
      message: outcomes.map(({ message }) => message).join('; '),
    };
  }

  /** Priority 0 for every Active router, addresses off; resolves when the goodbyes have left. */
  async resign(reason: 'shutdown' | 'supervisor-lost'): Promise<void> {
    this.#resigned = true;
    this.#asOne(() => {
      for (const router of this.#routers.values()) router.resign(reason);
    });
    await this.#flush();
  }

  /** As `resign` on a node that still serves: resolves when the addresses have gone over to others. */
  async part(): Promise<void> {
    this.#resigned = true;
    const parted = this.#asOne(() => [...this.#routers.values()].map((router) => router.part()));
    await Promise.all(parted);
    await this.#flush();
  }

  /** Takes part again after `resign`. */
  rejoin(): void {
    if (!this.#resigned) return;
    this.#resigned = false;
    this.#asOne(() => {
      for (const router of this.#routers.values()) router.restart();
    });
  }

  /** Stops without a word, before this process ends; what the successor must be given to keep the roles. */
  handOn(): Record<RouterKey, ResumePoint> {
    const resume: Record<RouterKey, ResumePoint> = {};
    for (const [key, router] of this.#routers) {
      const point = router.handOn();
      if (point !== null) resume[key] = point;
    }
    this.#stopWatching();
    return resume;
  }

  statuses(): VirtualRouterStatus[] {
    return [...this.#routers.values()].map((router) => router.status());
  }

  close(): void {
    for (const router of this.#routers.values()) router.close();
    this.#stopWatching();
  }

  #stopWatching(): void {
    this.#guard.close();
    this.#links.close();
    this.#watchRoutes(false);
  }

  /** What a predecessor that was killed left behind; what belongs to a role that is kept stays. */
  #removeStale(wanted: readonly VirtualRouterSpec[], resume: Readonly<Record<RouterKey, ResumePoint>>): void {
    const { native, emit } = this.#options;
    const resumed = wanted.filter(({ key }) => resume[key]?.state === 'Active');
    try {
      const count = removeStaleRoutes(
        native,
        resumed.flatMap(({ routes }) => routes),
      );
      if (count > 0) emit(routesCleaned(count));
      const names = removeStaleMacs(native, new Set(resumed.flatMap(({ mac }) => mac?.device ?? [])));
      if (names.length > 0) emit(macsCleaned(names));
    } catch (error) {
      emit(routesFailed('what a predecessor left cannot be removed', error));
    }
  }

  /** Only where there are routes: on a router with the whole Internet's, every change would be looked at. */
  #watchRoutes(wanted: boolean): void {
    if (!wanted) {
      this.#routeMonitor?.close();
      this.#routeMonitor = null;
      return;
    }
    const { native, emit } = this.#options;
    try {
      this.#routeMonitor ??= native.monitorRoutes(ROUTE_PROTOCOL, (event) => {
        if (event.type === 'route' && !event.removed) return;
        for (const router of this.#routers.values()) router.routesChanged();
      });
    } catch (error) {
      emit(routesFailed('routes cannot be watched; they are looked at every two seconds', error));
    }
  }

  async #flush(): Promise<void> {
    await Promise.all([...this.#routers.values()].map((router) => router.flush(FLUSH_LIMIT_MS)));
  }

  #create(spec: VirtualRouterSpec): VirtualRouter {
    const { native, clock, emit, onTransition, supervisorSilence, askClaim } = this.#options;
    const router = new VirtualRouter(spec, {
      native,
      clock,
      emit,
      onTransition,
      supervisorSilence,
      askClaim,
      guard: this.#guard,
      links: this.#links,
      witnessTimeout: () => this.#witnessTimeout,
      partnership: (of) => this.#partnership(of),
      onStep: () => this.#coordinate(),
      isVirtual: (address) => this.#isVirtual(address),
      isOtherVrid: (of, vrid) => this.#isOtherVrid(of, vrid),
    });
    this.#routers.set(spec.key, router);
    return router;
  }

  #start(router: VirtualRouter, resume: ResumePoint | null): void {
    if (router.spec.group.authPass !== null) this.#warnOfPass(router.spec);
    router.setStanding(this.#standingOf(router));
    router.start(resume);
    if (this.#resigned) router.resign('supervisor-lost');
  }

  #standingOf({ spec }: VirtualRouter): Standing {
    return this.#standings[spec.group.name] ?? GOOD_STANDING;
  }

  #drop(kept: ReadonlySet<RouterKey>): void {
    for (const [key, router] of this.#routers) {
      if (kept.has(key)) continue;
      this.#routers.delete(key);
      this.#before.delete(key);
      router.resign('shutdown');
      // closed after its goodbye has left; nothing waits for it
      void router.flush(FLUSH_LIMIT_MS).then(() => router.close());
    }
  }

  #interfaceChanged(name: string): void {
    this.#asOne(() => {
      for (const router of this.#routers.values()) {
        if (devicesOf(router.spec).includes(name)) router.interfaceChanged();
      }
    });
  }

  #stalled(length: Duration): void {
    // read once: what takes longer with every router would be the next stall
    const present = this.#options.native.listAddresses();
    this.#asOne(() => {
      for (const router of this.#routers.values()) router.stalled(length, present);
    });
    this.#options.emit({
      level: 'warn',
      name: 'failover.stall',
      message: `the failover agent did not run for ${formatDuration(micros(Math.round(length / 1_000) * 1_000))}`,
      fields: { millis: Math.round(toMillis(length)) },
    });
  }

  /** Feeds several routers before partners are coordinated: what happens to all of them is nobody's reaction. */
  #asOne<T>(act: () => T): T {
    this.#together++;
    try {
      return act();
    } finally {
      this.#together--;
      this.#coordinate();
    }
  }

  #coordinate(): void {
    if (this.#together > 0) return;
    this.#together++;
    for (const members of this.#bundles()) this.#settle(members);
    this.#together--;
  }

  #settle(members: readonly VirtualRouter[]): void {
    // every round moves a router on; the bound is for a mistake in the rules
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const inputs = coordinate(
        members.map(({ router, spec }) => ({ router, before: this.#before.get(spec.key) ?? router.state })),
      );
      for (const { router, spec } of members) this.#before.set(spec.key, router.state);
      if (inputs.every((input) => input === null)) return;
      members.forEach((member, index) => {
        const input = inputs[index] ?? null;
        if (input !== null) member.follow(input);
      });
    }
  }

  #bundles(): VirtualRouter[][] {
    const bundles = new Map<string, VirtualRouter[]>();
    for (const router of this.#routers.values()) {
      const name = bundleOf(router.spec);
      bundles.set(name, [...(bundles.get(name) ?? []), router]);
    }
    return [...bundles.values()].filter((members) => members.length > 1);
  }

  /** Of the configuration that is being applied: partners may not have been created yet. */
  #partnership(of: VirtualRouterSpec): Partnership {
    const partners = (this.#specs ?? []).filter((spec) => bundleOf(spec) === bundleOf(of));
    const leader = [...partners].sort(byLead)[0];
    return {
      synced: partners.some((spec) => spec.key !== of.key),
      leads: leader === undefined || leader.key === of.key,
    };
  }

  #isVirtual(address: IpAddress): boolean {
    return [...this.#routers.values()].some(({ spec }) =>
      spec.held.some((held) => held.address.text === address.text),
    );
  }

  #isOtherVrid(of: VirtualRouterSpec, vrid: number): boolean {
    return [...this.#routers.values()].some(
      ({ spec }) =>
        spec !== of &&
        spec.group.vrid === vrid &&
        spec.family === of.family &&
        spec.group.interface === of.group.interface,
    );
  }

  #warnOfPass(spec: VirtualRouterSpec): void {
    this.#options.emit({
      level: 'warn',
      name: 'failover.auth-warning',
      message: `${describeRouter(spec)}: a VRRPv2 password travels in clear text and protects from mistakes only`,
      fields: routerFields(spec),
    });
  }
}

/** A stall matters when it swallows an advertisement. */
function toleranceOf(specs: readonly VirtualRouterSpec[]): Duration {
  const shortest = Math.min(MAX_TOLERANCE, ...specs.map(({ group }) => group.advertiseInterval));
  return micros(Math.max(MIN_TOLERANCE, shortest));
}

/** Both nodes must find the same leader: IPv4 before IPv6, for its addresses are chosen and not made; then the lowest VRID. */
const byLead = (a: VirtualRouterSpec, b: VirtualRouterSpec): number =>
  a.family - b.family || a.group.vrid - b.group.vrid;
