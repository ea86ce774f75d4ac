/**
 * HTTP clients that keep on asking until SIGTERM, then print one JSON line a request (the first line is empty):
 * { started, ended, backend, reused, error }. Times are Date.now(); `backend` is the body's first line, or,
 * for a failed request on a kept-alive connection, the backend that this connection has talked to so far
 * (null when unknown).
 *
 *   node http-load.mjs URL NEW KEPT      NEW loops with a connection each time, KEPT with one kept alive
 */
import { Agent, get } from 'node:http';

/** Longer than a connect time-out and a redispatch; what hangs beyond it has lost its backend. */
const ANSWER_MS = 8_000;

const [url, fresh = '1', kept = '0'] = process.argv.slice(2);
const results = [];
let running = true;
process.once('SIGTERM', () => {
  running = false;
});
// an empty line: from here on SIGTERM is heard
process.stdout.write('\n');

function ask(agent, connections) {
  const result = { started: Date.now(), ended: 0, backend: null, reused: false, error: null };
  return new Promise((resolve) => {
    const finish = (error) => {
      result.ended = Date.now();
      result.error = error;
      results.push(result);
      resolve();
    };
    const request = get(url, { agent, timeout: ANSWER_MS }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text) => {
        body += text;
      });
      response.once('error', (error) => finish(error.message));
      response.once('end', () => {
        result.backend = body.trim();
        connections.set(request.socket, result.backend);
        finish(response.statusCode === 200 ? null : `HTTP ${response.statusCode}`);
      });
    });
    request.once('timeout', () => request.destroy(new Error(`no answer within ${ANSWER_MS} ms`)));
    request.once('error', (error) => {
      result.reused = request.reusedSocket;
      result.backend = connections.get(request.socket) ?? null;
      finish(error.message);
    });
  });
}

async function loop(keepAlive) {
  const agent = keepAlive ? new Agent({ keepAlive: true, maxSockets: 1 }) : false;
  const connections = new WeakMap();
  while (running) {
    await ask(agent, connections);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  if (agent !== false) agent.destroy();
}

await Promise.all([
  ...Array.from({ length: Number(fresh) }, () => loop(false)),
  ...Array.from({ length: Number(kept) }, () => loop(true)),
]);
for (const result of results) process.stdout.write(`${JSON.stringify(result)}\n`);
