import { parentPort, workerData } from 'node:worker_threads';
import { clockOf } from '../lib/clock.ts';
import { loadNative } from '../native/index.ts';
import { Engine } from './engine.ts';
import { NativeTransport } from './forward/native-transport.ts';
import { NativeUdpTransport } from './forward/native-udp.ts';
import { NodeTransport } from './forward/node-transport.ts';
import { NodeUdpTransport } from './forward/node-udp.ts';
import type { OpenTransparent } from './forward/node-udp-flow.ts';
import type { OpenTransports } from './forward/transport.ts';
import type { FromWorker, ToWorker, WorkerData } from './protocol.ts';

/**
 * Entry of a worker thread: the engine on one end of a message port, the supervisor's DataPath on the other. The one
 * place of the data path that loads the addon.
 */
if (parentPort === null) throw new Error('worker.ts runs in a worker thread');
const port = parentPort;
const data = workerData as WorkerData;

/** For the relay on `dgram`. */
const openTransparent: OpenTransparent = ({ text: address }) =>
  loadNative().openUdpSocket({
    address,
    port: 0,
    freebind: false,
    reusePort: false,
    bufferSize: 0,
    transparent: true,
  });

const openTransports: OpenTransports = (wheel, counters) =>
  data.relay === 'native'
    ? {
        tcp: new NativeTransport(loadNative(), wheel, counters),
        udp: new NativeUdpTransport(loadNative(), wheel, counters),
      }
    : { tcp: new NodeTransport(), udp: new NodeUdpTransport(wheel, counters, openTransparent) };
const send = (message: FromWorker): void => port.postMessage(message);
const engine = new Engine(data, clockOf(data.clockOrigin), send, openTransports);
port.on('message', (message: ToWorker) => engine.receive(message));
engine.start();
