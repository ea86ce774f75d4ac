/**
 * The same agents heard by Tandem's service controller and by the real HAProxy, all on this host's loopback:
 * whatever they say, both take the same backends for eligible.
 *
 *   agents 127.0.0.1:A1 A2 A3 <── asked by ── controller (system clock)
 *                             <── asked by ── haproxy ── stats socket
 *   backends 127.0.0.1:B1 B2 B3 accept, for the health checks of both
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { askAgent } from '../../src/control-path/agent-check/ask.ts';
import { ProbeGate } from '../../src/control-path/health/probe-gate.ts';
import { runProbe } from '../../src/control-path/health/probes/index.ts';
import { ServiceController } from '../../src/control-path/service-controller.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { millis } from '../../src/lib/duration.ts';
import { eventually, missing } from '../support/netns.ts';
import { backendSpec, endpoint, healthSpec, serviceSpec } from '../support/specs.ts';

const skip = missing('haproxy') !== null;
const IDS = ['one', 'two', 'three'];

/** A backend that accepts, and its agent, which says the same line to everybody. */
class Pair {
  readonly id: string;
  line = 'up ready 100%\n';
  /** Times that it was asked for its line, by what came with the question. */
  readonly asked = { tandem: 0, haproxy: 0 };
  readonly #backend: Server;
  #agent: Server;

  private constructor(id: string, backend: Server, agent: Server) {
    this.id = id;
    this.#backend = backend;
    this.#agent = agent;
  }

  static async start(id: string): Promise<Pair> {
    const backend = createServer((socket) => socket.on('error', () => undefined).end()).listen(
      0,
      '127.0.0.1',
    );
    const agent = createServer().listen(0, '127.0.0.1');
    await Promise.all([once(backend, 'listening'), once(agent, 'listening')]);
    const pair = new Pair(id, backend, agent);
    agent.on('connection', (socket) => {
      socket.on('error', () => undefined);
      socket.once('data', (data) => {
        pair.asked[data.toString().trim() === 'tandem' ? 'tandem' : 'haproxy']++;
        socket.end(pair.line);
      });
    });
    return pair;
  }

  get port(): number {
    return (this.#backend.address() as AddressInfo).port;
  }

  get agentPort(): number {
    return (this.#agent.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    await Promise.all(
      [this.#backend, this.#agent].map((server) => new Promise((done) => server.close(done))),
    );
  }

  /** Both have asked twice since: what it says now has come to each of them. */
  async heard(): Promise<void> {
    const { tandem, haproxy } = this.asked;
    await eventually(
      `${this.id} was asked by both`,
      () => this.asked.tandem >= tandem + 2 && this.asked.haproxy >= haproxy + 2,
    );
  }
}

describe.skipIf(skip)("HAProxy's agent-check", () => {
  let dir: string;
  let pairs: Pair[];
  let haproxy: ChildProcess;
  let controller: ServiceController;

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'tandem-agent-'));
    pairs = await Promise.all(IDS.map((id) => Pair.start(id)));
    controller = new ServiceController({
      spec: serviceSpec({
        health: healthSpec({ interval: millis(100), fastInterval: millis(50), timeout: millis(100) }),
        backends: pairs.map(({ id, port, agentPort }) =>
          backendSpec(id, {
            endpoint: endpoint(`127.0.0.1:${port}`),
            weight: 100,
            maxConnections: 500,
            agentCheck: {
              endpoint: endpoint(`127.0.0.1:${agentPort}`),
              interval: millis(100),
              timeout: millis(100),
              send: 'tandem\n',
            },
          }),
        ),
      }),
      clock: systemClock,
      random: Math.random,
      gate: new ProbeGate(8),
      probe: runProbe,
      ask: askAgent,
      slotOf: (id) => IDS.indexOf(id),
      onSet: () => undefined,
      emit: () => undefined,
      onBackendDown: () => undefined,
    });
    controller.start();
    const servers = pairs.map(
      ({ id, port, agentPort }) =>
        ` server ${id} 127.0.0.1:${port} weight 100 maxconn 500 check inter 100 agent-check agent-port ${agentPort} agent-inter 100 agent-send "haproxy\\n"`,
    );
    writeFileSync(
      join(dir, 'haproxy.cfg'),
      `global\n nbthread 1\n stats socket ${join(dir, 'stats')} level admin
defaults\n mode tcp\n timeout connect 2s\n timeout client 10s\n timeout server 10s
listen web\n bind ${join(dir, 'web')}\n${servers.join('\n')}\n`,
    );
    haproxy = spawn('haproxy', ['-f', join(dir, 'haproxy.cfg'), '-db'], { stdio: 'ignore' });
    await Promise.all(pairs.map((pair) => pair.heard()));
  });

  afterAll(async () => {
    controller?.stop();
    if (haproxy !== undefined && haproxy.exitCode === null) {
      const gone = once(haproxy, 'exit');
      haproxy.kill('SIGTERM');
      await gone;
    }
    await Promise.all((pairs ?? []).map((pair) => pair.stop()));
    rmSync(dir, { recursive: true, force: true });
  });

  /** What HAProxy would do: "show stat" by the name of a column. */
  async function stats(): Promise<Map<string, Record<string, string>>> {
    const socket = connect(join(dir, 'stats'));
    socket.end('show stat\n');
    let text = '';
    for await (const chunk of socket) text += String(chunk);
    const [titles = '', ...rows] = text.replace(/^# /, '').trim().split('\n');
    const names = titles.split(',');
    const servers = rows.map((row) => {
      const cells = row.split(',');
      return Object.fromEntries(names.map((name, i) => [name, cells[i] ?? '']));
    });
    return new Map(servers.map((server) => [server['svname'] ?? '', server]));
  }

  async function eligibleThere(): Promise<string> {
    const all = await stats();
    return IDS.filter(
      (id) => /^UP/.test(all.get(id)?.['status'] ?? '') && all.get(id)?.['weight'] !== '0',
    ).join();
  }

  const eligibleHere = (): string =>
    controller.set.members
      .filter(({ disposition }) => disposition === 'eligible')
      .map(({ id }) => id)
      .join();

  /** One line after the other from the first agent; the others stay well. */
  it.each<[line: string, eligible: boolean]>([
    ['down\n', false],
    ['ready 100%\n', false],
    ['up\n', true],
    ['drain\n', false],
    ['up\n', false],
    ['down\n', false],
    ['ready\n', false],
    ['up # well\n', true],
    ['MAINT\r\n', false],
    ['up,ready\n', true],
    ['0%\n', false],
    ['1%\n', true],
    ['fail # disk full, up\n', false],
    ['fail up\n', true],
    ['stopped 50%\n', false],
    ['up', false],
    ['nonsense\n', false],
    ['nonsense up\n', true],
    ['drain ready\n', true],
    ['maint,100%\tdown\n', false],
    ['ready up\nmaint\n', true],
    ['20% 30%x maxconn:\n', true],
    ['drain#x\n', true],
    ['-5%\n', true],
    ['up ready 100% maxconn:500\n', true],
  ])('after %j both take the same backends', async (line, eligible) => {
    const [first] = pairs;
    if (first === undefined) throw new Error('no agent');
    first.line = line;
    await first.heard();
    const wanted = eligible ? 'one,two,three' : 'two,three';
    await eventually(
      `both take ${wanted} (here ${eligibleHere()}, there ${await eligibleThere()})`,
      async () => eligibleHere() === wanted && (await eligibleThere()) === wanted,
    );
  });

  it('gives both the same weight and ceiling', async () => {
    const [first] = pairs;
    if (first === undefined) throw new Error('no agent');
    for (const [line, weight, ceiling] of [
      ['37% maxconn:30', 37, 30],
      ['maxconn:40', 37, 40],
      ['200%', 200, 40],
      ['9999%', 256, 40],
      ['50% 7%', 7, 40],
      ['100% maxconn:500', 100, 500],
    ] as const) {
      first.line = `${line}\n`;
      await first.heard();
      await eventually(`both have ${weight} and ${ceiling}`, async () => {
        const there = (await stats()).get('one');
        const here = controller.set.members[0];
        return (
          here?.weight === weight &&
          here.maxConnections === ceiling &&
          there?.['weight'] === String(weight) &&
          there['slim'] === String(ceiling)
        );
      });
    }
  });

  it('changes nothing for either when the agent has gone', async () => {
    const [first] = pairs;
    if (first === undefined) throw new Error('no agent');
    first.line = 'down # last words\n';
    await first.heard();
    await first.stop();
    await eventually('Tandem knows', () => controller.snapshot()[0]?.agent?.fault === 'connection refused');
    expect(controller.snapshot()[0]?.agent?.said).toBe('down, maxconn:500 (last words)');
    expect(eligibleHere()).toBe('two,three');
    await eventually('HAProxy has the same', async () => (await eligibleThere()) === 'two,three');
    controller.setAdmin('one', 'ready', false);
    expect(controller.snapshot()[0]?.agent?.up).toBe(true);
  });
});
