import { ByteReader, TruncatedError } from '../../lib/bytes.ts';

/*
 * As much of TLS as it takes to read the first flight of a client without ending its encryption: a ClientHello
 * (RFC 8446, section 4.1.2) in one or more records (section 5.1).
 *
 *   record:    type 22 | version 16 bits | length 16 | fragment
 *   handshake: type 1  | length 24 | legacy_version 16 | random 32 bytes | session_id <0..32>
 *              | cipher_suites <2..2^16-2> | compression <1..2^8-1> | extensions <8..2^16-1>
 *   server_name (RFC 6066, section 3): list <1..2^16-1> of name_type 0 | host_name <1..2^16-1>
 */

export interface ClientHello {
  /** In lower case, without a final dot; null when the client names no server. */
  readonly serverName: string | null;
  /** What a client of TLS 1.2 and older resumes a session by; in TLS 1.3 it means nothing and is random. */
  readonly sessionId: Uint8Array;
  /** RFC 7301: the protocols that the client offers. */
  readonly protocols: readonly string[];
}

export type HelloDecoded =
  | { readonly status: 'incomplete' }
  /** No TLS, or a first flight that no TLS library sends. */
  | { readonly status: 'fault'; readonly fault: HelloFault }
  | { readonly status: 'complete'; readonly hello: ClientHello };

export const HELLO_FAULTS = ['not-tls', 'malformed', 'too-long'] as const;
export type HelloFault = (typeof HELLO_FAULTS)[number];

/** A ClientHello with a post-quantum key share takes some 2 KiB; no more than this is held for one. */
export const HELLO_MAX = 16_384;

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const RECORD_HEAD = 5;
/** RFC 8446, section 5.1: a plaintext fragment is not longer, and not empty. */
const MAX_FRAGMENT = 16_384;
const MESSAGE_HEAD = 4;
const EXTENSION = { serverName: 0, protocols: 16 } as const;

const fault = (reason: HelloFault): HelloDecoded => ({ status: 'fault', fault: reason });

/** Reads the ClientHello from the first bytes of a connection; they may be any bytes at all. */
export function decodeClientHello(bytes: Uint8Array): HelloDecoded {
  const message = assemble(bytes);
  if (!(message instanceof Uint8Array)) return message;
  try {
    return { status: 'complete', hello: readHello(new ByteReader(message)) };
  } catch (error) {
    if (error instanceof TruncatedError || error instanceof RangeError) return fault('malformed');
    throw error;
  }
}

/** The handshake message's body out of its records. */
function assemble(bytes: Uint8Array): Uint8Array | HelloDecoded {
  const parts: Uint8Array[] = [];
  let held = 0;
  let wanted: number | null = null;
  for (let at = 0; wanted === null || held < wanted; ) {
    const objection = recordFault(bytes.subarray(at, at + RECORD_HEAD));
    if (objection !== null) return fault(objection);
    if (at + RECORD_HEAD > bytes.length) return unfinished(bytes);
    const length = ((bytes[at + 3] ?? 0) << 8) | (bytes[at + 4] ?? 0);
    const fragment = bytes.subarray(at + RECORD_HEAD, at + RECORD_HEAD + length);
    parts.push(fragment);
    held += fragment.length;
    wanted ??= messageLength(parts, held);
    if (wanted !== null && (wanted < 0 || wanted > HELLO_MAX))
      return fault(wanted < 0 ? 'not-tls' : 'too-long');
    at += RECORD_HEAD + length;
    if (at > bytes.length && (wanted === null || held < wanted)) return unfinished(bytes);
  }
  return Buffer.concat(parts).subarray(MESSAGE_HEAD, wanted);
}

const unfinished = (bytes: Uint8Array): HelloDecoded =>
  bytes.length < HELLO_MAX ? { status: 'incomplete' } : fault('too-long');

/** Judges as much of a record's head as there is. */
function recordFault(head: Uint8Array): HelloFault | null {
  const [type = HANDSHAKE, major = 3, , high = 0, low = 1] = head;
  if (type !== HANDSHAKE || major !== 3) return 'not-tls';
  if (head.length < RECORD_HEAD) return null;
  const length = (high << 8) | low;
  return length === 0 || length > MAX_FRAGMENT ? 'malformed' : null;
}

/** With its head; null while that has not all come, -1 when it is no ClientHello. */
function messageLength(parts: readonly Uint8Array[], held: number): number | null {
  const head = Buffer.concat(parts.map((part) => part.subarray(0, MESSAGE_HEAD)));
  if (held > 0 && head[0] !== CLIENT_HELLO) return -1;
  return held < MESSAGE_HEAD ? null : MESSAGE_HEAD + head.readUIntBE(1, 3);
}

function readHello(reader: ByteReader): ClientHello {
  reader.skip(2 + 32);
  const sessionId = reader.bytes(reader.u8());
  if (sessionId.length > 32) throw new RangeError('session_id is longer than 32 bytes');
  reader.skip(reader.u16());
  reader.skip(reader.u8());
  let serverName: string | null = null;
  let protocols: string[] = [];
  // TLS 1.2 and older may have no extensions at all
  const extensions = new ByteReader(reader.remaining === 0 ? new Uint8Array(0) : reader.bytes(reader.u16()));
  while (extensions.remaining > 0) {
    const type = extensions.u16();
    const body = new ByteReader(extensions.bytes(extensions.u16()));
    if (type === EXTENSION.serverName) serverName = readServerName(body);
    else if (type === EXTENSION.protocols) protocols = readProtocols(body);
  }
  return { serverName, sessionId: Uint8Array.from(sessionId), protocols };
}

/** RFC 6066: one name of the type host_name; others are passed over. */
function readServerName(body: ByteReader): string | null {
  const list = new ByteReader(body.bytes(body.u16()));
  while (list.remaining > 0) {
    const type = list.u8();
    const name = list.bytes(list.u16());
    if (type === 0) return hostName(name);
  }
  return null;
}

/** @throws RangeError for what cannot be a host name: it would go into logs */
function hostName(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('latin1').toLowerCase().replace(/\.$/, '');
  if (!/^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/.test(text) || text.length > 253) {
    throw new RangeError('server_name is not a host name');
  }
  return text;
}

function readProtocols(body: ByteReader): string[] {
  const list = new ByteReader(body.bytes(body.u16()));
  const names: string[] = [];
  while (list.remaining > 0) names.push(Buffer.from(list.bytes(list.u8())).toString('latin1'));
  return names;
}
