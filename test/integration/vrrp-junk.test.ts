/**
 * Junk for the VRID, IPv4 and IPv6, about 1,000 frames a second from the watcher (topology:
 * test/support/peering.ts, with a second Tandem as peer): bad checksum, wrong hop limit, truncated, count 0,
 * interval 0, wrong type and version, random bytes. No role changes, and no advertisement is late.
 *
 * keepalived 2.2.7 cannot be the witness: it believes an interval of 0 and makes itself MASTER.
 */
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RouterStatus } from '../../src/admin/contract.ts';
import { eventually, type Host, type HostProcess, missing } from '../support/netns.ts';
import {
  createPeering,
  failoverToml,
  type Peering,
  powerCut,
  VIP4,
  VIP6,
  VIP6_LINK_LOCAL,
  VRID,
} from '../support/peering.ts';
import { Tandem } from '../support/tandem.ts';

const JUNK = fileURLToPath(new URL('../support/junk-frames.mjs', import.meta.url));
const INTERVAL_MS = 100;
/** A Backup of priority 100 gives up after 361 ms: a gap below that costs nothing. */
const MAX_GAP_MS = 300;
const JUNK_MS = 4_000;
const EXPECTED_REASONS = ['checksum', 'ttl', 'truncated', 'count-zero', 'interval-zero', 'type', 'version'];

const skip = missing('tcpdump');

describe.skipIf(skip !== null)('junk for the VRID', () => {
  let net: Peering;
  let active: Tandem;
  let backup: Tandem;

  const start = (host: Host, priority: number): Promise<Tandem> =>
    Tandem.start(
      net.lab,
      host,
      failoverToml(
        host.name,
        `
priority = ${priority}
advertise_interval = "${INTERVAL_MS}ms"
addresses = ["${VIP4}/24", "${VIP6_LINK_LOCAL}/64", "${VIP6}/64"]
`,
      ),
    );

  beforeEach(async () => {
    net = createPeering('junk');
    active = await start(net.tandem, 200);
    await active.waitState('Active');
    backup = await start(net.peer, 100);
    await backup.waitState('Backup');
    await eventually('the Backup hears the Active', async () => {
      return (await routers(backup)).every(({ peer }) => peer?.priority === 200);
    });
  });
  afterEach(() => net.lab.destroy());

  const routers = async (node: Tandem): Promise<RouterStatus[]> => [
    await node.router(4),
    await node.router(6),
  ];

  const startJunk = (): HostProcess =>
    net.watcher.spawn('junk', [process.execPath, JUNK, 'eth0', String(VRID)]);

  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

  /** Everything VRRP that the Active sends, by tcpdump on the watcher. */
  async function capture(): Promise<HostProcess> {
    const mac = /ether ([0-9a-f:]{17})/.exec(net.tandem.ip('link', 'show', 'dev', 'eth0'))?.[1];
    const filter = `ether src ${mac} and (ip proto 112 or ip6 proto 112)`;
    const tcpdump = net.watcher.spawn('tcpdump', ['tcpdump', '-i', 'eth0', '-n', '-tt', '-l', filter]);
    await eventually('tcpdump listens', () => tcpdump.log().includes('listening on'));
    return tcpdump;
  }

  it('changes no role, delays no advertisement, and is counted by reason', async () => {
    const before = [...(await routers(active)), ...(await routers(backup))];
    const tcpdump = await capture();
    const junk = startJunk();
    await pause(JUNK_MS);
    const after = [...(await routers(active)), ...(await routers(backup))];
    expect(junk.gone, `the junk was sent until now: ${junk.log()}`).toBe(false);
    await junk.stop();
    await tcpdump.stop();

    for (const [i, router] of after.entries()) {
      expect(router.state).toBe(i < 2 ? 'Active' : 'Backup');
      expect(router.transitions).toBe(before[i]?.transitions);
      const discarded = EXPECTED_REASONS.map((reason) => router.discarded[reason] ?? 0);
      // about 2,000 frames a family, in nine kinds
      expect(Math.min(...discarded), JSON.stringify(router.discarded)).toBeGreaterThan(50);
    }
    for (const family of [/^([\d.]+) IP /gm, /^([\d.]+) IP6 /gm]) {
      const times = [...tcpdump.log().matchAll(family)].map((match) => Number(match[1]) * 1_000);
      const gaps = times.slice(1).map((time, i) => time - (times[i] ?? 0));
      expect(gaps.length).toBeGreaterThan((JUNK_MS / INTERVAL_MS) * 0.8);
      expect(Math.max(...gaps)).toBeLessThan(MAX_GAP_MS);
    }
  });

  it('does not silence a Backup whose Active dies', async () => {
    const junk = startJunk();
    await pause(1_000);
    for (const router of await routers(backup)) {
      expect(router.state).toBe('Backup');
      const { checksum = 0 } = router.discarded;
      expect(checksum).toBeGreaterThan(10);
    }
    powerCut(net.tandem);
    // Active_Down_Interval is 0.36 s; a timer that the junk could reset would never fire
    await backup.waitState('Active', 5_000);
    expect(junk.gone, `the junk was sent until then: ${junk.log()}`).toBe(false);
    for (const router of await routers(backup)) expect(router.reason).toBe('active-down-expired');
  });
});
