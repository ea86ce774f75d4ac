import { describe, expect, it } from 'vitest';
import type { Status } from '../../../src/admin/contract.ts';
import { styleOf } from '../../../src/cli/output.ts';
import { renderStatus, verdictOf } from '../../../src/cli/status-view.ts';
import { backendStatusOf, statusOf } from '../../support/fake-admin.ts';

const NOW = 1_060_000;
const text = (status: Status): string => renderStatus(status, { style: styleOf(false), now: NOW }).join('\n');

function withBackends(...backends: Status['services'][number]['backends']): Status {
  const status = statusOf();
  status.services[0]!.backends = backends;
  return status;
}

function withAgent(changes: Partial<NonNullable<Status['failover']>>): Status {
  const status = statusOf();
  status.failover = { ...status.failover!, ...changes };
  return status;
}

describe('renderStatus', () => {
  it('shows the whole node on one screen', () => {
    expect(`${text(statusOf({ pid: 99 }))}\n`).toBe(`lb-a  tandem 0.0.0, pid 99, up 3m12s
/etc/tandem/tandem.toml, loaded 1m00s ago, native relay
workers  0 running (7 clients)

web  tcp 10.0.0.100:80, [2001:db8::100]:80  least-connections  2 of 2 backends eligible
  7 of 20k connections, 12.3k accepted, 4.88KiB in, 4.77MiB out
  refused: source-rate 3
  BACKEND         STATE  ELIGIBLE  WEIGHT  CONNS  TOTAL  ERRORS  IN  OUT  SINCE  LAST CHECK
  10.0.1.11:8080  up     yes           10  4/500      0       0  0B   0B     1s
  10.0.1.12:8080  up     yes           10      3      0       0  0B   0B     1s

LIMIT                                            USED
service-connections web  [--------------------]    0%  7 of 20k

failover  agent running, pid 4242, real-time, heard 40ms ago, node fit
  peer  reported 200ms ago, reaches 2 backends, this node 2
  pair  lb-b Backup, tandem 0.1.0, up 1m30s
        there: web 2/2 backends, 0 connections
  witness 10.0.0.254 (arp)  up for 12s, answers on eth0
  tracker uplink (interface)  down for 12s, priority -50, eth1 has no carrier
  main  Active for 2m40s (active-down-expired)  IPv4, vrid 51 on eth0, priority 200
    10.0.0.100/24: held here
    Active: highest priority heard
    peer 10.0.0.2 priority 100 every 100ms, checksum rfc5798, heard 31ms ago; 1k sent, 12 received
    discarded: checksum 2
`);
  });

  it('tells what goes on after a handover, on either side', () => {
    const drain = { group: 'main', connections: 3, initially: 50, endsInMillis: 42_000 };
    const shown = text(
      withAgent({
        drains: [
          { ...drain, role: 'giver' },
          { ...drain, role: 'giver', connections: null, initially: null },
          { ...drain, role: 'taker', connections: null, initially: null },
        ],
      }),
    );
    expect(shown).toContain('drain main  3 of 50 old connections are still here, over in 42s at the latest');
    expect(shown).toContain('drain main  old connections are being counted');
    expect(shown).toContain('drain main  connections of the peer are sent on to it, over in 42s');
  });

  it('tells every state of a backend', () => {
    const shown = text(
      withBackends(
        backendStatusOf('a', { health: 'down', eligible: false, lastCheck: 'HTTP 503' }),
        backendStatusOf('b', { ejected: true, eligible: false }),
        backendStatusOf('c', { admin: 'draining', eligible: false }),
        backendStatusOf('d', { backup: true, weight: 10, effectiveWeight: 2.5 }),
        backendStatusOf('e', { address: '10.0.0.9:1' }),
      ),
    );
    expect(shown).toMatch(/a +down +no .* HTTP 503$/m);
    expect(shown).toMatch(/b +up, ejected +no/);
    expect(shown).toMatch(/c +up, draining +no/);
    expect(shown).toMatch(/d +up, backup +yes +2\.5\/10/);
    expect(shown).toMatch(/e \(10\.0\.0\.9:1\) +up/);
  });

  it('never passes a stale state off as fresh', () => {
    const shown = text(withAgent({ agent: 'hung', ageMillis: 4_000 }));
    expect(shown).toContain('agent hung');
    expect(shown).toContain('stale: as last heard 4s ago');
    expect(text(withAgent({ stale: true, ageMillis: 700 }))).toContain('stale: as last heard 700ms ago');
  });

  it('shows rates between two readings', () => {
    const status = statusOf();
    const before = statusOf();
    before.services[0]!.accepted -= 100;
    const view = { style: styleOf(false), now: NOW, before: { status: before, seconds: 2 } };
    expect(renderStatus(status, view).join('\n')).toContain('12.3k accepted (50/s)');
  });

  it('shows the fullest limits and says how many it leaves out', () => {
    const limits = Array.from({ length: 12 }, (_, i) => ({
      name: 'backend-connections',
      subject: `web/b${i}`,
      used: i,
      max: 12,
    }));
    const shown = text(statusOf({ limits }));
    expect(shown).toContain('web/b11');
    expect(shown).not.toContain('web/b3 ');
    expect(shown).toContain('and 4 with less use');
  });

  it('copes with nothing at all', () => {
    expect(text(statusOf({ services: [], limits: [], failover: null })).split('\n')).toHaveLength(3);
  });
});

describe('verdictOf', () => {
  it('is 0 when all is well, with or without failover', () => {
    expect(verdictOf(statusOf())).toBe(0);
    expect(verdictOf(statusOf({ failover: null }))).toBe(0);
    expect(verdictOf(withAgent({ agent: 'starting' }))).toBe(0);
  });

  it('is 1 when a service has no eligible backend', () => {
    expect(verdictOf(withBackends(backendStatusOf('a', { eligible: false })))).toBe(1);
  });

  it.each(['dead', 'hung'] as const)('is 1 when the agent is %s', (agent) => {
    expect(verdictOf(withAgent({ agent }))).toBe(1);
  });
});
