import { createSocket } from 'node:dgram';
import type { Endpoint } from '../../../lib/ip.ts';
import { failed, failedBy, type ProbeOutcome } from '../probe.ts';

/** Datagrams from the backend that may be no answer before the probe gives up on it. */
const MAX_STRAYS = 16;

/**
 * Sends one datagram from a connected socket of its own and shows each reply to `judge` until that has a
 * verdict. Connected, the kernel lets only the backend's datagrams in and reports its ICMP errors; a fresh
 * socket has a fresh port, so no late reply of an earlier probe can come in.
 */
export function exchange(
  target: Endpoint,
  payload: Uint8Array,
  signal: AbortSignal,
  judge: (reply: Uint8Array) => ProbeOutcome | undefined,
): Promise<ProbeOutcome> {
  return new Promise((resolve) => {
    const socket = createSocket({ type: target.address.family === 4 ? 'udp4' : 'udp6', signal });
    let strays = 0;
    let done = false;
    const finish = (outcome: ProbeOutcome): void => {
      if (done) return;
      done = true;
      resolve(outcome);
      socket.close();
    };
    const fail = (error: Error): void =>
      finish(
        'code' in error && error.code === 'ECONNREFUSED'
          ? failed('refused', 'port unreachable')
          : failedBy(error, 'protocol'),
      );
    socket.on('error', fail);
    // the abort signal closes the socket by itself
    socket.once('close', () => {
      done = true;
      resolve(failed('timeout', 'no reply'));
    });
    socket.on('message', (reply) => {
      const verdict = judge(reply);
      if (verdict !== undefined) finish(verdict);
      else if (++strays >= MAX_STRAYS) finish(failed('protocol', `${strays} datagrams and no answer`));
    });
    // not by connect's own callback: Node calls that with the error instead of telling 'error' (no route, for one)
    socket.once('connect', () => {
      const own = socket.address();
      // the kernel chose the very port as our own: we would only hear ourselves
      if (own.port === target.port && own.address === target.address.text) {
        finish(failed('refused', 'port unreachable'));
        return;
      }
      socket.send(payload, (error) => {
        if (error !== null) fail(error);
      });
    });
    socket.connect(target.port, target.address.text);
  });
}
