import { describe, expect, it } from 'vitest';
import { MAX_REPLY, parseReply, readAgentLine } from '../../../../src/control-path/agent-check/reply.ts';
import type { AgentReply } from '../../../../src/model/agent-check.ts';

const NOTHING: AgentReply = {
  admin: null,
  state: null,
  reason: '',
  weightPercent: null,
  maxConnections: null,
  notUnderstood: null,
};
const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');

describe('parseReply', () => {
  it.each<[string, Partial<AgentReply>]>([
    ['', {}],
    ['75%', { weightPercent: 75 }],
    ['maxconn:30', { maxConnections: 30 }],
    ['MaxConn:0', { maxConnections: 0 }],
    ['ready', { admin: 'ready' }],
    ['DRAIN', { admin: 'drain' }],
    ['maint', { admin: 'maint' }],
    ['up', { state: 'up' }],
    ['down', { state: 'down' }],
    ['fail', { state: 'fail' }],
    ['stopped', { state: 'stopped' }],
    ['up ready 50% maxconn:5', { state: 'up', admin: 'ready', weightPercent: 50, maxConnections: 5 }],
    ['50%,,\tmaxconn:5 , down', { state: 'down', weightPercent: 50, maxConnections: 5 }],
    // the last one of a kind counts
    ['down up', { state: 'up' }],
    ['drain ready maint', { admin: 'maint' }],
    ['10% 20%', { weightPercent: 20 }],
    // also when it is wrong
    ['10% 20%x', { notUnderstood: '20%x' }],
    ['down # disk full, 50% left', { state: 'down', reason: 'disk full, 50% left' }],
    ['down #disk full', { state: 'down', reason: 'disk full' }],
    ['# up', { reason: 'up' }],
    ['down#x up', { state: 'up', notUnderstood: 'down#x' }],
    ['30000%', { weightPercent: 25_600 }],
    ['-5%', { notUnderstood: '-5%' }],
    ['%', { notUnderstood: '%' }],
    ['75', { notUnderstood: '75' }],
    ['7.5%', { notUnderstood: '7.5%' }],
    ['maxconn:', { notUnderstood: 'maxconn:' }],
    ['maxconn:-1', { notUnderstood: 'maxconn:-1' }],
    ['maxconn: 30', { notUnderstood: '30' }],
    ['HTTP/1.1 400 Bad Request', { notUnderstood: 'HTTP/1.1' }],
    ['up bogus', { state: 'up', notUnderstood: 'bogus' }],
    ['\u001b]0;x\u0007 up', { state: 'up', notUnderstood: '?]0;x?' }],
  ])('reads %j', (line, wanted) => {
    expect(parseReply(line)).toEqual({ ...NOTHING, ...wanted });
  });
});

describe('readAgentLine', () => {
  it('takes the first line, however it ends, and nothing after it', () => {
    for (const text of ['up\n', 'up\r\ndown\n', 'up\rdown', 'up\n\0\xff']) {
      expect(readAgentLine(bytes(text), false)).toEqual({
        kind: 'reply',
        reply: { ...NOTHING, state: 'up' },
      });
    }
    expect(readAgentLine(bytes('\ndown\n'), true)).toEqual({ kind: 'reply', reply: NOTHING });
  });

  it('waits for the end of the line, and takes no part of one', () => {
    expect(readAgentLine(bytes('10'), false)).toEqual({ kind: 'more' });
    expect(readAgentLine(bytes('100%'), true)).toEqual({ kind: 'bad', detail: 'an incomplete line' });
    expect(readAgentLine(bytes(''), true)).toEqual({ kind: 'bad', detail: 'closed without a word' });
  });

  it('has a bound', () => {
    const long = 'x'.repeat(MAX_REPLY);
    expect(readAgentLine(bytes(`${long}\n`), false).kind).toBe('reply');
    expect(readAgentLine(bytes(`${long}x`), false).kind).toBe('bad');
    expect(readAgentLine(bytes(`${long}x\n`), false).kind).toBe('bad');
  });
});
