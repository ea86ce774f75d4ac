/**
 * Planned handovers that go wrong (topology: test/support/pair.ts). The supervisors speak through a relay on be-3,
 * which keeps a message back while one side is killed, repeats it, or changes it:
 *
 *     lb-a 10.98.0.1 :8694 <── be-3 10.98.0.13 :8702 <── lb-b
 *     lb-a ──> :8701 be-3 10.98.0.13 ──> lb-b 10.98.0.2 :8694
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { footprint } from '../support/footprint.ts';
import { eventually, type Host, type HostProcess, missing } from '../support/netns.ts';
import { createPair, type Pair, VIP4, VIP6 } from '../support/pair.ts';
import { MAIN, Tandem } from '../support/tandem.ts';

const unable = missing('nft');
const RELAY = fileURLToPath(new URL('../support/peer-relay.mjs', import.meta.url));
type Node = 'lb-a' | 'lb-b';

describe.skipIf(unable !== null)('a handover', () => {
  let pair: Pair;
  let key: string;
  const nodes = new Map<Node, Tandem>();
  let relay: HostProcess;
  let before: readonly string[];

  const hostOf = (node: Node): Host => (node === 'lb-a' ? pair.hostA : pair.hostB);
  const at = (node: Node): Tandem => {
    const found = nodes.get(node);
    if (found === undefined) throw new Error(`${node} does not run`);
    return found;
  };

  function toml(node: Node): string {
    const [own, port, priority] = node === 'lb-a' ? [1, 8_701, 200] : [2, 8_702, 100];
    return `
[node]
name = "${node}"
[[service]]
name = "echo"
protocol = "tcp"
listen = ["${VIP4}:7000", "[${VIP6}]:7000"]
[[service.backend]]
address = "10.98.0.11:7000"
[failover]
interface = "eth0"
advertise_interval = "100ms"
priority = ${priority}
[failover.peer]
address = "10.98.0.13"
port = ${port}
listen = "10.98.0.${own}:8694"
secret_file = "${key}"
drain = "8s"
[[failover.group]]
vrid = 51
preempt = false
addresses = ["${VIP4}/24", "${VIP6}/64"]
`;
  }

  async function start(node: Node): Promise<Tandem> {
    const tandem = await Tandem.start(pair.lab, hostOf(node), toml(node));
    nodes.set(node, tandem);
    return tandem;
  }

  async function startRelay(...args: string[]): Promise<void> {
    relay = pair.backends[2].spawn('relay', [
      'node',
      RELAY,
      '8701=10.98.0.2:8694,8702=10.98.0.1:8694',
      ...args,
    ]);
    await eventually('the relay listens', () => relay.log().includes('listening on 8702'));
  }

  const footprints = async (): Promise<string[]> => [
    await footprint(pair.hostA, [VIP4, VIP6]),
    await footprint(pair.hostB, [VIP4, VIP6]),
  ];

  /** Exactly one node is Active and holds both addresses on its interface. */
  async function oneHolder(): Promise<Node> {
    const holders = (): Node[] =>
      (['lb-a', 'lb-b'] as const).filter((node) => {
        const held = hostOf(node).ip('-o', 'addr', 'show', 'dev', 'eth0');
        return [VIP4, VIP6].every((address) => held.includes(` ${address}/`));
      });
    let since = Date.now();
    let last = '';
    await eventually(
      'exactly one node holds the addresses, and goes on holding them',
      () => {
        const now = holders().join();
        if (now !== last) since = Date.now();
        last = now;
        return holders().length === 1 && Date.now() - since > 1_000;
      },
      20_000,
    );
    const [holder] = holders();
    if (holder === undefined) throw new Error('nobody holds the addresses any more');
    await at(holder).waitState('Active');
    return holder;
  }

  async function leavesNothing(): Promise<void> {
    const same = async (): Promise<boolean> => (await footprints()).join() === before.join();
    await eventually('nothing is left of the handover', same, 20_000, 300).catch(async () => {
      expect(await footprints()).toEqual(before);
    });
  }

  const other = (node: Node): Node => (node === 'lb-a' ? 'lb-b' : 'lb-a');

  beforeAll(async () => {
    pair = createPair('handover-faults');
    key = join(pair.lab.dir, 'peer.key');
    writeFileSync(key, 'a secret for tests, long enough for the rule\n', { mode: 0o600 });
    await start('lb-a');
    await at('lb-a').waitState('Active');
    await start('lb-b');
    await at('lb-b').waitState('Backup');
    before = await footprints();
  });
  beforeEach(async () => {
    for (const node of nodes.values())
      await eventually('the daemon answers', () => node.status().then(() => true));
  });
  afterEach(() => relay.stop());
  afterAll(async () => {
    await Promise.all([...nodes.values()].map((node) => node.stop()));
    await pair.lab.destroy();
  });

  type Victim = 'supervisor' | 'agent' | 'both';
  test.each<[string, 'giver' | 'taker', Victim, RegExp | null]>([
    ['prepare', 'giver', 'both', null],
    ['ready', 'taker', 'both', /nftables table netdev/],
    ['take', 'giver', 'both', /98\.0\.100 on lo/],
    ['take', 'taker', 'supervisor', /nftables table netdev/],
    ['taken', 'giver', 'agent', null],
    ['taken', 'giver', 'both', /98\.0\.100 on lo/],
    ['taken', 'taker', 'both', /nftables table netdev/],
    ['released', 'giver', 'supervisor', /nftables table arp/],
  ])(
    'with "%s" under way, kill -9 of the %s: %s',
    async (step, side, victim, cleaned) => {
      await startRelay('hold', step);
      const giver = await oneHolder();
      const killed = side === 'giver' ? giver : other(giver);
      await at(other(giver)).waitState('Backup');
      const daemon = at(killed);
      const agent = await daemon.agentPid();
      const asked = hostOf(giver).spawn('handover', [
        'node',
        MAIN,
        'failover',
        'handover',
        '--require-peer',
        '--socket',
        at(giver).socket,
      ]);
      await eventually(`"${step}" is held back`, () => relay.log().includes(`hold ${step}`));
      if (victim !== 'agent') daemon.process.kill('SIGKILL');
      if (victim !== 'supervisor') process.kill(agent, 'SIGKILL');
      if (victim !== 'agent') await daemon.process.exited;
      await relay.stop();
      if (victim !== 'agent') {
        await start(killed);
        if (cleaned !== null) {
          await eventually('the next start says what it removed', () =>
            new RegExp(`failover\\.cleanup.*${cleaned.source}`).test(at(killed).process.log()),
          );
        }
      }
      await asked.exited;
      const holder = await oneHolder();
      await at(other(holder)).waitState('Backup');
      await leavesNothing();
    },
    60_000,
  );

  test.each([
    ['repeat', 'prepare'],
    ['flip', 'take'],
  ])('%s %s: the session ends, and the giver stays Active', async (action, type) => {
    await startRelay(action, type);
    const giver = await oneHolder();
    await at(other(giver)).waitState('Backup');
    const done = await at(giver).tandem('failover', 'handover', '--require-peer');
    expect(relay.log(), done.stdout + done.stderr).toContain(`${action} ${type}`);
    expect(done.status).toBe(1);
    expect(at(other(giver)).process.log()).toMatch(/failover\.peer.*it has another key/);
    expect(await oneHolder()).toBe(giver);
    await leavesNothing();
  });

  test('a recorded session convinces nobody when it is played again', async () => {
    const recording = join(pair.lab.dir, 'recording');
    await startRelay('none', 'none', recording);
    const giver = await oneHolder();
    const taker = other(giver);
    await at(taker).waitState('Backup');
    expect(await at(giver).tandem('failover', 'handover', '--require-peer')).toMatchObject({ status: 0 });
    await at(giver).waitState('Backup');
    await leavesNothing();
    // back, so that what was recorded could be true again
    expect((await at(giver).tandem('failover', 'takeover', '--ask-peer')).status).toBe(0);
    await at(giver).waitState('Active');
    await at(taker).waitState('Backup');
    const session = readFileSync(recording);
    expect(session.includes('"type":"take"')).toBe(true);
    const address = taker === 'lb-a' ? '10.98.0.1' : '10.98.0.2';
    const replay = `
const socket = require('node:net').createConnection(8694, '${address}');
socket.on('error', () => undefined).on('close', () => process.exit());
socket.end(require('node:fs').readFileSync('${recording}'));`;
    await pair.backends[2].run(['node', '-e', replay]);
    await eventually('it is refused', () =>
      /failover\.peer.*it has another key/.test(at(taker).process.log()),
    );
    expect(await oneHolder()).toBe(giver);
    expect((await at(taker).router()).state).toBe('Backup');
    await leavesNothing();
  });
});
