/** A failover agent with its supervisor (failover-node.mjs) on a host of the lab. */

import { writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { AgentCommandResult } from '../../src/failover/agent-commands.ts';
import type { AgentStatus } from '../../src/failover/agent-handle.ts';
import type { EventName, TandemEvent } from '../../src/model/event.ts';
import type { AnnounceSpec, VirtualRouterStatus, VrrpState } from '../../src/model/failover.ts';
import { eventually, type Host, type HostProcess, type Lab } from './netns.ts';

export interface GroupInput {
  readonly name?: string;
  readonly interface?: string;
  readonly vrid?: number;
  readonly version?: 2 | 3;
  readonly priority?: number;
  /** "10.0.0.1/24" or "10.0.0.1/24 dev eth1" */
  readonly addresses: readonly string[];
  readonly excluded?: readonly string[];
  readonly advertiseMillis?: number;
  readonly leaseSeconds?: number;
  readonly announce?: Partial<AnnounceSpec>;
  readonly preempt?: boolean;
  readonly authPass?: string;
  readonly unicast?: { readonly source?: string; readonly peers: readonly string[] };
}

export interface SpecInput {
  readonly groups: readonly GroupInput[];
  readonly realtimePriority?: number;
  /** How long the agent may take to start at the first attempt. */
  readonly startLimitMillis?: number;
}

export type NodeEvent = TandemEvent & { readonly at: number };

const SCRIPT = new URL('./failover-node.mjs', import.meta.url).pathname;
let serial = 0;

export class FailoverNode {
  readonly host: Host;
  readonly process: HostProcess;
  readonly #socket: string;

  private constructor(host: Host, process: HostProcess, socket: string) {
    this.host = host;
    this.process = process;
    this.#socket = socket;
  }

  /** Starts supervisor and agent, and waits until the agent is configured. */
  static async start(
    lab: Lab,
    host: Host,
    spec: SpecInput,
    prefix: readonly string[] = [],
  ): Promise<FailoverNode> {
    const base = join(lab.dir, `fo${++serial}`);
    writeFileSync(`${base}.json`, JSON.stringify(spec));
    const command = [...prefix, process.execPath, SCRIPT, `${base}.sock`, `${base}.json`];
    const node = new FailoverNode(host, host.spawn('failover', command), `${base}.sock`);
    await eventually('the agent is running', () => node.hasEvent('failover.agent-started'));
    return node;
  }

  async request<T>(request: object): Promise<T> {
    const connection = createConnection(this.#socket);
    try {
      const lines = createInterface(connection);
      const reply = new Promise<string>((resolve, reject) => {
        lines.once('line', resolve);
        connection.once('error', reject);
        connection.once('close', () => reject(new Error('closed without an answer')));
      });
      connection.write(`${JSON.stringify(request)}\n`);
      const parsed = JSON.parse(await reply) as T & { error?: string };
      if (parsed.error !== undefined) throw new Error(parsed.error);
      return parsed;
    } finally {
      connection.destroy();
    }
  }

  status(): Promise<AgentStatus> {
    return this.request({ do: 'status' });
  }

  async router(family: 4 | 6 = 4): Promise<VirtualRouterStatus | undefined> {
    return (await this.status()).routers.find((router) => router.family === family);
  }

  async agentPid(): Promise<number> {
    const { pid } = await this.status();
    if (pid === null) throw new Error('no agent');
    return pid;
  }

  command(command: 'handover' | 'takeover'): Promise<AgentCommandResult> {
    return this.request({ do: 'command', command });
  }

  restartAgent(): Promise<unknown> {
    return this.request({ do: 'restart' });
  }

  stop(): Promise<unknown> {
    return this.request({ do: 'stop' });
  }

  events(name?: EventName): NodeEvent[] {
    return this.process
      .log()
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as NodeEvent)
      .filter((event) => name === undefined || event.name === name);
  }

  hasEvent(name: EventName): boolean {
    return this.events(name).length > 0;
  }

  async waitState(state: VrrpState, family: 4 | 6 = 4, timeoutMs = 10_000): Promise<void> {
    await eventually(
      `${this.host.name} is ${state} for IPv${family}`,
      async () => (await this.router(family))?.state === state,
      timeoutMs,
    );
  }
}
