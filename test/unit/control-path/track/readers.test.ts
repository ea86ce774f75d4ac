import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Links, readTrack } from '../../../../src/control-path/track/readers.ts';
import type { TrackCheck } from '../../../../src/model/track.ts';

const link = {
  index: 2,
  name: 'eth1',
  mac: new Uint8Array(6),
  up: true,
  carrier: true,
  mtu: 1_500,
  lower: 0,
  alias: '',
  kind: '',
};
const noLinks: Links = { listLinks: () => [] };

const read = (check: TrackCheck, links = noLinks, signal = AbortSignal.timeout(5_000)) =>
  readTrack(check, 'probe', links, signal);

describe('interface', () => {
  const eth1: TrackCheck = { type: 'interface', interface: 'eth1' };
  it.each([
    [{ ...link }, true, 'eth1 is up'],
    [{ ...link, carrier: false }, false, 'eth1 has no carrier'],
    [{ ...link, up: false }, false, 'eth1 is down'],
    [{ ...link, name: 'eth2' }, false, 'eth1 does not exist'],
  ])('%#: up is %s, %s', async (seen, up, detail) => {
    expect(await read(eth1, { listLinks: () => [seen] })).toMatchObject({ up, detail });
  });

  it('is down when the kernel cannot be asked', async () => {
    const broken: Links = {
      listLinks: () => {
        throw new Error('netlink is gone');
      },
    };
    expect(await read(eth1, broken)).toMatchObject({ up: false, detail: 'netlink is gone' });
  });
});

describe('script', () => {
  const script = (...command: [string, ...string[]]): TrackCheck => ({
    type: 'script',
    command,
    timeout: 1 as never,
  });
  it('is up with exit status 0, and knows its name', async () => {
    expect(await read(script('/bin/true'))).toMatchObject({ up: true });
    expect(await read(script('/bin/sh', '-c', 'echo "$TANDEM_TRACKER" failed; exit 3'))).toMatchObject({
      up: false,
      detail: 'exit status 3: probe failed',
    });
    expect(await read(script('/nowhere/at-all'))).toMatchObject({
      up: false,
      detail: expect.stringContaining('no such program'),
    });
  });

  it('is down when its time is up', async () => {
    const began = Date.now();
    const reading = await read(script('/bin/sleep', '30'), noLinks, AbortSignal.timeout(100));
    expect(reading).toMatchObject({ up: false, detail: 'timed out' });
    expect(Date.now() - began).toBeLessThan(10_000);
  });
});

describe('process and file', () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'tandem-track-'));
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  it('counts running processes by name, cut as the kernel cuts it, and by command line', async () => {
    const name = `track-${process.pid}-a-long-name`;
    const program = join(dir, name);
    symlinkSync('/bin/sleep', program);
    const children = [1, 2].map(() => spawn(program, ['300.5']));
    await Promise.all(children.map((child) => once(child, 'spawn')));
    const byName = (count: number) => read({ type: 'process', process: name, match: 'name', count });
    const command = `${program} 300.5`;
    try {
      expect(await byName(2)).toMatchObject({ up: true, detail: '2 of 2 running' });
      expect(await byName(3)).toMatchObject({ up: false, detail: '2 of 3 running' });
      const byCommand: TrackCheck = { type: 'process', process: command, match: 'command', count: 2 };
      expect(await read(byCommand)).toMatchObject({ up: true });
      expect(await read({ ...byCommand, process: program })).toMatchObject({ up: false });
    } finally {
      for (const child of children) child.kill('SIGKILL');
    }
    await Promise.all(children.map((child) => once(child, 'close')));
    expect(await byName(1)).toMatchObject({ up: false, detail: '0 of 1 running' });
  });

  it("reads a file's number", async () => {
    const path = join(dir, 'priority');
    const file: TrackCheck = { type: 'file', path };
    expect(await read(file)).toMatchObject({ up: true, value: 0 });
    writeFileSync(path, ' -25\n');
    expect(await read(file)).toMatchObject({ up: true, value: -25, detail: `${path} holds -25` });
    for (const junk of ['', 'ten', '1.5', '99999999999', '1 2', 'x'.repeat(100_000)]) {
      writeFileSync(path, junk);
      expect(await read(file), junk.slice(0, 20)).toMatchObject({ up: false });
    }
    expect(await read({ type: 'file', path: dir })).toMatchObject({ up: false });
  });
});
