/** What we use of raw-socket 1.8.1, which brings no types. */
declare module 'raw-socket' {
  export interface Socket {
    on(event: 'message', listener: (message: Buffer, source: string) => void): this;
    on(event: 'error', listener: (error: Error) => void): this;
    on(event: 'close', listener: () => void): this;
    /** Queued until the socket is writable; `done` gets the error of sendto. */
    send(
      buffer: Buffer,
      offset: number,
      length: number,
      address: string,
      done: (error: Error | null, bytes: number) => void,
    ): this;
    setOption(level: number, option: number, value: number): void;
    setOption(level: number, option: number, value: Buffer, length: number): void;
    close(): this;
  }
  /** `addressFamily` 1 is IPv4, 2 IPv6. Works on the main thread only. @throws Error without an errno. */
  export function createSocket(options: {
    protocol: number;
    addressFamily: 1 | 2;
    bufferSize?: number;
  }): Socket;
}
