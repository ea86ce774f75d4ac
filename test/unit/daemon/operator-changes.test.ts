import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Pool, type RuntimeState } from '../../../src/control-path/pool.ts';
import { OperatorChanges } from '../../../src/daemon/operator-changes.ts';
import { decodeState, entriesOf } from '../../../src/daemon/runtime-state.ts';
import { RuntimeStore } from '../../../src/daemon/runtime-store.ts';
import { seconds } from '../../../src/lib/duration.ts';
import type { EventInput } from '../../../src/model/event.ts';
import type { AdminState } from '../../../src/model/service.ts';
import { backendStatusOf } from '../../support/fake-admin.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { backendSpec, serviceSpec } from '../../support/specs.ts';

let directory: string;
let path: string;
let clock: ManualClock;
let events: EventInput[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tandem-state-'));
  path = join(directory, 'state.json');
  clock = new ManualClock();
  events = [];
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** The pools of a daemon, without a data path. */
class Pools {
  readonly #pools = new Map<string, Pool>();

  open(name: string, ids: readonly string[], kept?: RuntimeState): void {
    const spec = serviceSpec({ name, backends: ids.map((id) => backendSpec(id)) });
    this.#pools.set(name, new Pool({ spec, slotOf: () => 0, runtime: kept }, clock.now()));
  }

  reload(name: string, ids: readonly string[]): void {
    this.#pools
      .get(name)!
      .reconfigure(serviceSpec({ name, backends: ids.map((id) => backendSpec(id)) }), clock.now());
  }

  close(name: string): void {
    this.#pools.delete(name);
  }

  requireBackend(service: string, backend: string): void {
    this.#pools.get(service)!.requireBackend(backend);
  }

  setState(service: string, backend: string, state: AdminState, persist: boolean) {
    this.#pools.get(service)!.setAdmin(backend, state, persist, clock.now());
    return backendStatusOf(backend, { admin: this.admin(service, backend)! });
  }

  setWeight(service: string, backend: string, weight: number | null, persist: boolean) {
    this.#pools.get(service)!.setWeight(backend, weight, persist, clock.now());
    return backendStatusOf(backend);
  }

  kept() {
    const kept = [...this.#pools].map(([name, pool]) => [name, pool.runtimeState()] as const);
    return new Map(kept.filter(([, backends]) => backends.size > 0));
  }

  admin(service: string, backend: string): AdminState | undefined {
    return this.#pools
      .get(service)!
      .view(clock.now())
      .find(({ id }) => id === backend)?.admin;
  }
}

interface Bench {
  readonly pools: Pools;
  readonly changes: OperatorChanges;
}

async function daemon(
  ids: readonly string[] = ['a', 'b'],
  store: RuntimeStore | null = new RuntimeStore(path, () => 0),
): Promise<Bench> {
  const pools = new Pools();
  const changes = new OperatorChanges({ store, services: pools, clock, emit: (event) => events.push(event) });
  await changes.load();
  pools.open('web', ids, changes.of('web'));
  await changes.restored();
  return { pools, changes };
}

const onDisk = (): string[] => {
  const decoded = decodeState(readFileSync(path, 'utf8'));
  if ('fault' in decoded) throw new Error(decoded.fault);
  return entriesOf(decoded.state).map(
    ({ service, backend, admin, weight }) => `${service}/${backend} ${admin} ${weight}`,
  );
};
const heard = (): string[] => events.splice(0).map(({ name }) => name);

describe('what is set at run time', () => {
  it('is kept over a restart with persist, and forgotten by the next word without', async () => {
    const first = await daemon();
    await first.changes.setState('web', 'a', 'draining', true);
    await first.changes.setWeight('web', 'a', 5, true);
    await first.changes.setState('web', 'b', 'maintenance', false);
    expect(onDisk()).toEqual(['web/a draining 5']);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory)).toEqual(['state.json']);

    const second = await daemon();
    expect(heard()).toEqual(['runtime.restored']);
    expect([second.pools.admin('web', 'a'), second.pools.admin('web', 'b')]).toEqual(['draining', 'ready']);
    expect(second.changes.status()).toEqual({ file: path, kept: 1, fault: null });
    await second.changes.setState('web', 'a', 'maintenance', false);
    expect(onDisk()).toEqual(['web/a null 5']);
    await second.changes.setWeight('web', 'a', null, false);
    expect(onDisk()).toEqual([]);
    expect((await daemon()).pools.admin('web', 'a')).toBe('ready');
  });

  it('"ready" and "configured" have nothing to keep, with or without persist', async () => {
    const { changes } = await daemon();
    await changes.setState('web', 'a', 'ready', true);
    await changes.setWeight('web', 'a', null, true);
    expect(existsSync(path)).toBe(false);
    await changes.setState('web', 'a', 'draining', true);
    await changes.setState('web', 'a', 'ready', true);
    expect(onDisk()).toEqual([]);
  });

  it('what nobody has kept writes no file', async () => {
    const { changes } = await daemon();
    await changes.setState('web', 'a', 'draining', false);
    await changes.settle();
    await changes.stop();
    expect(readdirSync(directory)).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it('many at once are all kept', async () => {
    const ids = Array.from({ length: 50 }, (_, i) => `b${i}`);
    const { changes } = await daemon(ids);
    await Promise.all(ids.map((id, i) => changes.setWeight('web', id, i, true)));
    expect(onDisk()).toHaveLength(50);
  });

  it('is refused where there is no such backend, before anything is written', async () => {
    const { changes } = await daemon();
    await expect(changes.setState('web', 'z', 'draining', true)).rejects.toMatchObject({
      code: 'unknown-backend',
    });
    await expect(changes.setState('web', 'z', 'draining', false)).rejects.toMatchObject({
      code: 'unknown-backend',
    });
    expect(readdirSync(directory)).toEqual([]);
  });

  it('cannot be kept without a state file, and says so; all else works', async () => {
    const { changes, pools } = await daemon(['a'], null);
    await expect(changes.setState('web', 'a', 'draining', true)).rejects.toMatchObject({
      code: 'no-state-file',
    });
    expect(pools.admin('web', 'a')).toBe('ready');
    await changes.setState('web', 'a', 'draining', false);
    expect(pools.admin('web', 'a')).toBe('draining');
    expect(changes.status()).toEqual({ file: null, kept: 0, fault: null });
  });
});

describe('what is kept of backends that are gone', () => {
  it('is dropped by the reload, and told', async () => {
    const { changes, pools } = await daemon();
    await changes.setState('web', 'a', 'draining', true);
    await changes.setWeight('web', 'b', 3, true);
    pools.reload('web', ['b']);
    await changes.settle();
    expect(heard()).toEqual(['runtime.dropped']);
    expect(onDisk()).toEqual(['web/b null 3']);
    pools.reload('web', ['a', 'b']);
    await changes.settle();
    expect([heard(), pools.admin('web', 'a')]).toEqual([[], 'ready']);
  });

  it('is dropped by the start, and told', async () => {
    await (await daemon()).changes.setState('web', 'a', 'draining', true);
    await daemon(['b']);
    expect(events.map(({ name, message }) => [name, message])).toEqual([
      ['runtime.dropped', expect.stringContaining('web/a draining')],
    ]);
    expect(onDisk()).toEqual([]);
  });

  it('goes over to a service that takes the place of one of another protocol', async () => {
    const { changes, pools } = await daemon();
    await changes.setState('web', 'a', 'draining', true);
    pools.close('web');
    pools.open('web', ['a', 'b'], changes.of('web'));
    await changes.settle();
    expect([heard(), pools.admin('web', 'a')]).toEqual([[], 'draining']);
  });
});

describe('a state file that cannot be used', () => {
  it.each([
    ['broken', 'half of {', 'it is not JSON'],
    ['of another version', '{"format":"tandem-runtime-state","version":9}', 'version 9'],
    ['empty', '', 'it is empty'],
    ['too large', ' '.repeat(8 * 1_024 * 1_024 + 1), 'larger'],
  ])('%s: is set aside with what it has, and told', async (_, text, fault) => {
    writeFileSync(path, text);
    const { changes } = await daemon();
    expect(events).toEqual([
      expect.objectContaining({
        name: 'runtime.set-aside',
        level: 'warn',
        message: expect.stringContaining(fault),
      }),
    ]);
    const [aside = ''] = readdirSync(directory);
    expect(aside).toMatch(/^state\.json\.unusable-/);
    expect(readFileSync(join(directory, aside), 'utf8')).toBe(text);
    await changes.setState('web', 'a', 'draining', true);
    expect(onDisk()).toEqual(['web/a draining null']);
  });

  it('a folder of that name is set aside as well', async () => {
    mkdirSync(path);
    const { changes } = await daemon();
    expect(heard()).toEqual(['runtime.set-aside']);
    await changes.setState('web', 'a', 'draining', true);
    expect(onDisk()).toHaveLength(1);
  });

  it('that can neither be read nor moved stays as it is: the daemon starts, and keeps nothing', async () => {
    // a path through a file: neither open(2) nor rename(2) can do anything with it, root or not
    writeFileSync(join(directory, 'file'), 'precious');
    const { changes, pools } = await daemon(
      ['a'],
      new RuntimeStore(join(directory, 'file', 'state.json'), () => 0),
    );
    expect(heard()).toEqual(['runtime.unsaved']);
    await expect(changes.setState('web', 'a', 'draining', true)).rejects.toMatchObject({
      code: 'state-file',
    });
    expect(pools.admin('web', 'a')).toBe('ready');
    await changes.setState('web', 'a', 'draining', false);
    expect(changes.status().fault).toContain('cannot read the state file');
    expect(readFileSync(join(directory, 'file'), 'utf8')).toBe('precious');
  });
});

/** A store that fails, or hangs, when it is told to. */
class FaultyStore extends RuntimeStore {
  fail = false;
  hang: Promise<void> | null = null;

  override async save(...args: Parameters<RuntimeStore['save']>): Promise<void> {
    if (this.hang !== null) await this.hang;
    if (!this.fail) return super.save(...args);
    const taken = join(directory, 'taken');
    writeFileSync(taken, '');
    return new RuntimeStore(join(taken, 'state.json'), () => 0).save(...args);
  }
}

describe('a disk that does not take it', () => {
  it('refuses to keep, with nothing changed', async () => {
    const store = new FaultyStore(path, () => 0);
    const { changes, pools } = await daemon(['a'], store);
    await changes.setWeight('web', 'a', 4, true);
    store.fail = true;
    await expect(changes.setState('web', 'a', 'draining', true)).rejects.toMatchObject({
      code: 'state-file',
    });
    expect([pools.admin('web', 'a'), onDisk()]).toEqual(['ready', ['web/a null 4']]);
    expect(heard()).toEqual([]);
    store.fail = false;
    await changes.setState('web', 'a', 'draining', true);
    expect(onDisk()).toEqual(['web/a draining 4']);
  });

  it('does not stand in the way of "ready"; the file follows when it can', async () => {
    const store = new FaultyStore(path, () => 0);
    const { changes, pools } = await daemon(['a'], store);
    await changes.setState('web', 'a', 'draining', true);
    store.fail = true;
    await changes.setState('web', 'a', 'ready', false);
    expect(pools.admin('web', 'a')).toBe('ready');
    expect(onDisk()).toEqual(['web/a draining null']);
    expect(heard()).toEqual(['runtime.unsaved']);
    expect(changes.status().fault).toContain('cannot write the state file');
    await clock.advanceAsync(seconds(10));
    await changes.settle();
    expect(heard()).toEqual([]);
    store.fail = false;
    await clock.advanceAsync(seconds(10));
    await changes.settle();
    expect(heard()).toEqual(['runtime.saved']);
    expect([onDisk(), changes.status().fault]).toEqual([[], null]);
    await changes.stop();
    expect(clock.pending).toBe(0);
  });

  it('that hangs holds up what is to be kept, and nothing else', async () => {
    const store = new FaultyStore(path, () => 0);
    const { changes, pools } = await daemon(['a', 'b'], store);
    await changes.setState('web', 'b', 'draining', true);
    let release: () => void = () => undefined;
    store.hang = new Promise((resolve) => {
      release = resolve;
    });
    const kept = changes.setState('web', 'a', 'draining', true);
    const ready = changes.setState('web', 'b', 'ready', false);
    expect([pools.admin('web', 'a'), pools.admin('web', 'b')]).toEqual(['ready', 'ready']);
    clock.advance(seconds(2));
    await ready;
    store.hang = null;
    release();
    await kept;
    await changes.stop();
    expect([pools.admin('web', 'a'), onDisk()]).toEqual(['draining', ['web/a draining null']]);
  });

  it('that another daemon writes to as well is not written over', async () => {
    const first = await daemon();
    const second = await daemon();
    await first.changes.setState('web', 'a', 'draining', true);
    await expect(second.changes.setState('web', 'b', 'draining', true)).rejects.toMatchObject({
      code: 'state-file',
      message: expect.stringContaining('another program has written'),
    });
    expect([second.pools.admin('web', 'b'), onDisk()]).toEqual(['ready', ['web/a draining null']]);
    await first.changes.setWeight('web', 'a', 3, true);
    expect(onDisk()).toEqual(['web/a draining 3']);
    rmSync(path);
    await first.changes.setWeight('web', 'a', 4, true);
    expect(onDisk()).toEqual(['web/a draining 4']);
  });

  it('a temporary file of a crash, also as a link, is not written through', async () => {
    writeFileSync(join(directory, 'victim'), 'precious');
    symlinkSync(join(directory, 'victim'), `${path}.new`);
    await (await daemon()).changes.setState('web', 'a', 'draining', true);
    expect(readFileSync(join(directory, 'victim'), 'utf8')).toBe('precious');
    expect(onDisk()).toHaveLength(1);
    expect(readdirSync(directory).sort()).toEqual(['state.json', 'victim']);
  });

  it('the directory is made when only its last step is missing', async () => {
    const deep = join(directory, 'var', 'state.json');
    const { changes } = await daemon(['a'], new RuntimeStore(deep, () => 0));
    await changes.setState('web', 'a', 'draining', true);
    expect(existsSync(deep)).toBe(true);
    chmodSync(directory, 0o700);
    const { changes: other } = await daemon(['a'], new RuntimeStore(join(directory, 'x', 'y', 's'), () => 0));
    await expect(other.setState('web', 'a', 'draining', true)).rejects.toMatchObject({ code: 'state-file' });
  });
});
