/**
 * New TCP connections at a steady rate until SIGTERM, each with one request and its echo; then one JSON line
 * { started, ok, failed: { CODE: count }, slowestMs }. A connection that is late does not hold up the next ones.
 *
 *   node connect-load.mjs HOST PORT RATE
 */
import { connect } from 'node:net';

const ANSWER_MS = 8_000;
const SLICE_MS = 10;
const [host, port, rate] = process.argv.slice(2);
const result = { started: 0, ok: 0, failed: {}, slowestMs: 0 };
let open = 0;
let running = true;

function one() {
  const began = performance.now();
  const socket = connect({ host, port: Number(port), noDelay: true });
  let settled = false;
  const settle = (code) => {
    if (settled) return;
    settled = true;
    open--;
    result.slowestMs = Math.max(result.slowestMs, performance.now() - began);
    if (code === null) result.ok++;
    else result.failed[code] = (result.failed[code] ?? 0) + 1;
    socket.destroy();
  };
  result.started++;
  open++;
  socket.setTimeout(ANSWER_MS, () => settle('timeout'));
  socket.once('error', (error) => settle(error.code ?? 'error'));
  socket.once('connect', () => socket.write('x'));
  socket.once('data', () => settle(null));
  socket.once('close', () => settle('closed'));
}

process.once('SIGTERM', () => {
  running = false;
});
const began = performance.now();
const timer = setInterval(() => {
  const due = ((performance.now() - began) / 1_000) * Number(rate);
  // after a pause of its own it catches up in part: bursts of thousands are another test
  for (let n = 0; running && result.started < due && n < 200; n++) one();
  if (running || open > 0) return;
  clearInterval(timer);
  process.stdout.write(`${JSON.stringify(result)}\n`);
}, SLICE_MS);
