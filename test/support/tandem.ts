/**
 * The built daemon (dist/) on a host of the lab, spoken to through its admin socket.
 *
 *   const a = await Tandem.start(lab, hostA, toml);          // ready when it returns
 *   (await a.status()).failover?.routers[0]?.state;
 *   await a.tandem('backends', 'drain', 'web/one');           // the CLI, inside the host
 *   await a.crash();                                          // kill -9 of supervisor and agent
 */
import { existsSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type RouterStatus, type Status, status as statusSchema } from '../../src/admin/contract.ts';
import { eventually, type Host, type HostProcess, type Lab, type RunResult } from './netns.ts';

/** Entry of the built program. */
export const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

let serial = 0;

export class Tandem {
  readonly host: Host;
  readonly process: HostProcess;
  readonly configPath: string;
  readonly socket: string;
  #agent: number | null = null;

  private constructor(host: Host, process: HostProcess, configPath: string, socket: string) {
    this.host = host;
    this.process = process;
    this.configPath = configPath;
    this.socket = socket;
  }

  /**
   * Starts the daemon with this configuration (the admin socket is added here) and waits until it
   * answers. Throws with its output when it ends first.
   */
  static async start(
    lab: Lab,
    host: Host,
    toml: string,
    options: {
      env?: Record<string, string>;
      timeoutMs?: number;
      args?: readonly string[];
      /** In place of node and this repository's dist/main.js. */
      program?: readonly string[];
    } = {},
  ): Promise<Tandem> {
    if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: npm run build`);
    const stem = join(lab.dir, `${host.name}-${++serial}`);
    const socket = `${stem}.sock`;
    writeFileSync(`${stem}.toml`, withAdmin(toml, socket));
    const program = options.program ?? ['node', MAIN];
    const command = [...program, 'run', '--config', `${stem}.toml`, ...(options.args ?? [])];
    const daemon = host.spawn('tandem', command, {
      env: { ...options.env },
    });
    const tandem = new Tandem(host, daemon, `${stem}.toml`, socket);
    const services = (toml.match(/^\[\[service\]\]/gm) ?? []).length;
    await tandem.#ready(services, options.timeoutMs ?? 15_000);
    return tandem;
  }

  /** The admin socket is there before the services are. */
  async #ready(services: number, timeoutMs: number): Promise<void> {
    await eventually(
      `tandem on ${this.host.name} answers; its output: ${this.process.logPath}`,
      async () => {
        if (this.process.gone) throw new Error(`tandem on ${this.host.name} ended:\n${this.process.log()}`);
        return this.status().then(
          (status) => status.services.length === services,
          () => false,
        );
      },
      timeoutMs,
    );
  }

  /** What the admin API says, checked against its contract. */
  async status(): Promise<Status> {
    return statusSchema.parse(JSON.parse(await get(this.socket, '/v1/status')));
  }

  /** Prometheus text. */
  metrics(): Promise<string> {
    return get(this.socket, '/metrics');
  }

  /** The virtual router of this family in the only (or named) group. */
  async router(family: 4 | 6 = 4, group?: string): Promise<RouterStatus> {
    const routers = (await this.status()).failover?.routers ?? [];
    const found = routers.find((r) => r.family === family && (group === undefined || r.group === group));
    if (found === undefined) throw new Error(`no IPv${family} router on ${this.host.name}`);
    return found;
  }

  /** Waits until every virtual router (of both families) is in this state. */
  async waitState(state: RouterStatus['state'], timeoutMs = 15_000): Promise<void> {
    await eventually(
      `${this.host.name} is ${state}; its output: ${this.process.logPath}`,
      async () => {
        const routers = (await this.status()).failover?.routers ?? [];
        return routers.length > 0 && routers.every((router) => router.state === state);
      },
      timeoutMs,
    );
  }

  /** Waits until exactly these backends of the service take clients. */
  async waitEligible(service: string, ids: readonly string[], timeoutMs = 15_000): Promise<void> {
    const wanted = [...ids].sort().join();
    await eventually(
      `${service} on ${this.host.name} uses ${wanted}; its output: ${this.process.logPath}`,
      async () => {
        const found = (await this.status()).services.find((candidate) => candidate.name === service);
        const eligible = (found?.backends ?? []).filter((backend) => backend.eligible);
        return (
          eligible
            .map((backend) => backend.id)
            .sort()
            .join() === wanted
        );
      },
      timeoutMs,
    );
  }

  /** The command line of this daemon, run on its host: `tandem(...args)`, `--socket` added. */
  tandem(...args: string[]): Promise<RunResult> {
    return this.host.run(['node', MAIN, ...args, '--socket', this.socket]);
  }

  /** Replaces the configuration file (the admin socket is added) without telling the daemon. */
  writeConfig(toml: string): void {
    writeFileSync(this.configPath, withAdmin(toml, this.socket));
  }

  async agentPid(): Promise<number> {
    const pid = (await this.status()).failover?.agentPid;
    if (typeof pid !== 'number') throw new Error(`tandem on ${this.host.name} has no agent`);
    return pid;
  }

  /** Sends a signal to the supervisor and to its agent right after. */
  async signalAll(signal: NodeJS.Signals): Promise<void> {
    this.#agent = (await this.status()).failover?.agentPid ?? null;
    this.process.kill(signal);
    if (this.#agent !== null) process.kill(this.#agent, signal);
  }

  /** Wakes up what `signalAll('SIGSTOP')` stopped: a stopped daemon cannot be asked for its agent. */
  resume(): void {
    if (this.#agent !== null) process.kill(this.#agent, 'SIGCONT');
    this.process.kill('SIGCONT');
  }

  /** kill -9 of the whole daemon; returns when it is gone. */
  async crash(): Promise<void> {
    await this.signalAll('SIGKILL');
    await this.process.exited;
  }

  /** SIGTERM, and its exit. */
  async stop(): Promise<void> {
    await this.process.stop(15_000);
  }
}

/** A section of the test's own gets the socket's path, unless it has one. */
function withAdmin(toml: string, socket: string): string {
  const line = `socket = ${JSON.stringify(socket)}`;
  if (!/^\[admin\]$/m.test(toml)) return `${toml}\n[admin]\n${line}\n`;
  return /^socket = /m.test(toml) ? toml : toml.replace(/^\[admin\]$/m, `[admin]\n${line}`);
}

function get(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const req = request({ socketPath, path, timeout: 5_000 }, (res) => {
      let body = '';
      res.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      res.once('error', reject);
      res.once('end', () => {
        if (res.statusCode === 200) resolve(body);
        else reject(new Error(`${path}: HTTP ${res.statusCode}: ${body}`));
      });
    });
    req.once('timeout', () => req.destroy(new Error(`${path}: no answer within 5 s`)));
    req.once('error', reject);
    req.end();
  });
}
