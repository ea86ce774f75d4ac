import { describe, expect, it } from 'vitest';
import { type AccessPolicy, type Asked, digestOf, hostName, judge } from '../../../src/admin/access.ts';
import { Attempts } from '../../../src/admin/attempts.ts';
import { HttpError } from '../../../src/admin/http.ts';

const TOKEN = 'a-token-for-tests-0123456789abcdef';
const local: AccessPolicy = {
  secure: false,
  local: true,
  token: digestOf(Buffer.from(TOKEN)),
  named: () => false,
};
const remote: AccessPolicy = {
  ...local,
  secure: true,
  local: false,
  named: (name) => name === 'lb-a.example',
};
const readOnly: AccessPolicy = { ...local, token: null };

const read: Asked = {
  method: 'GET',
  host: '127.0.0.1:9465',
  origin: null,
  fetchSite: null,
  fetchMode: null,
  authorization: null,
  source: '127.0.0.1',
  open: false,
  guarded: false,
};
const change: Asked = { ...read, method: 'POST' };
const withToken = (asked: Asked, token = TOKEN): Asked => ({ ...asked, authorization: `Bearer ${token}` });

function verdict(asked: Asked, policy: AccessPolicy, attempts = new Attempts(), now = 1_000): string {
  try {
    return judge(asked, policy, attempts, now);
  } catch (error) {
    if (error instanceof HttpError) return `${error.status} ${error.code}`;
    throw error;
  }
}

describe('who may do what over HTTP', () => {
  it.each<[string, Asked, AccessPolicy, string]>([
    ['loopback reads without a token', read, local, 'token'],
    ['loopback changes nothing without a token', change, local, '401 no-token'],
    ['the token allows everything', withToken(change), local, 'open'],
    ['a wrong token allows nothing, not even to read', withToken(read, 'wrong'), local, '401 wrong-token'],
    ['a prefix of the token is wrong', withToken(change, TOKEN.slice(0, -1)), local, '401 wrong-token'],
    ['another scheme is wrong', { ...change, authorization: `Basic ${TOKEN}` }, local, '401 wrong-token'],
    ["the scheme's case does not matter", { ...change, authorization: `bearer ${TOKEN}` }, local, 'open'],
    ['elsewhere reading needs the token', { ...read, host: '10.0.0.1:9465' }, remote, '401 no-token'],
    ['elsewhere the files of the page do not', { ...read, open: true }, remote, 'token'],
    ['elsewhere the token allows everything', withToken(change), remote, 'open'],
    ['without a token file loopback reads', read, readOnly, 'off'],
    ['what is guarded is not read without a token', { ...read, guarded: true }, local, '401 no-token'],
    ['... but with it', withToken({ ...read, guarded: true }), local, 'open'],
    ['... and not at all without a token file', { ...read, guarded: true }, readOnly, '403 read-only'],
    ['without a token file nothing changes', change, readOnly, '403 read-only'],
    ['... whatever token is sent', withToken(change), readOnly, '403 read-only'],
  ])('%s', (_, asked, policy, expected) => {
    expect(verdict(asked, policy)).toBe(expected);
  });

  it.each(['127.0.0.1:9465', '[::1]:9465', 'localhost:9465', 'LOCALHOST', '10.1.2.3'])(
    'takes Host %s',
    (host) => {
      expect(verdict({ ...read, host }, local)).toBe('token');
    },
  );

  it.each([
    'evil.example:9465',
    'evil.example',
    '127.0.0.1.evil.example:9465',
    'localhost.evil.example',
    'user@127.0.0.1',
    '127.0.0.1:9465:9465',
    '',
    null,
  ])('refuses Host %s, whatever is asked (DNS rebinding)', (host) => {
    expect(verdict({ ...read, host }, local)).toBe('403 foreign-host');
    expect(verdict(withToken({ ...change, host }), local)).toBe('403 foreign-host');
    expect(verdict({ ...read, host, open: true }, local)).toBe('403 foreign-host');
  });

  it("takes the names of the certificate's", () => {
    expect(verdict(withToken({ ...read, host: 'LB-A.example:9465' }), remote)).toBe('open');
    expect(verdict(withToken({ ...read, host: 'lb-b.example:9465' }), remote)).toBe('403 foreign-host');
  });

  it.each([
    'http://evil.example',
    'null',
    'https://127.0.0.1:9465',
    'http://127.0.0.1:9466',
    'http://127.0.0.1',
    'http://localhost:9465',
  ])('refuses the origin %s, token or not', (origin) => {
    expect(verdict({ ...change, origin }, local)).toBe('403 foreign-origin');
    expect(verdict(withToken({ ...change, origin }), local)).toBe('403 foreign-origin');
  });

  it('takes its own origin', () => {
    const asked = { ...change, origin: 'http://127.0.0.1:9465', fetchSite: 'same-origin', fetchMode: 'cors' };
    expect(verdict(withToken(asked), local)).toBe('open');
    const secure = { ...asked, host: 'lb-a.example', origin: 'https://lb-a.example' };
    expect(verdict(withToken(secure), remote)).toBe('open');
  });

  it('refuses what another page embeds or fetches, but for a link', () => {
    const embedded = { ...read, fetchSite: 'cross-site', fetchMode: 'no-cors' };
    expect(verdict(embedded, local)).toBe('403 foreign-origin');
    expect(verdict({ ...embedded, fetchSite: 'same-site' }, local)).toBe('403 foreign-origin');
    expect(verdict({ ...embedded, fetchMode: 'navigate', open: true }, local)).toBe('token');
    // a form of another page is a navigation, too
    expect(verdict({ ...embedded, fetchMode: 'navigate', method: 'POST' }, local)).toBe('403 foreign-origin');
  });

  it('holds back a source after five wrong tokens, also when it then has the right one', () => {
    const attempts = new Attempts();
    const at = (asked: Asked, now: number): string => verdict(asked, local, attempts, now);
    for (let i = 0; i < 5; i++) expect(at(withToken(change, 'wrong'), 1_000)).toBe('401 wrong-token');
    expect(at(withToken(change), 1_000)).toBe('429 throttled');
    expect(at(read, 1_000)).toBe('token');
    expect(at(withToken({ ...change, source: '10.0.0.9' }), 1_000)).toBe('open');
    expect(at(withToken(change), 1_009)).toBe('429 throttled');
    expect(at(withToken(change), 1_010)).toBe('open');
    expect(at(withToken(change, 'wrong'), 1_010)).toBe('401 wrong-token');
    expect(at(withToken(change), 1_011)).toBe('429 throttled');
  });
});

describe('the memory for wrong tokens', () => {
  it('is bounded, and forgets whoever failed longest ago', () => {
    const attempts = new Attempts();
    for (let i = 0; i < 5; i++) attempts.failed('first', 0);
    for (let i = 0; i < 1_023; i++) attempts.failed(`other ${i}`, 0);
    expect(attempts.secondsUntil('first', 0)).toBe(10);
    attempts.failed('one more', 0);
    expect(attempts.secondsUntil('first', 0)).toBe(0);
  });
});

it.each([
  ['lb-a.example:80', 'lb-a.example'],
  ['[2001:DB8::1]:80', '2001:db8::1'],
  ['[::1]', '::1'],
  ['a b', null],
  ['[::1', null],
  ['a/b', null],
  ['ü.example', null],
])('the name in Host %s is %s', (host, name) => {
  expect(hostName(host)).toBe(name);
});
