import { parentPort, workerData } from 'node:worker_threads';
import { clockOf } from '../lib/clock.ts';
import { loadNative } from '../native/index.ts';
import { Engine } from './engine.ts';
import { NativeTransport } from './forward/native-transport.ts';
import { NodeTransport } from './forward/node-transport.ts';
import type { OpenTransport } from './forward/transport.ts';
import type { ToWorker, WorkerData } from './protocol.ts';

/**
 * Entry of a worker thread: the engine on one end of a message port, the supervisor's DataPath on the other. The one
 * place of the data path that loads the addon.
 */
if (parentPort === null) throw new Error('worker.ts runs in a worker thread');
const port = parentPort;
const data = workerData as WorkerData;
const openTransport: OpenTransport = (wheel, counters) =>
  data.relay === 'native' ? new NativeTransport(loadNative(), wheel, counters) : new NodeTransport();
const engine = new Engine(
  data,
  clockOf(data.clockOrigin),
  (message) => port.postMessage(message),
  openTransport,
  ({ text: address }) =>
    loadNative().openUdpSocket({
      address,
      port: 0,
      freebind: false,
      reusePort: false,
      bufferSize: 0,
      transparent: true,
    }),
);
port.on('message', (message: ToWorker) => engine.receive(message));
engine.start();
