/**
 * Groups that move together, and two nodes that are both active:
 *
 *   lb-a eth0 10.97.0.1 ─┐                        ┌─ eth1 10.98.0.1
 *   lb-b eth0 10.97.0.2 ─┴─ outside      inside ──┴─ eth1 10.98.0.2
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually, type Host, Lab, missing } from '../support/netns.ts';
import { Tandem } from '../support/tandem.ts';

const OUTSIDE4 = '10.97.0.100';
const OUTSIDE6 = '2001:db8:97::100';
const INSIDE = '10.98.0.100';
const OTHER = '10.97.0.101';

describe.skipIf(missing('ip') !== null)('groups', () => {
  let lab: Lab;
  let hostA: Host;
  let hostB: Host;

  beforeEach(() => {
    lab = Lab.create('sync');
    const [outside, inside] = [lab.bridge('outside'), lab.bridge('inside')];
    [hostA, hostB] = [1, 2].map((number) => {
      const host = lab.host(number === 1 ? 'lb-a' : 'lb-b');
      host.join(outside, 'eth0', [`10.97.0.${number}/24`, `2001:db8:97::${number}/64`]);
      host.join(inside, 'eth1', [`10.98.0.${number}/24`]);
      return host;
    }) as [Host, Host];
  });
  afterEach(() => lab.destroy());

  const start = (host: Host, groups: string): Promise<Tandem> =>
    Tandem.start(
      lab,
      host,
      `[node]\nname = "${host.name}"\n[failover]\nadvertise_interval = "100ms"\n${groups}`,
    );
  const group = (name: string, device: string, vrid: number, priority: number, addresses: string): string =>
    `[[failover.group]]\nname = "${name}"\ninterface = "${device}"\nvrid = ${vrid}\npriority = ${priority}\naddresses = [${addresses}]\n`;
  const holdsAll = (by: Host, not: Host, addresses: readonly string[]): Promise<void> =>
    eventually(`${by.name} alone holds ${addresses.join(', ')}`, () =>
      addresses.every((address) => by.holds(address) && !not.holds(address)),
    );

  test('of one sync move together: a cable, a handover, a fault of one takes all of them along', async () => {
    const all = [OUTSIDE4, OUTSIDE6, INSIDE];
    const groups = (priority: number): string =>
      `${group('outside', 'eth0', 51, priority, `"${OUTSIDE4}/24", "${OUTSIDE6}/64"`)}sync = "edge"\n` +
      `${group('inside', 'eth1', 52, priority, `"${INSIDE}/24"`)}sync = "edge"\n`;
    const a = await start(hostA, groups(200));
    await a.waitState('Active');
    const b = await start(hostB, groups(100));
    await b.waitState('Backup');
    await holdsAll(hostA, hostB, all);

    hostA.setCable('eth1', false);
    await b.waitState('Active');
    await a.waitState('Initialize');
    await holdsAll(hostB, hostA, all);
    const reasons = async (of: Tandem): Promise<(string | undefined)[]> => [
      (await of.router(4, 'inside')).reason,
      (await of.router(4, 'outside')).reason,
      (await of.router(6, 'outside')).reason,
    ];
    expect(await reasons(a)).toEqual(['link-down', 'partner-fault', 'partner-fault']);
    expect((await a.router(4, 'outside')).explanation).toContain('a partner that moves with it cannot serve');

    hostA.setCable('eth1', true);
    await a.waitState('Active');
    await b.waitState('Backup');
    await holdsAll(hostA, hostB, all);
    // told of one group, all of them go, and stay there
    const done = await a.tandem('failover', 'handover', 'inside');
    expect(done.status, done.stdout + done.stderr).toBe(0);
    await holdsAll(hostB, hostA, all);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await holdsAll(hostB, hostA, all);
    expect(await reasons(a)).toEqual(['handover', 'handover', 'handover']);
  });

  test('with crossed priorities make both nodes active; either takes both addresses, and gives one back', async () => {
    const groups = (first: number, second: number): string =>
      group('first', 'eth0', 51, first, `"${OUTSIDE4}/24", "${OUTSIDE6}/64"`) +
      group('second', 'eth0', 52, second, `"${OTHER}/24"`);
    const a = await start(hostA, groups(150, 100));
    const b = await start(hostB, groups(100, 150));
    const apart = async (): Promise<void> => {
      await holdsAll(hostA, hostB, [OUTSIDE4, OUTSIDE6]);
      await holdsAll(hostB, hostA, [OTHER]);
    };
    await apart();
    expect((await a.router(4, 'second')).state).toBe('Backup');
    await b.crash();
    await eventually('lb-a takes both', () => hostA.holds(OUTSIDE4) && hostA.holds(OTHER));
    const again = await start(hostB, groups(100, 150));
    await apart();
    await a.stop();
    await eventually('lb-b takes both', () => [OUTSIDE4, OUTSIDE6, OTHER].every((vip) => hostB.holds(vip)));
    await again.stop();
  });
});
