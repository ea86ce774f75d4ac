/** Small TCP peers for tests: servers that record what reaches them, clients that can misbehave. */
import { connect, createServer, type Server, type Socket } from 'node:net';

export interface TcpServer {
  readonly port: number;
  /** "127.0.0.1:port" */
  readonly address: string;
  /** Connections accepted so far, closed ones too. */
  readonly accepted: Socket[];
  close(): Promise<void>;
}

/** A half-open-capable server on a free loopback port; sockets swallow errors unless the handler listens. */
export function tcpServer(onSocket: (socket: Socket) => void, host = '127.0.0.1'): Promise<TcpServer> {
  const accepted: Socket[] = [];
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    accepted.push(socket);
    socket.on('error', () => undefined);
    onSocket(socket);
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, host, () => {
      const at = server.address();
      const port = at !== null && typeof at === 'object' ? at.port : 0;
      resolve({
        port,
        address: host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`,
        accepted,
        close: () =>
          new Promise((closed) => {
            for (const socket of accepted) socket.destroy();
            server.close(() => closed());
          }),
      });
    });
  });
}

export interface Ending {
  /** What was read. */
  readonly bytes: Buffer;
  /** "end" for FIN, else the errno name. */
  readonly how: string;
}

/** Reads a socket to its end, whichever it is. */
export function readToEnd(socket: Socket): Promise<Ending> {
  const chunks: Buffer[] = [];
  return new Promise((resolve) => {
    const finish = (how: string): void => resolve({ bytes: Buffer.concat(chunks), how });
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    // libuv takes data and a reset that are read in one go for an orderly end; a reset socket has no peer
    const wasReset = (): boolean => !socket.writableEnded && socket.remoteAddress === undefined;
    socket.once('end', () => finish(wasReset() ? 'ECONNRESET' : 'end'));
    socket.once('error', (error: NodeJS.ErrnoException) => finish(error.code ?? 'error'));
    socket.once('close', () => finish('close'));
  });
}

/** Connects, with allowHalfOpen; rejects when that fails. */
export function tcpClient(port: number, host = '127.0.0.1'): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host, allowHalfOpen: true, noDelay: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      socket.on('error', () => undefined);
      resolve(socket);
    });
  });
}

/** One request, one answer, each ended by FIN. A refusal (reset, even before connect) is an ending like others. */
export async function exchange(port: number, request: string, host = '127.0.0.1'): Promise<Ending> {
  const socket = connect({ port, host, allowHalfOpen: true, noDelay: true });
  const answer = readToEnd(socket);
  socket.end(request);
  const ending = await answer;
  socket.on('error', () => undefined);
  socket.destroy();
  return ending;
}

/** Resolves with the next chunk that the socket receives. */
export function nextChunk(socket: Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const onClose = (): void => reject(new Error('closed before a byte came'));
    socket.once('close', onClose);
    socket.once('data', (chunk: Buffer) => {
      socket.off('close', onClose);
      resolve(chunk);
    });
  });
}
