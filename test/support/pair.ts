/**
 * The pair that the end-to-end tests run over; everything is on one switch:
 *
 *     client         lb-a            lb-b          be-1          be-2          be-3
 *   10.98.0.50     10.98.0.1       10.98.0.2    10.98.0.11    10.98.0.12    10.98.0.13   /24
 *        |             |  10.98.0.100  |             |             |             |
 *    ====+=============+===============+=============+=============+=============+====   lan
 *        |             | db8:98::100   |             |             |             |
 *   2001:db8:98::50   ::1             ::2          ::11          ::12          ::13      /64
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually, type Host, type HostProcess, Lab } from './netns.ts';
import { Tandem } from './tandem.ts';

export const VIP4 = '10.98.0.100';
export const VIP6 = '2001:db8:98::100';
/** As a URL or `address:port` has them. */
export const VIPS = [
  { family: 'IPv4', address: VIP4, host: VIP4 },
  { family: 'IPv6', address: VIP6, host: `[${VIP6}]` },
] as const;

const LOAD = fileURLToPath(new URL('./http-load.mjs', import.meta.url));

export interface Pair {
  readonly lab: Lab;
  readonly client: Host;
  readonly hostA: Host;
  readonly hostB: Host;
  readonly backends: readonly [Host, Host, Host];
}

export function createPair(name: string): Pair {
  const lab = Lab.create(name);
  const lan = lab.bridge('lan');
  const host = (called: string, number: number): Host => {
    const made = lab.host(called);
    made.join(lan, 'eth0', [`10.98.0.${number}/24`, `2001:db8:98::${number}/64`]);
    return made;
  };
  return {
    lab,
    client: host('client', 50),
    hostA: host('lb-a', 1),
    hostB: host('lb-b', 2),
    backends: [host('be-1', 11), host('be-2', 12), host('be-3', 13)],
  };
}

/** The same services on both nodes; `services` is TOML. */
export function pairToml(node: 'lb-a' | 'lb-b', services: string, group = ''): string {
  return `
[node]
name = "${node}"

${services}

[failover]
[[failover.group]]
interface = "eth0"
vrid = 51
priority = ${node === 'lb-a' ? 200 : 100}
addresses = ["${VIP4}/24", "${VIP6}/64"]
advertise_interval = "100ms"
${group}
`;
}

/** A TCP service on both virtual addresses, be-1 to be-3 over IPv4, IPv6, IPv4. */
export function webService(options: { extra?: string; backends?: readonly number[] } = {}): string {
  const backends = (options.backends ?? [1, 2, 3]).map(
    (n) => `[[service.backend]]
id = "be-${n}"
address = "${n === 2 ? '[2001:db8:98::12]' : `10.98.0.1${n}`}:8080"
`,
  );
  return `
[[service]]
name = "web"
protocol = "tcp"
listen = ["${VIP4}:80", "[${VIP6}]:80"]
${options.extra ?? ''}
[service.timeout]
connect = "1s"
[service.health]
type = "http"
path = "/health"
interval = "300ms"
timeout = "250ms"
fall = 2
${backends.join('')}`;
}

/** lb-a first, so that it is Active when this returns, and lb-b Backup. */
export async function startPair(pair: Pair, services: string, group = ''): Promise<{ a: Tandem; b: Tandem }> {
  const a = await Tandem.start(pair.lab, pair.hostA, pairToml('lb-a', services, group));
  await a.waitState('Active');
  const b = await Tandem.start(pair.lab, pair.hostB, pairToml('lb-b', services, group));
  await b.waitState('Backup');
  return { a, b };
}

/** nginx on a backend, port 8080: `/` says the host's name, `/big` and `/slow` send this file. */
export async function startNginx(lab: Lab, host: Host, bigFile: string): Promise<HostProcess> {
  const stem = join(lab.dir, `${host.name}-nginx`);
  writeFileSync(
    `${stem}.conf`,
    `daemon off;
worker_processes 1;
user root;
pid ${stem}.pid;
error_log stderr error;
events { worker_connections 4096; }
http {
  access_log off;
  sendfile on;
  keepalive_requests 100000;
  client_body_temp_path ${stem}-body;
  proxy_temp_path ${stem}-proxy;
  fastcgi_temp_path ${stem}-fastcgi;
  uwsgi_temp_path ${stem}-uwsgi;
  scgi_temp_path ${stem}-scgi;
  server {
    listen 8080 backlog=4096;
    listen [::]:8080 ipv6only=on backlog=4096;
    add_header X-Backend ${host.name};
    location / { return 200 "${host.name}\\n"; }
    location = /health { return 200 "ok\\n"; }
    location = /big { alias ${bigFile}; }
    location = /slow { alias ${bigFile}; limit_rate 8m; }
  }
}
`,
  );
  const nginx = host.spawn('nginx', ['nginx', '-c', `${stem}.conf`, '-e', 'stderr']);
  await eventually(`nginx on ${host.name} answers`, async () => {
    if (nginx.gone) throw new Error(`nginx on ${host.name} ended:\n${nginx.log()}`);
    return (await host.run(['curl', '-sf', 'http://127.0.0.1:8080/health'])).status === 0;
  });
  return nginx;
}

/** kill -9 of everything that runs on a host; returns when the kernel has closed its sockets. */
export async function killEverything(host: Host): Promise<void> {
  const pids = execFileSync('ip', ['netns', 'pids', host.ns], { encoding: 'utf8' }).split('\n');
  for (const pid of pids.filter((line) => line !== '')) process.kill(Number(pid), 'SIGKILL');
  await eventually(`nothing listens on ${host.name}`, async () => {
    return (await host.run(['ss', '-Hltn'])).stdout.trim() === '';
  });
}

/** One request as test/support/http-load.mjs reports it. */
export interface LoadResult {
  readonly started: number;
  readonly ended: number;
  readonly backend: string | null;
  readonly reused: boolean;
  readonly error: string | null;
}

/** HTTP clients that ask until `finish`, which returns every request they made. */
export function startLoad(
  pair: Pair,
  url: string,
  clients: { fresh: number; kept: number },
): { finish(): Promise<LoadResult[]> } {
  const load = pair.client.spawn('load', ['node', LOAD, url, `${clients.fresh}`, `${clients.kept}`]);
  return {
    async finish() {
      // where Node itself takes a second to start, the signal would end it before it has asked anything
      if (load.log() === '') {
        await eventually('the load runs', () => load.log() !== '');
        await new Promise((resolve) => setTimeout(resolve, 700));
      }
      await load.stop(20_000);
      await eventually('the load has written its report', () => load.child.stdout?.readableEnded ?? true);
      // the log file is written by a stream of its own: its last line must be whole
      await eventually('the report is on disk', () => load.log().endsWith('}\n'));
      return load
        .log()
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as LoadResult);
    },
  };
}
