import type { Socket } from 'node:net';
import type { Peek, PeekWatcher } from './transport.ts';

/** Looks at what an accepted socket brings first, and puts back what is not taken. */
export class NodePeek implements Peek {
  readonly #socket: Socket;
  readonly #watcher: PeekWatcher;
  #held: Buffer = Buffer.alloc(0);
  #over = false;

  constructor(socket: Socket, watcher: PeekWatcher) {
    this.#socket = socket;
    this.#watcher = watcher;
    socket.on('readable', this.#read).on('end', this.#ended).on('error', this.#gone).on('close', this.#gone);
  }

  take(length: number): void {
    if (this.#over) return;
    this.#stop();
    const rest = this.#held.subarray(length);
    this.#held = Buffer.alloc(0);
    // within the event that brought it: later the stream could have ended, and takes nothing back any more
    if (rest.length > 0) this.#socket.unshift(rest);
  }

  cancel(): void {
    if (!this.#over) this.#stop();
    this.#held = Buffer.alloc(0);
  }

  readonly #read = (): void => {
    const chunk: unknown = this.#socket.read();
    if (!(chunk instanceof Buffer)) return;
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#watcher.peeked(this.#held);
  };

  /** FIN before there was enough: nothing more will come. */
  readonly #ended = (): void => this.#watcher.peekEnded();

  readonly #gone = (): void => {
    if (this.#over) return;
    this.#stop();
    this.#socket.on('error', () => undefined);
    this.#socket.destroy();
    this.#watcher.peekLost();
  };

  #stop(): void {
    this.#over = true;
    this.#socket
      .off('readable', this.#read)
      .off('end', this.#ended)
      .off('error', this.#gone)
      .off('close', this.#gone);
    // the relay starts it again once there is a backend
    this.#socket.pause();
  }
}
