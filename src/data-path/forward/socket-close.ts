import type { Socket } from 'node:net';

/**
 * Closes a connected socket with RST, at once, whatever is still to be written: a stream that was cut must not
 * look complete to its reader. Public means only: `resetAndDestroy` alone would first flush and shut down
 * (the peer would see FIN, then RST), so its shutdown step is replaced by nothing and `destroy` cuts the wait.
 */
export function resetNow(socket: Socket): void {
  if (socket.destroyed) return;
  if (socket.connecting) {
    socket.destroy();
    return;
  }
  // libuv cannot reset while a shutdown is under way; that is over within one turn of the loop, and then
  // resetAndDestroy does what is left
  const shuttingDown = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0;
  if (!shuttingDown) socket._final = skipShutdown;
  socket.resetAndDestroy();
  if (!shuttingDown) socket.destroy();
}

function skipShutdown(callback: (error?: Error | null) => void): void {
  callback();
}

/** Closes a socket whose peer has sent FIN: close(2) says FIN too and saves the shutdown(2), once all is written. */
export function closeFlushed(socket: Socket): void {
  if (socket.writableLength === 0) socket.destroy();
  else socket.destroySoon();
}
