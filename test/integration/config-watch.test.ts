/** A file that changes in every way in which people and programs change files. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigWatch, foldersOnTheWay } from '../../src/daemon/config-watch.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { eventually } from '../support/netns.ts';

let folder: string;
let watch: ConfigWatch | null = null;
let changes = 0;
const warnings: string[] = [];
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tdt-watch-'));
  changes = 0;
  warnings.length = 0;
});
afterEach(() => {
  watch?.close();
  rmSync(folder, { recursive: true, force: true });
});

function begin(path: string): void {
  watch = new ConfigWatch({
    path,
    clock: systemClock,
    changed: () => {
      changes++;
    },
    warn: (message) => warnings.push(message),
  });
}

const noticed = (count: number): Promise<void> => eventually(`${count} changes`, () => changes === count);

describe('ConfigWatch', () => {
  it('notices a file written in place, in several steps, once; and nothing where the content stays', async () => {
    const path = join(folder, 'tandem.toml');
    writeFileSync(path, 'one');
    begin(path);
    writeFileSync(path, '');
    await sleep(20);
    writeFileSync(path, 'tw');
    await sleep(20);
    writeFileSync(path, 'two');
    await noticed(1);
    writeFileSync(path, 'two');
    writeFileSync(join(folder, 'other'), 'x');
    await sleep(400);
    expect(changes).toBe(1);
  });

  it('notices a file that an editor replaces, each time', async () => {
    const path = join(folder, 'tandem.toml');
    writeFileSync(path, '0');
    begin(path);
    for (let n = 1; n <= 3; n++) {
      writeFileSync(`${path}.new`, `${n}`);
      renameSync(`${path}.new`, path);
      await noticed(n);
    }
  });

  it('notices a link that is turned to another folder, as Kubernetes does it, each time', async () => {
    for (const n of [0, 1, 2]) {
      mkdirSync(join(folder, `..${n}`));
      writeFileSync(join(folder, `..${n}`, 'tandem.toml'), `${n}`);
    }
    symlinkSync('..0', join(folder, '..data'));
    symlinkSync('..data/tandem.toml', join(folder, 'tandem.toml'));
    begin(join(folder, 'tandem.toml'));
    for (const n of [1, 2]) {
      symlinkSync(`..${n}`, join(folder, '..tmp'));
      renameSync(join(folder, '..tmp'), join(folder, '..data'));
      rmSync(join(folder, `..${n - 1}`), { recursive: true });
      await noticed(n);
    }
    writeFileSync(join(folder, '..2', 'tandem.toml'), 'in place');
    await noticed(3);
  });

  it('notices that its folder was removed, says so once, and goes on when there is one again', async () => {
    const inner = join(folder, 'etc');
    const path = join(inner, 'tandem.toml');
    mkdirSync(inner);
    writeFileSync(path, 'one');
    begin(path);
    rmSync(inner, { recursive: true });
    await noticed(1);
    await sleep(1_200);
    expect(warnings).toHaveLength(1);
    mkdirSync(inner);
    writeFileSync(path, 'two');
    await noticed(2);
    writeFileSync(path, 'three');
    await noticed(3);
  });

  it('leaves alone what somebody else has read meanwhile', async () => {
    const path = join(folder, 'tandem.toml');
    writeFileSync(path, 'one');
    begin(path);
    writeFileSync(path, 'two');
    watch?.refresh();
    await sleep(500);
    expect(changes).toBe(0);
  });

  it('does not follow links in a circle', () => {
    symlinkSync('b', join(folder, 'a'));
    symlinkSync('a', join(folder, 'b'));
    expect(foldersOnTheWay(join(folder, 'a'))).toEqual([folder]);
  });
});
