import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeFrame, FrameReader, MAX_FRAME } from '../../src/failover/peer/frame.ts';
import { decodeMessage } from '../../src/failover/peer/messages.ts';
import { NONCE_BYTES, Session, type SessionOutput } from '../../src/failover/peer/session.ts';

const secret = Buffer.alloc(32, 7);
const nonce = (fill: number): Uint8Array => Buffer.alloc(NONCE_BYTES, fill);
const ALLOWED: readonly SessionOutput['type'][] = ['send', 'fault'];

describe('whatever a stranger sends', () => {
  test('a session throws nothing, is not established and hands no message on', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 400 }),
      fc.uint8Array({ minLength: 1, maxLength: 400 }).map(encodeFrame),
    );
    fc.assert(
      fc.property(
        fc.constantFrom('initiator' as const, 'responder' as const),
        fc.array(bytes, { maxLength: 8 }),
        (role, chunks) => {
          const session = new Session({ role, secret, nonce: nonce(1) });
          session.start();
          const outputs = chunks.flatMap((chunk) => session.receive(chunk));
          expect(outputs.filter(({ type }) => !ALLOWED.includes(type))).toEqual([]);
        },
      ),
    );
  });

  test('one changed byte anywhere ends the session, and no changed message gets through', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 255 }), (position, change) => {
        const initiator = new Session({ role: 'initiator', secret, nonce: nonce(1) });
        const responder = new Session({ role: 'responder', secret, nonce: nonce(2) });
        const flights: Uint8Array[] = [];
        const carry = (to: Session, outputs: readonly SessionOutput[]): SessionOutput[] =>
          outputs.flatMap((output) => {
            if (output.type !== 'send') return [];
            flights.push(output.bytes);
            return to.receive(output.bytes);
          });
        const answer = carry(responder, initiator.start());
        const proof = carry(initiator, answer);
        carry(responder, proof);
        flights.push(initiator.seal('the message'));

        // the initiator's flights once more, with one byte changed, to a responder in the same state
        const stream = Buffer.concat([flights[0]!, flights[2]!, flights[3]!]);
        const at = position % stream.byteLength;
        stream[at] = stream[at]! ^ change;
        const victim = new Session({ role: 'responder', secret, nonce: nonce(2) });
        const heard = victim.receive(stream);
        expect(heard.filter(({ type }) => type === 'message')).toEqual([]);
      }),
    );
  });

  test('the reader cuts every stream of frames into the same bodies, however it is portioned', () => {
    const body = fc.uint8Array({ minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(fc.array(body, { maxLength: 6 }), fc.integer({ min: 1, max: 97 }), (bodies, portion) => {
        const stream = Buffer.concat(bodies.map(encodeFrame));
        const reader = new FrameReader();
        const read: Uint8Array[] = [];
        for (let at = 0; at < stream.byteLength; at += portion) {
          read.push(...reader.push(stream.subarray(at, at + portion)).map((one) => Uint8Array.from(one)));
        }
        expect(read).toEqual(bodies);
      }),
    );
  });

  test('a length that is not allowed is refused before its bytes are there', () => {
    for (const length of [0, MAX_FRAME + 1, 65_535]) {
      const prefix = Buffer.from([length >> 8, length & 0xff]);
      expect(() => new FrameReader().push(prefix)).toThrow(`a frame of ${length} bytes`);
    }
  });

  test('any text is a message of the protocol or none', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        const message = decodeMessage(text);
        if (message !== undefined) expect(JSON.parse(text)).toEqual(message);
      }),
    );
  });
});
