// Churn, faults and reloads at once, for a bounded time; then: did a byte come wrong, and did anything stay behind?
//
//   clients ── 10.78.0.1 (lo) [tandem] ── three backends on 127.0.1.x         all in one namespace of its own
//
//   sudo scripts/bench soak [--minutes 10] [--clients 40] [--relay node|native] [--seed N]
import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { commandLine, number, words } from '../command-line.mjs';
import { Daemon, run, sh, sleep, stopAll } from '../forwarding/shell.mjs';
import {
  BACKEND_TCP,
  BACKEND_UDP,
  BACKENDS,
  configOf,
  PLAIN,
  SERVICE,
  TCP_PORT,
  UDP_PORT,
  variant,
} from './config.mjs';
import { choices } from './stream.mjs';
import { growth, sample } from './watch.mjs';

const {
  minutes,
  clients: atOnce,
  relay,
  seed,
} = commandLine(
  {
    minutes: { type: 'string', default: '10' },
    clients: { type: 'string', default: '40' },
    relay: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
  (values) => ({
    minutes: number('minutes', values.minutes, { from: 0.1, to: 24 * 60, step: 0 }),
    clients: number('clients', values.clients, { from: 1, to: 1_000 }),
    relay: values.relay === undefined ? null : words('relay', values.relay, ['native', 'node'])[0],
    seed: number('seed', values.seed, { from: 0, to: 2 ** 32 - 1 }),
  }),
);

/** After the first half of the run the daemon has seen everything and should not need more. */
const MAX_GROWTH_MIB_A_MINUTE = 2;
/** For the news of a killed backend to reach the clients of a busy machine. */
const NOTICED_MS = 1_000;
const NS = `tandem-soak-${process.pid}`;
const dir = sh('mktemp -d').trim();
const socket = join(dir, 'admin.sock');
const file = join(dir, 'tandem.toml');
const random = choices(seed);
const tandem = new URL('../../../dist/main.js', import.meta.url).pathname;
const here = (name) => new URL(name, import.meta.url).pathname;
const faults = {};
/** When backends were killed, by Date.now(). */
const deaths = [];
const problems = [];

const startBackend = (i) =>
  new Daemon(NS, `node ${here('backend.mjs')} ${BACKENDS[i]} ${BACKEND_TCP} ${BACKEND_UDP}`, {
    dir,
    name: `backend-${i}`,
  });
const cli = (args) => run(NS, `node ${tandem} ${args} --socket ${socket}`, { seconds: 20 });

function status() {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: socket, path: '/v1/status', timeout: 5_000 }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString())));
    });
    asked.on('timeout', () => asked.destroy(new Error('the admin socket did not answer in 5 s')));
    asked.on('error', reject);
    asked.end();
  });
}

async function until(what, condition, seconds = 30) {
  for (let i = 0; i < seconds * 10; i++) {
    if (await condition().catch(() => false)) return;
    await sleep(100);
  }
  problems.push(`${what}: not within ${seconds} s`);
}

async function reload(which) {
  writeFileSync(file, configOf(which, socket, relay));
  const { status: code, stdout } = await cli('reload');
  if (code !== 0) problems.push(`a reload failed: ${stdout}`);
}

/** One fault at a time, each undone before the next. */
const FAULTS = {
  reload: () => reload(variant(random)),
  'bad reload': async () => {
    writeFileSync(file, 'no = "such key"\n');
    const { status: code } = await cli('reload');
    if (code === 0) problems.push('a bad file was accepted');
    await reload(PLAIN);
  },
  'backend killed': async (backends) => {
    const i = random.below(BACKENDS.length);
    const from = Date.now();
    await backends[i].stop();
    deaths.push({ from, to: Date.now() + NOTICED_MS });
    await sleep(500 + random.below(1_500));
    backends[i] = startBackend(i);
  },
  'backend stopped': async (backends) => {
    const { child } = backends[random.below(BACKENDS.length)];
    process.kill(child.pid, 'SIGSTOP');
    await sleep(500 + random.below(2_500));
    process.kill(child.pid, 'SIGCONT');
  },
  drain: async () => {
    const id = `tcp/${random.of(BACKENDS)}:${BACKEND_TCP}`;
    await cli(`backends drain ${id}`);
    await sleep(random.below(2_000));
    await cli(`backends ready ${id}`);
  },
  'flood beyond every limit': () =>
    run(
      NS,
      `node -e 'const {connect}=require("node:net");for(let i=0;i<1500;i++){const s=connect(${TCP_PORT},"${SERVICE}");s.on("error",()=>{});setTimeout(()=>s.destroy(),1500)}'`,
    ),
};

async function inflict(backends) {
  const name = random.of(Object.keys(FAULTS));
  faults[name] = (faults[name] ?? 0) + 1;
  const begin = performance.now();
  await FAULTS[name](backends);
  return `${name} (${((performance.now() - begin) / 1_000).toFixed(1)} s)`;
}

async function quiet(daemon, before) {
  await until('every connection and session is gone', async () =>
    (await status()).services.every(({ connections, queued, backends }) =>
      [connections, queued, ...backends.map((backend) => backend.connections)].every((count) => count === 0),
    ),
  );
  await until(
    'descriptors are back',
    async () => Promise.resolve(sample(daemon.child.pid).fds <= before.fds + 8),
    10,
  );
  const after = sample(daemon.child.pid);
  if (after.fds > before.fds + 8) problems.push(`${after.fds} descriptors, ${before.fds} at the start`);
  if (after.threads > before.threads + 2)
    problems.push(`${after.threads} threads, ${before.threads} at the start`);
  return after;
}

function judge(seen, samples) {
  const perMinute = growth(samples, 'rss');
  if (minutes >= 5 && perMinute > MAX_GROWTH_MIB_A_MINUTE)
    problems.push(`memory grows by ${perMinute.toFixed(1)} MiB a minute`);
  if (seen.wrong > 0) problems.push(`${seen.wrong} clients saw wrong streams: ${seen.examples.join('; ')}`);
  const cut = seen.early.filter(({ at }) => !deaths.some(({ from, to }) => at >= from && at <= to));
  if (cut.length > 0) {
    const examples = cut.slice(0, 5).map(({ what }) => what);
    problems.push(`${cut.length} clients saw a FIN that no backend had sent: ${examples.join('; ')}`);
  }
  if (seen.wrongReplies > 0) problems.push(`${seen.wrongReplies} UDP replies were not the client's`);
  if (seen.complete === 0 || seen.replies === 0) problems.push('no client was served');
  const [first, last] = [samples[0], samples.at(-1)];
  console.log(
    `    clients: ${seen.started}, complete ${seen.complete}, gone by themselves ${seen.abandoned}, broken by a fault ${seen.broken}, ${seen.early.length} of them by a FIN`,
  );
  console.log(
    `    bytes compared: ${(seen.bytes / 1e9).toFixed(2)} GB; datagrams ${seen.datagrams}, replies ${seen.replies}`,
  );
  console.log(
    `    faults: ${Object.entries(faults)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ')}`,
  );
  console.log(
    `    memory: ${first.rss.toFixed(0)} MiB at first, ${last.rss.toFixed(0)} at last, ${perMinute.toFixed(2)} MiB a minute in the second half`,
  );
}

async function soak() {
  sh(`ip netns add ${NS}; ip -n ${NS} link set lo up; ip -n ${NS} addr add ${SERVICE}/32 dev lo`);
  const backends = BACKENDS.map((_, i) => startBackend(i));
  writeFileSync(file, configOf(PLAIN, socket, relay));
  const daemon = new Daemon(NS, `node ${tandem} run --config ${file}`, { dir, name: 'tandem' });
  await until('the daemon answers', async () => (await status()).services.length === 2);
  await sleep(1_000);
  const before = sample(daemon.child.pid);
  const clients = new Daemon(
    NS,
    `node ${here('clients.mjs')} ${SERVICE} ${TCP_PORT} ${UDP_PORT} ${atOnce} ${seed}`,
    { dir, name: 'clients', pipe: true },
  );
  let told = '';
  clients.child.stdout.on('data', (text) => {
    told += text;
  });
  const samples = [];
  const end = performance.now() + minutes * 60_000;
  while (performance.now() < end && !daemon.gone) {
    const what = await inflict(backends);
    await sleep(1_000 + random.below(2_000));
    samples.push(sample(daemon.child.pid));
    const left = Math.max(0, (end - performance.now()) / 60_000);
    const { rss, fds } = samples.at(-1);
    console.log(`    ${left.toFixed(1)} min left | ${rss.toFixed(0)} MiB, ${fds} descriptors | ${what}`);
  }
  if (daemon.gone) throw new Error(`the daemon ended:\n${daemon.log()}`);
  await reload(PLAIN);
  clients.child.kill('SIGTERM');
  await until('the clients have ended', async () => Promise.resolve(clients.gone), 90);
  const after = await quiet(daemon, before);
  judge(JSON.parse(told.split('\n')[1] ?? '{}'), [...samples, after]);
}

console.log(`==> soak: ${minutes} min, ${atOnce} clients, seed ${seed}`);
try {
  await soak();
} finally {
  await stopAll();
  sh(`ip netns pids ${NS} | xargs -r kill -9; ip netns del ${NS}; rm -rf ${dir}`, { mayFail: true });
}
for (const problem of problems) console.log(`    ${problem}`);
console.log(problems.length === 0 ? '==> nothing wrong, nothing left' : `==> ${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;
