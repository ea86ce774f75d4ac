/** Programs at every change of role, and before_claim, on two nodes (topology: test/support/pair.ts). */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/netns.ts';
import { createPair, type Pair, pairToml, VIP4 } from '../support/pair.ts';
import { Tandem } from '../support/tandem.ts';

const SERVICE = `
[[service]]
name = "web"
listen = ["${VIP4}:80"]
[[service.backend]]
address = "10.98.0.11:80"
`;

describe('failover notify', () => {
  let pair: Pair;
  let a: Tandem;
  let b: Tandem;
  let log: string;
  /** While it exists, before_claim of lb-a vetoes. */
  let veto: string;

  const states = (): string[] => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []);
  const script = (text: string): string => JSON.stringify(['/bin/sh', '-c', text]);
  const tell = (): string => script(`[ $TANDEM_FAMILY = 4 ] && echo $TANDEM_STATE >> ${log}; exit 0`);
  const startA = (lines: string): Promise<Tandem> =>
    Tandem.start(pair.lab, pair.hostA, pairToml('lb-a', SERVICE, `[failover.group.notify]\n${lines}`));

  beforeAll(async () => {
    pair = createPair('notify');
    log = join(pair.lab.dir, 'states');
    veto = join(pair.lab.dir, 'veto');
    b = await Tandem.start(pair.lab, pair.hostB, pairToml('lb-b', SERVICE));
    await b.waitState('Active');
  });
  afterAll(() => pair.lab.destroy());

  test('every change is told, in order, over quick transitions', async () => {
    a = await startA(['active', 'backup', 'fault', 'stopped'].map((key) => `${key} = ${tell()}\n`).join(''));
    await a.waitState('Active');
    for (let i = 0; i < 3; i++) {
      a.host.setCable('eth0', false);
      await a.waitState('Initialize');
      a.host.setCable('eth0', true);
      await a.waitState('Active');
    }
    await a.stop();
    const flap = ['fault', 'backup', 'active'];
    expect(states()).toEqual(['backup', 'active', ...flap, ...flap, ...flap, 'stopped']);
    await b.waitState('Active');
  });

  test('a hanging program is killed, and failover does not wait for it', async () => {
    rmSync(log);
    const hangs = script('sleep 1000');
    a = await startA(`backup = ${hangs}\nactive = ${tell()}\ntimeout = "3s"`);
    // preempts long before the program for `backup` is killed
    await a.waitState('Active', 2_500);
    expect(states()).toEqual([]);
    await eventually(
      'the state after the hanging program is told',
      () => states().join() === 'active',
      15_000,
    );
    expect(a.process.log()).toContain('no end within 3s, killed');
    await a.stop();
    await b.waitState('Active');
  });

  test('before_claim delays and vetoes; explain says so', async () => {
    writeFileSync(veto, '');
    const asks = script(`if [ -e ${veto} ]; then echo not yet; exit 1; else sleep 0.5; fi`);
    a = await startA(`before_claim = ${asks}\nbefore_claim_timeout = "5s"`);
    const said = async (): Promise<string> => (await a.tandem('failover', 'explain')).stdout;
    await eventually('a veto is explained', async () =>
      (await said()).includes('before_claim does not let it become Active: exit status 1: not yet'),
    );
    expect((await b.router()).state).toBe('Active');
    rmSync(veto);
    await a.waitState('Active');
    await b.waitState('Backup');
    // it agreed half a second after it was asked
    const { stdout } = await a.tandem('failover', 'history', '--json');
    const last = JSON.parse(stdout).transitions.at(-1);
    expect(last).toMatchObject({ from: 'Backup', to: 'Active', reason: 'preempt' });
    expect(last.activeDown.lateMillis).toBeGreaterThan(450);
  });
});
