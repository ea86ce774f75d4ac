import { describe, expect, it } from 'vitest';
import { connectFailureOf } from '../../../../src/data-path/forward/connect-failure.ts';

const failure = (code: string) => connectFailureOf(Object.assign(new Error('connect'), { code }));

describe('connectFailureOf', () => {
  it.each([
    ['ECONNREFUSED', 'connect-refused'],
    ['ECONNRESET', 'connect-refused'],
    ['ETIMEDOUT', 'connect-timeout'],
    ['EHOSTUNREACH', 'connect-unreachable'],
    ['ENETUNREACH', 'connect-unreachable'],
  ])('%s counts against the backend as %s', (code, outcome) => {
    expect(failure(code)).toEqual({ cause: code, outcome });
  });

  it.each(['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOBUFS'])('%s is our own shortage', (code) => {
    expect(failure(code)).toEqual({ cause: code, outcome: null });
  });

  it('takes anything that is thrown', () => {
    expect(connectFailureOf('odd')).toEqual({ cause: 'unknown', outcome: null });
  });
});
