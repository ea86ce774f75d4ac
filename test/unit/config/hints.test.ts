import { expect, test } from 'vitest';
import { backend, problemsOf } from '../../support/config.ts';
import { atTop, inGroup, inHealth, inService, inTable, service } from '../../support/config-faults.ts';

/** What people write who know other programs, or mean well: the hint says what would be right. */
const listening = (endpoint: string): string => service('', 'web', `"${endpoint}"`) + backend();

test.each([
  ['an algorithm of HAProxy', inService('schedule = "leastconn"'), /did you mean "least-connections"\?/],
  ['an algorithm of keepalived', inService('schedule = "wlc"'), /did you mean "least-connections"\?/],
  ['an algorithm in one word', inService('schedule = "roundrobin"'), /did you mean "round-robin"\?/],
  [
    'a schedule that is a number',
    inService('schedule = 5'),
    /write schedule = "least-connections", \[service/,
  ],
  ['capitals', inService('protocol = "TCP"'), /did you mean "tcp"\? It is one of "tcp", "udp"/],
  ['a level of syslog', atTop('[node]\nlog_level = "warning"'), /did you mean "warn"\?/],
  ['words for units', inTable('timeout', 'idle = "5 minutes"'), /one number and one unit: "5m"/],
  ['two units', inTable('timeout', 'idle = "1h30m"'), /one number and one unit: "90m"/],
  ['three units', inTable('timeout', 'idle = "1m 2s, 500ms"'), /one number and one unit: "62.5s"/],
  ['no unit at all', inTable('timeout', 'idle = "soon"'), /such as "2s"/],
  ['infinity', inTable('timeout', 'idle = inf'), /a unit \(us, ms, s, m, h or d\)$/],
  [
    'a range of ports',
    listening('10.0.0.100:80-81'),
    /each port by itself: "10\.0\.0\.100:80", "10\.0\.0\.100:81"/,
  ],
  ['a URL', listening('http://10.0.0.100:80/x'), /write "10\.0\.0\.100:80", without "http:\/\/"/],
  ['a prefix length before the port', listening('10.0.0.100/24:80'), /"10\.0\.0\.100:80", without "\/24"/],
  ['a path', listening('/run/web.sock'), /an address and a port/],
  ['a check in one word', inService('health = "tcp"'), /health = \{ type = "tcp" \}/],
  ['a status as text', inHealth('http', 'expect_status = "200"'), /expect_status = \[200\]/],
  ['a status alone', inHealth('http', 'expect_status = 200'), /expect_status = \[200\]/],
  ['uri', inHealth('http', 'uri = "/x"'), /did you mean "path"/],
  ['a check without a program', inHealth('exec', ''), /command = \["\/usr/],
  ["HAProxy's time-outs", inTable('timeout', 'server = "5s"'), /did you mean "idle"/],
  ['peers as a list', inGroup('unicast = ["10.0.0.3"]'), /unicast = \{ peers = \["10\.0\.0\.3"\] \}/],
  ['unicast_peer', inGroup('unicast_peer = ["10.0.0.3"]'), /write unicast = \{ peers/],
  ['nopreempt', inGroup('nopreempt = true'), /write preempt = false/],
  ['state', inGroup('state = "MASTER"'), /highest priority becomes active/],
  ['authentication', inGroup('authentication = {}'), /auth_pass/],
  ['notify_master', inGroup('notify_master = "/x"'), /did you mean "notify"/],
  ['a tracker alone', inGroup('track = "uplink"'), /track = \["uplink"\]/],
  ['a gateway', inGroup('routes = [{ to = "0.0.0.0/0", gateway = "10.0.0.1" }]'), /did you mean "via"/],
  ['global', atTop('[global]\nmaxconn = 5'), /are in \[limits\]/],
  ['virtual_server', atTop('[virtual_server]'), /did you mean "service"/],
  ['the file of keepalived', 'vrrp_instance VI_1 {\n  state MASTER\n}', /"tandem import keepalived\.conf"/],
  ['the file of HAProxy', 'frontend web\n  bind *:80', /"tandem import haproxy\.cfg"/],
  ['the file of nginx', 'stream {\n}', /\[\[service\]\] listens/],
  ['a comment of another format', '; text', /begins with "#"/],
  ['a semicolon', '[node]\nname = "a";', /remove the ";"/],
  ['yes', inGroup('preempt = yes'), /^write true or false$/],
  ['True', inService('redispatch = True'), /^write true or false$/],
  ['a table that has no end', `${service('queue = { max = 5')}[node]`, /line above has no end/],
  ['two brackets for one table', atTop('[[node]]\nname = "a"'), /write \[node\], with one bracket/],
  ['a port where there is none', inGroup('unicast = { peers = ["10.0.0.3:112"] }'), /alone: "10\.0\.0\.3"/],
  ['a method in small letters', inHealth('http', 'method = "head"'), /such as "HEAD"/],
  ['garp_master_delay', inGroup('garp_master_delay = 5'), /did you mean "announce"/],
  ['a version of PROXY that is none', inTable('proxy_protocol', 'send = "v3"'), /^write one of "v1", "v2"$/],
  ['typographic quotes', '[node]\nname = “a”', /straight quotes/],
])('%s', (_name, text, hint) => {
  const [problem, ...others] = problemsOf(text);
  expect(problem?.hint).toMatch(hint);
  expect(problem?.severity).toBe('error');
  expect(others).toEqual([]);
});

test('an address in two keys', () => {
  const [, host, port] = problemsOf(`${service()}[[service.backend]]\nhost = "10.0.1.11"\nport = 80\n`);
  expect([host?.hint, port?.hint]).toEqual(['did you mean "address"?', 'did you mean "address"?']);
});

test('a backend before its service', () => {
  const [problem] = problemsOf('[[service.backend]]\naddress = "10.0.1.11:80"\n[[service]]\nname = "web"\n');
  expect(problem).toMatchObject({ line: 3, key: 'service', message: 'is there already' });
  expect(problem?.hint).toMatch(/:1:1: write \[\[service\]\] first, and what belongs to it below/);
});
