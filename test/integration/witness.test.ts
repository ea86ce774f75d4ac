/**
 * A node that is cut off, with a witness beside the client:
 *
 *     client        gateway         lb-a            lb-b
 *   10.98.0.50    10.98.0.254     10.98.0.1       10.98.0.2    /24
 *        |             |              |  10.98.0.100  |
 *    ====+=============+==============+===============+====    lan
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { eventually, type Host, Lab, missing } from '../support/netns.ts';
import { powerCut } from '../support/peering.ts';
import { Tandem } from '../support/tandem.ts';

const VIP = '10.98.0.100';
const unable = missing('ping');

describe.skipIf(unable !== null)('a pair with a witness', () => {
  let lab: Lab;
  let client: Host;
  let gateway: Host;
  let hosts: readonly [Host, Host];
  let secret: string;
  let running: Tandem[] = [];

  const toml = (own: number, witness: string): string => `
[node]
name = "lb-${own}"
[failover]
interface = "eth0"
[failover.peer]
address = "10.98.0.${own === 1 ? 2 : 1}"
secret_file = "${secret}"
[failover.witness]
interval = "200ms"
timeout = "150ms"
${witness}
[[failover.group]]
vrid = 51
priority = ${own === 1 ? 200 : 100}
addresses = ["${VIP}/24"]
advertise_interval = "100ms"
# far longer than it takes to notice
lease = "30s"
`;

  beforeAll(() => {
    lab = Lab.create('wit');
    const lan = lab.bridge('lan');
    const host = (name: string, number: number): Host => {
      const made = lab.host(name);
      made.join(lan, 'eth0', [`10.98.0.${number}/24`]);
      return made;
    };
    client = host('client', 50);
    gateway = host('gateway', 254);
    hosts = [host('lb-a', 1), host('lb-b', 2)];
    secret = join(lab.dir, 'secret');
    writeFileSync(secret, 'a shared secret that is long enough for both', { mode: 0o600 });
    const web = "require('node:http').createServer((_, answer) => answer.end()).listen(80, '0.0.0.0')";
    gateway.spawn('web', [process.execPath, '-e', web]);
  });
  afterEach(async () => {
    for (const host of [...hosts, gateway]) host.setConnected('eth0', true);
    await Promise.all(running.map(({ process }) => process.stop()));
    running = [];
  });
  afterAll(() => lab.destroy());

  /** lb-a is Active, both see the witness and hear each other. */
  async function startPair(witness: string): Promise<readonly [Tandem, Tandem]> {
    const a = await Tandem.start(lab, hosts[0], toml(1, witness));
    running.push(a);
    const b = await Tandem.start(lab, hosts[1], toml(2, witness));
    running.push(b);
    await a.waitState('Active');
    await b.waitState('Backup');
    for (const tandem of [a, b]) {
      await eventually('it sees the witness and its peer reports', async () => {
        const { failover } = await tandem.status();
        return failover?.witness?.seen === 'up' && failover.peer?.reportAgeMillis != null;
      });
    }
    return [a, b];
  }

  const witnessOf = async (tandem: Tandem) => (await tandem.status()).failover?.witness;

  const serves = async (): Promise<boolean> =>
    (await client.run(['ping', '-q', '-c', '1', '-W', '1', VIP])).status === 0;

  test.each([
    'type = "arp"\ntarget = "10.98.0.254"',
    'type = "icmp"\ntarget = "10.98.0.254"',
    'type = "http"\ntarget = "http://10.98.0.254/"',
  ])('an Active node that is cut off lets the address go: %s', async (witness) => {
    const [a, b] = await startPair(witness);
    hosts[0].setConnected('eth0', false);
    await b.waitState('Active');
    await eventually('the address has left the node that is cut off', () => !hosts[0].holds(VIP), 15_000);
    expect((await a.router()).explanation).toContain('Initialize: isolated');
    expect(await witnessOf(a)).toMatchObject({ seen: 'down', verdict: 'isolated' });
    expect(await serves()).toBe(true);
    hosts[0].setConnected('eth0', true);
    await a.waitState('Active');
    await b.waitState('Backup');
  });

  test('policy "stay" keeps it', async () => {
    const [a, b] = await startPair('type = "arp"\ntarget = "10.98.0.254"\npolicy = "stay"');
    hosts[0].setConnected('eth0', false);
    await b.waitState('Active');
    await eventually('the witness is lost', async () => (await witnessOf(a))?.seen === 'down');
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    expect(hosts[0].holds(VIP)).toBe(true);
    expect((await a.router()).state).toBe('Active');
  });

  test('a Backup that is cut off does not claim the address', async () => {
    const [a, b] = await startPair('type = "arp"\ntarget = "10.98.0.254"');
    hosts[1].setConnected('eth0', false);
    await eventually('it knows that it is cut off', async () => (await witnessOf(b))?.verdict === 'isolated');
    expect(hosts[1].holds(VIP)).toBe(false);
    const history = (await b.router()).transitions;
    hosts[1].setConnected('eth0', true);
    await b.waitState('Backup');
    expect((await b.router()).transitions).toBe(history + 1);
    expect((await a.router()).state).toBe('Active');
  });

  test('a witness that dies changes nothing, and the next failover works without it', async () => {
    const [a, b] = await startPair('type = "arp"\ntarget = "10.98.0.254"');
    const before = (await a.router()).transitions + (await b.router()).transitions;
    gateway.setConnected('eth0', false);
    for (const tandem of [a, b]) {
      await eventually(
        'it is lost and counts for nothing',
        async () => (await witnessOf(tandem))?.discredited === true,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    expect((await a.router()).transitions + (await b.router()).transitions).toBe(before);
    powerCut(hosts[0]);
    await b.waitState('Active');
    expect(await serves()).toBe(true);
  });
});
