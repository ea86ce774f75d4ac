import { ByteReader, ByteWriter, TruncatedError } from '../../lib/bytes.ts';

/*
 * One question and the head of its answer, RFC 1035 section 4.1:
 *
 *   +--------------------------------------------------+
 *   | ID                                               |  16 bits
 *   | QR | OPCODE 4 | AA | TC | RD | RA | Z 3 | RCODE 4 |
 *   | QDCOUNT, ANCOUNT, NSCOUNT, ARCOUNT               |  16 bits each
 *   +--------------------------------------------------+
 *   | QNAME: length byte + label ..., 0 | QTYPE | QCLASS |
 *   +--------------------------------------------------+
 */

export const RECORD_TYPES = { A: 1, NS: 2, SOA: 6, TXT: 16, AAAA: 28 } as const;
export type RecordType = keyof typeof RECORD_TYPES;

const CLASS_IN = 1;
const FLAG_RESPONSE = 0x8000;
const FLAG_TRUNCATED = 0x0200;
const FLAG_RECURSION_DESIRED = 0x0100;
const MAX_NAME = 255;
const MAX_LABEL = 63;

export interface DnsQuery {
  /** 0 to 65535; must not be guessable. */
  readonly id: number;
  /** "example.org", with or without the final dot; "." is the root. */
  readonly name: string;
  readonly type: RecordType;
}

export interface DnsReply {
  readonly rcode: number;
  readonly truncated: boolean;
  readonly answers: number;
}

/** Why a datagram is no answer to the query. */
export type DnsReject = 'truncated' | 'id' | 'not-a-response' | 'question';

/** The labels of a name, or undefined when it cannot be a DNS name (RFC 1035, section 3.1: sizes). */
export function labelsOf(name: string): string[] | undefined {
  const bare = name.endsWith('.') ? name.slice(0, -1) : name;
  if (bare === '') return name === '.' ? [] : undefined;
  const labels = bare.split('.');
  const fits = labels.every((label) => label.length >= 1 && label.length <= MAX_LABEL && isPrintable(label));
  // one length byte a label and the root's
  return fits && bare.length + 2 <= MAX_NAME ? labels : undefined;
}

const isPrintable = (label: string): boolean => /^[\x21-\x7e]+$/.test(label);

/** @throws RangeError when `name` is not a DNS name. */
export function encodeQuery(query: DnsQuery): Uint8Array {
  const labels = labelsOf(query.name);
  if (labels === undefined) throw new RangeError(`not a DNS name: ${query.name}`);
  // recursion desired: a resolver needs it, an authoritative server ignores it
  const out = new ByteWriter(64).u16(query.id).u16(FLAG_RECURSION_DESIRED);
  out.u16(1).u16(0).u16(0).u16(0);
  for (const label of labels) out.u8(label.length).bytes(Buffer.from(label, 'latin1'));
  return out.u8(0).u16(RECORD_TYPES[query.type]).u16(CLASS_IN).finish();
}

/**
 * Reads a reply as far as it says whether the server answered this query: header and echoed question.
 * The records behind it are not read at all, so nothing in them can do harm.
 */
export function decodeReply(query: DnsQuery, datagram: Uint8Array): DnsReply | DnsReject {
  try {
    const reader = new ByteReader(datagram);
    if (reader.u16() !== query.id) return 'id';
    const flags = reader.u16();
    // QR set, OPCODE 0 (QUERY)
    if ((flags & FLAG_RESPONSE) === 0 || (flags & 0x7800) !== 0) return 'not-a-response';
    const questions = reader.u16();
    const answers = reader.u16();
    reader.skip(4);
    const rcode = flags & 0x000f;
    // a server that refuses may leave the question out (FORMERR must, where it could not read it)
    const echoed = questions === 0 ? rcode !== 0 : questions === 1 && isQuestion(reader, query);
    if (!echoed) return 'question';
    return { rcode, truncated: (flags & FLAG_TRUNCATED) !== 0, answers };
  } catch (error) {
    if (error instanceof TruncatedError) return 'truncated';
    throw error;
  }
}

/** Names compare without case (RFC 1035, section 2.3.3). A question has nothing before it to point back to. */
function isQuestion(reader: ByteReader, query: DnsQuery): boolean {
  for (const label of labelsOf(query.name) ?? []) {
    if (reader.u8() !== label.length) return false;
    const text = Buffer.from(reader.bytes(label.length)).toString('latin1');
    if (text.toLowerCase() !== label.toLowerCase()) return false;
  }
  return reader.u8() === 0 && reader.u16() === RECORD_TYPES[query.type] && reader.u16() === CLASS_IN;
}

const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'] as const;

/** "SERVFAIL", or "RCODE 11" for the rare ones. */
export function rcodeName(rcode: number): string {
  return RCODES[rcode] ?? `RCODE ${rcode}`;
}
