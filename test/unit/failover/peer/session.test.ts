import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { MAX_TEXT, NONCE_BYTES, Session, type SessionOutput } from '../../../../src/failover/peer/session.ts';

const SECRET = Buffer.from('the key that both nodes have, 32+');
const OTHER = Buffer.from('some other key of the same length');

interface Opened {
  readonly initiator: Session;
  readonly responder: Session;
  /** What the initiator and the responder sent, in order. */
  readonly flights: readonly Uint8Array[];
  readonly atInitiator: readonly SessionOutput[];
  readonly atResponder: readonly SessionOutput[];
}

const make = (role: 'initiator' | 'responder', secret: Uint8Array = SECRET): Session =>
  new Session({ role, secret, nonce: randomBytes(NONCE_BYTES) });

const sent = (outputs: readonly SessionOutput[]): Uint8Array[] =>
  outputs.flatMap((output) => (output.type === 'send' ? [output.bytes] : []));

function shake(initiator: Session, responder: Session): Opened {
  const hello = sent(initiator.start());
  const answer = hello.flatMap((bytes) => responder.receive(bytes));
  const atInitiator = sent(answer).flatMap((bytes) => initiator.receive(bytes));
  const atResponder = sent(atInitiator).flatMap((bytes) => responder.receive(bytes));
  const flights = [...hello, ...sent(answer), ...sent(atInitiator)];
  return { initiator, responder, flights, atInitiator, atResponder };
}

const open = (): Opened => shake(make('initiator'), make('responder'));
const types = (outputs: readonly SessionOutput[]): string[] => outputs.map(({ type }) => type);
const faulty = [{ type: 'fault', fault: 'secret' }];

describe('a session', () => {
  test('is established on both sides with one key, and carries messages either way', () => {
    const { initiator, responder, atInitiator, atResponder } = open();
    expect(types(atInitiator)).toEqual(['send', 'established']);
    expect(types(atResponder)).toEqual(['established']);
    expect(responder.receive(initiator.seal('one'))).toEqual([{ type: 'message', text: 'one' }]);
    expect(responder.receive(initiator.seal('two'))).toEqual([{ type: 'message', text: 'two' }]);
    expect(initiator.receive(responder.seal('drei'))).toEqual([{ type: 'message', text: 'drei' }]);
  });

  test('goes on when its bytes come one by one', () => {
    const { initiator, responder } = open();
    const outputs = [...initiator.seal('slowly')].flatMap((byte) => responder.receive(Uint8Array.of(byte)));
    expect(outputs).toEqual([{ type: 'message', text: 'slowly' }]);
  });

  test('the initiator notices a responder with another key first', () => {
    const { atInitiator, initiator } = shake(make('initiator'), make('responder', OTHER));
    expect(atInitiator).toEqual(faulty);
    expect(() => initiator.seal('x')).toThrow(RangeError);
  });

  test('the responder refuses an initiator that could not prove the key', () => {
    const responder = make('responder');
    const [hello] = sent(make('initiator').start());
    responder.receive(hello!);
    const proof = Buffer.alloc(34);
    proof.writeUInt16BE(32);
    expect(responder.receive(proof)).toEqual(faulty);
  });

  test('a recorded session convinces no other responder', () => {
    const { initiator, flights } = open();
    const recorded = [flights[0]!, flights[2]!, initiator.seal('take')];
    const outputs = recorded.flatMap((_, index) => {
      if (index > 0) return [];
      const later = make('responder');
      return recorded.flatMap((bytes) => later.receive(bytes));
    });
    expect(types(outputs)).toEqual(['send', 'fault']);
  });

  test('a repeated, a swapped and a dropped message end it', () => {
    for (const pick of [[0, 0], [1, 0], [1]]) {
      const { initiator, responder } = open();
      const sealed = [initiator.seal('first'), initiator.seal('second')];
      const outputs = pick.flatMap((index) => responder.receive(sealed[index]!));
      expect(outputs.at(-1)).toEqual(faulty[0]);
      expect(responder.receive(sealed[0]!)).toEqual([]);
    }
  });

  test('a message that is sent back to its sender ends it', () => {
    const { initiator } = open();
    expect(initiator.receive(initiator.seal('mine'))).toEqual(faulty);
  });

  test('something else than Tandem is told from another key', () => {
    const body = Buffer.from('\0\x10GET / HTTP/1.1\r\n');
    expect(make('responder').receive(body)).toEqual([{ type: 'fault', fault: 'protocol' }]);
  });

  test('refuses to send what the other side would not take', () => {
    const { initiator, responder } = open();
    const longest = 'x'.repeat(MAX_TEXT);
    expect(responder.receive(initiator.seal(longest))).toEqual([{ type: 'message', text: longest }]);
    expect(() => initiator.seal(`${longest}x`)).toThrow(RangeError);
  });
});
