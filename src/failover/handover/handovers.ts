import { randomBytes } from 'node:crypto';
import type { Clock } from '../../lib/clock.ts';
import { after, millis, seconds, toMillis } from '../../lib/duration.ts';
import { errnoOf, messageOf } from '../../lib/errors.ts';
import { formatEndpoint } from '../../lib/ip.ts';
import type { Emit } from '../../model/event.ts';
import type {
  DrainStatus,
  FailoverGroupSpec,
  FailoverSpec,
  PeerSpec,
  VirtualRouterStatus,
} from '../../model/failover.ts';
import type { Native } from '../../native/index.ts';
import type { AgentHandle } from '../agent-handle.ts';
import { FlowKeeper, type GroupRole } from '../flows/flow-keeper.ts';
import { askPeer, tellPeer } from '../peer/ask.ts';
import { connectPeer } from '../peer/channel.ts';
import { type GroupIdentity, someStarved } from '../peer/messages.ts';
import type { PeerReports } from '../peer/reports.ts';
import { PeerServer } from '../peer/server.ts';
import { Caller } from './caller.ts';
import { type CommandResult, type GiverNode, runGiver } from './giver-run.ts';
import { findGroup, identityOf, objectionTo, shortfallOf, withPartners } from './objection.ts';
import { steeredGroups } from './on-link.ts';
import type { PrepareRequest, TransferRequest } from './taker.ts';
import { TakerRun } from './taker-run.ts';

/** Less than the giver waits. */
const CLAIM_LIMIT = seconds(4);
const CLAIM_POLL = millis(5);
const INQUIRY_LIMIT = seconds(5);
/** A whole handover, with every step as slow as it may be. */
const REQUEST_LIMIT = seconds(25);

export interface HandoversOptions {
  readonly spec: FailoverSpec;
  readonly peer: PeerSpec;
  readonly secret: Uint8Array;
  readonly agent: Pick<AgentHandle, 'command' | 'status'>;
  /** Answers the reports that come over the same port. */
  readonly reports: Pick<PeerReports, 'caller'>;
  readonly native: Native;
  readonly clock: Clock;
  readonly emit: Emit;
  /** Services that have no eligible backend here. */
  readonly starved: () => readonly string[];
}

export interface HandoverRequest {
  /** Null for every group that is Active here. */
  readonly group: string | null;
  /** Who asks, for the history. */
  readonly by: string;
  /** Fail instead of sending priority 0 when the peer cannot be asked. */
  readonly requirePeer: boolean;
  /** Also to a peer that is no better placed. */
  readonly force: boolean;
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
    const { peer, secret, native, clock, emit, reports } = options;
    this.#options = options;
    this.#spec = options.spec;
    this.#flows = new FlowKeeper({
      native,
      clock,
      emit,
      onDrained: (group, handover) => void this.#tellDrained(group, handover),
    });
    this.#server = new PeerServer({
      peer,
      secret,
      native,
      clock,
      emit,
      onCaller: () => reports.caller(this.#answer()),
    });
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

  /** Gives the groups that are Active here to the peer, with all that move with them. Never rejects. */
  async handover({ group: name, by, requirePeer, force }: HandoverRequest): Promise<CommandResult> {
    const groups = this.#activeGroups(name);
    const reason = this.#whyNot(groups, name);
    return reason === null ? this.#give(groups, { by, requirePeer, force }) : { ok: false, message: reason };
  }

  async #give(
    groups: readonly FailoverGroupSpec[],
    { by, requirePeer, force }: Omit<HandoverRequest, 'group'>,
  ): Promise<CommandResult> {
    if (this.#busy) return { ok: false, message: 'a handover is under way already' };
    const plan = {
      ...this.#transfer(groups, force),
      drainMillis: Math.round(toMillis(this.#options.peer.drain)),
      handover: randomBytes(8).toString('hex'),
      requirePeer,
    };
    this.#busy = true;
    try {
      const result = await runGiver(plan, this.#giverNode(groups, by, plan.handover));
      this.#tell(result.ok ? 'info' : 'warn', groups, result.message);
      return result;
    } finally {
      this.#busy = false;
    }
  }

  /** Would the peer take over? Nothing moves. Never rejects. */
  async inquire(name: string | null): Promise<CommandResult> {
    const groups = this.#activeGroups(name);
    const reason = this.#whyNot(groups, name);
    if (reason !== null) return { ok: false, message: reason };
    const question = { type: 'inquire', ...this.#transfer(groups, false) } as const;
    const answer = await askPeer(this.#options.peer, question, INQUIRY_LIMIT, this.#options);
    return { ok: answer.ok, message: answer.ok ? 'the peer would take over' : answer.reason };
  }

  /** Asks the peer to hand the groups that are not Active here over to this node. Never rejects. */
  async retake(name: string | null): Promise<CommandResult> {
    const active = new Set(this.#activeGroups(null).map((group) => group.name));
    const chosen = this.#spec.groups.filter((group) => name === null || group.name === name);
    if (chosen.length === 0) return { ok: false, message: `there is no failover group "${name}"` };
    const groups = withPartners(chosen, this.#spec.groups).filter((group) => !active.has(group.name));
    if (groups.length === 0) return { ok: true, message: 'this node is Active already' };
    const question = { type: 'request', groups: groups.map(identityOf) } as const;
    const answer = await askPeer(this.#options.peer, question, REQUEST_LIMIT, this.#options);
    return { ok: answer.ok, message: answer.ok ? 'the peer handed over to this node' : answer.reason };
  }

  drains(): DrainStatus[] {
    return this.#flows.statuses();
  }

  #transfer(groups: readonly FailoverGroupSpec[], force: boolean) {
    const names = new Set(groups.map(({ name }) => name));
    return {
      groups: groups.map(identityOf),
      condition: {
        shortfall: shortfallOf(this.#routers().filter(({ group }) => names.has(group))),
        starved: someStarved(this.#options.starved()),
      },
      force,
    };
  }

  /** The peer stops sending on packets by itself when the drain is over, so a failure is no more than a delay. */
  async #tellDrained(group: FailoverGroupSpec, handover: string): Promise<void> {
    const { peer } = this.#options;
    const why = await tellPeer(
      peer,
      { type: 'drained', groups: [identityOf(group)], handover },
      this.#options,
    );
    if (why !== null)
      this.#tell('warn', [group], `the peer could not be told that the drain is over: ${why}`);
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
    const chosen = this.#spec.groups.filter((group) => name === null || group.name === name);
    return withPartners(chosen, this.#spec.groups).filter((group) => active.has(group.name));
  }

  #whyNot(groups: readonly FailoverGroupSpec[], name: string | null): string | null {
    const { state } = this.#options.agent.status();
    if (state !== 'running') return `the failover agent is ${state}`;
    if (name !== null && !this.#spec.groups.some((group) => group.name === name)) {
      return `there is no failover group "${name}"`;
    }
    if (groups.length === 0) {
      return name === null ? 'no group is Active on this node' : `group ${name} is not Active on this node`;
    }
    const owner = groups.find(({ priority }) => priority === 255);
    return owner === undefined
      ? null
      : `group ${owner.name} owns its addresses (priority 255) and would take them back`;
  }

  #giverNode(groups: readonly FailoverGroupSpec[], by: string, handover: string): GiverNode {
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
      pin: () => this.#flows.pins.pin(groups, { handover, drain: peer.drain }),
      unpin: () => this.#flows.pins.unpin(groups),
      letGo: async (quiet) => {
        if (quiet) await this.#flows.pins.quiet(groups);
        // a group that has yielded to the peer's advertisement already refuses, which is fine
        for (const { name } of leadersOf(groups)) await agent.command('handover', name, by);
      },
      resign: () => all(leadersOf(groups), ({ name }) => agent.command('handover', name, by)),
    };
  }

  #answer(): Caller {
    return new Caller({
      takerRun: () => this.#takerRun(),
      inquired: (request) => this.#objection(request),
      requested: (groups) => this.#requested(groups),
      drained: (groups, handover) => this.#flows.drained(this.#own(groups), handover),
      complain: (message) => this.#tell('warn', [], message),
    });
  }

  /** The peer wants these groups, and all that move with them. */
  async #requested(wanted: readonly GroupIdentity[]): Promise<CommandResult> {
    const groups = withPartners(this.#own(wanted), this.#spec.groups);
    const active = groups.filter((group) => this.#activeGroups(group.name).length > 0);
    const reason = this.#whyNot(active, null);
    if (reason !== null) return { ok: false, message: reason };
    return this.#give(active, { by: 'the peer', requirePeer: true, force: false });
  }

  #takerRun(): TakerRun {
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

  #objection(request: TransferRequest): string | null {
    if (this.#busy) return 'another handover is under way';
    const { agent, starved } = this.#options;
    const { state, routers } = agent.status();
    return objectionTo(request, {
      agentState: state,
      groups: this.#spec.groups,
      routers,
      starved: starved(),
    });
  }

  async #steer({ groups, drainMillis, handover }: PrepareRequest): Promise<string | null> {
    const steered = steeredGroups(this.#own(groups), this.#routers(), this.#options.native);
    if (typeof steered === 'string') return steered;
    return this.#flows.steer(steered, { handover, drain: millis(drainMillis) });
  }

  async #claim({ groups }: PrepareRequest): Promise<CommandResult> {
    const own = this.#own(groups);
    await this.#flows.pins.unquiet(own);
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
    return groups.flatMap((wanted) => findGroup(this.#spec.groups, wanted) ?? []);
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

/** One group of those that move together: the agent takes its partners along. */
function leadersOf(groups: readonly FailoverGroupSpec[]): FailoverGroupSpec[] {
  return groups.filter(
    ({ sync }, index) => sync === null || groups.findIndex((one) => one.sync === sync) === index,
  );
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
