/**
 *     client ------------- lb ------------- backend          one switch, 10.97.0.0/24
 *   10.97.0.50          10.97.0.1         10.97.0.11
 *
 * 10,000 idle connections held by the real daemon; the next client is refused with its named reason. Each
 * forwarded one takes two descriptors: where the hard limit is too low for that, the rest waits in the queue.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, type Host, Lab, missing } from '../support/netns.ts';
import { Tandem } from '../support/tandem.ts';

const HELD = 10_000;
const FD_RESERVE = 100;
const PEER = fileURLToPath(new URL('../support/idle-peer.mjs', import.meta.url));

/** As many as the daemon can forward: clients, listener and reserve take their descriptors first. */
function forwardable(): number {
  const hard = execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim();
  if (hard === 'unlimited') return HELD;
  // a worker keeps room for the pipes that it splices through: src/daemon/consequences.ts
  const pipes = availableParallelism() * 80;
  return Math.min(HELD, Number(hard) - HELD - FD_RESERVE - pipes - 10);
}

class Peer {
  readonly #child: ChildProcess;
  readonly #lines: Interface;
  readonly #said: Record<string, unknown>[] = [];

  constructor(host: Host, ...args: string[]) {
    this.#child = spawn('sh', [
      '-c',
      `ulimit -n $(ulimit -Hn) && exec ip netns exec ${host.ns} node ${PEER} ${args.join(' ')}`,
    ]);
    if (this.#child.stdout === null) throw new Error('no output');
    this.#lines = createInterface({ input: this.#child.stdout });
    this.#lines.on('line', (line) => this.#said.push(JSON.parse(line) as Record<string, unknown>));
  }

  write(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  async says(key: string): Promise<unknown> {
    await eventually(`the peer says ${key}`, () => this.#said.some((each) => key in each), 60_000);
    return this.#said.find((each) => key in each)?.[key];
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await gone;
  }
}

describe.skipIf(missing() !== null)('10,000 idle connections', () => {
  let lab: Lab;
  let tandem: Tandem;
  /** Without a client: a listener for each worker. */
  let descriptors: number;
  const used = async () => {
    const { limits } = await tandem.status();
    return limits.find(({ name }) => name === 'file-descriptors')?.used ?? Number.NaN;
  };
  const peers: Peer[] = [];

  beforeAll(async () => {
    lab = Lab.create('idle');
    const lan = lab.bridge('lan');
    const [client, lb, backend] = ['client', 'lb', 'backend'].map((name) => lab.host(name));
    if (client === undefined || lb === undefined || backend === undefined) throw new Error('no hosts');
    for (const [host, number] of [
      [client, 50],
      [lb, 1],
      [backend, 11],
    ] as const) {
      host.join(lan, 'eth0', [`10.97.0.${number}/24`]);
    }
    const serving = new Peer(backend, 'serve', '10.97.0.11', '8080');
    peers.push(serving);
    await serving.says('ready');
    tandem = await Tandem.start(lab, lb, toml(forwardable()));
    descriptors = await used();
    peers.push(new Peer(client, 'hold', '10.97.0.1', '80', `${HELD}`));
  });

  afterAll(async () => {
    for (const peer of peers) await peer.stop();
    await lab.destroy();
  });

  it('are held, the next one is refused as service-limit, and nothing is left of them', async () => {
    const holder = peers[1];
    if (holder === undefined) throw new Error('no clients');
    expect(await holder.says('held')).toBe(HELD);
    const web = async () => {
      const service = (await tandem.status()).services[0];
      if (service === undefined) throw new Error('no service');
      return service;
    };
    await eventually('all are in', async () => (await web()).connections === HELD);
    const forwarded = forwardable();
    await eventually('all that fit are forwarded', async () => {
      const { queued, backends } = await web();
      return queued === HELD - forwarded && backends[0]?.connections === forwarded;
    });
    expect((await web()).refused).toEqual({});

    holder.write('more');
    expect(await holder.says('refused')).toBe('ECONNRESET');
    expect((await web()).refused).toEqual({ 'service-limit': 1 });
    expect((await web()).connections).toBe(HELD);
    expect(tandem.process.log()).toContain('service-limit');

    await holder.stop();
    await eventually('all are gone', async () => {
      const { connections, queued, backends } = await web();
      return connections === 0 && queued === 0 && backends[0]?.connections === 0;
    });
    expect(await used()).toBe(descriptors);
  });
});

const toml = (forwarded: number): string => `
[limits]
max_connections = ${HELD + 100}
fd_reserve = ${FD_RESERVE}

[[service]]
name = "web"
listen = ["10.97.0.1:80"]
max_connections = ${HELD}
on_limit = "reject"
backlog = 16384
[service.queue]
max = ${HELD}
timeout = "5m"
[[service.backend]]
address = "10.97.0.11:8080"
max_connections = ${forwarded}
`;
