import { connect } from 'node:net';
import { encodeProxyHeader } from '../../../lib/proxy-header.ts';
import type { TcpProbeSpec } from '../../../model/health.ts';
import { failed, failedBy, type Probe, passed } from '../probe.ts';

/**
 * Healthy when a TCP connection comes about. It is ended with RST, as HAProxy does: a FIN would leave a
 * TIME_WAIT socket here for every probe, and one in CLOSE_WAIT at a server that reads late; the reset frees
 * both at once, before the server has done any work for a client that never meant to speak.
 */
export const probeTcp: Probe<TcpProbeSpec> = ({ sendProxy }, target, signal) =>
  new Promise((resolve) => {
    const socket = connect({ host: target.address.text, port: target.port, signal });
    socket.on('error', (error) => resolve(failedBy(error, 'protocol')));
    socket.once('close', () => resolve(failed('reset', 'closed before it was established')));
    socket.once('connect', () => {
      // Nobody listens, but the kernel chose the very port as our own: a socket connected to itself.
      const self = socket.localPort === target.port && socket.localAddress === socket.remoteAddress;
      resolve(self ? failed('refused', 'connection refused') : passed('connected'));
      // a server that waits for a header logs a reset before it as an error, at every probe
      if (sendProxy === null) socket.resetAndDestroy();
      else socket.end(encodeProxyHeader(sendProxy, null), () => socket.destroy());
    });
  });
