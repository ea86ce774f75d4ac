// What is measured. Each work returns { value, units, note? }: the rate, how many units of work that was (for CPU
// time a unit), and what went wrong.
import { cpuMillis, Daemon, memoryKib, run, sleep } from './shell.mjs';
import { DIRECT_BACKEND, NS, VIP } from './topology.mjs';

const target = (name) => (name === 'direct' ? DIRECT_BACKEND : VIP);
const port = (name) => (name === 'direct' ? 8080 : 80);

const iperf = (flags) => async (name, options) => {
  const command = `iperf3 -c ${target(name)} -t ${options.seconds} ${flags} -J`;
  const { stdout } = await run(NS.client, command, { seconds: options.seconds + 15 });
  try {
    const { end, error } = JSON.parse(stdout);
    const gigabits = (end.sum_received.bytes * 8) / 1e9;
    return { value: end.sum_received.bits_per_second / 1e9, units: gigabits, note: error };
  } catch {
    return { value: 0, units: 0, note: 'iperf3 failed' };
  }
};

const requestRate = (stdout) => Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1] ?? 0);

const MILLIS = { us: 0.001, ms: 1, s: 1_000 };

/** Milliseconds within which 99 of 100 requests were answered. */
function latency99(stdout) {
  const [, figure, unit] = /99%\s+([\d.]+)(us|ms|s)/.exec(stdout) ?? [];
  return figure === undefined ? Number.NaN : Number(figure) * MILLIS[unit];
}

const wrk =
  (flags, read = requestRate) =>
  async (name, options) => {
    const url = `http://${target(name)}:${port(name)}/`;
    const { stdout } = await run(NS.client, `wrk -t1 ${flags} -d${options.seconds}s ${url}`);
    const errors = /Socket errors: (.*)/.exec(stdout)?.[1];
    const unexpected = /Non-2xx or 3xx responses: (\d+)/.exec(stdout)?.[1];
    return {
      value: read(stdout),
      units: Number(/(\d+) requests in/.exec(stdout)?.[1] ?? 0),
      note: [errors, unexpected].filter(Boolean).join(' ') || undefined,
    };
  };

async function udp(name, options) {
  const { stdout } = await run(
    NS.client,
    `${options.helpers}/udp-echo client ${target(name)} 9000 1000 128 64 ${options.seconds}`,
  );
  try {
    const { pps, n, lost, bad } = JSON.parse(stdout);
    return { value: pps, units: n, note: lost + bad > 0 ? `lost ${lost}, wrong ${bad}` : undefined };
  } catch {
    return { value: 0, units: 0, note: 'udp-echo failed' };
  }
}

/** User memory that each of so many silent connections costs the balancer, in KiB. */
async function idle(_name, { helpers, dir, connections, balancer }) {
  if (balancer === null) return { value: 0, units: 0 };
  await sleep(1_500);
  const before = memoryKib(balancer);
  const command = `${helpers}/hold-idle ${VIP} 80 ${connections}`;
  const holder = new Daemon(NS.client, command, { dir, name: 'idle', pipe: true });
  let said = '';
  holder.child.stdout.on('data', (text) => {
    said += text;
  });
  for (let i = 0; i < 300 && !said.includes('ready') && !holder.gone; i++) await sleep(100);
  await sleep(3_000);
  const after = memoryKib(balancer);
  const opened = Number(/ready (\d+)/.exec(said)?.[1] ?? 0);
  holder.child.stdin.end();
  await holder.exited;
  await sleep(1_000);
  const note = opened === connections ? undefined : `only ${opened} of ${connections}`;
  return { value: (after - before) / Math.max(1, opened), units: 0, note };
}

/** Tandem's bar beside HAProxy at its best, two threads and large buffers, and that of its relay on `net`. */
const tuned = (native, node) => [
  { name: 'tandem2', of: 'haproxy2t', ratio: native },
  { name: 'tandemnode', of: 'haproxy2t', ratio: node },
];

/** `lower`: less is better. `bars`: what Tandem must reach, as a ratio to a contender or as a figure. */
export const WORKS = {
  idle: {
    title: 'Idle connection',
    unit: 'KiB user',
    run: idle,
    lower: true,
    bars: [
      { name: 'tandem2', below: 3 },
      { name: 'tandemnode', below: 9 },
    ],
  },
  bulk1: { title: 'Bulk up, 1 stream', unit: 'Gbit/s', run: iperf('-P1'), bars: tuned(1.1, 0.8) },
  bulk8: { title: 'Bulk up, 8 streams', unit: 'Gbit/s', run: iperf('-P8'), bars: tuned(1.1, 0.8) },
  bulk8r: {
    title: 'Bulk down, 8 streams',
    unit: 'Gbit/s',
    run: iperf('-P8 -R'),
    bars: tuned(1.1, 0.8),
  },
  rr: {
    title: 'Small requests, 64 at once',
    unit: '1/s',
    run: wrk('-c64'),
    bars: tuned(0.95, 0.72),
  },
  p99: {
    title: 'Small requests, 64 at once: 99 of 100 within',
    unit: 'ms',
    lower: true,
    run: wrk('-c64 --latency', latency99),
    bars: [{ name: 'tandem2', of: 'haproxy2t', ratio: 1.2 }],
  },
  cps: {
    title: 'New connections, 64 at once',
    unit: '1/s',
    run: wrk("-c64 -H 'Connection: close'"),
    bars: tuned(0.9, 0.4),
  },
  udp: {
    title: 'UDP echo, 128 at once',
    unit: '1/s',
    run: udp,
    udp: true,
    bars: [
      { name: 'tandem2', of: 'nginx2', ratio: 1.2 },
      { name: 'tandemnode', of: 'nginx2', ratio: 0.75 },
    ],
  },
};

/**
 * One measurement after an uncounted warm-up, the same for every contender: a daemon runs for months, and the first
 * seconds of a new process are its compiler's.
 *
 * With the balancer's CPU time for each unit of work in microseconds (bulk: for each Gbit, ms).
 */
export async function measure(work, name, options) {
  if (work !== 'idle' && options.warmUp > 0) {
    await WORKS[work].run(name, { ...options, seconds: options.warmUp });
    await sleep(300);
  }
  const before = options.balancer === null ? 0 : cpuMillis(options.balancer);
  const result = await WORKS[work].run(name, options);
  const used = options.balancer === null ? 0 : cpuMillis(options.balancer) - before;
  const scale = WORKS[work].unit === 'Gbit/s' ? 1 : 1_000;
  return { ...result, cpu: result.units > 0 ? (used * scale) / result.units : Number.NaN };
}
