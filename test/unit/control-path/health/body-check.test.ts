import { describe, expect, it } from 'vitest';
import { type BodyChecks, checkBody, wantsBody } from '../../../../src/control-path/health/body-check.ts';

const none: BodyChecks = { expectBody: null, expectRegex: null, expectJson: {} };
const check = (over: Partial<BodyChecks>, body: string, cut = false) =>
  checkBody({ ...none, ...over }, { bytes: Buffer.from(body), cut });

describe('body checks', () => {
  it('needs a body only when something is asked of it', () => {
    expect(wantsBody(none)).toBe(false);
    expect(wantsBody({ ...none, expectBody: '' })).toBe(true);
    expect(wantsBody({ ...none, expectJson: { '/a': 1 } })).toBe(true);
  });

  it('looks for text, in any script', () => {
    expect(check({ expectBody: 'läuft ✓' }, 'Dienst läuft ✓.')).toBeNull();
    expect(check({ expectBody: 'ok' }, 'OK')).toMatchObject({
      reason: 'body-mismatch',
      detail: 'body does not contain "ok"',
    });
  });

  it('matches a regular expression', () => {
    expect(check({ expectRegex: '^status: (up|fine)$' }, 'status: fine')).toBeNull();
    expect(check({ expectRegex: '^up$' }, 'down')).toMatchObject({
      reason: 'body-mismatch',
      detail: 'body does not match /^up$/',
    });
  });

  it('interrupts a regular expression that would backtrack for ever', () => {
    const began = performance.now();
    expect(check({ expectRegex: '^(a+)+$' }, `${'a'.repeat(60)}!`)).toMatchObject({
      reason: 'body-mismatch',
      detail: '/^(a+)+$/ on the body: took longer than 100ms',
    });
    expect(performance.now() - began).toBeLessThan(10_000); // uninterrupted: centuries
    expect(check({ expectRegex: '^b+$' }, 'bbb')).toBeNull();
  });

  it('compares JSON values by type and value', () => {
    const body = JSON.stringify({ database: 'up', pool: { free: 3, full: false, error: null }, list: [1] });
    const wanted = {
      '/database': 'up',
      '/pool/free': 3,
      '/pool/full': false,
      '/pool/error': null,
      '/list/0': 1,
    };
    expect(check({ expectJson: wanted }, body)).toBeNull();
    const wrong = (expectJson: BodyChecks['expectJson']) => check({ expectJson }, body);
    expect(wrong({ '/database': 'down' })).toMatchObject({
      reason: 'json-mismatch',
      detail: 'JSON /database is "up", wanted "down"',
    });
    expect(wrong({ '/pool/free': '3' })).toMatchObject({ detail: 'JSON /pool/free is 3, wanted "3"' });
    expect(wrong({ '/pool': 'up' })).toMatchObject({ detail: 'JSON /pool is an object, wanted "up"' });
    expect(wrong({ '/list': 1 })).toMatchObject({ detail: 'JSON /list is an array, wanted 1' });
    expect(wrong({ '/nope': null })).toMatchObject({ detail: 'JSON has no /nope, wanted null' });
    expect(check({ expectJson: { '/a': 1 } }, '<html>')).toMatchObject({
      reason: 'json-mismatch',
      detail: 'body is not JSON',
    });
  });

  it('judges text by what was read of a long body, and refuses half a JSON document', () => {
    expect(check({ expectBody: 'head' }, 'head...', true)).toBeNull();
    expect(check({ expectJson: { '/a': 1 } }, '{"a": 1}', true)).toMatchObject({ reason: 'body-too-large' });
  });

  it('shows nothing of a body that a terminal would act on', () => {
    const outcome = check({ expectJson: { '/a': 'up' } }, JSON.stringify({ a: '\u001b[2J\u0007\u009bboo' }));
    expect(outcome?.detail).toMatch(/^[\x20-\x7e]+$/);
  });
});
