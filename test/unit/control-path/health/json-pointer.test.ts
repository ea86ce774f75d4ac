import { describe, expect, it } from 'vitest';
import {
  isJsonPointer,
  type Json,
  resolvePointer,
} from '../../../../src/control-path/health/json-pointer.ts';

describe('JSON pointer, RFC 6901', () => {
  // the document and the table of section 5
  const document: Json = {
    foo: ['bar', 'baz'],
    '': 0,
    'a/b': 1,
    'c%d': 2,
    'e^f': 3,
    'g|h': 4,
    'i\\j': 5,
    'k"l': 6,
    ' ': 7,
    'm~n': 8,
  };

  it.each([
    ['', document],
    ['/foo', ['bar', 'baz']],
    ['/foo/0', 'bar'],
    ['/', 0],
    ['/a~1b', 1],
    ['/c%d', 2],
    ['/e^f', 3],
    ['/g|h', 4],
    ['/i\\j', 5],
    ['/k"l', 6],
    ['/ ', 7],
    ['/m~0n', 8],
  ])('%j', (pointer, value) => {
    expect(resolvePointer(document, pointer)).toEqual({ found: true, value });
  });

  it('unescapes ~1 before ~0', () => {
    expect(resolvePointer({ '~1': 'right', '/': 'wrong' }, '/~01')).toEqual({ found: true, value: 'right' });
  });

  it.each([
    '/nope',
    '/foo/2',
    '/foo/-',
    '/foo/00',
    '/foo/01',
    '/foo/+1',
    '/foo/1e0',
    '/foo/length',
    '/foo/0/length',
  ])('finds nothing at %j', (pointer) => {
    expect(resolvePointer(document, pointer)).toEqual({ found: false });
  });

  it('never sees what an object inherits', () => {
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      expect(resolvePointer({ a: 1 }, `/${name}`)).toEqual({ found: false });
    }
    expect(resolvePointer(JSON.parse('{"__proto__": {"up": true}}') as Json, '/__proto__/up')).toEqual({
      found: true,
      value: true,
    });
  });

  it('finds null and false, which are values', () => {
    expect(resolvePointer({ a: null, b: [false] }, '/a')).toEqual({ found: true, value: null });
    expect(resolvePointer({ a: null, b: [false] }, '/b/0')).toEqual({ found: true, value: false });
    expect(resolvePointer({ a: null }, '/a/b')).toEqual({ found: false });
  });

  it('knows a pointer from other text', () => {
    expect(['', '/', '/a/b', '/~0~1'].every(isJsonPointer)).toBe(true);
    expect(['a', 'a/b', '/~', '/~2', '/a~'].some(isJsonPointer)).toBe(false);
    expect(resolvePointer({ a: 1 }, 'a')).toEqual({ found: false });
  });
});
