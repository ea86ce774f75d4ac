import { describe, expect, test } from 'vitest';
import { type ConfigDiff, describeDiff, diffConfig, isEmptyDiff } from '../../../src/config/diff.ts';
import { formatEndpoint } from '../../../src/lib/ip.ts';
import { backend, load, service } from '../../support/config.ts';

const diff = (before: string, after: string): ConfigDiff => {
  const warnings: never[] = [];
  return diffConfig(load(before, { warnings }), load(after, { warnings }));
};

const group = (vrid: number, address: string, extra = ''): string =>
  `[[failover.group]]\nvrid = ${vrid}\naddresses = ["${address}/24"]\n${extra}\n`;
const failover = (...groups: string[]): string => `[failover]\ninterface = "eth0"\n${groups.join('')}`;

const base = service() + backend('10.0.1.11:80') + backend('10.0.1.12:80');

describe('services', () => {
  test('the same configuration read twice does not differ', () => {
    const text = base + failover(group(1, '10.0.0.100'));
    const none = diff(text, text);
    expect(isEmptyDiff(none)).toBe(true);
    expect(describeDiff(none)).toEqual([]);
  });

  test('neither comments, order of services nor spelling of an address make a difference', () => {
    const other = service('', 'b', '"[2001:db8::5]:80"') + backend();
    const respelled = `# hello\n${other.replace('2001:db8::5', '2001:DB8:0:0::5')}${base}`;
    expect(isEmptyDiff(diff(base + other, respelled))).toBe(true);
  });

  test('added and removed', () => {
    const other = service('', 'b', '"10.0.0.100:81"') + backend();
    const { services } = diff(base, other);
    expect(services.added.map(({ name }) => name)).toEqual(['b']);
    expect(services.removed.map(({ name }) => name)).toEqual(['web']);
    expect(services.changed).toEqual([]);
  });

  test('another protocol is another service', () => {
    const { services } = diff(base, base.replace('name = "web"', 'name = "web"\nprotocol = "udp"'));
    expect([services.added.length, services.removed.length, services.changed.length]).toEqual([1, 1, 0]);
  });

  test('listeners opened and closed; the others are not named', () => {
    const before = service('', 'web', '"10.0.0.1:80", "10.0.0.2:80"') + backend();
    const after = service('', 'web', '"10.0.0.3:80", "10.0.0.1:80"') + backend();
    const [change] = diff(before, after).services.changed;
    expect(change?.opened.map(formatEndpoint)).toEqual(['10.0.0.3:80']);
    expect(change?.closed.map(formatEndpoint)).toEqual(['10.0.0.2:80']);
    expect(change?.settings).toEqual([]);
  });

  test('backends added, removed and changed', () => {
    const before =
      service() + backend('10.0.1.1:80') + backend('10.0.1.2:80', 'weight = 3') + backend('10.0.1.3:80');
    const after =
      service() +
      backend('10.0.1.2:80', 'max_connections = 9') +
      backend('10.0.1.3:80') +
      backend('10.0.1.4:80');
    const [change] = diff(before, after).services.changed;
    expect(change?.backends.added.map(({ id }) => id)).toEqual(['10.0.1.4:80']);
    expect(change?.backends.removed.map(({ id }) => id)).toEqual(['10.0.1.1:80']);
    expect(change?.backends.changed.map(({ after: { id }, settings }) => [id, settings])).toEqual([
      ['10.0.1.2:80', ['weight', 'max_connections']],
    ]);
    expect(change?.settings).toEqual([]);
  });

  test('a backend that keeps its id and moves', () => {
    const before = service() + backend('10.0.1.1:80', 'id = "a"');
    const [change] = diff(before, service() + backend('10.0.1.9:80', 'id = "a"')).services.changed;
    expect(change?.backends.changed[0]?.settings).toEqual(['address']);
  });

  test('another order of backends', () => {
    const after = service() + backend('10.0.1.12:80') + backend('10.0.1.11:80');
    expect(diff(base, after).services.changed[0]?.settings).toEqual(['backend_order']);
  });

  test.each([
    ['schedule', 'schedule = "first"'],
    ['none_eligible', 'none_eligible = "fail-open"'],
    ['max_connections', 'max_connections = 5'],
    ['on_limit', 'on_limit = "reject"'],
    ['rate', 'rate = "5/s"'],
    ['source_limit', 'source_limit.max_connections = 5'],
    ['allow', 'allow = ["10.0.0.0/8"]'],
    ['deny', 'deny = ["10.0.0.0/8"]'],
    ['queue', 'queue.max = 5'],
    ['timeout', 'timeout.idle = "5s"'],
    ['retries', 'retries = 5'],
    ['redispatch', 'redispatch = false'],
    ['no_delay', 'no_delay = false'],
    ['keep_alive', 'keep_alive = false'],
    ['backlog', 'backlog = 5'],
    ['health', 'health.type = "tcp"'],
    ['passive', 'passive.failures = 9'],
    ['slow_start', 'slow_start = "5s"'],
    ['on_down', 'on_down = "close"'],
  ])('the setting %s', (key, line) => {
    const [change] = diff(base, base.replace('name = "web"', `name = "web"\n${line}`)).services.changed;
    expect(change?.settings).toEqual([key]);
  });
});

describe('failover', () => {
  test('comes and goes', () => {
    const on = diff(base, base + failover(group(1, '10.0.0.100')));
    expect([on.failover?.before, on.failover?.groups.added.length]).toEqual([null, 1]);
    expect(describeDiff(on)).toEqual(['failover switched on']);
    const off = diff(base + failover(group(1, '10.0.0.100')), base);
    expect([off.failover?.after, off.failover?.groups.removed.length]).toEqual([null, 1]);
    expect(describeDiff(off)).toEqual(['failover switched off']);
    expect(off.restart).toEqual([]);
  });

  test('groups added, removed and changed', () => {
    const before = failover(group(1, '10.0.0.100'), group(2, '10.0.0.101'));
    const after = failover(group(2, '10.0.0.102', 'priority = 9'), group(3, '10.0.0.103'));
    const groups = diff(before, after).failover?.groups;
    expect(groups?.added.map(({ name }) => name)).toEqual(['vrid-3']);
    expect(groups?.removed.map(({ name }) => name)).toEqual(['vrid-1']);
    expect(groups?.changed.map(({ settings }) => settings)).toEqual([['priority', 'addresses']]);
  });

  test('a secret is named, not shown', () => {
    const secret = (word: string): string =>
      failover(group(1, '10.0.0.100', `version = 2\nauth_pass = "${word}"`));
    const text = describeDiff(diff(secret('hunter1'), secret('hunter2'))).join('\n');
    expect(text).toBe('failover group vrid-1: auth_pass changed');
  });
});

describe('the daemon', () => {
  test('settings that apply at once', () => {
    const after = `drain_timeout = "5s"\nnode.log_level = "debug"\nlimits = { max_connections = 5, warn_at = "5%", fd_reserve = 50 }\n${base}`;
    expect(diff(base, after).settings).toEqual([
      'node.log_level',
      'limits.max_connections',
      'limits.warn_at',
      'limits.fd_reserve',
      'drain_timeout',
    ]);
  });

  test('settings that need a restart', () => {
    const agent = (priority: number): string =>
      failover(group(1, '10.0.0.100')).replace('[failover]', `[failover]\nrealtime_priority = ${priority}`);
    const dataPath = 'data_path = { workers = 3, relay = "node" }';
    const after = `node.name = "x"\nadmin = { socket = "/x", group = "adm" }\nmetrics = {}\n${dataPath}\n${base}${agent(1)}`;
    const { restart } = diff(base + agent(2), after);
    expect(restart).toEqual([
      'node.name',
      'data_path.workers',
      'data_path.relay',
      'admin.socket',
      'admin.group',
      'metrics.listen',
      'failover.realtime_priority',
    ]);
    expect(describeDiff(diff(base, `node.name = "x"\n${base}`))).toEqual([
      'node.name changed: it needs a restart and stays as it was until then',
    ]);
  });
});

test('the sentences follow the file', () => {
  const before =
    service('', 'a', '"10.0.0.1:80"') +
    backend('10.0.1.1:80') +
    service('', 'gone', '"10.0.0.9:80"') +
    backend();
  const after =
    service('retries = 9', 'a', '"10.0.0.2:80"') +
    backend('10.0.1.2:80') +
    service('', 'new', '"10.0.0.8:80"') +
    backend();
  expect(describeDiff(diff(before, after))).toEqual([
    'service gone removed',
    'service new added',
    'service a stops listening on 10.0.0.1:80',
    'service a listens on 10.0.0.2:80',
    'service a: backend 10.0.1.1:80 removed',
    'service a: backend 10.0.1.2:80 added',
    'service a: retries changed',
  ]);
});
