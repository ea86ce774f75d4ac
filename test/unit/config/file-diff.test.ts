import { describe, expect, test } from 'vitest';
import {
  describeFile,
  describeRestart,
  type KeyChange,
  type WrittenFile,
} from '../../../src/config/file-diff.ts';
import { parseFile } from '../../../src/config/load.ts';
import { backend, service, testHost } from '../../support/config.ts';

const written = (text: string): WrittenFile =>
  parseFile(text, '/etc/tandem/test.toml', { environment: testHost, hostFaults: 'warning' });

const changes = (before: string, after: string): KeyChange[] => describeFile(written(before), written(after));

/** "12 service[0].backend[0].weight: 1 -> 2 (service web, backend ...)" */
const lines = (found: readonly KeyChange[]): string[] =>
  found.map(
    ({ kind, line, key, before, after }) =>
      `${line ?? '-'} ${key}: ${kind} ${before ?? '-'} > ${after ?? '-'}`,
  );

const diff = (before: string, after: string): string[] => lines(changes(before, after));

const base = service() + backend('10.0.1.11:80') + backend('10.0.1.12:80', 'weight = 3');
const group = (extra = '', vrid = 51): string =>
  `[[failover.group]]\nvrid = ${vrid}\naddresses = ["10.0.0.${vrid + 50}/24"]\n${extra}\n`;

describe('the file against what runs', () => {
  test('the same text is no difference, nor are comments, order, spelling and defaults that are written out', () => {
    expect(diff(base, base)).toEqual([]);
    const spelled = base.replace('[[service]]', '# a comment\n[[service]]\nretries = 2\nslow_start = "0ms"');
    expect(diff(base, spelled)).toEqual([]);
    expect(diff(spelled, base)).toEqual([]);
  });

  test('a changed key: its line in the new file, and both values as they are written', () => {
    const after = `\n\n${base.replace('weight = 3', 'weight = 7')}`;
    const line = after.split('\n').indexOf('weight = 7') + 1;
    expect(changes(base, after)).toEqual([
      {
        kind: 'changed',
        subject: 'service web, backend 10.0.1.12:80',
        key: 'service[0].backend[1].weight',
        line,
        before: '3',
        after: '7',
        restart: false,
      },
    ]);
  });

  test('a key that is new has no value before; one that is gone the line of its table', () => {
    const timed = base.replace('[[service.backend]]', '[service.timeout]\nidle = "5s"\n[[service.backend]]');
    const line = timed.split('\n').indexOf('idle = "5s"') + 1;
    expect(diff(base, timed)).toEqual([`${line} service[0].timeout.idle: added - > "5s"`]);
    expect(diff(timed, base)).toEqual(['1 service[0].timeout.idle: removed "5s" > -']);
  });

  test("things that come and go, also in each other's place", () => {
    const other = service('', 'dns', '"10.0.0.100:53"') + backend('10.0.1.21:53');
    expect(diff(base, other)).toEqual([
      '- service[0]: removed name = "web" > -',
      '1 service[0]: added - > name = "dns"',
    ]);
    const moved = service() + backend('10.0.1.12:80', 'weight = 3') + backend('10.0.1.13:80', 'id = "new"');
    const line = moved.split('\n').indexOf('address = "10.0.1.13:80"');
    expect(diff(base, moved)).toEqual([
      '- service[0].backend[0]: removed address = "10.0.1.11:80" > -',
      `${line} service[0].backend[1]: added - > id = "new"`,
    ]);
  });

  test('a service that has moved in the file is compared with itself', () => {
    const other = service('', 'dns', '"10.0.0.100:53"') + backend('10.0.1.21:53');
    const after = other + base.replace('weight = 3', 'weight = 4');
    expect(diff(base + other, after)).toEqual([
      expect.stringMatching(/service\[1\]\.backend\[1\]\.weight: changed 3 > 4$/),
    ]);
  });

  test('listeners, rates with their burst, and lists as they are written', () => {
    const after = base.replace(
      'listen = ["10.0.0.100:80"]',
      'listen = ["10.0.0.100:81"]\nrate = "10/s"\nburst = 5',
    );
    expect(diff(base, after)).toEqual([
      expect.stringContaining('service[0].listen: changed ["10.0.0.100:80"] > ["10.0.0.100:81"]'),
      expect.stringContaining('service[0].rate: added - > "10/s"'),
      expect.stringContaining('service[0].burst: added - > 5'),
    ]);
  });

  test('backends in another order differ, without a value', () => {
    const after = service() + backend('10.0.1.12:80', 'weight = 3') + backend('10.0.1.11:80');
    expect(diff(base, after)).toEqual([expect.stringMatching(/^\d+ service\[0\]\.backend: changed - > -$/)]);
  });

  test('what groups take from [failover] is told once, where it is written', () => {
    const before = `[failover]\ninterface = "eth0"\npriority = 100\n${group()}${group('', 52)}`;
    expect(diff(before, before.replace('priority = 100', 'priority = 150'))).toEqual([
      '3 failover.priority: changed 100 > 150',
    ]);
  });

  test('what is written nowhere follows from something else', () => {
    const before = `[failover]\ninterface = "eth0"\n${group()}[[failover.track]]\nname = "t"\ntype = "file"\npath = "/x"\nweight = 5\n`;
    const after = before.replaceAll('"t"', '"u"');
    expect(diff(before, after)).toEqual([
      expect.stringMatching(/failover\.group\[0\]\.track: changed - > -$/),
      expect.stringMatching(/^- failover\.track\[0\]: removed name = "t" > -$/),
      expect.stringMatching(/failover\.track\[0\]: added - > name = "u"$/),
    ]);
  });

  test('a tracker says which of its keys changed, invert included', () => {
    const before = `[failover]\ninterface = "eth0"\n${group()}[[failover.track]]\nname = "t"\ntype = "script"\ncommand = ["/bin/true"]\nweight = 5\n`;
    const after = before.replace('["/bin/true"]', '["/bin/false"]\ninvert = true');
    expect(diff(before, after)).toEqual([
      expect.stringContaining('failover.track[0].command: changed ["/bin/true"] > ["/bin/false"]'),
      expect.stringContaining('failover.track[0].invert: added - > true'),
    ]);
  });

  test('secrets are not shown', () => {
    const with_ = (pass: string): string =>
      `[failover]\ninterface = "eth0"\n${group(`version = 2\nauth_pass = "${pass}"`).replace('"10.0.0.101/24"', '"10.0.0.101/24"')}`;
    const found = changes(with_('geheim1'), with_('geheim2'));
    expect(lines(found)).toEqual([
      expect.stringMatching(/failover\.group\[0\]\.auth_pass: changed \(not shown\) > \(not shown\)$/),
    ]);
    expect(JSON.stringify([changes(base, base + with_('geheim1')), found])).not.toContain('geheim');
  });

  test('what checks send is not shown, for it may be a password', () => {
    const with_ = (pass: string): string =>
      `[[service]]\nname = "r"\nlisten = ["127.0.0.1:1"]\nhealth = { type = "tcp", exchange = [{ send = "AUTH ${pass}\\r\\n", expect = "+OK" }] }\n[[service.backend]]\naddress = "127.0.0.2:1"\n`;
    const found = changes(with_('geheim1'), with_('geheim2'));
    expect(lines(found)).toEqual([expect.stringContaining('send = "(not shown)", expect = "+OK"')]);
    expect(JSON.stringify(found)).not.toContain('geheim');
  });

  test('failover switched on and off is one difference', () => {
    const on = `${base}[failover]\ninterface = "eth0"\n${group()}`;
    expect(diff(base, on)).toEqual([expect.stringMatching(/^\d+ failover: added - > -$/)]);
    expect(diff(on, base)).toEqual(['- failover: removed - > -']);
  });
});

describe('what needs a restart', () => {
  const all = (): boolean => true;

  test('is compared with what the daemon was started with, and is not among the rest', () => {
    const before = `[data_path]\nworkers = 2\n${base}`;
    const after = before.replace('workers = 2', 'workers = 4');
    expect(diff(before, after)).toEqual([]);
    const found = describeRestart(written(before), written(after), all);
    expect(lines(found)).toEqual(['2 data_path.workers: changed 2 > 4']);
    expect(found[0]?.restart).toBe(true);
    expect(describeRestart(written(after), written(after), all)).toEqual([]);
    expect(describeRestart(written(before), written(after), (key) => key.startsWith('failover.'))).toEqual(
      [],
    );
  });

  test('nested tables by their keys', () => {
    const before = `[failover]\ninterface = "eth0"\n[failover.peer]\naddress = "10.0.0.3"\nsecret_file = "/k"\n${group()}`;
    const found = describeRestart(written(before), written(before.replace('10.0.0.3', '10.0.0.4')), all);
    expect(lines(found)).toEqual(['4 failover.peer.address: changed "10.0.0.3" > "10.0.0.4"']);
  });
});
