import { describe, expect, test } from 'vitest';
import { load, problemsOf } from '../../support/config.ts';

const withRoutes = (routes: string): string => `
[failover]
interface = "eth0"
[[failover.group]]
vrid = 51
addresses = ["10.0.0.100/24"]
routes = [${routes}]
`;

const routesOf = (text: string) => load(withRoutes(text)).failover?.groups[0]?.routes ?? [];

describe('routes of a failover group', () => {
  test("defaults: the main table, the interface that leads to the gateway, or the group's", () => {
    const [via, direct] = routesOf('{ to = "default", via = "10.0.0.1" }, { to = "10.9.0.0/16" }');
    expect(via).toMatchObject({
      to: { text: '0.0.0.0/0' },
      device: null,
      table: 254,
      metric: null,
      source: null,
    });
    expect(direct).toMatchObject({ to: { text: '10.9.0.0/16' }, via: null, device: 'eth0' });
    const [six] = routesOf('{ to = "default", via = "fe80::1", interface = "eth0" }');
    expect(six?.to.text).toBe('::/0');
  });

  test.each([
    ['{ to = "default" }', 'routes[0].to', '"default" of which family?'],
    ['{ to = "10.9.0.1/16" }', 'routes[0].to', 'has bits set behind its prefix'],
    ['{ to = "224.0.0.0/8" }', 'routes[0].to', 'is multicast'],
    ['{ to = "10.9.0.0/16", via = "2001:db8::1" }', 'routes[0].via', 'is not of the family of 10.9.0.0/16'],
    [
      '{ to = "10.9.0.0/16", source = "2001:db8::1" }',
      'routes[0].source',
      'is not of the family of 10.9.0.0/16',
    ],
    [
      '{ to = "2001:db8:9::/48", via = "fe80::1" }',
      'routes[0].via',
      'a link-local address needs its interface',
    ],
    [
      '{ to = "10.9.0.0/16", table = 255 }',
      'routes[0].table',
      "255 is the table of the host's own addresses",
    ],
    ['{ to = "10.9.0.0/16" }, { to = "10.9.0.0/16", via = "10.0.0.1" }', 'routes[1]', 'of an earlier route'],
    ['{ via = "10.0.0.1" }', 'routes[0].to', 'is missing'],
    ['{ to = "10.9.0.0/16", via = "10.0.0.100" }', 'routes[0].via', '10.0.0.100 is a virtual address'],
    ['{ to = "10.0.0.100/32" }', 'routes[0].to', '10.0.0.100 is a virtual address'],
    ['{ to = "10.9.0.0/16", via = "10.0.0.2" }', 'routes[0].via', "this host's own address, on eth0"],
    [
      '{ to = "10.9.0.0/16", interface = "eth9" }',
      'routes[0].interface',
      'this host has no interface "eth9"',
    ],
    ['{ to = "10.9.0.0/16", source = "10.0.0.3" }', 'routes[0].source', 'neither an address of this host'],
    ['{ to = "10.0.0.0/24", via = "10.0.0.1" }', 'routes[0].to', 'is the network of eth0 itself'],
  ])('%s', (text, path, message) => {
    const [problem] = problemsOf(withRoutes(text));
    expect(problem?.key).toContain(path);
    expect(problem?.message).toContain(message);
    expect(problem?.severity).toBe('error');
  });

  test.each([
    ['{ to = "10.9.0.0/16", via = "10.8.0.1" }', 'via', '10.8.0.1 is in no network of this host now'],
    [
      '{ to = "10.9.0.0/16", via = "10.8.0.1", interface = "eth0" }',
      'via',
      '10.8.0.1 is in no network of eth0 now',
    ],
    ['{ to = "10.0.0.0/24", via = "10.0.0.1", metric = 5 }', 'to', 'this one would not be used'],
    ['{ to = "2001:db8::/64", via = "2001:db8::1" }', 'to', 'this one would not be used'],
  ])('is worth a warning: %s', (text, key, message) => {
    const [problem, ...others] = problemsOf(withRoutes(text));
    expect(problem).toMatchObject({ severity: 'warning', key: `failover.group[0].routes[0].${key}` });
    expect(problem?.message).toContain(message);
    expect(others).toEqual([]);
  });

  test.each([
    '{ to = "10.0.0.0/24", via = "10.0.0.1", table = 100 }',
    '{ to = "2001:db8::/64", via = "2001:db8::1", metric = 10 }',
    '{ to = "10.0.0.0/25", via = "10.0.0.1" }',
    '{ to = "2001:db8:9::/48", via = "fe80::1", interface = "eth0" }',
    '{ to = "10.9.0.0/16", source = "10.0.0.2" }',
  ])('is right: %s', (text) => {
    expect(routesOf(text)).toHaveLength(1);
  });

  test('the interface of a virtual MAC address need not be there yet', () => {
    const text = withRoutes('{ to = "10.9.0.0/16", interface = "vrrp.51" }');
    expect(problemsOf(`${text}virtual_mac = true\n`)).toEqual([]);
    expect(problemsOf(text)[0]?.message).toContain('no interface "vrrp.51"');
  });

  test('what the host lacks is a warning for a reload', () => {
    const text = withRoutes('{ to = "10.9.0.0/16", interface = "eth9" }');
    expect(problemsOf(text, { hostFaults: 'warning' })).toMatchObject([{ severity: 'warning' }]);
  });
});

describe('addresses of a failover group', () => {
  const withAddresses = (addresses: string, excluded = ''): string =>
    `[failover]\ninterface = "eth0"\n[[failover.group]]\nvrid = 51\naddresses = [${addresses}]\nexcluded_addresses = [${excluded}]\n`;

  test('text, or a table with an interface', () => {
    const groups = load(withAddresses('"10.0.0.100/24", { address = "10.0.0.101/24", interface = "eth0" }'))
      .failover?.groups;
    expect(groups?.[0]?.addresses.map(({ text, device }) => [text, device])).toEqual([
      ['10.0.0.100/24', null],
      ['10.0.0.101/24', 'eth0'],
    ]);
  });

  test('an address is listed once, excluded or not', () => {
    const [problem] = problemsOf(withAddresses('"10.0.0.100/24"', '"10.0.0.100/32"'));
    expect(problem).toMatchObject({ message: '10.0.0.100 is a virtual address already' });
    expect(problem?.key).toContain('excluded_addresses[0]');
  });

  test.each([
    ['"10.0.0.100/24", "10.0.0.300/24"', 'addresses[1]', 'is not an IP address'],
    [
      '{ address = "10.0.0.100/24", interface = "eth9" }',
      'addresses[0].interface',
      'this host has no interface "eth9"',
    ],
    ['{ adress = "10.0.0.100/24" }', 'addresses[0]', 'unknown'],
    ['7', 'addresses[0]', 'must be text, not 7'],
  ])('%s', (text, path, message) => {
    const found = problemsOf(withAddresses(text)).find((problem) => problem.message.includes(message));
    expect(found?.key, JSON.stringify(problemsOf(withAddresses(text)))).toContain(path);
  });
});
