#!/usr/bin/env node
// Does a busy host make the failover agent late? Advertisements every 10 ms to a real keepalived as the backup, the data
// path saturated, every CPU spinning. Counts the takeovers of the backup (each one is false: nothing failed) and measures
// on the backup's wire how far apart the advertisements were. `scripts/bench timing` builds what this needs.
//
//   bench.mjs [--seconds 60] [--interval 10] [--cases fifo,nice,normal] [--json] [--write FILE] [--helpers DIR]
//
//   --seconds    of the first case; the others take a third of that
//   --interval   between advertisements, in milliseconds
//   --cases      how the agent is scheduled: SCHED_FIFO; nice -20, where SCHED_FIFO is refused; as everything else
//   --helpers    nothing needs any
//
//     client --- wrk, iperf3 --->  10.96.0.100:80, :5201   Tandem (Active)  --->  backend: nginx, iperf3
//                                  10.96.0.100, 2001:db8:96::100           <--->  keepalived (backup)
//
// Exit status 1 when the backup took over in the first case.
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { commandLine, number, words } from '../command-line.mjs';
import { document, lines } from './report.mjs';
import { CASES, Rig, sleep } from './rig.mjs';
import { gaps, summary } from './wire.mjs';

const { seconds, intervalMs, cases, ...options } = commandLine(
  {
    seconds: { type: 'string', default: '60' },
    interval: { type: 'string', default: '10' },
    cases: { type: 'string', default: Object.keys(CASES).join() },
    json: { type: 'boolean', default: false },
    write: { type: 'string' },
  },
  (values) => ({
    seconds: number('seconds', values.seconds, { from: 1, to: 600 }),
    intervalMs: number('interval', values.interval, { from: 10, to: 1_000, step: 10 }),
    cases: words('cases', values.cases, Object.keys(CASES)),
  }),
);

let rig = null;

async function measure(name, duration) {
  rig = new Rig({ intervalMs, ...CASES[name] });
  try {
    await rig.start();
    const endCapture = await rig.capture();
    const cpus = availableParallelism();
    rig.spin(cpus, duration + 10);
    const traffic = await rig.traffic(duration);
    const packets = await endCapture();
    // what the backup still has to say of the last moments
    await sleep(4 * intervalMs);
    if (rig.takeovers() > 0) console.error(rig.keepalivedLog().slice(0, 4_000));
    return {
      name,
      seconds: duration,
      intervalMs,
      cpus,
      agent: await rig.scheduling(),
      takeovers: rig.takeovers(),
      transitions: await rig.transitions(),
      stalls: rig.stalls(),
      ...traffic,
      lostByCapture: packets.lost,
      ipv4: summary(gaps(packets.ipv4)),
      ipv6: summary(gaps(packets.ipv6)),
    };
  } finally {
    await rig.stop();
  }
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => void Promise.resolve(rig?.stop()).finally(() => process.exit(130)));
}
const results = [];
for (const [i, name] of cases.entries()) {
  const found = await measure(name, i === 0 ? seconds : Math.ceil(seconds / 3));
  results.push(found);
  if (!options.json) console.log(lines(found).join('\n'));
}
if (options.json) console.log(JSON.stringify(results));
if (options.write !== undefined) writeFileSync(options.write, document(results));
if (results[0].takeovers > 0) process.exitCode = 1;
