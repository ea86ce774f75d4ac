/**
 * Reloads while clients come at a steady rate: nobody notices. TANDEM_RELOADS=100 is the long form (40 s).
 *
 *   clients, 1,000 new connections a second ---- 127.0.0.1:8000 [tandem run --watch] ---- echo on 127.0.0.1:9001, 9002, 9003
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, type Host, type HostProcess, Lab, missing } from '../support/netns.ts';
import { Tandem } from '../support/tandem.ts';

const RELOADS = Number(process.env['TANDEM_RELOADS'] ?? 25);
const RATE = Number(process.env['TANDEM_RATE'] ?? 1_000);
const unable = missing();
const script = (name: string): string => fileURLToPath(new URL(`../support/${name}`, import.meta.url));

interface Load {
  readonly started: number;
  readonly ok: number;
  readonly failed: Readonly<Record<string, number>>;
  readonly slowestMs: number;
}

/** Every reload changes something of another kind, and every fourth takes the second service away or brings it back. */
function config(n: number): string {
  const backends = [9001, 9002, 9003].slice(0, 2 + (n % 2));
  const extra = Math.floor(n / 2) % 2 === 1;
  return `drain_timeout = "2s"
[node]
name = "n"
[data_path]
workers = 2
[limits]
max_connections = ${9_000 + n}
[[service]]
name = "web"
listen = ["127.0.0.1:8000"${n % 3 === 0 ? ', "127.0.0.1:8010"' : ''}]
schedule = "${n % 5 === 0 ? 'round-robin' : 'least-connections'}"
max_connections = ${8_900 + (n % 7)}
retries = ${1 + (n % 4)}
[service.source_limit]
max_connections = ${8_800 + n}
${backends.map((port) => `[[service.backend]]\naddress = "127.0.0.1:${port}"\nweight = ${1 + (n % 9)}`).join('\n')}
${extra ? '[[service]]\nname = "extra"\nlisten = ["127.0.0.1:8001"]\n[[service.backend]]\naddress = "127.0.0.1:9001"' : ''}
`;
}

describe.skipIf(unable !== null)('reloads under load', () => {
  let lab: Lab;
  let host: Host;
  let tandem: Tandem;
  let load: HostProcess;

  beforeAll(async () => {
    lab = Lab.create('reload');
    host = lab.host('one');
    host.spawn('echo', ['node', script('tcp-echo.mjs'), '127.0.0.1', '9001', '9002', '9003']);
    await eventually('the backends listen', () => listens(host, 9003));
    tandem = await Tandem.start(lab, host, config(0), { args: ['--watch'] });
    load = host.spawn('load', ['node', script('connect-load.mjs'), '127.0.0.1', '8000', String(RATE)]);
    await sleep(500);
  }, 30_000);
  afterAll(() => lab.destroy());

  const inForce = async (n: number): Promise<boolean> => {
    const { limits } = await tandem.status();
    return limits.find(({ name }) => name === 'process-connections')?.max === 9_000 + n;
  };

  test(`${RELOADS} of them by signal, command and file: no connection fails`, async () => {
    for (let n = 1; n <= RELOADS; n++) {
      tandem.writeConfig(config(n));
      if (n % 8 === 0) expect((await tandem.tandem('reload')).status).toBe(0);
      else if (n % 4 !== 0) tandem.process.kill('SIGHUP');
      // every eighth is left to the watch
      await eventually(`reload ${n} is in force`, () => inForce(n));
      await sleep(100);
    }
    const status = await tandem.status();
    const web = status.services.find(({ name }) => name === 'web');
    expect(web).toMatchObject({ maxConnections: 8_900 + (RELOADS % 7) });
    expect(new Set(web?.backends.map(({ weight }) => weight))).toEqual(new Set([1 + (RELOADS % 9)]));
    load.kill('SIGTERM');
    await load.exited;
    const result = JSON.parse(load.log()) as Load;
    expect(result.failed).toEqual({});
    expect(result.ok).toBe(result.started);
    expect(result.ok).toBeGreaterThan((RELOADS * RATE) / 20);
    process.stderr.write(
      `${RELOADS} reloads: ${result.ok} connections, slowest ${result.slowestMs.toFixed(0)} ms\n`,
    );
  }, 300_000);

  test('a bad file changes nothing and is told of once, however it is noticed', async () => {
    const before = await tandem.status();
    tandem.writeConfig(`${config(1)}\n[[service]]\nnmae = "typo"\n`);
    const rejected = async (): Promise<number> => {
      const events = await tandem.tandem('events', '--since', '1h', '--json');
      return events.stdout.split('\n').filter((line) => line.includes('"config.rejected"')).length;
    };
    await eventually('it is rejected', async () => (await rejected()) > 0);
    await sleep(1_000);
    expect(await rejected()).toBe(1);
    expect((await tandem.status()).configLoadedAt).toBe(before.configLoadedAt);
  });

  test('a removed service drains to its deadline', async () => {
    tandem.writeConfig(config(2));
    await eventually('the service is there', () => inForce(2));
    // inside the namespace: a client that holds on and tells when it was cut
    const held = host.spawn('held', ['node', '-e', HOLD]);
    await eventually('it is connected', () => held.log().includes('open'));
    tandem.writeConfig(config(4));
    await eventually('the service is gone', () => inForce(4));
    await sleep(500);
    expect(held.gone).toBe(false);
    await eventually('it is cut', () => held.gone, 10_000);
    const lived = Number(/lived (\d+)/.exec(held.log())?.[1]);
    expect(lived).toBeGreaterThan(1_900);
  });
});

/** Prints "open" with the first answer, "lived MS" when it is cut: counted from the first answer. */
const HOLD = `const s = require('net').connect(8001, '127.0.0.1', () => s.write('x'));
let t; s.on('data', () => { t = Date.now(); console.log('open'); });
s.on('error', () => {}); s.on('close', () => console.log('lived ' + (Date.now() - t)));`;

async function listens(host: Host, port: number): Promise<boolean> {
  const probe = `require('net').connect(${port},'127.0.0.1',()=>process.exit(0)).on('error',()=>process.exit(1))`;
  return (await host.run(['node', '-e', probe])).status === 0;
}
