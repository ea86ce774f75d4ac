/**
 * The status page in a real browser, over the pair (topology: test/support/pair.ts); the browser is on lb-a and opens
 * http://127.0.0.1:9465/. With TANDEM_SCREENSHOTS=DIR what it looks like is written there.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CHROMIUM, startChromium } from '../support/chromium.ts';
import { backendStatusOf, statusOf } from '../support/fake-admin.ts';
import { eventually, missing } from '../support/netns.ts';
import {
  createPair,
  killEverything,
  type Pair,
  pairToml,
  startLoad,
  startNginx,
  VIP4,
  webService,
} from '../support/pair.ts';
import { Tandem } from '../support/tandem.ts';

const unable = missing(CHROMIUM, 'nginx');
const URL_ = 'http://127.0.0.1:9465/';
const TOKEN = 'a-token-for-tests-0123456789abcdef';
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const { TANDEM_SCREENSHOTS: SHOTS } = process.env;
/** A second service: UDP, without checks. */
const DNS = `
[[service]]
name = "dns"
protocol = "udp"
listen = ["${VIP4}:53"]
[[service.backend]]
id = "ns-1"
address = "10.98.0.11:53"
[[service.backend]]
id = "ns-2"
address = "10.98.0.12:53"
`;

describe.skipIf(unable !== null)('the status page', () => {
  let pair: Pair;
  let a: Tandem;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let complaints: string[];
  let foreign: string[];

  /** lb-a with the page, lb-b without. */
  function toml(node: 'lb-a' | 'lb-b'): string {
    const peer = node === 'lb-a' ? '10.98.0.2' : '10.98.0.1';
    const secret = join(pair.lab.dir, 'peer.key');
    const web = webService({ extra: 'max_connections = 100' });
    const text = pairToml(node, `${web}\n${DNS}`, 'preempt = false');
    const peering = `[failover.peer]\naddress = "${peer}"\nsecret_file = "${secret}"\ndrain = "0s"\n`;
    const admin = `[admin]\nlisten = "127.0.0.1:9465"\ntoken_file = "${join(pair.lab.dir, 'token')}"\n`;
    return `${text}\n${peering}${node === 'lb-a' ? admin : ''}`;
  }

  beforeAll(async () => {
    pair = createPair('page');
    writeFileSync(join(pair.lab.dir, 'peer.key'), 'a secret for tests, long enough for the rule', {
      mode: 0o600,
    });
    writeFileSync(join(pair.lab.dir, 'token'), TOKEN, { mode: 0o600 });
    writeFileSync(join(pair.lab.dir, 'big'), 'x'.repeat(100_000));
    for (const host of pair.backends) await startNginx(pair.lab, host, join(pair.lab.dir, 'big'));
    a = await Tandem.start(pair.lab, pair.hostA, toml('lb-a'));
    await a.waitState('Active');
    const b = await Tandem.start(pair.lab, pair.hostB, toml('lb-b'));
    await b.waitState('Backup');
    browser = await startChromium(pair.lab, pair.hostA);
  });
  afterAll(async () => {
    await browser?.close();
    await pair?.lab.destroy();
  });

  beforeEach(async () => {
    context = await browser.newContext({ viewport: { width: 1280, height: 900 }, colorScheme: 'light' });
    page = await context.newPage();
    complaints = [];
    foreign = [];
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('request', (request) => {
      if (!request.url().startsWith(URL_)) foreign.push(request.url());
    });
  });
  afterEach(() => context.close());

  async function open(): Promise<void> {
    await page.goto(URL_);
    await page.getByText('live', { exact: true }).waitFor();
    await page.locator('.row', { hasText: 'be-3' }).waitFor();
  }
  const row = (id: string) => page.locator('.row', { has: page.getByText(id, { exact: true }) });
  const admin = async (id: string): Promise<string | undefined> =>
    (await a.status()).services[0]?.backends.find((backend) => backend.id === id)?.admin;
  async function shot(name: string): Promise<void> {
    if (SHOTS !== undefined) await page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true });
  }
  /** WCAG 2.2 AA and axe's best practices: the findings, one a line. */
  async function barriers(): Promise<string[]> {
    await page.evaluate(AXE);
    return page.evaluate(`axe.run().then(({ violations }) => violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => id + ': ' + html + ' ' + failureSummary)))`);
  }

  test('goes live without a word on the console and asks nobody else', async () => {
    const load = startLoad(pair, `http://${VIP4}/`, { fresh: 4, kept: 4 });
    await open();
    const [self, peer] = [page.locator('.node').nth(0), page.locator('.node').nth(1)];
    await expect.poll(() => self.textContent()).toMatch(/lb-a\s*Active/);
    await expect.poll(() => peer.textContent()).toMatch(/Backup/);
    expect(await self.textContent()).toContain(VIP4);
    expect(await page.title()).toBe('lb-a: Active – Tandem');
    await expect
      .poll(() => page.locator('#totals .spark .line').first().getAttribute('d'), { timeout: 10_000 })
      .toMatch(/L.*L/);
    expect(await row('be-1').textContent()).toMatch(/up/);
    expect(await page.locator('.limits li').count()).toBeGreaterThan(2);
    await page.locator('.entries li', { hasText: 'Backup to Active' }).first().waitFor();
    await load.finish();
    expect([complaints, foreign]).toEqual([[], []]);
  });

  test('has no barriers that axe finds, light, dark and narrow, and fits into 360 pixels', async () => {
    await open();
    expect(await barriers()).toEqual([]);
    const ground = (): Promise<string> => page.evaluate('getComputedStyle(document.body).backgroundColor');
    const light = await ground();
    await page.emulateMedia({ colorScheme: 'dark' });
    expect(await ground()).not.toBe(light);
    expect(await barriers()).toEqual([]);
    await shot('dark');
    // its own switch is stronger than the system
    await page.getByRole('button', { name: /^Theme: auto/ }).click();
    expect(await ground()).toBe(light);
    await page.setViewportSize({ width: 360, height: 780 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    expect(await barriers()).toEqual([]);
    await shot('phone');
  });

  test('a backend that dies shows, and so does its return', async () => {
    await open();
    await killEverything(pair.backends[1]);
    await row('be-2').getByText('down', { exact: true }).waitFor();
    await page.getByText('2 of 3 eligible').waitFor();
    await page.locator('.events li', { hasText: 'backend.down' }).first().waitFor();
    await shot('down');
    await startNginx(pair.lab, pair.backends[1], join(pair.lab.dir, 'big'));
    await row('be-2').getByText('up', { exact: true }).waitFor();
  });

  test('drains with the token, by keyboard alone; not with a wrong one', async () => {
    await open();
    await page.getByRole('button', { name: 'Drain web/be-1' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    expect(await page.evaluate('document.activeElement.getAttribute("aria-label")')).toBe('Drain web/be-1');

    await page.keyboard.press('Enter');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText('The token is needed.').waitFor();
    await page.keyboard.type('wrong');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText('the token is wrong').waitFor();
    expect(await barriers()).toEqual([]);
    await shot('dialog');
    expect(await admin('be-1')).toBe('ready');
    await page.keyboard.type(TOKEN);
    await page.keyboard.press('Enter');
    await row('be-1').getByText('draining', { exact: true }).waitFor();
    expect(await admin('be-1')).toBe('draining');
    expect(await page.evaluate('[sessionStorage.length, localStorage.length, document.cookie]')).toEqual([
      1,
      0,
      '',
    ]);

    // the token is known now
    await page.getByRole('button', { name: 'Make ready web/be-1' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Make ready' }).click();
    await row('be-1').getByText('up', { exact: true }).waitFor();
    expect(await admin('be-1')).toBe('ready');
    // what the browser itself says of the 401
    expect(complaints.filter((text) => !text.includes('401'))).toEqual([]);
  });

  test('a page of another origin and a name that was rebound get nothing', async () => {
    const script = `require('node:http').createServer((q, s) => s.end('<title>other</title>')).listen(8088, '127.0.0.1')`;
    const other = pair.hostA.spawn('other', ['node', '-e', script]);
    await eventually('the other server answers', async () => {
      return (await pair.hostA.run(['curl', '-sf', 'http://127.0.0.1:8088/'])).status === 0;
    });
    await page.goto('http://127.0.0.1:8088/');
    const attack = (): Promise<string[]> =>
      page.evaluate(
        async ([base, token]) => {
          const path = `${base}v1/services/web/backends/be-1/state`;
          const body = '{"state":"draining"}';
          const tries: RequestInit[] = [
            { method: 'POST', body },
            { method: 'POST', body, mode: 'no-cors' },
            { method: 'POST', body, headers: { authorization: `Bearer ${token}` } },
          ];
          const outcomes = tries.map((init) =>
            fetch(path, init).then(
              (response) => `${response.type} ${response.status}`,
              () => 'blocked',
            ),
          );
          return Promise.all([
            ...outcomes,
            fetch(`${base}v1/status`).then(
              () => 'read',
              () => 'blocked',
            ),
          ]);
        },
        [URL_, TOKEN],
      );
    expect(await attack()).toEqual(['blocked', 'opaque 0', 'blocked', 'blocked']);
    const rebound = await page.goto('http://evil.example:9465/v1/status');
    expect(rebound?.status()).toBe(403);
    expect(await rebound?.text()).toContain('foreign-host');
    expect(await admin('be-1')).toBe('ready');
    // they were refused by the daemon, not by the browser alone
    const { stdout } = await a.tandem('events', '--json');
    expect(stdout).toContain('foreign-origin');
    expect(stdout).toContain('foreign-host');
    await other.stop();
  });

  test('shows names as they are, whatever they look like', async () => {
    const hostile = '<img src=x onerror="document.title=\'owned\'">';
    const status = statusOf();
    status.services[0]?.backends.push(backendStatusOf(hostile, { lastCheck: hostile }));
    const hello = 'event: hello\ndata: {"epoch":"x","access":"token"}\n\n';
    const body = `${hello}event: status\ndata: ${JSON.stringify({ time: Date.now(), status: { ...status, node: hostile } })}\n\n`;
    await page.route('**/v1/stream', (route) =>
      route.fulfill({ status: 200, contentType: 'text/event-stream', body }),
    );
    await page.goto(URL_);
    await page.locator('.row strong', { hasText: hostile }).waitFor();
    expect(await page.locator('#node').textContent()).toBe(hostile);
    expect(await page.locator('main img').count()).toBe(0);
    expect(await page.title()).not.toBe('owned');
    // that stream has ended: the page says so and tries again
    await page.getByText('Connection lost').waitFor();
  });

  test('hands over, and says when the daemon has gone and comes back', async () => {
    await open();
    await page.getByRole('button', { name: 'Hand over' }).click();
    await page.getByLabel('Token').fill(TOKEN);
    await page.getByRole('dialog').getByRole('button', { name: 'Hand over' }).click();
    const [self, peer] = [page.locator('.node').nth(0), page.locator('.node').nth(1)];
    await expect.poll(() => self.textContent(), { timeout: 10_000 }).toMatch(/lb-a\s*Backup/);
    await expect.poll(() => peer.textContent(), { timeout: 10_000 }).toMatch(/Active/);
    await page.locator('.entries li', { hasText: 'Active to Backup' }).first().waitFor();
    await shot('handover');

    await a.crash();
    await page.getByText('Connection lost').waitFor();
    a = await Tandem.start(pair.lab, pair.hostA, toml('lb-a'));
    await page.getByText('live', { exact: true }).waitFor({ timeout: 20_000 });
    await page.getByText('Connection lost').waitFor({ state: 'hidden' });
    await page.locator('.events li', { hasText: 'daemon.started' }).first().waitFor();
  });

  if (SHOTS !== undefined) {
    test('its picture for the README', async () => {
      const load = startLoad(pair, `http://${VIP4}/`, { fresh: 3, kept: 60 });
      await page.setViewportSize({ width: 1200, height: 1240 });
      await open();
      await page.waitForTimeout(30_000);
      await a.tandem('failover', 'takeover');
      await page.waitForTimeout(20_000);
      await a.tandem('backends', 'drain', 'web/be-3');
      await killEverything(pair.backends[1]);
      await row('be-2').getByText('down', { exact: true }).waitFor();
      await page.waitForTimeout(10_000);
      await page.screenshot({ path: join(SHOTS, 'readme.png') });
      await shot('whole');
      await load.finish();
    }, 120_000);
  }
});
