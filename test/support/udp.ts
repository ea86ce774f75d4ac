/** Small UDP peers for tests. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';

export interface UdpServer {
  readonly port: number;
  readonly address: string;
  /** Datagrams received. */
  received: number;
  close(): Promise<void>;
}

const familyOf = (host: string): 'udp4' | 'udp6' => (host.includes(':') ? 'udp6' : 'udp4');
const BUFFERS = { recvBufferSize: 4_194_304, sendBufferSize: 4_194_304 };

/** A bound socket; `answer` gets each datagram and may return one to send back. */
export function udpServer(
  answer: (datagram: Buffer, client: RemoteInfo) => Buffer | null,
  options: { host?: string; port?: number } = {},
): Promise<UdpServer> {
  const host = options.host ?? '127.0.0.1';
  const socket = createSocket({ type: familyOf(host), ...BUFFERS });
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(options.port ?? 0, host, () => {
      const { port } = socket.address();
      const server: UdpServer = {
        port,
        address: host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`,
        received: 0,
        close: () => new Promise((closed) => socket.close(() => closed())),
      };
      socket.on('message', (datagram, client) => {
        server.received++;
        const reply = answer(datagram, client);
        if (reply !== null) socket.send(reply, client.port, client.address, () => undefined);
      });
      resolve(server);
    });
  });
}

/** A client with one socket, connected so that a reply from any other address than the one asked is lost. */
export class UdpClient {
  readonly socket: Socket;
  readonly inbox: Buffer[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('message', (datagram) => this.inbox.push(datagram));
    socket.on('error', () => undefined);
  }

  static open(port: number, host = '127.0.0.1'): Promise<UdpClient> {
    return new Promise((resolve) => {
      const socket = createSocket({ type: familyOf(host), ...BUFFERS });
      const client = new UdpClient(socket);
      socket.connect(port, host, () => resolve(client));
    });
  }

  send(datagram: Buffer | string): void {
    this.socket.send(datagram, () => undefined);
  }

  /** Sends and waits for one reply; null when none comes in time. */
  ask(datagram: Buffer | string, timeoutMs = 2_000): Promise<Buffer | null> {
    return new Promise((resolve) => {
      const settle = (reply: Buffer | null): void => {
        clearTimeout(timer);
        this.socket.off('message', settle);
        resolve(reply);
      };
      const timer = setTimeout(() => settle(null), timeoutMs);
      this.socket.on('message', settle);
      this.send(datagram);
    });
  }

  close(): void {
    this.socket.close();
  }
}
