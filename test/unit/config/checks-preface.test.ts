import { expect, test } from 'vitest';
import { load } from '../../support/config.ts';
import {
  backend,
  describeFaults,
  fault,
  inService,
  inTable,
  service,
  warned,
} from '../../support/config-faults.ts';

const proxy = (lines: string): string => inTable('proxy_protocol', lines);
const route = (names: string, to: string): string => `[[service.sni]]\nnames = ${names}\nservice = "${to}"\n`;
const other = (extra = ''): string => service(extra, 'app', '"10.0.0.100:81"') + backend();

describeFaults('PROXY protocol', [
  fault(
    'nobody is trusted',
    proxy('accept = true'),
    'service[0].proxy_protocol.trusted',
    '[service.proxy_protocol]',
    /nobody may connect/,
    /trusted = \["10\.0\.0\.0\/24"\]/,
  ),
  warned(
    'trusted without accept',
    proxy('trusted = ["10.0.0.0/24"]'),
    'service[0].proxy_protocol.trusted',
    '["10.0.0.0/24"]',
    /no effect without accept/,
    /add that/,
  ),
  warned(
    'everybody is trusted',
    proxy('accept = true\ntrusted = ["10.0.0.0/24", "0.0.0.0/0"]'),
    'service[0].proxy_protocol.trusted[1]',
    '"0.0.0.0/0"',
    /may claim any client address/,
    /networks of the proxies/,
  ),
  fault(
    'a version that there is not',
    proxy('send = "v3"'),
    'service[0].proxy_protocol.send',
    '"v3"',
    /"v3" is not known here/,
    /"v2"/,
  ),
]);

describeFaults('routes by server name', [
  fault(
    'to nowhere',
    inService('') + route('["a.example.org"]', 'apq') + other(),
    'service[0].sni[0].service',
    '"apq"',
    /no service "apq"/,
    /there is "app"/,
  ),
  fault(
    'back',
    inService('') + route('["a.example.org"]', 'web'),
    'service[0].sni[0].service',
    '"web"',
    /leads back/,
    /remove the route/,
  ),
  fault(
    'to UDP',
    inService('') + route('["a.example.org"]', 'app') + other('protocol = "udp"'),
    'service[0].sni[0].service',
    '"app"',
    /is UDP/,
    /a TCP service/,
  ),
  fault(
    'twice',
    inService('') + route('["a.example.org", "A.example.org"]', 'app') + other(),
    'service[0].sni[0].names[1]',
    '"A.example.org"',
    /"a\.example\.org" has a route already/,
    /remove one/,
  ),
  fault(
    'for no name',
    inService('') + route('[]', 'app') + other(),
    'service[0].sni[0].names',
    '[]',
    /no name leads here/,
    /names = /,
  ),
  fault(
    'for what is no name',
    inService('') + route('["*.*.org"]', 'app') + other(),
    'service[0].sni[0].names[0]',
    '"*.*.org"',
    /not a server name/,
    /"\*\.example\.org"/,
  ),
  fault(
    'on a chain',
    inService('') +
      route('["a.example.org"]', 'app') +
      other() +
      route('["b.example.org"]', 'last') +
      service('', 'last', '"10.0.0.100:82"') +
      backend(),
    'service[0].sni[0].service',
    '"app"',
    /routes of its own/,
    /serves the client in the end/,
  ),
]);

test('a service that is routed to need not listen, and one that routes needs no backend', () => {
  const text = `${service()}${route('["a.example.org"]', 'app')}[[service]]\nname = "app"\n${backend()}`;
  const [web, app] = load(text).services;
  expect(web?.sni).toEqual([{ names: ['a.example.org'], service: 'app' }]);
  expect(web?.backends).toEqual([]);
  expect(app?.listen).toEqual([]);
});

test('health checks send what clients send, but for a port of their own', () => {
  const probes = ['', 'port = 81\n', 'port = 81\nsend_proxy = true\n', 'send_proxy = false\n'].map(
    (lines) => {
      const text = inTable('proxy_protocol', `send = "v2"\n[service.health]\ntype = "tcp"\n${lines}`);
      const probe = load(text).services[0]?.health?.probe;
      return probe?.type === 'tcp' ? probe.sendProxy : undefined;
    },
  );
  expect(probes).toEqual([2, null, 2, null]);
});
