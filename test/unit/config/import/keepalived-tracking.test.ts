import { describe, expect, test } from 'vitest';
import { commandOf, splitCommand } from '../../../../src/config/import/keepalived/command.ts';
import { millis, seconds } from '../../../../src/lib/duration.ts';
import { configOf, importText, lost, told } from '../../../support/keepalived-import.ts';

const instance = (lines: string, name = 'VI', vrid = 51): string =>
  `vrrp_instance ${name} {\ninterface eth0\nvirtual_router_id ${vrid}\nvirtual_ipaddress {\n10.0.0.${vrid}/24\n}\n${lines}\n}\n`;
const script = (lines: string, name = 'chk'): string =>
  `vrrp_script ${name} {\nscript "/bin/check"\n${lines}\n}\n`;
const tracking = (kind: string, line: string): string => `track_${kind} {\n${line}\n}`;
const failoverOf = (text: string) => configOf(importText(text)).failover;
const trackOf = (text: string) => failoverOf(text)?.tracks[0];

describe('command lines are divided as keepalived does', () => {
  test.each<[string, string[] | undefined]>([
    ['/bin/a  -x\tb', ['/bin/a', '-x', 'b']],
    [`/bin/a 'two words' "it's" a"b c"d`, ['/bin/a', 'two words', "it's", 'ab cd']],
    [`/bin/a '' \\"x\\" "\\x41\\101"`, ['/bin/a', '', '"x"', 'AA']],
    ["/bin/a 'open", undefined],
    ['/bin/a \\', undefined],
    ['   ', []],
  ])('%j', (line, words) => {
    expect(splitCommand(line)).toEqual(words);
  });

  test.each<[string, readonly string[] | null]>([
    ['/usr/bin/pgrep -x haproxy', ['/usr/bin/pgrep', '-x', 'haproxy']],
    ['killall -0 haproxy', ['/usr/bin/env', 'killall', '-0', 'haproxy']],
    ['</dev/tcp/127.0.0.1/80', ['/bin/bash', '-c', '< "$0"', '/dev/tcp/127.0.0.1/80']],
    ['</run/haproxy.pid', ['/bin/sh', '-c', '< "$0"', '/run/haproxy.pid']],
    ['A=1 b', null],
    ['./check', null],
    ['-x', null],
    ['', null],
    ['/bin/a \\0', null],
    ['"unclosed', null],
  ])('%j', (line, words) => {
    const command = commandOf(line);
    expect('fault' in command ? null : command.words).toEqual(words);
  });
});

describe('trackers', () => {
  test('a script with all it has, in the words of both', () => {
    const text =
      script('interval 5\ntimeout 3\nweight -20\nrise 2\nfall 3') + instance(tracking('script', 'chk'));
    expect(failoverOf(text)?.groups[0]?.track).toEqual(['chk']);
    expect(trackOf(text)).toEqual({
      name: 'chk',
      check: { type: 'script', command: ['/bin/check'], timeout: seconds(3) },
      interval: seconds(5),
      rise: 2,
      fall: 3,
      weight: -20,
      invert: false,
    });
  });

  test("keepalived's defaults are not Tandem's, and are written", () => {
    expect(trackOf(script('') + instance(tracking('script', 'chk')))).toMatchObject({
      check: { timeout: seconds(1) },
      interval: seconds(1),
      rise: 1,
      fall: 1,
      weight: 0,
    });
  });

  test('reverse turns the look round, and rise and fall with it', () => {
    const text = script('weight 30\nrise 2\nfall 3') + instance(tracking('script', 'chk weight 30 reverse'));
    // keepalived: 30 less while the script succeeds
    expect(trackOf(text)).toMatchObject({ weight: -30, invert: true, rise: 3, fall: 2 });
    const fault = script('weight 0 reverse') + instance(tracking('script', 'chk'));
    expect(trackOf(fault)).toMatchObject({ weight: 0, invert: true });
    const back = script('weight -7 reverse') + instance(tracking('script', 'chk weight -7 noreverse'));
    expect(trackOf(back)).toMatchObject({ weight: -7, invert: false });
  });

  test('uses with weights of their own are trackers of their own; groups name theirs', () => {
    const text =
      script('weight -20') +
      instance(tracking('script', 'chk')) +
      instance(tracking('script', 'chk weight -5'), 'V2', 52) +
      instance(tracking('script', 'chk weight -20'), 'V3', 53) +
      instance('', 'V4', 54);
    const failover = failoverOf(text);
    expect(failover?.tracks.map(({ name, weight }) => [name, weight])).toEqual([
      ['chk', -20],
      ['chk-2', -5],
    ]);
    expect(failover?.groups.map(({ track }) => track)).toEqual([['chk'], ['chk-2'], ['chk'], []]);
  });

  test('interfaces, their own one excepted, with the delays of the link', () => {
    const text = `interface_up_down_delays {\neth1 0.5 2\neth0 1\neth9 1\n}\n${instance(
      tracking('interface', 'eth0\neth1 weight -15\neth2'),
    )}`;
    const failover = failoverOf(text);
    expect(failover?.tracks.map(({ name, rise, fall, weight }) => [name, rise, fall, weight])).toEqual([
      ['eth1', 21, 6, -15],
      ['eth2', 1, 1, 0],
    ]);
    expect(failover?.tracks[0]).toMatchObject({ interval: millis(100), check: { interface: 'eth1' } });
    const result = importText(text);
    expect(told(result, 'eth0')).toEqual([
      expect.stringMatching(/^missing: a group gives up at once/),
      expect.stringMatching(/^needless: .*own interface/),
    ]);
    expect(told(result, 'eth9')[0]).toMatch(/^needless/);
  });

  const process = (lines: string): string =>
    `vrrp_track_process p {\n${lines}\n}\n${instance(tracking('process', 'p'))}`;
  test.each<[string, object, object]>([
    ['process haproxy', { process: 'haproxy', match: 'name', count: 1 }, { rise: 1, fall: 1, weight: 0 }],
    ['process haproxy\nquorum 2', { count: 2 }, {}],
    ['process "a b" x "y z"', { process: 'a b x y z', match: 'command' }, {}],
    ['process /usr/sbin/named\nparam_match', { process: '/usr/sbin/named', match: 'command' }, {}],
    ['process haproxy\nweight 10\nquorum_max 0', { count: 1 }, { weight: 10, invert: true }],
    ['process haproxy\ndelay 3\nfork_delay 2', {}, { rise: 3, fall: 4 }],
    [
      'process /usr/sbin/haproxy\nfull_command',
      { type: 'script', command: ['/usr/bin/pgrep', '--full', '^/usr/sbin/haproxy( |$)'] },
      {},
    ],
    [
      'process java -jar a.b\nparam_match initial',
      { command: ['/usr/bin/pgrep', '--full', '^java -jar a\\.b'] },
      {},
    ],
  ])('%j', (lines, check, rest) => {
    expect(trackOf(process(lines))).toMatchObject({ check, ...rest });
  });

  test('processes that Tandem cannot count are left out, and told', () => {
    const result = importText(process('process haproxy\nfull_command\nquorum 2'));
    expect(configOf(result).failover?.tracks).toEqual([]);
    expect(told(result, 'vrrp_track_process')[0]).toMatch(/^missing: left out/);
    expect(told(result, 'p')[0]).toMatch(/^missing: left out: see line 1/);
    expect(told(importText(process('process x\nquorum_max 3')), 'quorum_max')[0]).toMatch(/^missing/);
  });

  test('what is too long, or too much, is left out and told', () => {
    const long = importText(process(`process ${'x'.repeat(5_000)} a`));
    expect([long.faults, long.complete]).toEqual([[], false]);
    const many = Array.from({ length: 1_200 }, (_, i) => `e${i}`).join('\n');
    const result = importText(instance(tracking('interface', many)));
    expect(configOf(result).failover?.tracks).toHaveLength(1_000);
    expect(lost(result)).toHaveLength(200);
    expect(commandOf(`/bin/x ${'a '.repeat(10_000)}`)).toMatchObject({
      fault: expect.stringMatching(/longer/),
    });
  });

  const file = (lines: string, use = 'f'): string =>
    `track_file f {\nfile /run/f\n${lines}\n}\n${instance(tracking('file', use))}`;
  test('files: once by default, negated by reverse', () => {
    expect(trackOf(file(''))).toMatchObject({ check: { type: 'file', path: '/run/f' }, weight: 1, rise: 1 });
    expect(trackOf(file('weight 3 reverse'))).toMatchObject({ weight: -3, invert: false });
    expect(told(importText(file('init_file 7')), 'init_file')[0]).toMatch(/^missing: .*ExecStartPre/);
    expect(told(importText(file('init_file')), 'init_file')[0]).toMatch(/^carried/);
    const zero = importText(file('', 'f weight 0 reverse'));
    expect(configOf(zero).failover?.tracks).toEqual([]);
    expect(told(zero, 'f')[0]).toMatch(/^missing: left out/);
  });

  test('what keepalived ignores is told: unknown, unused, named twice, further down', () => {
    const unknown = importText(instance(tracking('script', 'nobody')));
    expect(told(unknown, 'nobody')[0]).toMatch(/^missing: left out: there is no vrrp_script/);
    const unused = importText(script('') + instance(''));
    expect(told(unused, 'vrrp_script')).toEqual(['needless: left out: it counts for no instance']);
    expect(unused.complete).toBe(true);
    const twice = importText(script('weight 1') + script('weight 2') + instance(tracking('script', 'chk')));
    expect(configOf(twice).failover?.tracks[0]?.weight).toBe(1);
    const late = importText(instance(tracking('script', 'chk')) + script(''));
    expect(configOf(late).failover?.tracks).toHaveLength(1);
    expect(told(late, 'chk')[0]).toMatch(/^changed: it counts here; keepalived 2.2 ignores it/);
    const unquoted = importText(
      `vrrp_script chk {\nscript /usr/bin/pgrep nginx\n}\n${instance(tracking('script', 'chk'))}`,
    );
    expect(configOf(unquoted).failover?.tracks[0]?.check).toMatchObject({ command: ['/usr/bin/pgrep'] });
    expect(told(unquoted, 'script')[0]).toMatch(/^changed: without the words/);
  });

  test('weights of an address owner do not count', () => {
    const text =
      script('weight -20') +
      script('', 'hard') +
      instance(`priority 255\n${tracking('script', 'chk\nhard')}\n${tracking('interface', 'eth1 weight 5')}`);
    const result = importText(text);
    expect(configOf(result).failover?.groups[0]?.track).toEqual(['hard']);
    expect(told(result, 'chk')[0]).toMatch(/^changed: left out: .*owner/);
    expect(told(result, 'eth1')[0]).toMatch(/^changed: left out: .*owner/);
  });

  test('state MASTER without a priority is 255, as in keepalived', () => {
    const result = importText(instance('state MASTER'));
    expect(configOf(result).failover?.groups[0]?.priority).toBe(255);
    expect(told(result, 'state')[0]).toMatch(/^changed: .*255/);
  });
});

describe('sync groups', () => {
  const sync = (lines = '', members = 'A\nB'): string =>
    `vrrp_sync_group "G 1" {\ngroup {\n${members}\n}\n${lines}\n}\n`;

  test('members move together, with the same election', () => {
    const text =
      sync() +
      instance('priority 150\nnopreempt', 'A') +
      instance('priority 140\npreempt_delay 9', 'B', 52) +
      instance('', 'C', 53);
    const result = importText(text);
    const groups = configOf(result).failover?.groups;
    expect(groups?.map((g) => [g.sync, g.priority, g.preempt, g.preemptDelay])).toEqual([
      ['G-1', 150, true, seconds(9)],
      ['G-1', 150, true, seconds(9)],
      [null, 100, true, 0],
    ]);
    expect(told(result, 'priority')[1]).toMatch(/^changed: priority 150, as its partners/);
    expect(told(result, 'nopreempt')[0]).toMatch(/^changed: it preempts, as its partners/);
  });

  test('weights of members do not count, those of the group do: keepalived 2.2', () => {
    const text =
      script('weight -20') +
      `track_file f {\nfile /run/f\n}\n` +
      sync(tracking('script', 'chk weight -30'), 'A') +
      instance(
        `${tracking('script', 'chk')}\n${tracking('file', 'f')}\n${tracking('interface', 'eth1 weight 3')}`,
        'A',
      );
    const result = importText(text);
    expect(configOf(result).failover?.tracks.map(({ name, weight }) => [name, weight])).toEqual([
      ['eth1', 0],
      ['f', 0],
      ['chk', -30],
    ]);
    expect(told(result, 'chk')).toContainEqual(
      expect.stringMatching(/^changed: left out: keepalived ignores/),
    );
    const alone = importText(script('weight 5') + sync('', 'A') + instance(tracking('script', 'chk'), 'A'));
    expect(told(alone, 'vrrp_script')[0]).toMatch(/^needless: left out/);
    const weighing = text.replace(
      'vrrp_sync_group "G 1" {',
      'vrrp_sync_group "G 1" {\nsync_group_tracking_weight',
    );
    expect(failoverOf(weighing)?.tracks.map(({ weight }) => weight)).toEqual([3, -30, 1]);
  });

  test('what tracks for the group counts for every member', () => {
    const text = script('') + sync(tracking('script', 'chk')) + instance('', 'A') + instance('', 'B', 52);
    expect(failoverOf(text)?.groups.map(({ track }) => track)).toEqual([['chk'], ['chk']]);
  });

  test('members that are not there, or belong elsewhere, are told', () => {
    const other = sync('', 'A').replace('G 1', 'G2');
    const result = importText(sync('', 'A NONE') + other + instance('', 'A'));
    expect(configOf(result).failover?.groups[0]?.sync).toBe('G-1');
    expect(told(result, 'vrrp_sync_group')[1]).toMatch(/^missing: left out: it has no instance/);
    expect(lost(result).map(({ note }) => note)).toContainEqual(
      expect.stringMatching(/there is no such instance/),
    );
  });

  test('an owner among others is none', () => {
    const text = sync() + instance('priority 255', 'A') + instance('priority 90', 'B', 52);
    expect(failoverOf(text)?.groups.map(({ priority }) => priority)).toEqual([254, 254]);
  });
});

describe('notify scripts', () => {
  const notifyOf = (text: string, index = 0) => failoverOf(text)?.groups[index]?.notify;

  test('a script for a state is run as it stands', () => {
    const lines =
      'notify_master "/bin/up \'a b\'"\nnotify_backup /bin/down\nnotify_fault /bin/f\nnotify_stop /bin/s';
    expect(notifyOf(instance(lines))).toMatchObject({
      active: ['/bin/up', 'a b'],
      backup: ['/bin/down'],
      fault: ['/bin/f'],
      stopped: ['/bin/s'],
      timeout: seconds(60),
    });
  });

  test('notify gets the arguments that it gets from keepalived', () => {
    const notify = notifyOf(instance('notify "/bin/n x"'));
    expect(notify?.active).toEqual([
      '/bin/sh',
      '-c',
      'exec "$@" "$TANDEM_PRIORITY"',
      'sh',
      '/bin/n',
      'x',
      'INSTANCE',
      'VI',
      'MASTER',
    ]);
    expect([notify?.backup, notify?.fault, notify?.stopped].map((words) => words?.at(-1))).toEqual([
      'BACKUP',
      'FAULT',
      'STOP',
    ]);
  });

  test('several run one after another; a sync group is told once, by its first member', () => {
    const group = 'vrrp_sync_group G {\ngroup {\nA\nB\n}\nnotify /bin/g\n}\n';
    const text =
      group + instance('notify_master "/bin/m \'it is\'"\nnotify /bin/n', 'A') + instance('', 'B', 52);
    expect(notifyOf(text)?.active).toEqual([
      '/bin/sh',
      '-c',
      `/bin/m 'it is'; /bin/n INSTANCE A MASTER "$TANDEM_PRIORITY"; /bin/g GROUP G MASTER 0`,
    ]);
    expect(notifyOf(text)?.backup?.[2]).toBe(
      `/bin/n INSTANCE A BACKUP "$TANDEM_PRIORITY"; /bin/g GROUP G BACKUP 0`,
    );
    expect(notifyOf(text, 1)).toBeNull();
  });

  test('users, second scripts and scripts that cannot run are told', () => {
    const result = importText(
      instance('notify_master /bin/a nobody\nnotify_master /bin/b\nnotify_backup ./c\nnotify_deleted'),
    );
    expect(configOf(result).failover?.groups[0]?.notify?.active).toEqual(['/bin/a']);
    expect(told(result, 'notify_master')).toEqual([
      expect.stringMatching(/^changed: it runs as the daemon's user/),
      expect.stringMatching(/^needless: .*keeps the first/),
    ]);
    expect(told(result, 'notify_backup')[0]).toMatch(/^missing: left out/);
    expect(told(result, 'notify_deleted')[0]).toMatch(/^missing/);
  });

  test('command lines are in the file alone', () => {
    const text =
      script('').replace('/bin/check', '/bin/check --password=s3cret') + instance(tracking('script', 'chk'));
    const result = importText(`${text}${instance('notify "/bin/n s3cret"', 'B', 52)}`);
    expect(result.toml).toContain('s3cret');
    expect(JSON.stringify(result.report)).not.toContain('s3cret');
  });
});
