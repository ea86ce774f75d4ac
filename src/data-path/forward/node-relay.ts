import { connect, type Socket } from 'node:net';
import type { Duration, Instant } from '../../lib/duration.ts';
import { errnoOf } from '../../lib/errors.ts';
import type { CloseReason } from '../../model/reason.ts';
import type { PoolMember } from '../../model/service.ts';
import { CONNECT_TIMEOUT, type ConnectFailure, connectFailure, connectFailureOf } from './connect-failure.ts';
import { withOnread } from './onread-socket.ts';
import { Inlet, type ReadBuffers } from './read-buffers.ts';
import { closeFlushed, endedByReset, outgoingEndedByReset, resetNow } from './socket-close.ts';
import { Timed } from './timer-wheel.ts';
import { deadlineIn, type Relay, type RelayContext, type RelayOwner, type Source } from './transport.ts';

/** A client as it was accepted. */
export interface AcceptedClient {
  readonly socket: Socket;
  /** Nothing of it has been read or looked at. */
  readonly untouched: boolean;
}

/**
 * One client and, in time, one backend. The client is paused until the backend is connected, so a retry loses
 * nothing. From then on each direction reads only while the other end takes what it is given: at most one
 * read and the write stream's high-water mark are in memory.
 *
 * An end of stream is passed on (FIN for FIN) and a reset is passed on (RST for RST). Every way out goes
 * through `#close`, which runs once, and ends in `relayClosed` when both descriptors are gone.
 */
export class NodeRelay extends Timed implements Relay {
  readonly client: Socket;
  /** The client's bytes come into our buffers; else as a stream. */
  readonly #clientOnread: boolean;
  readonly #fromClientInlet: Inlet;
  readonly #fromBackendInlet: Inlet;
  readonly #context: RelayContext;
  readonly #owner: RelayOwner;
  #member: PoolMember | null = null;
  #backend: Socket | null = null;
  #phase: 'held' | 'connecting' | 'open' | 'closing' | 'closed' = 'held';
  #reason: CloseReason | null = null;
  #clientEnded = false;
  #backendEnded = false;
  #clientOpen = true;
  #backendOpen = false;
  /** Has the backend sent a byte? A reset before that is its failure. */
  #answered = false;
  #patience: Duration;

  /** @param accepted with `pauseOnConnect`; counted as an open descriptor from here on */
  constructor(accepted: AcceptedClient, buffers: ReadBuffers, context: RelayContext, owner: RelayOwner) {
    super();
    this.#fromClientInlet = new Inlet(buffers);
    this.#fromBackendInlet = new Inlet(buffers);
    const anew = accepted.untouched ? this.#readIntoBuffers(accepted.socket) : null;
    const client = anew ?? accepted.socket;
    this.client = client;
    this.#clientOnread = anew !== null;
    this.#context = context;
    this.#owner = owner;
    this.#patience = context.spec.timeouts.idle;
    context.counters.fdOpened();
    client.on('error', (error) => this.#clientFailed(error));
    client.on('close', () => this.#clientClosed());
  }

  #readIntoBuffers(socket: Socket): Socket | null {
    const inlet = this.#fromClientInlet;
    return withOnread(socket, {
      buffer: () => inlet.into,
      callback: (length, buffer) => this.#fromClientBuffer(length, buffer),
    });
  }

  get established(): boolean {
    return this.#phase === 'open' || this.#phase === 'closing';
  }

  get resetEarly(): boolean {
    return this.#reason === 'backend-reset' && !this.#answered;
  }

  connect(member: PoolMember, head: Uint8Array | null, source: Source | null): void {
    const { spec, wheel, counters } = this.#context;
    this.#phase = 'connecting';
    this.#member = member;
    if (source?.transparent) {
      // `net` has no way to it; the configuration is refused, so this is an addon that is older than the daemon
      process.nextTick(() => this.#attemptFailed(connectFailure('ENOTSUP')));
      return;
    }
    const backend = connect({
      host: member.endpoint.address.text,
      port: member.endpoint.port,
      ...(source !== null && { localAddress: source.address.text }),
      allowHalfOpen: true,
      noDelay: spec.noDelay,
      keepAlive: spec.keepAlive,
      onread: {
        buffer: () => this.#fromBackendInlet.into,
        callback: (length, buffer) => this.#fromBackend(length, buffer),
      },
    });
    this.#backend = backend;
    this.#backendOpen = true;
    counters.fdOpened();
    backend.on('connect', () => this.#connected(backend, head));
    backend.on('error', (error) => this.#backendFailed(backend, error));
    backend.on('close', () => this.#backendClosed(backend));
    wheel.schedule(this, deadlineIn(wheel, spec.timeouts.connect));
  }

  hold(until: Instant): void {
    this.#context.wheel.schedule(this, until);
  }

  refuse(): void {
    this.#close(null, true);
  }

  cut(reason: CloseReason): void {
    if (this.#phase === 'closing') this.#abandon(reason);
    else this.#close(reason, true);
  }

  override expire(): void {
    if (this.#phase === 'connecting') this.#attemptFailed(CONNECT_TIMEOUT);
    else if (this.#phase === 'open') this.#timedOut();
    else if (this.#phase === 'held') this.#owner.relayHeld();
    else this.#abandon('fin-timeout');
  }

  #timedOut(): void {
    const reason = this.#clientEnded || this.#backendEnded ? 'fin-timeout' : 'idle-timeout';
    // what is still to be written would never arrive: FIN would make the stream look complete
    const cutShort = this.client.writableLength > 0 || (this.#backend?.writableLength ?? 0) > 0;
    this.#close(reason, cutShort);
  }

  /** A peer does not take the rest of what was to be flushed before the close. */
  #abandon(reason: CloseReason): void {
    if (this.#reason !== null) this.#reason = reason;
    resetNow(this.client);
    if (this.#backend !== null) resetNow(this.#backend);
  }

  #connected(backend: Socket, head: Uint8Array | null): void {
    const { client } = this;
    this.#phase = 'open';
    this.#touch();
    this.#context.wheel.schedule(this, this.deadline);
    backend.on('end', () => this.#onBackendEnd(client, backend));
    backend.on('drain', () => this.#drained(client));
    if (!this.#clientOnread) client.on('data', (chunk) => this.#fromClient(chunk, backend));
    client.on('end', () => this.#onClientEnd(client, backend));
    client.on('drain', () => this.#drained(backend));
    this.#owner.relayConnected();
    if (head !== null) backend.write(head);
    // its end may have been seen already by who looked at its first bytes
    if (client.readableEnded) this.#onClientEnd(client, backend);
    else client.resume();
  }

  #fromClient(chunk: Buffer, backend: Socket): void {
    if (this.#phase !== 'open') return;
    this.#touch();
    this.#context.counters.bytesIn(this.#context.slot, this.#member?.slot ?? 0, chunk.length);
    backend.write(chunk);
    if (mustWait(backend)) this.client.pause();
  }

  /** @returns false to stop reading until the backend has taken what it has */
  #fromClientBuffer(length: number, buffer: Uint8Array): boolean {
    const backend = this.#backend;
    if (this.#phase !== 'open' || backend === null) return false;
    this.#touch();
    this.#context.counters.bytesIn(this.#context.slot, this.#member?.slot ?? 0, length);
    this.#fromClientInlet.write(length, buffer, backend);
    return !mustWait(backend);
  }

  /** @returns false to stop reading until the client has taken what it has */
  #fromBackend(length: number, buffer: Uint8Array): boolean {
    const { client } = this;
    if (this.#phase !== 'open') return false;
    this.#answered = true;
    this.#touch();
    this.#context.counters.bytesOut(this.#context.slot, this.#member?.slot ?? 0, length);
    this.#fromBackendInlet.write(length, buffer, client);
    return !mustWait(client);
  }

  #onClientEnd(client: Socket, backend: Socket): void {
    if (this.#phase !== 'open' || endedByReset(client)) return; // 'error' follows
    this.#clientEnded = true;
    this.#ended(backend, this.#backendEnded);
  }

  #onBackendEnd(client: Socket, backend: Socket): void {
    if (this.#phase !== 'open') return;
    if (outgoingEndedByReset(backend)) {
      this.#close('backend-reset', true);
      return;
    }
    this.#backendEnded = true;
    this.#ended(client, this.#clientEnded);
  }

  /** One side has sent FIN: pass it on, or close when the other one had already. */
  #ended(other: Socket, both: boolean): void {
    this.#context.counters.progress();
    if (both) {
      this.#close('done', false);
      return;
    }
    const { spec, wheel } = this.#context;
    other.end();
    this.#patience = spec.timeouts.fin;
    this.#touch();
    wheel.schedule(this, this.deadline);
  }

  #drained(source: Socket): void {
    if (this.#phase !== 'open') return;
    this.#touch();
    source.resume();
  }

  #clientFailed(error: Error): void {
    this.#close(isReset(error) ? 'client-reset' : 'client-error', true);
  }

  #backendFailed(backend: Socket, error: Error): void {
    if (backend !== this.#backend) return;
    if (this.#phase === 'connecting') this.#attemptFailed(connectFailureOf(error));
    else this.#close(isReset(error) ? 'backend-reset' : 'backend-error', true);
  }

  #attemptFailed(failure: ConnectFailure): void {
    this.#context.wheel.cancel(this);
    this.#backend?.destroy();
    this.#backend = null;
    this.#backendOpen = false;
    this.#phase = 'held';
    this.#owner.relayConnectFailed(failure);
  }

  /** The only way out, once. `hard` sends RST to whoever is still there. */
  #close(reason: CloseReason | null, hard: boolean): void {
    if (this.#phase === 'closing' || this.#phase === 'closed') return;
    const { wheel, spec } = this.#context;
    const backend = this.#backend;
    this.#reason = this.#phase === 'open' ? reason : null;
    this.#phase = 'closing';
    const shut = hard ? resetNow : closeFlushed;
    if (backend !== null) shut(backend);
    shut(this.client);
    if (this.client.destroyed && (backend?.destroyed ?? true)) wheel.cancel(this);
    else wheel.schedule(this, deadlineIn(wheel, spec.timeouts.fin));
  }

  #clientClosed(): void {
    this.#clientOpen = false;
    this.#context.counters.fdClosed();
    // closed under us without an error: nothing can be relayed any more
    this.#close('client-error', true);
    this.#settle();
  }

  #backendClosed(backend: Socket): void {
    this.#context.counters.fdClosed();
    if (backend !== this.#backend) return;
    this.#backendOpen = false;
    this.#close('backend-error', true);
    this.#settle();
  }

  #settle(): void {
    if (this.#clientOpen || this.#backendOpen || this.#phase !== 'closing') return;
    this.#phase = 'closed';
    this.#context.wheel.cancel(this);
    this.#fromClientInlet.close();
    this.#fromBackendInlet.close();
    this.#owner.relayClosed(this.#reason);
  }

  /** A byte has moved. */
  #touch(): void {
    this.deadline = deadlineIn(this.#context.wheel, this.#patience);
  }
}

/** True while more would only pile up in memory; 'drain' will come. A write that completed at once leaves nothing. */
function mustWait(socket: Socket): boolean {
  return socket.writableLength > 0 && socket.writableNeedDrain;
}

/** EPIPE: the reset was noticed by a write. */
function isReset(error: Error): boolean {
  const errno = errnoOf(error);
  return errno === 'ECONNRESET' || errno === 'EPIPE';
}
