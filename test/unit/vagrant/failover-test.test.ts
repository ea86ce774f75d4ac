/** What vagrant/failover-test makes of what it sees in the machines. */
import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Style, styleOf } from '../../../src/cli/output.ts';

const ROOT = resolve(import.meta.dirname, '../../..');

interface Seen {
  readonly expected: { readonly takers: readonly string[]; readonly connections: 'kept' | 'any' };
  readonly takers: readonly string[];
  readonly holders: readonly string[];
  readonly answers: readonly string[];
  readonly doubleMs: number;
  readonly probes: {
    readonly targets: readonly {
      readonly target: string;
      readonly gapMillis: number | null;
      readonly sent: number;
      readonly lost: number;
    }[];
    readonly unmeasured: readonly string[];
  } | null;
  readonly connections: { readonly kept: number; readonly lost: number } | null;
  readonly faults: readonly string[];
}

interface HoldersClass {
  changed(at: number, name: string, holds: boolean): void;
  begin(at: number): void;
  doubleMs(at: number): number;
  readonly now: readonly string[];
  readonly takers: readonly string[];
}

const { addressLine, Holders } = (await import(join(ROOT, 'vagrant/lib/holders.mjs'))) as {
  addressLine: (line: string) => { interface: string; address: string; gone: boolean } | null;
  Holders: new () => HoldersClass;
};
const { judge, tableLines } = (await import(join(ROOT, 'vagrant/lib/verdict.mjs'))) as {
  judge: (seen: Seen, maxGapMs: number) => string[];
  tableLines: (
    results: readonly { name: string; seen: Seen; wrong: readonly string[] }[],
    style: Style,
  ) => string[];
};

describe('who holds the address', () => {
  test('lines of ip: there, gone, and what is none', () => {
    const there = '3: eth1    inet 10.0.0.100/24 scope global secondary dynamic eth1\\       valid_lft 2sec';
    expect(addressLine(there)).toEqual({ interface: 'eth1', address: '10.0.0.100', gone: false });
    expect(addressLine(`Deleted ${there}`)).toEqual({ interface: 'eth1', address: '10.0.0.100', gone: true });
    expect(addressLine('2: eth0: <BROADCAST> mtu 1500')).toBeNull();
    expect(addressLine('')).toBeNull();
  });

  test('the order of those who take it; a renewed lease is no news', () => {
    const holders = new Holders();
    holders.changed(0, 'lb-a', true);
    holders.begin(10);
    holders.changed(20, 'lb-a', true);
    holders.changed(30, 'lb-a', false);
    holders.changed(40, 'lb-b', true);
    holders.changed(50, 'lb-b', false);
    holders.changed(60, 'lb-a', true);
    expect(holders.takers).toEqual(['lb-a', 'lb-b', 'lb-a']);
    expect(holders.now).toEqual(['lb-a']);
    expect(holders.doubleMs(100)).toBe(0);
  });

  test('how long two have it: the longest time, one that goes on included', () => {
    const holders = new Holders();
    holders.changed(0, 'lb-a', true);
    holders.changed(100, 'lb-b', true);
    holders.changed(130, 'lb-a', false);
    holders.changed(200, 'lb-a', true);
    expect(holders.doubleMs(210)).toBe(30);
    expect(holders.doubleMs(250)).toBe(50);
    holders.begin(250);
    expect(holders.doubleMs(260)).toBe(10);
    expect(holders.takers).toEqual(['lb-a', 'lb-b']);
  });
});

describe('the verdict', () => {
  const good: Seen = {
    expected: { takers: ['lb-a', 'lb-b'], connections: 'kept' },
    takers: ['lb-a', 'lb-b'],
    holders: ['lb-b'],
    answers: ['lb-b'],
    doubleMs: 40,
    probes: {
      targets: [
        { target: 'tcp://10.0.0.100:80', gapMillis: 300.4, sent: 500, lost: 30 },
        { target: 'udp://10.0.0.100:9000', gapMillis: 200, sent: 500, lost: 20 },
      ],
      unmeasured: [],
    },
    connections: { kept: 7, lost: 0 },
    faults: [],
  };

  test('nothing is wrong with what was expected', () => {
    expect(judge(good, 1_000)).toEqual([]);
  });

  test.each<[string, Partial<Seen>, string]>([
    [
      'nobody took it',
      { takers: ['lb-a'], holders: ['lb-a'], answers: ['lb-a'] },
      'went lb-a, not lb-a > lb-b',
    ],
    ['both hold it', { holders: ['lb-a', 'lb-b'] }, 'lb-a and lb-b holds the address afterwards'],
    ['nobody holds it', { holders: [] }, 'nobody holds the address afterwards'],
    ['both answer', { answers: ['lb-a', 'lb-b'] }, 'lb-a and lb-b answers for the address'],
    ['both for too long', { doubleMs: 3_001 }, 'two held the address for 3001 ms'],
    ['nothing was measured', { probes: null }, 'nothing was measured'],
    ['a lost connection', { connections: { kept: 6, lost: 1 } }, '1 lost'],
    ['unknown connections', { connections: null }, 'unknown'],
    ['what else went wrong', { faults: ['the fault itself'] }, 'the fault itself'],
  ])('%s', (_name, part, expected) => {
    expect(judge({ ...good, ...part }, 1_000).join('; ')).toContain(expected);
  });

  test('a gap above the limit, and a target that never answered', () => {
    expect(judge(good, 300)).toEqual(['tcp://10.0.0.100:80 was silent for 300 ms']);
    const silent = { target: 'tcp://10.0.0.100:80', gapMillis: null, sent: 10, lost: 10 };
    expect(
      judge({ ...good, probes: { targets: [silent], unmeasured: ['udp://10.0.0.100:9000'] } }, 300),
    ).toEqual([
      'tcp://10.0.0.100:80 did not answer',
      'udp://10.0.0.100:9000 did not answer before the fault either',
    ]);
  });

  test('a lost connection is no fault where none was promised', () => {
    const expected = { takers: ['lb-a', 'lb-b'], connections: 'any' } as const;
    expect(judge({ ...good, expected, connections: { kept: 0, lost: 7 } }, 1_000)).toEqual([]);
  });

  test('a line in the table, without colours when there are none', () => {
    const lines = tableLines([{ name: 'stop', seen: good, wrong: [] }], styleOf(false));
    expect(lines[1]).toMatch(/^stop +300 ms +200 ms +50 of 1000 +lb-a > lb-b +40 ms +7 kept, 0 lost +ok/);
    expect(lines.join('')).not.toContain('\u001b');
    const wrong = tableLines(
      [{ name: 'stop', seen: { ...good, probes: null }, wrong: ['x'] }],
      styleOf(true),
    );
    expect(wrong.join('')).toMatch(/no answer.*WRONG/);
    expect(wrong.join('')).toContain('\u001b[31m');
  });
});

describe('the command line', () => {
  const run = (...args: string[]) =>
    spawnSync(join(ROOT, 'vagrant/failover-test'), args, { encoding: 'utf8', timeout: 30_000 });

  test('lists its faults', () => {
    const { status, stdout } = run('--list');
    expect(status).toBe(0);
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => line.split(' ')[0]),
    ).toEqual(['stop', 'kill-agent', 'kill-supervisor', 'kill-both', 'power-off', 'link-cut', 'handover']);
  });

  test.each([
    [['--faults', 'stop,flood'], 'there is no "flood", but stop, kill-agent'],
    [['--max-gap', 'soon'], '--max-gap soon: it takes seconds'],
    [['--interval', '0.5'], '--interval 0.5: it takes milliseconds'],
    [['--patience', '0'], '--patience 0: it takes seconds'],
    [['--fast'], "Unknown option '--fast'"],
  ])('%j is refused', (args, expected) => {
    const { status, stderr } = run(...args);
    expect(stderr).toContain(expected);
    expect(status).toBe(64);
  });
});
