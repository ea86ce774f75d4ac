import { expect, test } from 'vitest';
import {
  atTop,
  backend,
  describeFaults,
  fault,
  inBackend,
  inGroup,
  inHealth,
  inService,
  inTable,
  problemsOf,
  service,
} from '../../support/config-faults.ts';

describeFaults('unknown keys', [
  fault(
    'a slip of the pen',
    inService('max_conections = 5'),
    'service[0].max_conections',
    'max_conections',
    /^unknown key$/,
    /did you mean "max_connections"\?/,
  ),
  fault(
    'a hyphen',
    inService('on-limit = "wait"'),
    'service[0].on-limit',
    'on-limit',
    /^unknown key$/,
    /"on_limit"/,
  ),
  fault(
    'camel case',
    inService('slowStart = "1s"'),
    'service[0].slowStart',
    'slowStart',
    /^unknown key$/,
    /"slow_start"/,
  ),
  fault(
    "HAProxy's word",
    inService('balance = "first"'),
    'service[0].balance',
    'balance',
    /^unknown key$/,
    /"schedule"/,
  ),
  fault(
    "keepalived's word",
    inGroup('virtual_router_id = 5'),
    'failover.group[0].virtual_router_id',
    'virtual_router_id',
    /^unknown key$/,
    /"vrid"/,
  ),
  fault(
    'a key of a table below',
    inService('idle = "1s"'),
    'service[0].idle',
    'idle',
    /^unknown key$/,
    /belongs in \[service\.timeout\]/,
  ),
  fault(
    'a key of the top',
    inTable('timeout', 'drain_timeout = "1s"'),
    'service[0].timeout.drain_timeout',
    'drain_timeout',
    /^unknown key$/,
    /top of the file/,
  ),
  fault('a table at the top', atTop('[servic]'), 'servic', '[servic]', /^unknown key$/, /"service"/),
  fault(
    'nothing like it',
    atTop('zzzzzzzz = 1'),
    'zzzzzzzz',
    'zzzzzzzz',
    /^unknown key$/,
    /known here: admin, .*service/,
  ),
  fault(
    'a key of another health type',
    inHealth('tcp', 'expect_json = { "/a" = 1 }'),
    'service[0].health.expect_json',
    'expect_json',
    /^unknown key$/,
    /belongs to type = "http"/,
  ),
  fault(
    'a key of a step, outside of one',
    inHealth('tcp', 'send = "a"'),
    'service[0].health.send',
    'send',
    /^unknown key$/,
    /as a step: exchange = \[/,
  ),
  fault(
    "another program's word in a step",
    inHealth('tcp', 'exchange = [{ receive = "a", send = "b" }]'),
    'service[0].health.exchange[0].receive',
    'receive',
    /^unknown key$/,
    /"expect"/,
  ),
  fault(
    'a key of two other health types',
    inHealth('exec', 'command = ["/a"]\nquery = "a"'),
    'service[0].health.query',
    'query',
    /^unknown key$/,
    /belongs to type = "dns"/,
  ),
  fault(
    'a quoted key',
    inService('"max connections" = 5'),
    'service[0]."max connections"',
    '"max connections"',
    /^unknown key$/,
    /"max_connections"/,
  ),
]);

describeFaults('wrong types', [
  fault(
    'text for a number',
    inService('retries = "2"'),
    'service[0].retries',
    '"2"',
    /must be a number, not the text "2"/,
    /from 0 to 100, without quotes/,
  ),
  fault(
    'a number for text',
    inService('id = 1').replace('id =', 'on_down ='),
    'service[0].on_down',
    '1',
    /must be text, not 1/,
    /"keep", "close"/,
  ),
  fault(
    'text for a flag',
    inService('redispatch = "yes"'),
    'service[0].redispatch',
    '"yes"',
    /must be true or false/,
    /without quotes/,
  ),
  fault(
    'text for a list',
    inService('allow = "10.0.0.0/8"'),
    'service[0].allow',
    '"10.0.0.0/8"',
    /must be a list, not the text/,
    /allow = \["10\.0\.0\.0\/8"\]/,
  ),
  fault(
    'a value for a table',
    inService('queue = 5'),
    'service[0].queue',
    '5',
    /must be a table, not 5/,
    /\[service\.queue\]/,
  ),
  fault(
    'a table for a list of tables',
    '[service]\nname = "a"\n',
    'service',
    '[service]',
    /must be a list, not a table/,
    /\[\[service\]\], with two brackets/,
  ),
  fault(
    'a table for a list of routes by server name',
    inService('sni = { names = ["a.example.org"] }'),
    'service[0].sni',
    '{',
    /must be a list, not a table/,
    /\[\[service\.sni\]\], with two brackets/,
  ),
  fault(
    'text for a route',
    inGroup('routes = ["10.9.0.0/16 via 10.0.0.1"]'),
    'failover.group[0].routes[0]',
    '"10.9',
    /must be a table, not the text/,
    /^write \[\[failover\.group\.routes\]\] or routes = \[\{ \.\.\. \}\]$/,
  ),
  fault(
    'text for a switch that may be a table',
    inGroup('virtual_mac = "yes"'),
    'failover.group[0].virtual_mac',
    '"yes"',
    /must be a table, not the text "yes"/,
    /write true, false, \[failover\.group\.virtual_mac\] or/,
  ),
  fault(
    'a key of another type, close to one of this',
    `${inGroup('')}[failover.witness]\ntype = "icmp"\ntarget = "10.0.0.254"\npolicy = "stay"\ninterface = "eth0"\n`,
    'failover.witness.interface',
    'interface',
    /^unknown key$/,
    /"interface" belongs to type = "arp"/,
  ),
  fault(
    'an unknown type',
    `${inGroup('')}[failover.witness]\ntype = "ping"\n`,
    'failover.witness.type',
    '"ping"',
    /^"ping" is not known here$/,
    /"arp", "icmp", "http"/,
  ),
  fault(
    'a date',
    inService('slow_start = 2020-01-01T00:00:00Z'),
    'service[0].slow_start',
    '2020',
    /must be text, not a date/,
    /in quotes|write a duration/,
  ),
  fault(
    'a fraction',
    inService('backlog = 1.5'),
    'service[0].backlog',
    '1.5',
    /not a whole number/,
    /from 1 to 65535/,
  ),
  fault(
    'nan',
    inService('backlog = nan'),
    'service[0].backlog',
    'nan',
    /NaN is not a whole number/,
    /from 1/,
  ),
]);

describeFaults('missing keys', [
  fault(
    'a service without a name',
    `[[service]]\nlisten = ["10.0.0.1:80"]\n${backend()}`,
    'service[0].name',
    '[[service]]',
    /^is missing$/,
    /write a name/,
  ),
  fault(
    'a backend without an address',
    `${service()}[[service.backend]]\nweight = 1\n`,
    'service[0].backend[0].address',
    '[[service.backend]]',
    /^is missing$/,
    /"10\.0\.1\.11:8080"/,
  ),
  fault(
    'a group without a VRID',
    inGroup('').replace('vrid = 1\n', ''),
    'failover.group[0].vrid',
    '[[failover.group]]',
    /^is missing$/,
    /from 1 to 255/,
  ),
  fault(
    'a health check without a type',
    inTable('health', 'rise = 1'),
    'service[0].health.type',
    '[service.health]',
    /^is missing$/,
    /"tcp", "http"/,
  ),
  fault(
    'a UDP check without a payload',
    inHealth('udp', ''),
    'service[0].health.send',
    '[service.health]',
    /^is missing$/,
    /text, or "hex:"/,
  ),
  fault(
    'an exec check without a command',
    inHealth('exec', ''),
    'service[0].health.command',
    '[service.health]',
    /is missing/,
    /command = \[/,
  ),
  fault(
    'a DNS check without a name',
    inHealth('dns', ''),
    'service[0].health.query',
    '[service.health]',
    /^is missing$/,
    /DNS name/,
  ),
]);

test('the base of these cases is itself right', () => {
  for (const text of [inService(''), inBackend(''), inGroup(''), inHealth('tcp', ''), inTable('queue', '')]) {
    expect(problemsOf(text)).toEqual([]);
  }
});

test('all problems are told at once, in the order of the file', () => {
  const text = `drain_timeout = 5\n${service('retries = "x"\nzzz = 1')}${backend('nowhere:80')}[failover]\n`;
  expect(problemsOf(text).map((problem) => [problem.line, problem.key])).toEqual([
    [1, 'drain_timeout'],
    [5, 'service[0].retries'],
    [6, 'service[0].zzz'],
    [8, 'service[0].backend[0].address'],
  ]);
});

test('problems of meaning are found beside problems of form', () => {
  const text = `drain_timeout = 5\n${service()}${backend()}${service('', 'web', '"10.0.0.100:81"')}${backend()}`;
  expect(problemsOf(text).map((problem) => problem.key)).toEqual(['drain_timeout', 'service[1].name']);
});

test('what follows from a faulty value is not told as well', () => {
  // without its only, faulty, listener the service would seem to have none
  const text = service('', 'web', '"10.0.0.100"') + backend();
  expect(problemsOf(text).map((problem) => problem.key)).toEqual(['service[0].listen[0]']);
});
