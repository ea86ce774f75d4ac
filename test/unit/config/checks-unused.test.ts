import { expect, test } from 'vitest';
import { load, problemsOf } from '../../support/config.ts';
import { backend, describeFaults, inService, inTable, service, warned } from '../../support/config-faults.ts';

const inUdp = (lines: string): string => inService(`protocol = "udp"\n${lines}`);

const TCP_ONLY = [
  'on_limit = "reject"',
  'on_down = "close"',
  'retries = 1',
  'redispatch = false',
  'no_delay = true',
  'keep_alive = false',
  'backlog = 100',
  'queue = { max = 5 }',
];

describeFaults('keys of TCP in a UDP service', [
  ...TCP_ONLY.map((line) => {
    const key = line.slice(0, line.indexOf(' '));
    const words = /has no effect: it is for TCP, and this service is UDP/;
    return warned(line, inUdp(line), `service[0].${key}`, key, words, /remove it/);
  }),
  ...['connect', 'idle', 'fin'].map((key) =>
    warned(
      `timeout.${key}`,
      inTable('timeout', `${key} = "5s"`).replace('name = "web"', 'name = "web"\nprotocol = "udp"'),
      `service[0].timeout.${key}`,
      key,
      /has no effect: it is for TCP/,
      /timeout\.session/,
    ),
  ),
]);

describeFaults('keys of UDP in a TCP service', [
  warned(
    'timeout.session',
    inTable('timeout', 'session = "10s"'),
    'service[0].timeout.session',
    'session',
    /has no effect: it is for UDP, and this service is TCP/,
    /timeout\.idle/,
  ),
  warned(
    'timeout.session, where the protocol is written and another service comes first',
    inUdp('') + service('protocol = "tcp"\ntimeout.session = "10s"', 'b', '"10.0.0.100:81"') + backend(),
    'service[1].timeout.session',
    'timeout.session',
    /it is for UDP/,
    /remove it/,
  ),
]);

test('keys of the own protocol, and defaults, are no matter', () => {
  expect(load(inService(TCP_ONLY.join('\n'))).services).toHaveLength(1);
  expect(load(inService('timeout = { connect = "1s", idle = "1s", fin = "1s" }')).services).toHaveLength(1);
  expect(load(inUdp('timeout.session = "1s"')).services).toHaveLength(1);
  expect(load(inUdp('timeout = {}')).services).toHaveLength(1);
});

test('with a protocol that nobody knows, nothing is said about its keys', () => {
  const problems = problemsOf(inService('protocol = "sctp"\ntimeout.session = "1s"\non_limit = "wait"'));
  expect(problems.map(({ key }) => key)).toEqual(['service[0].protocol']);
});

test('a value that is wrong is told once', () => {
  expect(problemsOf(inUdp('backlog = "many"')).map(({ key }) => key)).toEqual(['service[0].backlog']);
});
