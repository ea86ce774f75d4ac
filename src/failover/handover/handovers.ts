import type { Clock } from '../../lib/clock.ts';
import { after, millis, seconds, toMillis } from '../../lib/duration.ts';
import { errnoOf, messageOf } from '../../lib/errors.ts';
import {
  formatEndpoint,
  type IpAddress,
  type IpFamily,
  ipFromBytes,
  isLinkLocal,
  parseIp,
  prefixContains,
} from '../../lib/ip.ts';
import type { Emit } from '../../model/event.ts';
import type { FailoverGroupSpec, FailoverSpec, PeerSpec, VirtualRouterStatus } from '../../model/failover.ts';
import type { Native } from '../../native/index.ts';
import type { AgentHandle } from '../agent-handle.ts';
import { FlowKeeper, type GroupRole, type SteeredGroup } from '../flows/flow-keeper.ts';
import { connectPeer } from '../peer/channel.ts';
import type { GroupIdentity } from '../peer/messages.ts';
import { PeerServer } from '../peer/server.ts';
import { onLink } from '../router-spec.ts';
import type { GiverPlan } from './giver.ts';
import { type CommandResult, type GiverNode, runGiver } from './giver-run.ts';
import type { PrepareRequest } from './taker.ts';
import { TakerRun } from './taker-run.ts';

/** Less than the giver waits. */
const CLAIM_LIMIT = seconds(4);
const CLAIM_POLL = millis(5);

export interface HandoversOptions {
  readonly spec: FailoverSpec;
  readonly peer: PeerSpec;
  readonly secret: Uint8Array;
  readonly agent: Pick<AgentHandle, 'command' | 'status'>;
  readonly native: Native;
  readonly clock: Clock;
  readonly emit: Emit;
}

export interface HandoverRequest {
  /** Null for every group that is Active here. */
  readonly group: string | null;
  /** Who asks, for the history. */
  readonly by: string;
  /** Fail instead of sending priority 0 when the peer cannot be asked. */
  readonly requirePeer: boolean;
}

/**
 * Planned handovers of this node, in either direction: the supervisor's side, so that the agent's loop has
 * nothing to do with TCP. One at a time.
 */
export class Handovers {
  readonly #options: HandoversOptions;
  readonly #flows: FlowKeeper;
  readonly #server: PeerServer;
  #spec: FailoverSpec;
  #busy = false;

  constructor(options: HandoversOptions) {
    const { peer, secret, native, clock, emit } = options;
    this.#options = options;
    this.#spec = options.spec;
    this.#flows = new FlowKeeper({ native, clock, emit });
    this.#server = new PeerServer({ peer, secret, native, clock, emit, onCaller: () => this.#answer() });
  }

  /** Cleans up after a predecessor, then listens. To be called before the agent starts. Never throws. */
  async start(): Promise<void> {
    await this.#flows.cleanUp(this.#spec);
    try {
      await this.#server.listen();
    } catch (error) {
      const { listen } = this.#options.peer;
      this.#options.emit({
        level: 'error',
        name: 'failover.peer',
        message: `the peer cannot ask for a handover: ${formatEndpoint(listen)} cannot be listened on: ${messageOf(error)}`,
        fields: { listen: formatEndpoint(listen), errno: errnoOf(error) ?? null },
      });
    }
  }

  configure(spec: FailoverSpec): void {
    this.#spec = spec;
  }

  /** What the agent last said: a role that moves ends what was kept for it. */
  statusChanged(routers: readonly VirtualRouterStatus[]): void {
    for (const group of this.#spec.groups) {
      const own = routers.filter((router) => router.group === group.name);
      // an agent that is just being replaced says nothing, and keeps its roles
      if (own.length > 0) this.#flows.roleChanged(group, roleOf(own));
    }
  }

  /** Gives the groups that are Active here to the peer. Never rejects. */
  async handover({ group: name, by, requirePeer }: HandoverRequest): Promise<CommandResult> {
    if (this.#busy) return { ok: false, message: 'a handover is under way already' };
    const groups = this.#activeGroups(name);
    const reason = this.#whyNot(groups, name);
    if (reason !== null) return { ok: false, message: reason };
    const plan: GiverPlan = {
      groups: groups.map(identityOf),
      drainMillis: Math.round(toMillis(this.#options.peer.drain)),
      requirePeer,
    };
    this.#busy = true;
    try {
      const result = await runGiver(plan, this.#giverNode(groups, by));
      this.#tell(result.ok ? 'info' : 'warn', groups, result.message);
      return result;
    } finally {
      this.#busy = false;
    }
  }

  /** Undoes what a drain keeps; connections of the other node that are still sent on to it end. */
  async stop(): Promise<void> {
    this.#server.close();
    await this.#flows.close();
  }

  #activeGroups(name: string | null): FailoverGroupSpec[] {
    const active = new Set(
      this.#routers()
        .filter(isActive)
        .map(({ group }) => group),
    );
    return this.#spec.groups.filter(
      (group) => active.has(group.name) && (name === null || group.name === name),
    );
  }

  #whyNot(groups: readonly FailoverGroupSpec[], name: string | null): string | null {
    const { state } = this.#options.agent.status();
    if (state !== 'running') return `the failover agent is ${state}`;
    if (name !== null && !this.#spec.groups.some((group) => group.name === name)) {
      return `no failover group "${name}"`;
    }
    if (groups.length === 0) {
      return name === null ? 'no group is Active on this node' : `group ${name} is not Active on this node`;
    }
    const owner = groups.find(({ priority }) => priority === 255);
    return owner === undefined
      ? null
      : `group ${owner.name} owns its addresses (priority 255) and would take them back`;
  }

  #giverNode(groups: readonly FailoverGroupSpec[], by: string): GiverNode {
    const { agent, clock, peer, secret } = this.#options;
    const names = new Set(groups.map(({ name }) => name));
    const active = (): boolean =>
      this.#routers().some((router) => names.has(router.group) && isActive(router));
    return {
      clock,
      isActive: active,
      connect: (feed) =>
        connectPeer(
          peer,
          { secret, clock },
          {
            onOpen: () => feed({ type: 'connected' }),
            onMessage: (message) => feed({ type: 'message', message }),
            onEnd: (end) => feed({ type: 'closed', ...end, active: active() }),
          },
        ),
      pin: () => this.#flows.pin(groups, peer.drain),
      unpin: () => this.#flows.unpin(groups),
      letGo: async (quiet) => {
        if (quiet) await this.#flows.quiet(groups);
        // a group that has yielded to the peer's advertisement already refuses, which is fine
        for (const { name } of groups) await agent.command('handover', name, by);
      },
      resign: () => all(groups, ({ name }) => agent.command('handover', name, by)),
    };
  }

  #answer(): TakerRun {
    let held = false;
    return new TakerRun({
      clock: this.#options.clock,
      objection: (request) => {
        const why = this.#objection(request);
        if (why === null) {
          held = true;
          this.#busy = true;
        }
        return why;
      },
      steer: (request) => this.#steer(request),
      unsteer: (request) => this.#flows.unsteer(this.#own(request.groups)),
      claim: (request) => this.#claim(request),
      onDone: () => {
        if (held) this.#busy = false;
      },
    });
  }

  #objection({ groups }: PrepareRequest): string | null {
    if (this.#busy) return 'another handover is under way';
    const { state } = this.#options.agent.status();
    if (state !== 'running') return `its failover agent is ${state}`;
    for (const wanted of groups) {
      const group = this.#find(wanted);
      if (group === undefined) {
        return `it has no group with VRID ${wanted.vrid} and the addresses ${wanted.addresses.join(', ')}`;
      }
      const routers = this.#routers().filter((router) => router.group === group.name);
      const unready = routers.find((router) => router.state !== 'Backup');
      if (routers.length === 0) return `its group ${group.name} does not run`;
      if (unready !== undefined) {
        return `its group ${group.name} is ${unready.state}, not Backup: ${unready.explanation}`;
      }
      const worse = routers.find((router) => router.effectivePriority < router.priority);
      if (worse !== undefined) return `its group ${group.name} is not fit: ${worse.explanation}`;
    }
    return null;
  }

  async #steer({ groups, drainMillis }: PrepareRequest): Promise<string | null> {
    const steered: SteeredGroup[] = [];
    for (const group of this.#own(groups)) {
      const families: SteeredGroup['families'][number][] = [];
      for (const family of [4, 6] as const) {
        const addresses = onLink(group)
          .map(({ address }) => address)
          .filter((own) => own.family === family);
        if (addresses.length === 0) continue;
        const via = this.#giverOf(group, family);
        if (via === null) return `the giver of group ${group.name} is not on the link over IPv${family}`;
        families.push({ addresses, via });
      }
      steered.push({ group, families });
    }
    return this.#flows.steer(steered, millis(drainMillis));
  }

  /** Where the Active router of the group advertises from, if that is a neighbour. */
  #giverOf(group: FailoverGroupSpec, family: IpFamily): IpAddress | null {
    const router = this.#routers().find((one) => one.group === group.name && one.family === family);
    const address = parseIp(router?.peer?.address ?? '');
    if (address === undefined) return null;
    if (isLinkLocal(address) || this.#isOnLink(group.interface, address)) return address;
    return null;
  }

  #isOnLink(name: string, address: IpAddress): boolean {
    const { native } = this.#options;
    const link = native.listLinks().find((candidate) => candidate.name === name);
    return native
      .listAddresses()
      .filter(
        ({ ifindex, address: { byteLength } }) =>
          ifindex === link?.index && byteLength === address.bytes.byteLength,
      )
      .some((info) => {
        const own = ipFromBytes(info.address);
        return prefixContains({ address: own, length: info.prefixLength, text: own.text }, address);
      });
  }

  async #claim({ groups }: PrepareRequest): Promise<CommandResult> {
    const own = this.#own(groups);
    await this.#flows.unquiet(own);
    const told = await all(own, ({ name }) => this.#options.agent.command('takeover', name, 'the peer'));
    const result = told.ok ? await this.#untilActive(own, told.message) : told;
    const message = result.ok
      ? 'took over at the request of the peer'
      : `the peer asked, but ${result.message}`;
    this.#tell(result.ok ? 'info' : 'warn', own, message);
    return result;
  }

  /** before_claim may put a takeover off, or refuse it: "taken" is only said of what is Active. */
  #untilActive(groups: readonly FailoverGroupSpec[], message: string): Promise<CommandResult> {
    const { clock } = this.#options;
    const names = new Set(groups.map(({ name }) => name));
    const deadline = after(clock.now(), CLAIM_LIMIT);
    return new Promise((resolve) => {
      const look = (): void => {
        const missing = this.#routers().find((router) => names.has(router.group) && !isActive(router));
        if (missing === undefined) resolve({ ok: true, message });
        else if (clock.now() < deadline) clock.timerAfter(CLAIM_POLL, look);
        else resolve({ ok: false, message: `group ${missing.group}: ${missing.explanation}` });
      };
      look();
    });
  }

  #own(groups: readonly GroupIdentity[]): FailoverGroupSpec[] {
    return groups.flatMap((wanted) => this.#find(wanted) ?? []);
  }

  #find(wanted: GroupIdentity): FailoverGroupSpec | undefined {
    const key = JSON.stringify(wanted);
    return this.#spec.groups.find((group) => JSON.stringify(identityOf(group)) === key);
  }

  #routers(): readonly VirtualRouterStatus[] {
    return this.#options.agent.status().routers;
  }

  #tell(level: 'info' | 'warn', groups: readonly FailoverGroupSpec[], message: string): void {
    const names = groups.map(({ name }) => name).join(', ');
    this.#options.emit({
      level,
      name: 'failover.handover',
      message: `${groups.length === 1 ? 'group' : 'groups'} ${names}: ${message}`,
      fields: { groups: names, peer: this.#options.peer.address.text },
    });
  }
}

const isActive = ({ state }: VirtualRouterStatus): boolean => state === 'Active';

function roleOf(routers: readonly VirtualRouterStatus[]): GroupRole {
  if (routers.every(isActive)) return 'active';
  return routers.some(isActive) ? 'mixed' : 'none';
}

function identityOf({ vrid, addresses }: FailoverGroupSpec): GroupIdentity {
  return { vrid, addresses: addresses.map(({ address }) => address.text).sort() };
}

/** In turn; all must work. */
async function all(
  groups: readonly FailoverGroupSpec[],
  act: (group: FailoverGroupSpec) => Promise<CommandResult>,
): Promise<CommandResult> {
  const results: CommandResult[] = [];
  for (const group of groups) results.push(await act(group));
  const failed = results.filter(({ ok }) => !ok);
  const shown = failed.length > 0 ? failed : results;
  return { ok: failed.length === 0, message: shown.map(({ message }) => message).join('; ') };
}
