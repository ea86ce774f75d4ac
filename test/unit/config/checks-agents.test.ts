import { expect, test } from 'vitest';
import { formatEndpoint } from '../../../src/lib/ip.ts';
import { load } from '../../support/config.ts';
import { backend, describeFaults, fault, inService, service, warned } from '../../support/config-faults.ts';

const agents = (lines: string): string => `${service()}[service.agent_check]\n${lines}\n${backend()}`;

describeFaults('agent checks', [
  fault(
    'no port',
    agents('interval = "1s"'),
    'service[0].agent_check',
    '[service.agent_check]',
    /no port/,
    /port = /,
  ),
  fault(
    'a timeout beyond the interval',
    agents('port = 9777\ntimeout = "3s"'),
    'service[0].agent_check.timeout',
    '"3s"',
    /longer than the interval of 2s/,
    /"2s"/,
  ),
  fault(
    'a port out of range',
    agents('port = 70000'),
    'service[0].agent_check.port',
    '70000',
    /out of range/,
    /./,
  ),
  fault(
    'an address that is none',
    agents('port = 1\naddress = "agent"'),
    'service[0].agent_check.address',
    '"agent"',
    /./,
    /./,
  ),
  fault(
    'nothing to send',
    agents('port = 1\nsend = ""'),
    'service[0].agent_check.send',
    '""',
    /empty/,
    /remove/,
  ),
  warned(
    "the backend's own port",
    agents('port = 80'),
    'service[0].agent_check.port',
    '80',
    /where the backend itself serves/,
    /agent's port/,
  ),
]);

test('a backend goes before its service, key by key', () => {
  const text = `${service()}
[service.agent_check]
port = 9777
send = "all\\n"
interval = "5s"
${backend('10.0.1.11:80')}
${backend('10.0.1.12:80', '[service.backend.agent_check]\nport = 9778\naddress = "10.0.9.9"\nsend = "two"')}
${backend('10.0.1.13:80', 'agent_check = { enabled = false }')}`;
  const checks = load(text).services[0]?.backends.map(({ agentCheck }) => agentCheck);
  const shown = checks?.map((check) =>
    check === null ? null : [formatEndpoint(check.endpoint), check.send, check.interval, check.timeout],
  );
  expect(shown).toEqual([
    ['10.0.1.11:9777', 'all\n', 5_000_000, 5_000_000],
    ['10.0.9.9:9778', 'two', 5_000_000, 5_000_000],
    null,
  ]);
  expect(load(inService('')).services[0]?.backends[0]?.agentCheck).toBeNull();
});
