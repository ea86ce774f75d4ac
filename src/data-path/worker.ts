import { parentPort, workerData } from 'node:worker_threads';
import { clockOf } from '../lib/clock.ts';
import { Engine } from './engine.ts';
import type { ToWorker, WorkerData } from './protocol.ts';

/** Entry of a worker thread: the engine on one end of a message port, the supervisor's DataPath on the other. */
if (parentPort === null) throw new Error('worker.ts runs in a worker thread');
const port = parentPort;
const data = workerData as WorkerData;
const engine = new Engine(data, clockOf(data.clockOrigin), (message) => port.postMessage(message));
port.on('message', (message: ToWorker) => engine.receive(message));
engine.start();
