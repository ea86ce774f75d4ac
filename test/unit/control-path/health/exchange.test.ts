import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Exchange, type Turn } from '../../../../src/control-path/health/exchange.ts';
import type { ExchangeStep } from '../../../../src/model/health.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');

function step(keys: { send?: string; expect?: string; expectRegex?: string }): ExchangeStep {
  return {
    send: keys.send === undefined ? null : bytes(keys.send),
    expect: keys.expect === undefined ? null : bytes(keys.expect),
    expectRegex: keys.expectRegex ?? null,
  };
}

/** What it says, and how it ends: "PING|" waits, "QUIT|ok". */
const told = ({ send, outcome }: Turn): string =>
  `${Buffer.from(send).toString('latin1')}|${outcome === null ? '' : outcome.ok ? 'ok' : outcome.reason}`;

const REDIS = [
  step({ send: 'PING\r\n', expect: '+PONG' }),
  step({ send: 'INFO\r\n', expectRegex: 'role:(master)' }),
  step({ send: 'QUIT\r\n' }),
];

describe('an exchange', () => {
  it('goes on with each answer, however it is cut', () => {
    const exchange = new Exchange(REDIS);
    expect(told(exchange.begin())).toBe('PING\r\n|');
    expect(told(exchange.take(bytes('+PO')))).toBe('|');
    expect(told(exchange.take(bytes('NG\r\n')))).toBe('INFO\r\n|');
    expect(told(exchange.take(bytes('$99\r\nrole:slave')))).toBe('|');
    expect(exchange.where()).toBe('step 2 of 3: 15 bytes came without /role:(master)/');
    expect(told(exchange.take(bytes('\r\nrole:master\r\n')))).toBe('QUIT\r\n|ok');
  });

  it('forgets what came before it spoke', () => {
    const exchange = new Exchange([step({ expect: 'hello' }), step({ send: 'a', expect: 'hello' })]);
    expect(told(exchange.begin())).toBe('|');
    expect(told(exchange.take(bytes('hello')))).toBe('a|');
    expect(told(exchange.take(bytes('hell')))).toBe('|');
    expect(told(exchange.take(bytes('o')))).toBe('|ok');
  });

  it('looks for the next thing in the same words where it says nothing between', () => {
    const exchange = new Exchange([step({ expect: 'b' }), step({ expect: 'a', expectRegex: '^ab$' })]);
    exchange.begin();
    expect(told(exchange.take(bytes('ab')))).toBe('|ok');
  });

  it('takes each byte for a character', () => {
    const exchange = new Exchange([step({ expectRegex: '^[^]{4}[^\\xff]' })]);
    exchange.begin();
    expect(told(exchange.take(bytes('\x4a\0\0\0')))).toBe('|');
    expect(told(exchange.take(bytes('\xff')))).toBe('|');
    expect(exchange.end()).toEqual({
      ok: false,
      reason: 'body-mismatch',
      detail: 'closed by the backend; step 1 of 1: 5 bytes came without /^[^]{4}[^\\xff]/',
    });
  });

  it('shows what it waits for, and never what it sent', () => {
    const exchange = new Exchange([step({ send: 'AUTH hunter2', expect: 'x'.repeat(100) })]);
    exchange.begin();
    expect(exchange.where()).toBe(`step 1 of 1: 0 bytes came without "${'x'.repeat(40)}..."`);
    expect(new Exchange([step({ expect: '\xff\0' })]).where()).toContain('without hex:ff00');
  });

  it('gives up on who says too much, and on an expression that goes astray', () => {
    const flooded = new Exchange([step({ expect: 'never' })]);
    flooded.begin();
    expect(told(flooded.take(bytes('x'.repeat(65_536))))).toBe('|');
    expect(told(flooded.take(bytes('x')))).toBe('|body-too-large');
    const dribbled = new Exchange([step({ expect: 'never' })]);
    dribbled.begin();
    for (let i = 0; i < 256; i++) expect(told(dribbled.take(bytes('x')))).toBe('|');
    expect(told(dribbled.take(bytes('x')))).toBe('|body-too-large');
    const astray = new Exchange([step({ expectRegex: '^(a+)+$' })]);
    astray.begin();
    expect(astray.take(bytes(`${'a'.repeat(60)}!`)).outcome).toMatchObject({
      reason: 'body-mismatch',
      detail: '/^(a+)+$/ took longer than 100ms',
    });
  });

  it('ends alike however the answer is cut into pieces', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 40 }), (cuts) => {
        const exchange = new Exchange([step({ expect: 'banner' }), step({ send: 'go', expect: 'done' })]);
        const answers = ['some banner here'.slice(0, 11), 'all done'];
        let sent = told(exchange.begin());
        for (const answer of answers) {
          let rest = answer;
          for (const cut of [...cuts, answer.length]) {
            if (rest === '') break;
            sent += told(exchange.take(bytes(rest.slice(0, cut))));
            rest = rest.slice(cut);
          }
        }
        expect(sent.replaceAll('|', '')).toBe('gook');
      }),
    );
  });
});
