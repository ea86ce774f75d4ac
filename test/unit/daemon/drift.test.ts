import { mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BackendStatus, ServiceStatus } from '../../../src/admin/contract.ts';
import type { WrittenFile } from '../../../src/config/file-diff.ts';
import { loadFile } from '../../../src/config/load.ts';
import { Drift } from '../../../src/daemon/drift.ts';
import { backend, service } from '../../support/config.ts';
import { backendStatusOf, statusOf } from '../../support/fake-admin.ts';

let directory: string;
let path: string;
let reads: number;
let drift: Drift;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tandem-drift-'));
  path = join(directory, 't.toml');
  reads = 0;
  drift = new Drift(() => {
    reads++;
  });
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const BASE = service() + backend('10.0.1.11:80', 'weight = 10') + backend('10.0.1.12:80');

function load(text = BASE): WrittenFile {
  writeFileSync(path, text);
  return loadFile(path, { hostFaults: 'warning' });
}

const services = (...backends: BackendStatus[]): ServiceStatus[] => [
  { ...statusOf().services[0]!, backends },
];
const one = (changes: Partial<BackendStatus>): ServiceStatus[] =>
  services(backendStatusOf('10.0.1.11:80', changes));
const compare = (running: WrittenFile, now: readonly ServiceStatus[] = [], started = running) =>
  drift.compare({ running, started, agentStarted: started }, now);

describe('what runs against the file', () => {
  it('reads a file that is another one, and each once', () => {
    const running = load();
    expect(compare(running)).toEqual({ runtime: [], changes: [], problems: [] });
    expect(reads).toBe(0);
    writeFileSync(path, BASE.replace('weight = 10', 'weight = 20'));
    for (let n = 0; n < 3; n++) expect(compare(running).changes).toHaveLength(1);
    expect(reads).toBe(1);
    // of the same length, in the same place, as old: it is another file all the same
    const other = join(directory, 'other');
    writeFileSync(other, BASE.replace('weight = 10', 'weight = 30'));
    utimesSync(other, 1, 1);
    renameSync(other, path);
    expect(compare(running).changes[0]?.after).toBe('30');
    expect(reads).toBe(2);
    expect(compare(load())).toMatchObject({ changes: [] });
  });

  it('goes on telling what a reload has not applied', () => {
    const started = load(`[data_path]\nworkers = 1\n${BASE}`);
    const running = load(`[data_path]\nworkers = 2\n${BASE}`);
    expect(compare(running, [], started).changes.map(({ key, restart }) => [key, restart])).toEqual([
      ['data_path.workers', true],
    ]);
    expect(compare(running, [], running).changes).toEqual([]);
  });

  it('takes for the failover agent what that was started with', () => {
    const failover = (startup: string): string =>
      `${BASE}[failover]\ninterface = "eth9"\nstartup_delay = "${startup}"\n[[failover.group]]\nvrid = 51\naddresses = ["10.0.0.9/24"]\n`;
    const started = load(failover('1s'));
    const agentStarted = load(failover('2s'));
    const running = load(failover('3s'));
    const { changes } = drift.compare({ running, started, agentStarted }, []);
    expect(changes.map(({ key, before, after, restart }) => [key, before, after, restart])).toEqual([
      ['failover.startup_delay', '"2s"', '"3s"', true],
    ]);
  });

  it('says why a file cannot be loaded, and compares with what is in force', () => {
    const running = load();
    writeFileSync(path, BASE.replace('weight', 'weigth'));
    const { runtime, changes, problems } = compare(running, one({ admin: 'draining' }));
    expect([runtime.length, changes]).toEqual([1, []]);
    expect(problems).toEqual([expect.objectContaining({ key: 'service[0].backend[0].weigth', line: 7 })]);
    rmSync(path);
    expect(compare(running).problems).toEqual([expect.objectContaining({ message: 'no such file' })]);
  });

  it.each<[string, Partial<BackendStatus>, unknown[]]>([
    ['nothing is set', {}, []],
    [
      'a state',
      { admin: 'maintenance' },
      [['state', 'maintenance', 'ready', false, 'service[0].backend[0]', 5]],
    ],
    ['a weight', { weight: 3 }, [['weight', 3, 10, false, 'service[0].backend[0].weight', 7]]],
    [
      'a weight that is kept, and the file in force has none other',
      { weight: 3, configuredWeight: 3, persisted: ['weight'] },
      [['weight', 3, 10, true, 'service[0].backend[0].weight', 7]],
    ],
    ['a weight that is what the file says', { weight: 10, persisted: ['weight'] }, []],
    ["an agent's word alone", { effectiveWeight: 1, eligible: false }, []],
  ])('run-time differences: %s', (_, changes, expected) => {
    const { runtime } = compare(load(), one(changes));
    expect(
      runtime.map(({ setting, running, file, persisted, key, line }) => [
        setting,
        running,
        file,
        persisted,
        key,
        line,
      ]),
    ).toEqual(expected);
  });

  it('a backend that the file has no longer', () => {
    const running = load();
    writeFileSync(path, service() + backend('10.0.1.12:80'));
    expect(compare(running, one({ admin: 'draining', weight: 3 })).runtime).toEqual([
      expect.objectContaining({ setting: 'state', running: 'draining', file: null, key: null, line: null }),
      expect.objectContaining({ setting: 'weight', running: 3, file: null, key: null, line: null }),
    ]);
  });
});
