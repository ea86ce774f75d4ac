import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { encodeProxyHeader } from '../../../lib/proxy-header.ts';
import type { TcpProbeSpec } from '../../../model/health.ts';
import { Exchange, type Turn } from '../exchange.ts';
import { failed, failedBy, type Probe, type ProbeOutcome, passed } from '../probe.ts';
import { failedTls, tlsOptions } from './tls.ts';

/** Healthy when a TCP connection comes about, TLS where it is asked for, and the conversation where there is one. */
export const probeTcp: Probe<TcpProbeSpec> = (spec, target, signal, progress) =>
  new Promise((resolve) => {
    const socket = connect({ host: target.address.text, port: target.port, signal });
    const { tls, exchange, sendProxy } = spec;
    socket.on('error', (error) => resolve(tls === null ? failedBy(error, 'protocol') : failedTls(error)));
    socket.once('close', () => resolve(failed('reset', 'closed before it was established')));
    socket.once('connect', () => {
      // Nobody listens, but the kernel chose the very port as our own: a socket connected to itself.
      if (socket.localPort === target.port && socket.localAddress === socket.remoteAddress) {
        resolve(failed('refused', 'connection refused'));
        socket.destroy();
        return;
      }
      if (tls === null && exchange.length === 0) {
        resolve(passed('connected'));
        leave(socket, spec);
        return;
      }
      progress?.('connected');
      if (sendProxy !== null) socket.write(encodeProxyHeader(sendProxy, null));
      const finish = (outcome: ProbeOutcome): void => {
        resolve(outcome);
        socket.destroy();
      };
      const talk = (over: Socket): void => converse(over, new Exchange(exchange), finish, progress);
      if (tls === null) talk(socket);
      else secure(socket, tls, finish, talk);
    });
  });

/**
 * With RST, as HAProxy does: a FIN would leave a TIME_WAIT socket here for every probe, and one in CLOSE_WAIT at a server
 * that reads late; the reset frees both at once, before the server has done any work for a client that never meant to speak.
 */
function leave(socket: Socket, { sendProxy }: TcpProbeSpec): void {
  // a server that waits for a header logs a reset before it as an error, at every probe
  if (sendProxy === null) socket.resetAndDestroy();
  else socket.end(encodeProxyHeader(sendProxy, null), () => socket.destroy());
}

function secure(
  socket: Socket,
  { host, verify }: NonNullable<TcpProbeSpec['tls']>,
  finish: (outcome: ProbeOutcome) => void,
  talk: (over: Socket) => void,
): void {
  const over = connectTls({ socket, ...tlsOptions(host, verify) });
  over.on('error', (error) => finish(failedTls(error)));
  over.once('close', () => finish(failed('tls', 'closed during the TLS handshake')));
  over.once('secureConnect', () => talk(over));
}

function converse(
  socket: Socket,
  exchange: Exchange,
  finish: (outcome: ProbeOutcome) => void,
  progress: ((text: string) => void) | undefined,
): void {
  let over = false;
  const turn = ({ send, outcome }: Turn): void => {
    if (send.byteLength > 0) socket.write(send);
    over = outcome !== null;
    if (outcome === null) progress?.(exchange.where());
    // what was sent last is to arrive, a QUIT for one
    else if (outcome.ok) socket.end(() => finish(outcome));
    else finish(outcome);
  };
  socket.on('data', (bytes: Buffer) => {
    if (!over) turn(exchange.take(bytes));
  });
  socket.once('end', () => {
    if (!over) finish(exchange.end());
  });
  turn(exchange.begin());
}
