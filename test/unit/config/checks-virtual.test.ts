import { expect, test } from 'vitest';
import { hostWith, load, problemsOf } from '../../support/config.ts';
import { backend, describeFaults, fault, inGroup, service, warned } from '../../support/config-faults.ts';

const group = '[failover]\ninterface = "eth0"\n[[failover.group]]\nvrid = 1\naddresses = ["10.0.0.100/24"]\n';
const another = '[[failover.group]]\nvrid = 2\naddresses = ["10.0.0.101/24"]\n';

describeFaults('unicast with a virtual address', [
  fault(
    'as a peer',
    inGroup('unicast = { peers = ["10.0.0.100"] }'),
    'failover.group[0].unicast.peers[0]',
    '"10.0.0.100"',
    /10\.0\.0\.100 is a virtual address: it moves between the nodes/,
    /other node's own address/,
  ),
  fault(
    'as the source',
    inGroup('unicast = { source = "10.0.0.100", peers = ["10.0.0.3"] }'),
    'failover.group[0].unicast.source',
    '"10.0.0.100"',
    /10\.0\.0\.100 is a virtual address/,
    /this node's own address/,
  ),
  fault(
    'of another group as a peer',
    inGroup('unicast = { peers = ["10.0.0.3", "10.0.0.101"] }') + another,
    'failover.group[0].unicast.peers[1]',
    '"10.0.0.101"',
    /10\.0\.0\.101 is a virtual address/,
    /other node's own address/,
  ),
]);

test('a virtual source is told once on the Active node too, which carries it', () => {
  const environment = hostWith({ eth0: ['10.0.0.2/24', '10.0.0.100/24'] });
  const text = inGroup('unicast = { source = "10.0.0.100", peers = ["10.0.0.3"] }');
  expect(problemsOf(text, { environment }).map(({ key }) => key)).toEqual([
    'failover.group[0].unicast.source',
  ]);
});

describeFaults('a backend at a virtual address', [
  warned(
    'where no service listens',
    service() + backend('10.0.0.100:8080') + group,
    'service[0].backend[0].address',
    '"10.0.0.100:8080"',
    /10\.0\.0\.100 is a virtual address of this file: it leads to whichever node is Active/,
    /address of a server/,
  ),
  warned(
    'where another service listens',
    service() + backend() + service('', 'b', '"10.0.0.9:81"') + backend('10.0.0.100:80') + group,
    'service[1].backend[0].address',
    '"10.0.0.100:80"',
    /virtual address/,
    /address of a server/,
  ),
  fault(
    'where its own service listens',
    service() + backend('10.0.0.100:80') + group,
    'service[0].backend[0].address',
    '"10.0.0.100:80"',
    /connect to itself/,
    /address of a server/,
  ),
  fault(
    'behind a wildcard on the same port, which the Active node has',
    service('', 'web', '"0.0.0.0:80"') + backend('10.0.0.100:80') + group,
    'service[0].backend[0].address',
    '"10.0.0.100:80"',
    /connect to itself/,
    /address of a server/,
  ),
]);

test.each([
  '10.0.0.1/24',
  '192.0.2.254/24',
  '10.0.1.0/16', // its host bits are 1.0
  '10.0.0.255/23',
  '192.0.2.0/31',
  '192.0.2.1/31',
  '192.0.2.0/32',
  '192.0.2.255/32',
  '2001:db8::/127',
  '2001:db8::/128',
  '2001:db8::ffff:ffff:ffff:ffff/64', // IPv6 has no broadcast
  '2001:db8::1/126',
])('%s is the address of a host', (address) => {
  const text = `${group.replace('10.0.0.100/24', address)}${service('', 'web', '"0.0.0.0:80", "[::]:80"')}${backend()}`;
  expect(load(text).failover?.groups[0]?.addresses[0]?.text).toBe(address);
});
