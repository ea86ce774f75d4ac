/**
 * Every way in which parts of the Active node die or hang, with IPv4 and IPv6 addresses: who holds them in which
 * order, why the peer took over, that it is told, and that whoever comes back does not fight for what it lost.
 * First a pair of Tandems, then Tandem beside a real keepalived (topology: test/support/peering.ts).
 *
 * Advertisements are 300 ms apart, so that a Skew_Time (some 180 ms at most) and an Active_Down_Interval (more
 * than 960 ms) can be told apart by a slow machine.
 */
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AddressLog } from '../support/address-log.ts';
import { exhaustMemory, killTogether, runs, wedge } from '../support/faults.ts';
import { Keepalived, type KeepalivedStats } from '../support/keepalived.ts';
import { eventually, type Host, missing } from '../support/netns.ts';
import {
  createPeering,
  failoverToml,
  type Peering,
  VIP4,
  VIP6,
  VIP6_LINK_LOCAL,
  VRID,
} from '../support/peering.ts';
import { Tandem } from '../support/tandem.ts';

const VIPS = [VIP4, VIP6_LINK_LOCAL, VIP6] as const;
const LEASE_MS = 2_000;
/** The kernel looks at lifetimes in steps of some hundred milliseconds, and this machine may be busy. */
const SLACK_MS = 1_000;
/** A crash that somebody survived takes a few milliseconds; this is for a machine that is busy. */
const SURVIVED_MS = 700;
const ADVERTISE_MS = 300;

const skip = missing('keepalived', 'stdbuf');

const toml = (name: string, priority: number, extra = ''): string =>
  failoverToml(
    name,
    `
priority = ${priority}
preempt = false
advertise_interval = "${ADVERTISE_MS}ms"
addresses = ["${VIP4}/24", "${VIP6_LINK_LOCAL}/64", "${VIP6}/64"]
lease = "${LEASE_MS / 1_000}s"
${extra}`,
  );

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** What is to happen to the Active node. */
interface Fault {
  readonly name: string;
  /** Returns the wall clock of the moment at which it struck. */
  readonly strike: (victim: Victim) => number | Promise<number>;
  /** What the peer saw: a goodbye on behalf of the dead or hung, or nothing. */
  readonly seen: 'peer-priority-zero' | 'active-down-expired';
  /** Until the addresses are off the host. */
  readonly withinMs: number;
  /** Time in which it waited for a CPU is not held against this process (src/failover/silence.ts), so not here either. */
  readonly charged?: (victim: Victim) => number;
  /** What the node says of it, in its log. */
  readonly told: readonly string[];
  /** What its history says of it, when it has one afterwards. */
  readonly recorded: string | null;
  /** The node takes part again afterwards, as a standby. */
  readonly comesBack: boolean;
  /** Also beside keepalived. */
  readonly beside?: true;
  /** What to do once the peer has taken over; what it takes for the node to come back, or to go. */
  readonly recover?: (victim: Victim) => void;
}

interface Victim {
  readonly tandem: Tandem;
  readonly supervisor: number;
  readonly agent: number;
  /** What the supervisor had waited for a CPU until then, ms. */
  readonly waited: number;
  /** Length of the daemon's output until then. */
  readonly logged: number;
}

const signal = (...pids: number[]) => ({
  send(name: NodeJS.Signals): number {
    const at = Date.now();
    for (const pid of pids) process.kill(pid, name);
    return at;
  },
});

const FAULTS: readonly Fault[] = [
  {
    name: 'kill -9 of the agent',
    strike: ({ agent }) => signal(agent).send('SIGKILL'),
    seen: 'peer-priority-zero',
    withinMs: SURVIVED_MS,
    told: ['failover.agent-exited', 'failover.cleanup'],
    recorded: 'agent-lost',
    comesBack: true,
    beside: true,
  },
  {
    name: 'kill -9 of the supervisor',
    strike: ({ supervisor }) => signal(supervisor).send('SIGKILL'),
    seen: 'peer-priority-zero',
    withinMs: SURVIVED_MS,
    told: ['failover agent: the supervisor is gone'],
    recorded: null,
    comesBack: false,
    beside: true,
  },
  {
    name: 'kill -9 of both at once',
    strike: ({ agent, supervisor }) => killTogether([agent, supervisor]),
    seen: 'active-down-expired',
    withinMs: LEASE_MS + SLACK_MS,
    told: [],
    recorded: null,
    comesBack: false,
    beside: true,
  },
  {
    name: 'out of memory: the kernel kills the agent',
    strike: ({ tandem, agent }) => exhaustMemory(tandem.host, agent),
    seen: 'peer-priority-zero',
    withinMs: SURVIVED_MS,
    told: ['failover.agent-exited', 'failover.cleanup'],
    recorded: 'agent-lost',
    comesBack: true,
  },
  {
    name: 'out of memory: the kernel kills the supervisor',
    strike: ({ tandem, supervisor }) => exhaustMemory(tandem.host, supervisor),
    seen: 'peer-priority-zero',
    withinMs: SURVIVED_MS,
    told: ['failover agent: the supervisor is gone'],
    recorded: null,
    comesBack: false,
  },
  {
    name: 'SIGSTOP of the agent',
    strike: ({ agent }) => signal(agent).send('SIGSTOP'),
    seen: 'peer-priority-zero',
    withinMs: LEASE_MS,
    told: ['failover.agent-hung', 'failover.cleanup'],
    recorded: 'agent-lost',
    comesBack: true,
  },
  {
    name: 'SIGSTOP of the supervisor',
    strike: ({ supervisor }) => signal(supervisor).send('SIGSTOP'),
    seen: 'peer-priority-zero',
    withinMs: LEASE_MS,
    told: [
      'failover agent: the supervisor is stopped',
      'failover.supervisor-lost',
      'failover.supervisor-returned',
    ],
    recorded: 'supervisor-lost',
    comesBack: true,
    recover: ({ supervisor }) => signal(supervisor).send('SIGCONT'),
  },
  {
    name: 'SIGSTOP of both',
    strike: ({ agent, supervisor }) => signal(supervisor, agent).send('SIGSTOP'),
    seen: 'active-down-expired',
    withinMs: LEASE_MS + SLACK_MS,
    told: ['failover.stall'],
    recorded: 'lease-expired',
    comesBack: true,
    beside: true,
    recover: ({ agent, supervisor }) => signal(agent, supervisor).send('SIGCONT'),
  },
  {
    name: 'an endless loop in the agent',
    strike: ({ tandem, agent }) => wedge(tandem.host, agent),
    seen: 'active-down-expired',
    withinMs: LEASE_MS + SLACK_MS,
    told: ['failover.agent-hung', 'failover.cleanup'],
    recorded: 'agent-lost',
    comesBack: true,
    beside: true,
  },
  {
    name: 'an endless loop in the supervisor',
    strike: ({ tandem, supervisor }) => wedge(tandem.host, supervisor),
    seen: 'peer-priority-zero',
    withinMs: LEASE_MS + SLACK_MS,
    charged: ({ supervisor }) => supervisor,
    told: ['failover agent: the supervisor hangs'],
    recorded: null,
    comesBack: false,
    // there is no way back from it
    recover: ({ supervisor }) => signal(supervisor).send('SIGKILL'),
  },
];

describe.skipIf(skip !== null)('parts of the Active node of a pair die or hang', () => {
  let net: Peering;
  let active: Node;
  let standby: Node;

  async function start(of: Omit<Node, 'tandem'>): Promise<Node> {
    return { ...of, tandem: await Tandem.start(net.lab, of.host, toml(of.name, of.priority)) };
  }

  beforeAll(async () => {
    net = createPeering('crash');
    const { tandem, peer } = net;
    active = await start({ host: tandem, name: 'lb-a', priority: 200, log: await AddressLog.start(tandem) });
    await active.tandem.waitState('Active');
    standby = await start({ host: peer, name: 'lb-b', priority: 100, log: await AddressLog.start(peer) });
  });
  afterAll(() => net.lab.destroy());

  it.each(FAULTS)('$name', async (fault) => {
    await active.tandem.waitState('Active');
    await eventually('the standby hears the Active node', async () => {
      const routers = (await standby.tandem.status()).failover?.routers ?? [];
      const hears = routers.filter(
        (router) => router.state === 'Backup' && router.advertisementsReceived > 2,
      );
      return hears.length === 2;
    });
    const { transitions } = await standby.tandem.router();
    const victim = await victimOf(active);

    const struck = await fault.strike(victim);
    await standby.tandem.waitState('Active');
    await addressesMoved(fault, victim, [active.log, standby.log], struck);
    for (const family of [4, 6] as const) {
      expect(await standby.tandem.router(family)).toMatchObject({
        reason: fault.seen,
        transitions: transitions + 1,
        holdsAddresses: true,
      });
    }
    await settled(fault, victim, struck);
    await noFight(active.log, standby.log, struck);
    expect((await standby.tandem.router()).transitions).toBe(transitions + 1);
    // the next fault strikes the other one
    [active, standby] = [standby, fault.comesBack ? active : await start(active)];
  });
});

describe.skipIf(skip !== null)('parts of Tandem die or hang beside keepalived', () => {
  const INSTANCES = ['v4', 'v6'] as const;
  let net: Peering;
  let node: Node;
  let peerLog: AddressLog;
  let keepalived: Keepalived;

  beforeEach(async () => {
    net = createPeering('crash');
    peerLog = await AddressLog.start(net.peer);
    const log = await AddressLog.start(net.tandem);
    const daemon = await Tandem.start(net.lab, net.tandem, toml('tandem', 200));
    node = { host: net.tandem, name: 'tandem', priority: 200, log, tandem: daemon };
    await daemon.waitState('Active');
    const peer = { version: 3, vrid: VRID, priority: 100, interval: ADVERTISE_MS / 1_000 } as const;
    keepalived = await Keepalived.start(net.lab, net.peer, [
      { ...peer, name: 'v4', addresses: [`${VIP4}/24`] },
      { ...peer, name: 'v6', addresses: [`${VIP6_LINK_LOCAL}/64`, `${VIP6}/64`] },
    ]);
    await eventually('keepalived hears Tandem', async () => {
      return (await peerStats()).every(({ received }) => received > 2);
    });
    expect(INSTANCES.map((name) => keepalived.state(name))).toEqual(['BACKUP', 'BACKUP']);
  });
  afterEach(() => net.lab.destroy());

  async function peerStats(): Promise<KeepalivedStats[]> {
    const stats = await keepalived.stats();
    return INSTANCES.map((name) => {
      const found = stats.get(name);
      if (found === undefined) throw new Error(`keepalived knows no ${name}`);
      return found;
    });
  }

  it.each(FAULTS.filter(({ beside }) => beside))('$name', async (fault) => {
    const victim = await victimOf(node);
    const struck = await fault.strike(victim);
    for (const name of INSTANCES) await keepalived.waitState(name, 'MASTER');
    await addressesMoved(fault, victim, [node.log, peerLog], struck);
    const goodbyes = (await peerStats()).map(({ priorityZeroReceived }) => priorityZeroReceived > 0);
    const expected = fault.seen === 'peer-priority-zero';
    // a hung agent is spoken for as well, after keepalived has taken over by itself
    if (fault.comesBack === false || expected) expect(goodbyes).toEqual([expected, expected]);
    await settled(fault, victim, struck);
    await noFight(node.log, peerLog, struck);
    expect(INSTANCES.map((name) => keepalived.state(name))).toEqual(['MASTER', 'MASTER']);
  });
});

interface Node {
  readonly host: Host;
  readonly name: string;
  readonly priority: number;
  readonly log: AddressLog;
  readonly tandem: Tandem;
}

async function victimOf({ tandem }: Node): Promise<Victim> {
  const logged = tandem.process.log().length;
  const supervisor = tandem.process.pid;
  return { tandem, supervisor, agent: await tandem.agentPid(), waited: waitedForCpu(supervisor), logged };
}

/** How long the main thread of a process has been runnable without a CPU, ms of its life (the kernel's schedstats). */
function waitedForCpu(pid: number): number {
  const [, waited = ''] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'latin1').split(' ');
  return Number(waited) / 1e6;
}

/** Every address left the one host and came to the other, in the order and the time that the fault allows. */
async function addressesMoved(
  fault: Fault,
  victim: Victim,
  [from, to]: readonly [AddressLog, AddressLog],
  struck: number,
): Promise<void> {
  await eventually('every address has moved', () =>
    VIPS.every((vip) => from.first(vip, true, struck) !== null && to.first(vip, false, struck) !== null),
  );
  const off = VIPS.map((vip) => from.first(vip, true, struck) ?? Number.NaN);
  const on = VIPS.map((vip) => to.first(vip, false, struck) ?? Number.NaN);
  const offAfter = Math.max(...off) - struck;
  const onAfter = Math.max(...on) - struck;
  process.stdout.write(
    `  ${fault.name}: off the node after ${offAfter.toFixed(1)} ms, on its peer after ${onAfter.toFixed(1)} ms\n`,
  );
  const excused = fault.charged === undefined ? 0 : waitedForCpu(fault.charged(victim)) - victim.waited;
  expect(offAfter).toBeLessThan(fault.withinMs + excused);
  // whoever says goodbye for it has taken the addresses off before: no moment with two owners
  if (fault.seen === 'peer-priority-zero') expect(Math.max(...off)).toBeLessThan(Math.min(...on));
  expect(Math.max(...off) - Math.min(...on)).toBeLessThan(LEASE_MS + SLACK_MS);
}

/** The victim has come back as a standby, or is gone; and what happened to it is told. */
async function settled(fault: Fault, victim: Victim, struck: number): Promise<void> {
  const { tandem, supervisor, agent, logged } = victim;
  fault.recover?.(victim);
  if (fault.comesBack) await tandem.waitState('Backup');
  else await eventually('both processes have ended', () => !runs(supervisor) && !runs(agent));
  await eventually(`it is told: ${fault.told.join(', ')}`, () => {
    const log = tandem.process.log().slice(logged);
    return fault.told.every((words) => log.includes(words));
  });
  if (fault.recorded === null) return;
  const { stdout } = await tandem.tandem('failover', 'history', '--json');
  const { transitions } = JSON.parse(stdout) as { transitions: { time: number; reason: string }[] };
  const recorded = transitions.filter(({ time }) => time >= Math.floor(struck)).map(({ reason }) => reason);
  expect(recorded).toContain(fault.recorded);
}

/** Who lost the addresses does not take them again, and who has them never lets go. */
async function noFight(from: AddressLog, to: AddressLog, struck: number): Promise<void> {
  await pause(3 * ADVERTISE_MS);
  const lost = Math.max(...VIPS.map((vip) => from.first(vip, true, struck) ?? Number.NaN));
  const vips: readonly string[] = VIPS;
  expect(from.changes(lost).filter(({ gone, address }) => !gone && vips.includes(address))).toEqual([]);
  expect(to.changes(struck).filter(({ gone, address }) => gone && vips.includes(address))).toEqual([]);
}
