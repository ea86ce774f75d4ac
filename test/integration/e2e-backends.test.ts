/**
 * Backends that die, drain and are reloaded while clients are at work, over the pair (topology:
 * test/support/pair.ts).
 */
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventually, missing } from '../support/netns.ts';
import {
  createPair,
  killEverything,
  type LoadResult,
  type Pair,
  pairToml,
  startLoad,
  startNginx,
  startPair,
  VIP4,
  VIP6,
  webService,
} from '../support/pair.ts';
import type { Tandem } from '../support/tandem.ts';

const unable = missing('nginx', 'curl');
const ALL = ['be-1', 'be-2', 'be-3'];

/**
 * A dead backend goes on being tried until its health check says so: what clients see in between is the
 * work of retries and redispatch alone, not of a scheduler or an ejection that avoids it.
 */
const web = (backends?: readonly number[]): string =>
  webService({
    extra: 'schedule = "round-robin"\n[service.passive]\nfailures = 0',
    ...(backends === undefined ? {} : { backends }),
  });

const errorsOf = (results: readonly LoadResult[]): LoadResult[] => results.filter((r) => r.error !== null);

describe.skipIf(unable !== null)('backends that come and go', () => {
  let pair: Pair;
  let a: Tandem;
  let bigFile: string;
  let bigHash: string;

  beforeAll(async () => {
    pair = createPair('back');
    bigFile = join(pair.lab.dir, 'big');
    const content = randomBytes(32 * 1024 * 1024);
    writeFileSync(bigFile, content);
    bigHash = createHash('sha256').update(content).digest('hex');
    for (const host of pair.backends) await startNginx(pair.lab, host, bigFile);
    ({ a } = await startPair(pair, web()));
  });
  beforeEach(() => a.waitEligible('web', ALL));
  afterAll(() => pair.lab.destroy());

  test('killed under load: only clients that were connected to it see an error', async () => {
    const load = startLoad(pair, `http://${VIP4}/`, { fresh: 6, kept: 6 });
    await sleep(1_500);
    const killBegan = Date.now();
    await killEverything(pair.backends[1]);
    const killEnded = Date.now();
    await a.waitEligible('web', ['be-1', 'be-3']);
    await sleep(1_000);
    const results = await load.finish();

    const before = results.filter((r) => r.ended < killBegan);
    expect(errorsOf(before)).toEqual([]);
    expect(new Set(before.map((r) => r.backend))).toEqual(new Set(ALL));
    // whoever asks after the death, on a new connection or one to another backend, is served
    const strangers = results.filter((r) => r.started > killEnded && r.backend !== 'be-2');
    expect(errorsOf(strangers)).toEqual([]);
    expect(strangers.length).toBeGreaterThan(50);
    // a kept-alive connection to another backend never failed at all
    expect(errorsOf(results).filter((r) => r.backend === 'be-1' || r.backend === 'be-3')).toEqual([]);
    // and that is because failed connects went elsewhere
    const dead = (await a.status()).services[0]?.backends.find((one) => one.id === 'be-2');
    expect(dead?.connectErrors).toBeGreaterThan(0);

    await startNginx(pair.lab, pair.backends[1], bigFile);
  });

  test('gone silent under load: new connections are sent elsewhere', async () => {
    const load = startLoad(pair, `http://[${VIP6}]/`, { fresh: 6, kept: 0 });
    await sleep(1_000);
    pair.backends[2].setConnected('eth0', false);
    const silentFrom = Date.now();
    await a.waitEligible('web', ['be-1', 'be-2']);
    await sleep(1_500);
    const results = await load.finish();
    pair.backends[2].setConnected('eth0', true);

    const after = results.filter((r) => r.started > silentFrom);
    // connections that had just reached be-3 when it fell silent are its own; later ones all succeed
    const connected = errorsOf(results).filter((r) => r.started <= silentFrom);
    expect(errorsOf(after)).toEqual([]);
    expect(connected.length).toBeLessThanOrEqual(6);
    expect(after.length).toBeGreaterThan(50);
  });

  test('drained: its download goes on to the end, new clients go elsewhere, drain --wait returns after it', async () => {
    const copy = join(pair.lab.dir, 'slow-copy');
    const head = join(pair.lab.dir, 'slow-head');
    const url = `http://${VIP4}/slow`;
    const download = pair.client.spawn('curl', ['curl', '-sf', '-m', '60', '-D', head, '-o', copy, url]);
    let id = '';
    await eventually('the download has begun', () => {
      id = /^X-Backend: (\S+)/m.exec(readIfThere(head))?.[1] ?? '';
      return id !== '';
    });
    const others = ALL.filter((other) => other !== id);
    const waiting = a
      .tandem('backends', 'drain', `web/${id}`, '--wait')
      .then((result) => ({ result, at: Date.now() }));
    await a.waitEligible('web', others);
    const load = startLoad(pair, `http://${VIP4}/`, { fresh: 3, kept: 0 });
    await sleep(700);
    const results = await load.finish();
    expect(download.gone).toBe(false);
    expect(errorsOf(results)).toEqual([]);
    expect(results.length).toBeGreaterThan(20);
    expect(new Set(results.map((r) => r.backend))).toEqual(new Set(others));

    expect((await download.exited).code).toBe(0);
    const downloadEnded = Date.now();
    expect(createHash('sha256').update(readFileSync(copy)).digest('hex')).toBe(bigHash);
    const { result, at } = await waiting;
    expect(result.status, result.stderr).toBe(0);
    // both ends are seen by one poll loop: the order holds within its period
    expect(at).toBeGreaterThan(downloadEnded - 1_000);

    expect((await a.tandem('backends', 'ready', `web/${id}`)).status).toBe(0);
  });

  test('reloaded under load with another list: no client sees an error', async () => {
    const load = startLoad(pair, `http://${VIP4}/`, { fresh: 6, kept: 0 });
    await sleep(700);
    a.writeConfig(pairToml('lb-a', web([1, 2])));
    const removed = await a.tandem('reload');
    expect(removed.status, removed.stderr).toBe(0);
    const withoutIt = Date.now();
    await a.waitEligible('web', ['be-1', 'be-2']);
    await sleep(700);
    const returning = Date.now();
    a.writeConfig(pairToml('lb-a', web()));
    expect((await a.tandem('reload')).status).toBe(0);
    await a.waitEligible('web', ALL);
    await sleep(700);
    const results = await load.finish();

    expect(errorsOf(results)).toEqual([]);
    const between = results.filter((r) => r.started > withoutIt && r.ended < returning);
    expect(new Set(between.map((r) => r.backend))).toEqual(new Set(['be-1', 'be-2']));
    expect(results.filter((r) => r.started > returning).map((r) => r.backend)).toContain('be-3');
    // the role was not touched by either reload
    expect((await a.router()).transitions).toBe((await a.router(6)).transitions);
    expect((await a.router()).state).toBe('Active');
  });

  test('a bad file changes nothing and says where it is wrong', async () => {
    const before = await a.status();
    const load = startLoad(pair, `http://${VIP4}/`, { fresh: 3, kept: 3 });
    await sleep(300);
    a.writeConfig(`${pairToml('lb-a', web([1]))}\n[[service]]\nnmae = "typo"\n`);
    const refused = await a.tandem('reload');
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toContain('nmae');
    expect(refused.stderr).toMatch(/:\d+/);
    await sleep(500);
    expect(errorsOf(await load.finish())).toEqual([]);
    const after = await a.status();
    expect(after.configLoadedAt).toBe(before.configLoadedAt);
    expect(after.services.map((s) => s.backends.map((one) => one.id))).toEqual([ALL]);

    a.writeConfig(pairToml('lb-a', web()));
  });
});

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
