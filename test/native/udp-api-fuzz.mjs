// The addon's UDP relay as JavaScript reaches it, with arguments of every kind in any order, while clients and backends talk:
// whatever is passed ends in an answer, a TypeError, a RangeError or the error of a system call.
//
//   node udp-api-fuzz.mjs ADDON SEED STEPS
import { createSocket } from 'node:dgram';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

const [addon, seed, steps, itsBackend] = isMainThread ? process.argv.slice(2) : workerData;
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
let servicePort = 1;
let backendPort = 1;
const seen = new Set();

function receive(count) {
  for (let at = 0; at < count * 16; at += 16) {
    const [type, index, generation] = events.subarray(at, at + 3);
    const handle = generation * 2 ** 22 + index;
    seen.add(type);
    if (type === 8) handles.push(handle);
    if (type === 9 && random(2) === 0) relay.keep(handle);
    else if (type < 10 && random(8) > 0) relay.connect(handle, route(), source(), false);
  }
  // from within the listener, too
  if (random(3) === 0) act();
}

let relay = native.openUdpRelay({ totals, events }, receive);
const group = relay.addGroup(4, 5, 6);

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

const OPERATIONS = [
  () => relay.connect(handle(), route(), source(), false),
  () =>
    relay.connect(
      handle(),
      random(4) === 0 ? badRoute() : route(),
      random(4) === 0 ? junk() : source(),
      random(4) === 0 ? junk() : false,
    ),
  () => relay.keep(handle()),
  () => relay.drop(handle()),
  () => relay.activity(handle()),
  () => relay.tick(pick([1, 2, Number.NaN, junk()])),
  () => relay.askAll(pick([group, junk()])),
  () => relay.oldest(pick([group, junk()])),
  () => relay.addGroup(pick([1, 8, junk()]), pick([2, junk()]), pick([3, junk()])),
  () => relay.removeGroup(pick([999, junk()])),
  () => relay.removeListener(pick([999, junk()])),
  () => relay.addListener(pick([group, junk()]), pick([2 ** 20, junk()]), pick([true, junk()])),
  () => relay[pick(['connect', 'drop', 'keep', 'activity', 'addListener', 'addGroup', 'oldest'])]?.(),
  () =>
    native.openUdpRelay(
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

function listen(wildcard) {
  const fd = native.openUdpSocket({
    address: wildcard ? '0.0.0.0' : '127.0.0.1',
    port: 0,
    freebind: false,
    reusePort: false,
    bufferSize: 1 << 20,
  });
  servicePort = native.localPort(fd);
  return relay.addListener(group, fd, wildcard);
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

if (isMainThread) {
  const backend = createSocket('udp4', (datagram, { port, address }) => {
    if (random(10) > 0) backend.send(datagram, port, address, () => undefined);
  });
  await new Promise((resolve) => backend.bind(0, '127.0.0.1', resolve));
  backendPort = backend.address().port;
} else {
  backendPort = itsBackend;
}
listen(false);
const ports = [servicePort];
listen(true);
ports.push(servicePort);

const clients = [];
const talk = (to = pick(ports)) => {
  if (clients.length < 50) clients.push(createSocket('udp4').on('error', () => undefined));
  pick(clients).send(Buffer.alloc(random(3_000)), to, '127.0.0.1', () => undefined);
};

for (let step = 0; step < Number(steps); step++) {
  for (let i = random(4); i > 0 && isMainThread; i--) talk();
  for (let i = random(4); i > 0; i--) act();
  if (handles.length > 500) handles.splice(0, 250);
  await turn();
}
for (const type of isMainThread ? [8, 9, 10, 11] : []) {
  if (!seen.has(type)) throw new Error(`no event of type ${type} in ${steps} steps`);
}
if (!isMainThread) {
  parentPort.postMessage(ports);
  // goes on until it is terminated, with sessions and an open relay
  setInterval(act, 1);
} else {
  // memory for events that is taken away is an uncaught exception, and no datagram goes anywhere without a decision
  let uncaught = 0;
  process.on('uncaughtException', () => uncaught++);
  structuredClone(events.buffer, { transfer: [events.buffer] });
  relay.askAll(group);
  for (let i = 0; i < 50 && uncaught === 0; i++) {
    talk();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  process.removeAllListeners('uncaughtException');
  if (uncaught === 0) throw new Error('events were written into memory that is gone');
  relay.close();
  relay.close();
  for (let i = 0; i < 300; i++) act();
  relay = null;
  const worker = new Worker(fileURLToPath(import.meta.url), {
    workerData: [addon, Number(seed) + 1, 100, backendPort],
    trackUnmanagedFds: false,
  });
  // its peers are here: Node does not survive a worker that is terminated while its own `dgram` receives
  const itsPorts = await new Promise((resolve, reject) =>
    worker.once('message', resolve).once('error', reject),
  );
  for (let i = 0; i < 200; i++) {
    talk(pick(itsPorts));
    if (i % 10 === 9) await turn();
  }
  await worker.terminate();
  console.log('ok');
  process.exit();
}
