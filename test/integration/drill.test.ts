/**
 * Drills on a pair of real daemons (topology: test/support/pair.ts; lb-a has priority 200, lb-b 100; be-1 echoes).
 * The probes run on the client, as they would on a third host over ssh.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { drillReport, failoverHistory } from '../../src/admin/contract.ts';
import { eventually, type Host, missing, type RunResult } from '../support/netns.ts';
import { createPair, type Pair, VIP4, VIP6 } from '../support/pair.ts';
import { MAIN, Tandem } from '../support/tandem.ts';

const unable = missing('nft');
const ECHO = fileURLToPath(new URL('../support/echo-server.mjs', import.meta.url));

describe.skipIf(unable !== null)('a drill', () => {
  let pair: Pair;
  let a: Tandem;
  let b: Tandem;
  let prober: string;

  function toml(node: 'lb-a' | 'lb-b', health = ''): string {
    const [own, other, priority] = node === 'lb-a' ? [1, 2, 200] : [2, 1, 100];
    const service = (protocol: string): string => `
[[service]]
name = "echo-${protocol}"
protocol = "${protocol}"
listen = ["${VIP4}:7000", "[${VIP6}]:7000"]
${protocol === 'tcp' ? health : ''}
[[service.backend]]
address = "10.98.0.11:7000"
`;
    return `
[node]
name = "${node}"
${service('tcp')}${service('udp')}
[failover]
interface = "eth0"
advertise_interval = "100ms"
priority = ${priority}
[failover.peer]
address = "10.98.0.${other}"
listen = "10.98.0.${own}:8694"
secret_file = "${join(pair.lab.dir, 'peer.key')}"
drain = "5s"
[[failover.group]]
vrid = 51
addresses = ["${VIP4}/24", "${VIP6}/64"]
`;
  }

  const start = (host: Host, health = ''): Promise<Tandem> =>
    Tandem.start(pair.lab, host, toml(host === pair.hostA ? 'lb-a' : 'lb-b', health));

  async function startBoth(): Promise<void> {
    a = await start(pair.hostA);
    await a.waitState('Active');
    b = await start(pair.hostB);
    await b.waitState('Backup');
  }

  const drill = (of: Tandem, ...args: string[]): Promise<RunResult> =>
    of.tandem('failover', 'drill', '--prober', prober, ...args);

  beforeAll(async () => {
    pair = createPair('drill');
    // what "ssh client tandem" would be
    prober = `ip netns exec ${pair.client.ns} node ${MAIN}`;
    writeFileSync(join(pair.lab.dir, 'peer.key'), 'a secret for tests, long enough for the rule\n', {
      mode: 0o600,
    });
    const echo = pair.backends[0].spawn('echo', ['node', ECHO, '7000']);
    await eventually('the echo server runs', () => echo.log().includes('ready'));
  });
  afterEach(async () => {
    await Promise.all([a.stop(), b.stop()]);
  });
  afterAll(() => pair.lab.destroy());

  test('planned: there and back, nothing lost, with a verdict that is kept', async () => {
    await startBoth();
    const done = await drill(a, '--target', '5s', '--json');
    expect(done.status, done.stdout + done.stderr + a.process.log() + b.process.log()).toBe(0);
    const { targets, unmeasured, connections, ...report } = JSON.parse(done.stdout);
    expect(drillReport.parse(report)).toMatchObject({
      kind: 'planned',
      passed: true,
      connectionsKept: 10,
      connectionsLost: 0,
      activeBefore: 'lb-a',
      activeAfter: 'lb-a',
    });
    expect(targets.map(({ target }: { target: string }) => target).sort()).toEqual([
      `tcp://${VIP4}:7000`,
      `tcp://[${VIP6}]:7000`,
      `udp://${VIP4}:7000`,
      `udp://[${VIP6}]:7000`,
    ]);
    expect(unmeasured).toEqual([]);
    expect(connections.before).toBeTypeOf('number');
    expect(report.probesSent).toBeGreaterThan(1_000);
    // it went there and came back
    const history = failoverHistory.parse(
      JSON.parse((await a.tandem('failover', 'history', '--json')).stdout),
    );
    expect(
      history.transitions
        .filter(({ family }) => family === 4)
        .map(({ to }) => to)
        .slice(-2),
    ).toEqual(['Backup', 'Active']);
    expect(history.drills).toMatchObject([{ kind: 'planned', passed: true }]);
    expect((await a.tandem('failover', 'history')).stdout).toMatch(
      /drill \(planned\) passed: gap [\d.]+ ms \(target 5000 ms\)/,
    );
    expect(a.process.log()).toMatch(/failover\.drill/);
    const metrics = await a.metrics();
    expect(metrics).toContain('tandem_failover_drill_passed{kind="planned"} 1\n');
    expect(metrics).toMatch(/tandem_failover_drill_gap_seconds\{kind="planned"\} 0\.\d/);
  });

  test('of a crash: asks first, measures a gap, and fails when that is above the target', async () => {
    await startBoth();
    const unasked = await drill(a, '--crash');
    expect(unasked.status).toBe(64);
    expect(unasked.stderr).toContain('nobody is there to confirm that');
    await a.waitState('Active');
    const done = await drill(a, '--crash', 'agent', '--yes', '--target', '1ms');
    expect(done.status, done.stdout + done.stderr).toBe(1);
    expect(done.stdout).toMatch(
      /drill \(crash-agent\) FAILED: gap [\d.]+ ms \(target 1 ms\).*the gap is above the target/,
    );
    expect(done.stdout).toMatch(/connections held: \d+ kept, \d+ lost/);
    expect(done.stdout).toContain('Active before: lb-a; after: lb-a');
    expect(done.stderr).toMatch(/killed the failover agent \(pid \d+\)/);
    expect(await a.metrics()).toContain('tandem_failover_drill_passed{kind="crash-agent"} 0\n');
    expect(a.process.log()).toContain('failover.agent-exited');
  });

  test('of a whole node: only where something starts it again, and it says when nothing did', async () => {
    await startBoth();
    const refused = await drill(a, '--crash', 'node', '--yes');
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain('nothing would start this daemon again');
    await a.waitState('Active');
    const running = drill(a, '--crash', 'node', '--yes', '--force', '--target', '10s');
    await a.process.exited;
    // as systemd would
    const again = pair.hostA.spawn('tandem', ['node', MAIN, 'run', '--config', a.configPath]);
    const done = await running;
    expect(done.status, done.stdout + done.stderr).toBe(0);
    expect(done.stdout).toMatch(/0 kept, 10 lost/);
    expect(done.stdout).toContain('Active before: lb-a; after: lb-a');
    const gap = Number(/gap ([\d.]+) ms/.exec(done.stdout)?.[1]);
    // an Active_Down_Interval of lb-b is 361 ms
    expect(gap).toBeGreaterThan(200);
    expect((await a.tandem('failover', 'history')).stdout).toContain('drill (crash-node) passed');
    await again.stop(15_000);
  });

  test('is refused while the pair is not healthy, and on a host that would see nothing', async () => {
    await startBoth();
    const here = await a.tandem('failover', 'drill');
    expect(here.status).toBe(1);
    expect(here.stderr).toContain(`this host holds ${VIP4} itself`);
    expect(here.stderr).toContain('hint: probe from a third host: --prober');
    const passive = await drill(b);
    expect(passive.stderr).toMatch(/group vrid-51 is Backup here, not Active/);
    const nobody = await a.tandem('failover', 'drill', '--prober', 'ip netns exec tdt-none true');
    expect(nobody.status).toBe(1);
    expect(nobody.stderr).toContain('the prober failed');
    await b.stop();
    // the backend answers lb-a alone: on lb-b its service has none
    b = await start(pair.hostB, '[service.health]\ntype = "tcp"\nport = 7999\ninterval = "200ms"\nfall = 1');
    await b.waitState('Backup');
    await eventually('lb-b has no backend', async () =>
      (await b.status()).services.some(
        ({ name, backends }) => name === 'echo-tcp' && backends.every(({ eligible }) => !eligible),
      ),
    );
    const starved = await drill(a);
    expect(starved.status).toBe(1);
    expect(starved.stderr).toContain('no drill now: its service echo-tcp has no eligible backend');
    await b.stop();
    const alone = await drill(a);
    expect(alone.status).toBe(1);
    expect(alone.stderr).toContain('no drill now: the peer cannot be reached: 10.98.0.2:8694: ECONNREFUSED');
    await a.waitState('Active');
    expect(
      failoverHistory.parse(JSON.parse((await a.tandem('failover', 'history', '--json')).stdout)).drills,
    ).toEqual([]);
  });

  test('its probes alone need no daemon, and have a verdict of their own', async () => {
    await startBoth();
    const probe = (...args: string[]): Promise<RunResult> =>
      pair.client.run(['node', MAIN, 'failover', 'probe', '--for', '2s', ...args]);
    const fine = await probe('--target', '1500ms', `${VIP4}:7000`, `udp://[${VIP6}]:7000`);
    expect(fine.status, fine.stdout + fine.stderr).toBe(0);
    expect(fine.stdout).toMatch(/tcp:\/\/10\.98\.0\.100:7000 +[\d.]+ ms +0 +\d+/);
    expect(fine.stdout).toContain('connections held: 10 kept, 0 lost');
    const silent = await probe('10.98.0.11:7999');
    expect(silent.status).toBe(1);
    expect(silent.stderr).toContain('tcp://10.98.0.11:7999 does not answer');
    const wrong = await probe('10.98.0.11');
    expect(wrong.status).toBe(64);
    expect(wrong.stderr).toContain('is no address and port');
  });
});
