/**
 * Which of the two nodes reaches more of the backends; each has a way of its own to each of them:
 *
 *   lb-a 10.98.0.1 ──┬── front ──┬── lb-b 10.98.0.2        virtual: 10.98.0.100
 *     eth1 ──────────┼─ back-1 ──┼────── eth1              be-1 10.98.1.11
 *     eth2 ──────────┴─ back-2 ──┴────── eth2              be-2 10.98.2.12
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, type Host, Lab, missing } from '../support/netns.ts';
import { Tandem } from '../support/tandem.ts';

const VIP = '10.98.0.100';
const unable = missing();

describe.skipIf(unable !== null)('a pair that compares what it reaches', () => {
  let lab: Lab;
  let hostA: Host;
  let hostB: Host;
  let a: Tandem;
  let b: Tandem;

  const toml = (own: number, peer: number, priority: number, secret: string): string => `
[node]
name = "lb-${own}"
[[service]]
name = "web"
listen = ["${VIP}:80"]
[service.health]
type = "tcp"
interval = "200ms"
timeout = "200ms"
fall = 2
[[service.backend]]
id = "be-1"
address = "10.98.1.11:8080"
[[service.backend]]
id = "be-2"
address = "10.98.2.12:8080"
[failover]
interface = "eth0"
[failover.peer]
address = "10.98.0.${peer}"
secret_file = "${secret}"
[[failover.group]]
vrid = 51
priority = ${priority}
addresses = ["${VIP}/24"]
advertise_interval = "100ms"
`;

  beforeAll(async () => {
    lab = Lab.create('cmp');
    const [front, ...backs] = ['front', 'back-1', 'back-2'].map((name) => lab.bridge(name));
    if (front === undefined) throw new Error('unreachable');
    const node = (name: string, number: number): Host => {
      const made = lab.host(name);
      made.join(front, 'eth0', [`10.98.0.${number}/24`]);
      backs.forEach((back, i) => {
        made.join(back, `eth${i + 1}`, [`10.98.${i + 1}.${number}/24`]);
      });
      return made;
    };
    hostA = node('lb-a', 1);
    hostB = node('lb-b', 2);
    backs.forEach((back, i) => {
      const backend = lab.host(`be-${i + 1}`);
      backend.join(back, 'eth0', [`10.98.${i + 1}.1${i + 1}/24`]);
      // a check resets its connection
      const script =
        "require('node:net').createServer((s) => s.on('error', () => s.destroy()).end()).listen(8080)";
      backend.spawn('listener', [process.execPath, '-e', script]);
    });
    const secret = join(lab.dir, 'secret');
    writeFileSync(secret, 'a shared secret that is long enough for both', { mode: 0o600 });
    a = await Tandem.start(lab, hostA, toml(1, 2, 200, secret));
    await a.waitState('Active');
    b = await Tandem.start(lab, hostB, toml(2, 1, 100, secret));
    await b.waitState('Backup');
    for (const tandem of [a, b]) await tandem.waitEligible('web', ['be-1', 'be-2']);
    for (const tandem of [a, b]) {
      await eventually('the peer reports two backends', async () => {
        const peer = (await tandem.status()).failover?.peer;
        return peer?.peerReaches === 2 && peer.reaches === 2;
      });
    }
  });
  afterAll(() => lab.destroy());

  const transitions = async (): Promise<number> =>
    (await a.router()).transitions + (await b.router()).transitions;

  test('the one whose way to half of them is broken yields, and takes the role back when it is whole', async () => {
    hostA.setConnected('eth2', false);
    await b.waitState('Active');
    await a.waitState('Backup');
    expect((await a.router()).explanation).toContain('this node reaches 1 of the backends, its peer 2');
    expect((await a.router()).effectivePriority).toBe(1);
    hostA.setConnected('eth2', true);
    await a.waitState('Active');
    await b.waitState('Backup');
    expect((await a.status()).failover?.peer?.yields).toBeNull();
  });

  test('when both lose the same half, one a moment after the other, nothing moves', async () => {
    const before = await transitions();
    hostA.setConnected('eth2', false);
    await new Promise((resolve) => setTimeout(resolve, 800));
    hostB.setConnected('eth2', false);
    for (const tandem of [a, b]) await tandem.waitEligible('web', ['be-1']);
    // longer than the debounce, of which the checks here make less than three seconds
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    expect(await transitions()).toBe(before);
    expect((await a.status()).failover?.peer).toMatchObject({ reaches: 1, peerReaches: 1, yields: null });
  });
});
