/** Two daemons and their trackers (topology: test/support/peering.ts): a worse node yields, a fault stands aside. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, missing } from '../support/netns.ts';
import { createPeering, failoverToml, type Peering, VIP4 } from '../support/peering.ts';
import { Tandem } from '../support/tandem.ts';

describe.skipIf(missing('ip') !== null)('trackers', () => {
  let net: Peering;
  let a: Tandem;
  let b: Tandem;
  let number: string;
  let flag: string;

  const track = (name: string, lines: string): string =>
    `[[failover.track]]\nname = "${name}"\ninterval = "100ms"\n${lines}\n`;
  const group = (priority: number): string =>
    `priority = ${priority}\nadvertise_interval = "100ms"\npreempt = false\naddresses = ["${VIP4}/24"]\n`;
  const uplink = track('uplink', 'type = "interface"\ninterface = "up0"');

  beforeAll(async () => {
    net = createPeering('track');
    number = join(net.lab.dir, 'number');
    flag = join(net.lab.dir, 'flag');
    writeFileSync(flag, '');
    net.tandem.join(net.lab.bridge('up'), 'up0', ['10.98.0.1/24']);
    a = await Tandem.start(
      net.lab,
      net.tandem,
      failoverToml('lb-a', group(200)) +
        uplink +
        track('operator', `type = "file"\npath = "${number}"`) +
        track('flag', `type = "script"\ncommand = ["/usr/bin/test", "-e", "${flag}"]\nweight = -150`),
    );
    await a.waitState('Active');
    b = await Tandem.start(net.lab, net.peer, failoverToml('lb-b', group(100)));
    await b.waitState('Backup');
  });
  afterAll(() => net.lab.destroy());

  const priority = (wanted: number): Promise<void> =>
    eventually(`lb-a has priority ${wanted}`, async () => {
      return (await a.router()).effectivePriority === wanted;
    });
  const roles = async (active: Tandem, standby: Tandem): Promise<void> => {
    await active.waitState('Active');
    await standby.waitState('Backup');
    await eventually('the Active one alone holds the address', () => {
      return active.host.holds(VIP4) && !standby.host.holds(VIP4);
    });
  };

  test('a file weighs, and a weight that leaves the node the better one moves nothing', async () => {
    const { transitions } = await a.router();
    writeFileSync(number, '-60\n');
    await priority(140);
    expect(await a.router()).toMatchObject({
      state: 'Active',
      transitions,
      explanation: expect.stringContaining(
        `with priority 140 instead of 200 (tracker operator: ${number} holds -60)`,
      ),
    });
    await eventually('lb-b hears it', async () => (await b.router()).peer?.priority === 140);
    rmSync(number);
    await priority(200);
  });

  test('a script that fails makes the other node the better one: it takes over, without preemption too', async () => {
    rmSync(flag);
    await roles(b, a);
    expect(await a.router()).toMatchObject({ effectivePriority: 50, reason: 'higher-priority-seen' });
    const { failover } = await a.status();
    expect(failover?.trackers.find(({ name }) => name === 'flag')).toMatchObject({
      state: 'down',
      weight: -150,
      fault: false,
      detail: 'exit status 1',
    });
    expect(a.process.log()).toContain('tracker flag is down');
    writeFileSync(flag, '');
    await priority(200);
    // preemption is off
    expect((await b.router()).state).toBe('Active');
    expect((await a.tandem('failover', 'takeover')).status).toBe(0);
    await roles(a, b);
  });

  test('an interface that is down is a fault: the node stands aside until it is back', async () => {
    net.tandem.setCable('up0', false);
    await b.waitState('Active');
    await a.waitState('Initialize');
    expect(await a.router()).toMatchObject({
      reason: 'unfit',
      explanation: 'Initialize: tracker uplink: up0 has no carrier',
    });
    const text = (await a.tandem('status')).stdout;
    expect(text).toMatch(/tracker uplink \(interface\) +down for .*, fault, up0 has no carrier/);
    net.tandem.setCable('up0', true);
    await a.waitState('Backup');
    expect(a.process.log()).toContain('tracker uplink is up');
  });

  test('a reload adds and removes trackers', async () => {
    net.tandem.setCable('up0', false);
    await a.waitState('Initialize');
    a.writeConfig(failoverToml('lb-a', group(200)));
    const done = await a.tandem('reload');
    expect(done.status, done.stderr).toBe(0);
    expect(done.stdout).toContain('tracker uplink removed');
    await a.waitState('Backup');
    a.writeConfig(failoverToml('lb-a', group(200)) + uplink);
    await a.tandem('reload');
    await a.waitState('Initialize');
  });
});
