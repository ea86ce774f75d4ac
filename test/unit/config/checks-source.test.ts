import { expect, test } from 'vitest';
import { load } from '../../support/config.ts';
import { backend, describeFaults, fault, inService, service, warned } from '../../support/config-faults.ts';

const virtual =
  '[failover]\ninterface = "eth0"\n[[failover.group]]\nvrid = 1\naddresses = ["10.0.0.100/24"]\n';

describeFaults('source', [
  fault('an empty pool', inService('source = []'), 'service[0].source', '[]', /is empty/, /"client"/),
  fault(
    'another word',
    inService('source = "kernel"'),
    'service[0].source',
    '"kernel"',
    /must be "client" or a list/,
    /10\.0\.1\.2/,
  ),
  fault(
    'a virtual address',
    `${service('source = ["10.0.0.100"]')}${backend()}${virtual}`,
    'service[0].source[0]',
    '"10.0.0.100"',
    /is a virtual address/,
    /keeps/,
  ),
  fault(
    'an address that is none, in its place',
    inService('source = ["127.0.0.1",\n  "127.0.0.999"]'),
    'service[0].source[1]',
    '"127.0.0.999"',
    /"127\.0\.0\.999" is not an IP address/,
    /10\.0\.0\.2/,
  ),
  fault(
    'what is no address, in its place',
    inService('source = ["127.0.0.1", 5]'),
    'service[0].source[1]',
    '5',
    /must be an address, not 5/,
    /"client"/,
  ),
  warned(
    'a pool without the family of a backend',
    `${service('source = ["127.0.0.1"]')}${backend('[2001:db8::11]:80')}`,
    'service[0].source',
    '["127.0.0.1"]',
    /no IPv6 address/,
    /add an IPv6/,
  ),
  fault(
    'the client with a relay that cannot',
    `[data_path]\nrelay = "node"\n${inService('source = "client"')}`,
    'service[0].source',
    '"client"',
    /native relay/,
    /remove relay/,
  ),
]);

test('both forms', () => {
  expect(load(inService('source = "client"')).services[0]?.source).toEqual({ kind: 'client' });
  const pool = load(inService('source = ["127.0.0.1", "::1"]')).services[0]?.source;
  expect(pool?.kind === 'pool' && pool.addresses.map(({ text }) => text)).toEqual(['127.0.0.1', '::1']);
});
