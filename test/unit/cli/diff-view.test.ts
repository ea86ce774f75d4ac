import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { Change, DiffResult, RuntimeDifference } from '../../../src/admin/contract.ts';
import { diffLines } from '../../../src/cli/diff-view.ts';
import { styleOf } from '../../../src/cli/output.ts';

const plain = { style: styleOf(false), now: 192_000 };

const diff = (changes: Partial<DiffResult>): DiffResult => ({
  same: false,
  configPath: '/etc/tandem/tandem.toml',
  configLoadedAt: 0,
  runtime: [],
  changes: [],
  problems: [],
  persistence: { file: null, kept: 0, fault: null },
  ...changes,
});

const drained: RuntimeDifference = {
  service: 'web',
  backend: '10.0.1.11:8080',
  setting: 'state',
  running: 'draining',
  file: 'ready',
  persisted: false,
  key: 'service[0].backend[0]',
  line: 9,
};

const heavier: Change = {
  kind: 'changed',
  subject: 'service web, backend 10.0.1.12:8080',
  key: 'service[0].backend[1].weight',
  line: 14,
  before: '10',
  after: '20',
  restart: false,
};

describe('tandem diff', () => {
  it('says nothing when nothing differs', () => {
    expect(diffLines(diff({ same: true }), plain)).toEqual([]);
  });

  it('is what diff -u would be, with places', () => {
    expect(diffLines(diff({ runtime: [drained], changes: [heavier] }), plain)).toEqual([
      '--- running, loaded 3m12s ago',
      '+++ /etc/tandem/tandem.toml',
      '@@ /etc/tandem/tandem.toml:9 service[0].backend[0] (service web, backend 10.0.1.11:8080) @@',
      '-state draining  (set at run time, a reload ends it)',
      '+state ready',
      '@@ /etc/tandem/tandem.toml:14 service[0].backend[1].weight (service web, backend 10.0.1.12:8080) @@',
      '-weight = 10',
      '+weight = 20',
    ]);
  });

  it('tells what is kept, what is gone from the file, and what needs a restart', () => {
    const lines = diffLines(
      diff({
        runtime: [{ ...drained, persisted: true, file: null, key: null, line: null }],
        changes: [
          {
            ...heavier,
            kind: 'removed',
            key: 'service[1]',
            subject: 'service dns',
            line: null,
            after: null,
            before: 'name = "dns"',
          },
          {
            ...heavier,
            subject: null,
            key: 'data_path.workers',
            line: 2,
            before: '2',
            after: '4',
            restart: true,
          },
          { ...heavier, kind: 'changed', before: null, after: null },
          { ...heavier, kind: 'added', key: 'failover', subject: null, before: null, after: null },
        ],
      }),
      plain,
    );
    expect(lines.slice(2)).toEqual([
      '@@ /etc/tandem/tandem.toml (service web, backend 10.0.1.11:8080) @@',
      '-state draining  (set at run time, persisted: a reload keeps it)',
      '+(not in the file)',
      '@@ /etc/tandem/tandem.toml service[1] (service dns) @@',
      '-name = "dns"',
      '@@ /etc/tandem/tandem.toml:2 data_path.workers @@',
      '-workers = 2',
      '+workers = 4',
      ' needs a restart: a reload does not apply it',
      '@@ /etc/tandem/tandem.toml:14 service[0].backend[1].weight (service web, backend 10.0.1.12:8080) @@',
      ' follows from other keys, or from the order',
      '@@ /etc/tandem/tandem.toml:14 failover @@',
      '+(all of it)',
    ]);
  });

  it('has colours only where they are wanted, and the same text', () => {
    const both = diff({ runtime: [drained], changes: [heavier] });
    const coloured = diffLines(both, { ...plain, style: styleOf(true) });
    expect(coloured.join('\n')).toContain('\u001b[31m-weight = 10');
    expect(coloured.join('\n')).toContain('\u001b[32m+weight = 20');
    expect(coloured.map(stripVTControlCharacters)).toEqual(diffLines(both, plain));
  });

  it('does not fill the screen with one value', () => {
    const [, , , minus = ''] = diffLines(
      diff({ changes: [{ ...heavier, before: 'x'.repeat(10_000) }] }),
      plain,
    );
    expect(minus.length).toBeLessThan(200);
  });
});
