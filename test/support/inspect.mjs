// Opens the inspector of a Node process in this network namespace (SIGUSR1) and has it run one expression:
//   node inspect.mjs PID EXPRESSION
// Prints the wall clock in milliseconds of the moment at which the expression was sent, and ends without waiting
// for its result: it may be an endless loop.
import { WebSocket } from 'undici';

const [pid, expression] = process.argv.slice(2);
const LIST = 'http://127.0.0.1:9229/json/list';

process.kill(Number(pid), 'SIGUSR1');

async function debuggerUrl() {
  for (let left = 200; left > 0; left--) {
    const targets = await fetch(LIST).then(
      (answer) => answer.json(),
      () => [],
    );
    if (targets.length > 0) return targets[0].webSocketDebuggerUrl;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`process ${pid} opened no inspector`);
}

const socket = new WebSocket(await debuggerUrl());
socket.addEventListener('open', () => {
  socket.send(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression } }));
  process.stdout.write(`${Date.now()}\n`);
  setTimeout(() => process.exit(0), 100);
});
socket.addEventListener('error', (event) => {
  process.stderr.write(`${event.message}\n`);
  process.exit(1);
});
