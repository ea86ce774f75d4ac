import { expect, test } from 'vitest';
import { routeOf } from '../../../../src/data-path/preface/routes.ts';

const ROUTES = [
  { names: ['*.example.org', 'plain.example.net'], service: 'wide' },
  { names: ['*.b.example.org'], service: 'narrow' },
  { names: ['a.b.example.org'], service: 'exact' },
];

test.each([
  ['a.b.example.org', 'exact'],
  ['c.b.example.org', 'narrow'],
  ['d.c.b.example.org', 'narrow'],
  ['b.example.org', 'wide'],
  ['plain.example.net', 'wide'],
  ['example.org', null],
  ['example.net', null],
  ['xexample.org', null],
  [null, null],
])('%s: %s', (name, service) => expect(routeOf(ROUTES, name)).toBe(service));
