import { connect } from 'node:net';
import { failed, failedBy, type Probe, passed } from '../probe.ts';

/**
 * Healthy when a TCP connection comes about. It is ended with RST, as HAProxy does: a FIN would leave a
 * TIME_WAIT socket here for every probe, and one in CLOSE_WAIT at a server that reads late; the reset frees
 * both at once, before the server has done any work for a client that never meant to speak.
 */
export const probeTcp: Probe<{ readonly type: 'tcp' }> = (_spec, target, signal) =>
  new Promise((resolve) => {
    const socket = connect({ host: target.address.text, port: target.port, signal });
    socket.on('error', (error) => resolve(failedBy(error, 'protocol')));
    socket.once('close', () => resolve(failed('reset', 'closed before it was established')));
    socket.once('connect', () => {
      // Nobody listens, but the kernel chose the very port as our own: a socket connected to itself.
      const self = socket.localPort === target.port && socket.localAddress === socket.remoteAddress;
      resolve(self ? failed('refused', 'connection refused') : passed('connected'));
      socket.resetAndDestroy();
    });
  });
