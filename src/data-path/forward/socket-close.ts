import type { Socket } from 'node:net';

/** Closes a socket with RST, whatever is still to be written: a stream that was cut must not look complete. */
export function resetNow(socket: Socket): void {
  if (socket.destroyed) return;
  if (socket.connecting) {
    socket.destroy(); // there is nobody to tell
    return;
  }
  // libuv refuses to reset while a shutdown is under way; that is over within one turn of the loop
  const shuttingDown = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0;
  if (shuttingDown) socket.once('finish', () => socket.resetAndDestroy());
  else socket.resetAndDestroy();
}

/** Closes a socket whose peer has sent FIN: close(2) says FIN too and saves the shutdown(2), once all is written. */
export function closeFlushed(socket: Socket): void {
  if (socket.writableLength === 0) socket.destroy();
  else socket.destroySoon();
}

const NOTHING = Buffer.alloc(0);

/**
 * Was it a reset that ended what `socket` read? When data and a reset are read in one go, libuv reports an
 * orderly end. While our own half is open a socket that was really half-closed can still be written to: the
 * kernel answers an empty write with the error that libuv has left there, and 'error' follows.
 * Once our half is closed there is no telling: false.
 */
export function endedByReset(socket: Socket): boolean {
  if (socket.writableEnded) return false;
  socket.write(NOTHING);
  return socket.errored !== null;
}

/** The same for an outgoing socket whose peer address was never asked for, cheaper: a reset one has no peer. */
export function outgoingEndedByReset(socket: Socket): boolean {
  return !socket.writableEnded && socket.remoteAddress === undefined;
}
