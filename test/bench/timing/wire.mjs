// What tcpdump saw of the advertisements, as figures.

/** `tcpdump -tt -n`: seconds since 1970 of each packet, by family. */
export function parseCapture(text) {
  const times = { ipv4: [], ipv6: [] };
  for (const line of text.split('\n')) {
    const [, time, family] = /^(\d+\.\d+) IP(6?) /.exec(line) ?? [];
    if (time !== undefined) times[family === '6' ? 'ipv6' : 'ipv4'].push(Number(time));
  }
  return times;
}

/** Milliseconds between each packet and the next. */
export function gaps(times) {
  return times.slice(1).map((time, i) => (time - times[i]) * 1_000);
}

export function summary(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share) => round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]);
  return { count: values.length, p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1) };
}

const round = (value) => (value === undefined ? null : Math.round(value * 100) / 100);
