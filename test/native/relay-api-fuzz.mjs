// The addon's relay as JavaScript reaches it, with arguments of every kind in any order, while clients and backends come,
// talk and reset: whatever is passed ends in an answer, a TypeError, a RangeError or the error of a system call.
//
//   node relay-api-fuzz.mjs ADDON SEED STEPS
import { createRequire } from 'node:module';
import { connect, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

const [addon, seed, steps] = isMainThread ? process.argv.slice(2) : workerData;
const native = createRequire(import.meta.url)(addon);

let state = Number(seed) || 1;
const random = (below) => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
};
const pick = (list) => list[random(list.length)];

const totals = new Float64Array(new SharedArrayBuffer(64));
const events = new Int32Array(16 * 32);
const handles = [];
const listeners = [];
let backendPort = 1;
let servicePort = 1;
const seen = new Set();

function receive(count) {
  for (let at = 0; at < count * 16; at += 16) {
    const [type, index, generation] = events.subarray(at, at + 3);
    seen.add(type);
    if (type === 1) handles.push(generation * 2 ** 22 + index);
    // half of the clients are looked at first
    if (type === 1 && random(2) === 0) relay.peek(handles.at(-1));
    if (type === 7) relay.take(generation * 2 ** 22 + index, random(10));
  }
  // from within the listener, too
  if (random(3) === 0) act();
}

let relay = native.openRelay({ totals, events }, receive);

function route() {
  const words = new Uint32Array(11);
  words.set([4, pick([backendPort, backendPort, backendPort, 1]), random(4), 0, 1, 2, 3]);
  new Uint8Array(words.buffer).set([127, 0, 0, 1], 28);
  return words;
}

const junk = () =>
  pick([
    undefined,
    null,
    'x',
    -1,
    1.5,
    Number.NaN,
    2 ** 53,
    2 ** 31,
    {},
    [],
    1n,
    true,
    new Uint8Array(3),
    receive,
  ]);
const handle = () => (random(8) === 0 ? junk() : random(10) === 0 ? random(2 ** 30) : (pick(handles) ?? 0));
const badRoute = () =>
  pick([
    new Uint32Array(10),
    new Uint32Array(11),
    route().fill(9, 0, 1),
    route().fill(8, 3, 4),
    route().fill(0, 1, 2),
    junk(),
  ]);

const source = () => pick([null, null, Uint8Array.of(127, 0, 0, 1 + random(9)), Uint8Array.of(192, 0, 2, 1)]);
const head = () => pick([null, null, new Uint8Array(random(300))]);

const OPERATIONS = [
  () => relay.connect(handle(), route(), head(), source(), false),
  () => relay.connect(handle(), route(), head(), source(), false),
  () =>
    relay.connect(
      handle(),
      random(4) === 0 ? badRoute() : route(),
      random(4) === 0 ? junk() : head(),
      random(4) === 0 ? junk() : source(),
      random(4) === 0 ? junk() : false,
    ),
  () => relay.peek(handle()),
  () => relay.look(handle(), random(4) === 0 ? junk() : new Uint8Array(random(5_000))),
  () => relay.take(handle(), random(4) === 0 ? junk() : random(500)),
  () => relay.abandon(handle()),
  () => relay.closeConnection(handle(), pick([true, false, junk()])),
  () => relay.drop(handle()),
  () => relay.activity(handle()),
  () => relay.tick(pick([1, 2, Number.NaN, junk()])),
  () => relay.setAccepting(pick([...listeners, junk()]), random(4) > 0),
  () => relay.removeListener(pick([999, junk()])),
  () => relay.addListener(pick([2 ** 20, junk(), junk()]), true),
  () => relay[pick(['connect', 'drop', 'close2', 'activity', 'addListener'])]?.(),
  () =>
    native.openRelay(
      pick([junk(), { totals: new Float64Array(8), events }, { totals, events: new Int32Array(8) }]),
      pick([junk(), receive]),
    ),
];

function act() {
  try {
    pick(OPERATIONS)();
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError || typeof error.errno === 'number'))
      throw error;
  }
}

function listen() {
  const fd = native.openTcpListener({
    address: '127.0.0.1',
    port: 0,
    freebind: false,
    reusePort: false,
    backlog: 64,
  });
  servicePort = native.localPort(fd);
  listeners.push(relay.addListener(fd, random(2) === 0));
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const sockets = new Set();

function misbehave(socket) {
  sockets.add(socket);
  socket.on('error', () => undefined);
  socket.on('close', () => sockets.delete(socket));
  socket.on('data', () => undefined);
  socket.write(Buffer.alloc(1 + random(100_000)));
  if (random(3) === 0) socket.resetAndDestroy();
  else if (random(2) === 0) socket.end();
}

const backend = createServer({ allowHalfOpen: true }, misbehave).listen(0, '127.0.0.1');
await new Promise((resolve) => backend.once('listening', resolve));
backendPort = backend.address().port;
listen();

for (let step = 0; step < Number(steps); step++) {
  if (random(2) === 0 && sockets.size < 100) {
    const client = connect({ port: servicePort, host: '127.0.0.1', allowHalfOpen: true });
    client.once('connect', () => misbehave(client));
    client.on('error', () => undefined);
  }
  // each client is connected somewhere sooner or later
  if (handles.length > 0) relay.connect(handles.at(-1), route(), head(), source(), false);
  for (let i = random(4); i > 0; i--) act();
  if (step % 97 === 96) for (const socket of sockets) if (random(2) === 0) socket.destroy();
  if (handles.length > 500) handles.splice(0, 250);
  await turn();
}
const wanted = isMainThread ? [1, 2, 3, 5, 7] : [1, 2];
for (const type of wanted) if (!seen.has(type)) throw new Error(`no event of type ${type} in ${steps} steps`);
if (!isMainThread) {
  parentPort.postMessage('busy');
  // goes on until it is terminated, with connections and an open relay
  setInterval(() => act(), 1);
} else {
  // a listener that throws is an uncaught exception, as for any event; memory that is taken away is another
  let uncaught = 0;
  process.on('uncaughtException', () => uncaught++);
  for (const listener of listeners) relay.setAccepting(listener, true);
  structuredClone(events.buffer, { transfer: [events.buffer] });
  for (let i = 0; i < 50 && uncaught === 0; i++) {
    connect({ port: servicePort, host: '127.0.0.1' }).on('error', () => undefined);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  process.removeAllListeners('uncaughtException');
  if (uncaught === 0) throw new Error('events were written into memory that is gone');
  relay.close();
  relay.close();
  for (let i = 0; i < 300; i++) act();
  relay = null;
  for (const socket of sockets) socket.destroy();
  backend.close();
  const worker = new Worker(fileURLToPath(import.meta.url), {
    workerData: [addon, Number(seed) + 1, 200],
    trackUnmanagedFds: false,
  });
  await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  await worker.terminate();
  console.log('ok');
  process.exit();
}
