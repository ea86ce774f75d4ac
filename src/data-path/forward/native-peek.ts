import { PEEK_STATE, type RelayPort } from './native-port.ts';
import type { Peek, PeekWatcher } from './transport.ts';

/** Looks at what a client that the addon holds has sent; its bytes stay in the kernel until they are taken. */
export class NativePeek implements Peek {
  readonly #port: RelayPort;
  readonly #handle: number;
  readonly #watcher: PeekWatcher;
  readonly #over: () => void;

  /** @param over called at the end of looking, whatever it is */
  constructor(port: RelayPort, handle: number, watcher: PeekWatcher, over: () => void) {
    this.#port = port;
    this.#handle = handle;
    this.#watcher = watcher;
    this.#over = over;
  }

  take(length: number): void {
    this.#over();
    this.#port.take(this.#handle, length);
  }

  cancel(): void {
    this.#over();
  }

  /** @param into room for as much as anybody wants to see
   * @param isOver whether the watcher has had enough
   */
  peekable(state: number, into: Uint8Array, isOver: () => boolean): void {
    const length = state === PEEK_STATE.reset ? -1 : this.#port.look(this.#handle, into);
    if (length < 0) {
      this.#over();
      this.#port.drop(this.#handle);
      this.#watcher.peekLost();
      return;
    }
    if (length > 0) this.#watcher.peeked(into.subarray(0, length));
    if (!isOver() && (length === 0 || state === PEEK_STATE.ended)) this.#watcher.peekEnded();
  }
}
