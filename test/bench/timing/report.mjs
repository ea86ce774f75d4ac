// The figures as text: for the terminal, and for docs/failover-timing.md.
import { readFileSync } from 'node:fs';
import { cpus, release } from 'node:os';

const load = ({ requestsPerSecond, gigabitsPerSecond }) =>
  `${requestsPerSecond.toFixed(0)} requests/s and ${gigabitsPerSecond.toFixed(2)} Gbit/s`;

export function lines(found) {
  const { agent, seconds, intervalMs, takeovers, transitions, stalls, lostByCapture } = found;
  const text = [
    `${agent}: ${seconds} s of advertisements every ${intervalMs} ms, ${found.cpus} CPUs spinning, ${load(found)} forwarded`,
    `  takeovers by keepalived ${takeovers}, transitions here ${transitions}, stalls that the agent told of ${stalls}`,
  ];
  for (const family of ['ipv4', 'ipv6']) {
    const { count, p50, p99, p999, max } = found[family];
    text.push(`  ${family}: ${count} gaps, p50 ${p50} ms, p99 ${p99} ms, p99.9 ${p999} ms, max ${max} ms`);
  }
  for (const error of found.errors) text.push(`  the clients met: ${error}`);
  if (lostByCapture > 0) text.push(`  the capture lost ${lostByCapture} packets: a gap may be its own`);
  return text;
}

const row = (found, family) => {
  const { count, p50, p99, p999, max } = found[family];
  const cells = [
    found.agent,
    `${found.seconds} s`,
    family,
    count,
    p50,
    p99,
    p999,
    max,
    found.takeovers,
    found.stalls,
  ];
  return `| ${cells.join(' | ')} | ${load(found)} |`;
};

export function document(results) {
  const [first] = results;
  return `# Timing of the failover agent

Written by \`scripts/bench timing\` on ${new Date().toISOString().slice(0, 10)}. Nothing fails here: advertisements go out every
${first.intervalMs} ms to a real keepalived, which takes over after some ${Math.round(3.6 * first.intervalMs)} ms without one, while the data path is
saturated (\`wrk\` and \`iperf3\` through Tandem to nginx and iperf3) and every CPU spins in endless loops. Each takeover
would be a false one. The gaps are those between advertisements as they reach the backup's interface, in milliseconds, with
the kernel's time stamps; keepalived runs at real-time priority as well (\`vrrp_rt_priority\`), or it would be late itself.

- ${cpus().length} x ${cpus()[0]?.model ?? '?'}; ${distribution()}, Linux ${release()}; Node ${process.version}
- client, Tandem, keepalived and backend share the CPUs, in network namespaces on one bridge

| agent | for | | advertisements | p50 | p99 | p99.9 | max | takeovers | stalls told | forwarded meanwhile |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
${results.flatMap((found) => [row(found, 'ipv4'), row(found, 'ipv6')]).join('\n')}

The takeovers of both families are counted together. The first row is what Tandem does where it may (CAP_SYS_NICE, or
\`LimitRTPRIO=\`). \`nice -20\` is what it falls back to where SCHED_FIFO is refused: ahead of the others on average, but not
each time, so give such a host advertisements of 100 ms or more. Without real-time priority the takeovers are not all the
agent's: a keepalived that takes over works for longer than its own limit of real-time work (RLIMIT_RTTIME) allows, is ended by
the kernel and starts again.
`;
}

function distribution() {
  return /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux';
}
