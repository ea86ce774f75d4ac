import { getSystemErrorName } from 'node:util';

/** The native addon's relay, as far as the data path needs to know it; `native/index.ts` has the words to each call. */
export interface RelayPort {
  addListener(fd: number, wantLocal: boolean): number;
  setAccepting(listener: number, accepting: boolean): boolean;
  removeListener(listener: number): boolean;
  peek(handle: number): boolean;
  look(handle: number, into: Uint8Array): number;
  take(handle: number, length: number): boolean;
  connect(
    handle: number,
    route: Uint32Array,
    head: Uint8Array | null,
    source: Uint8Array | null,
    transparent: boolean,
  ): boolean;
  abandon(handle: number): boolean;
  closeConnection(handle: number, reset: boolean): boolean;
  drop(handle: number): boolean;
  activity(handle: number): number;
  tick(now: number): void;
  close(): void;
}

export interface RelayOpener {
  openRelay(
    options: { readonly totals: Float64Array; readonly events: Int32Array },
    listener: (count: number) => void,
  ): RelayPort;
}

/** The native addon's UDP relay; `native/index.ts` has the words to each call. */
export interface UdpRelayPort {
  addGroup(datagramsIn: number, datagramsOut: number, datagramsDropped: number): number;
  removeGroup(group: number): boolean;
  askAll(group: number): boolean;
  oldest(group: number): number;
  addListener(group: number, fd: number, wildcard: boolean): number;
  removeListener(listener: number): boolean;
  connect(handle: number, route: Uint32Array, source: Uint8Array | null, transparent: boolean): number;
  keep(handle: number): boolean;
  drop(handle: number): boolean;
  activity(handle: number): number;
  tick(now: number): void;
  close(): void;
}

export interface UdpRelayOpener {
  openUdpRelay(
    options: { readonly totals: Float64Array; readonly events: Int32Array },
    listener: (count: number) => void,
  ): UdpRelayPort;
}

/** native/src/relay-event.h: EventType. */
export const EVENT = {
  accepted: 1,
  connected: 2,
  connectFailed: 3,
  ended: 4,
  closed: 5,
  acceptFailed: 6,
  peekable: 7,
  arrived: 8,
  asked: 9,
  answered: 10,
  failed: 11,
} as const;

/** Words of an event. */
export const EVENT_WORDS = 16;
/** Where in an event: its type, the connection (or listener), and what else there is to say. */
export const [TYPE, INDEX, GENERATION, VALUE, EXTRA, FAMILY, PEER, LOCAL] = [0, 1, 2, 3, 4, 5, 6, 10];

const INDICES = 2 ** 22;

export const handleOf = (index: number, generation: number): number => generation * INDICES + index;

/** native/src/relay.h: CloseCode. */
export const CLOSE_CODES = [
  null, // by `closeConnection`
  'done',
  'client-reset',
  'client-error',
  'backend-reset',
  'backend-error',
] as const;
export type CloseCode = (typeof CLOSE_CODES)[number];

/** native/src/relay.h: PeekState. */
export const PEEK_STATE = { open: 0, ended: 1, reset: 2 } as const;

/** "ECONNREFUSED" */
export function errnoName(errno: number): string {
  try {
    return getSystemErrorName(-errno);
  } catch {
    return `errno ${errno}`; // a kernel newer than this Node
  }
}
