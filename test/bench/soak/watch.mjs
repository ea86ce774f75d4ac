// What a process holds, and whether it grows.
import { readdirSync, readFileSync } from 'node:fs';

export function sample(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kib = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]);
  const threads = Number(/^Threads:\s+(\d+)/m.exec(status)?.[1]);
  return {
    at: performance.now() / 60_000,
    rss: kib / 1_024,
    fds: readdirSync(`/proc/${pid}/fd`).length,
    threads,
  };
}

/** Least squares: by how much `key` grows in a minute over the second half of the samples. */
export function growth(samples, key) {
  const late = samples.slice(Math.floor(samples.length / 2));
  const mean = (of) => late.reduce((sum, each) => sum + of(each), 0) / late.length;
  const [at, value] = [mean((each) => each.at), mean((each) => each[key])];
  const over = late.reduce((sum, each) => sum + (each.at - at) * (each[key] - value), 0);
  const under = late.reduce((sum, each) => sum + (each.at - at) ** 2, 0);
  return under === 0 ? 0 : over / under;
}
