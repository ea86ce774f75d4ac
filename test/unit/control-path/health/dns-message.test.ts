import { describe, expect, it } from 'vitest';
import {
  decodeReply,
  encodeQuery,
  labelsOf,
  rcodeName,
} from '../../../../src/control-path/health/dns-message.ts';

const query = { id: 0x1234, name: 'www.Example.org', type: 'A' } as const;
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));
const question = '03777777 076578616d706c65 036f7267 00 0001 0001';

describe('names', () => {
  it('takes names with and without the final dot, and the root', () => {
    expect(labelsOf('example.org')).toEqual(['example', 'org']);
    expect(labelsOf('example.org.')).toEqual(['example', 'org']);
    expect(labelsOf('.')).toEqual([]);
    expect(labelsOf('_sip._udp.example.org')).toHaveLength(4);
  });

  it('refuses what cannot be a name', () => {
    for (const name of [
      '',
      '..',
      'a..b',
      '.a',
      'a b',
      'ä.org',
      `${'a'.repeat(64)}.org`,
      `${'a.'.repeat(127)}aa`,
    ]) {
      expect(labelsOf(name), name).toBeUndefined();
    }
    expect(labelsOf(`${'a.'.repeat(126)}a`)).toHaveLength(127); // 255 bytes on the wire
    expect(() => encodeQuery({ id: 1, name: 'a..b', type: 'A' })).toThrow('not a DNS name: a..b');
  });
});

describe('a query', () => {
  it('is one question with recursion desired', () => {
    const wire = `1234 0100 0001 0000 0000 0000 03777777 074578616d706c65 036f7267 00 0001 0001`;
    expect(Buffer.from(encodeQuery(query)).toString('hex')).toBe(wire.replaceAll(' ', ''));
    expect(Buffer.from(encodeQuery({ id: 0, name: '.', type: 'AAAA' })).toString('hex')).toBe(
      `000001000001000000000000${'00'}001c0001`,
    );
  });
});

describe('a reply', () => {
  const reply = (head: string, rest = question): ReturnType<typeof decodeReply> =>
    decodeReply(query, hex(head + rest));

  it('is read whatever its code, its case and its truncation', () => {
    expect(reply('1234 8180 0001 0002 0000 0000')).toEqual({ rcode: 0, truncated: false, answers: 2 });
    expect(reply('1234 8183 0001 0000 0001 0000')).toEqual({ rcode: 3, truncated: false, answers: 0 });
    expect(reply('1234 8380 0001 0000 0000 0000')).toEqual({ rcode: 0, truncated: true, answers: 0 });
  });

  it('may leave the question out only when it refuses', () => {
    expect(reply('1234 8185 0000 0000 0000 0000', '')).toMatchObject({ rcode: 5 });
    expect(reply('1234 8180 0000 0000 0000 0000', '')).toBe('question');
  });

  it('is not ours with another id, question, type or class', () => {
    expect(reply('1235 8180 0001 0000 0000 0000')).toBe('id');
    const head = '1234 8180 0001 0000 0000 0000';
    expect(reply(head, question.replace('777777', '777778'))).toBe('question');
    expect(reply(head, question.replace(/0001 0001$/, '001c 0001'))).toBe('question');
    expect(reply(head, question.replace(/0001 0001$/, '0001 0003'))).toBe('question');
    expect(reply(head, 'c00c 0001 0001')).toBe('question'); // a pointer to itself
    expect(reply('1234 8180 0002 0000 0000 0000')).toBe('question');
  });

  it('is not a reply without QR, or with another opcode', () => {
    expect(reply('1234 0100 0001 0000 0000 0000')).toBe('not-a-response');
    expect(reply('1234 a980 0001 0000 0000 0000')).toBe('not-a-response');
  });

  it('may end anywhere', () => {
    const whole = hex(`1234 8180 0001 0000 0000 0000 ${question}`);
    for (let length = 0; length < whole.length; length++) {
      expect(decodeReply(query, whole.subarray(0, length))).toBe('truncated');
    }
  });

  it('has its code spelled out', () => {
    expect([0, 2, 3, 5, 11].map(rcodeName)).toEqual([
      'NOERROR',
      'SERVFAIL',
      'NXDOMAIN',
      'REFUSED',
      'RCODE 11',
    ]);
  });
});
