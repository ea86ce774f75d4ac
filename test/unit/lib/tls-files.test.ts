import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { isTlsMaterial, readTls } from '../../../src/lib/tls-files.ts';

let dir: string;
const at = (name: string): string => join(dir, name);

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'tandem-tls-'));
  for (const name of ['a', 'b']) {
    const kind = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const files = ['-keyout', at(`${name}.key`), '-out', at(`${name}.crt`)];
    execFileSync('openssl', [...kind, ...files, '-days', '2', '-subj', `/CN=${name}`], { stdio: 'pipe' });
  }
  writeFileSync(at('junk'), 'junk', { mode: 0o600 });
  writeFileSync(at('big'), 'x'.repeat(300_000), { mode: 0o600 });
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const said = (certificate: string, key: string, now = Date.now()): string => {
  const reading = readTls(at(certificate), at(key), now);
  return isTlsMaterial(reading) ? 'fine' : `${reading.file} ${reading.fault}`;
};

it('takes a certificate with its key', () => {
  expect(said('a.crt', 'a.key')).toBe('fine');
});

it.each([
  ['none', 'a.key', 'certificate does not exist'],
  ['a.crt', 'none', 'key does not exist'],
  ['.', 'a.key', 'certificate is not a file'],
  ['junk', 'a.key', 'certificate is not a certificate in PEM'],
  ['a.key', 'a.key', 'certificate is not a certificate in PEM'],
  ['big', 'a.key', 'certificate is longer than 262144 bytes'],
  ['a.crt', 'junk', 'key is not a private key in PEM'],
  ['a.crt', 'b.key', 'key does not belong to the certificate'],
])('says of %s and %s: %s', (certificate, key, message) => {
  expect(said(certificate, key)).toBe(message);
});

it('refuses a key that everybody may read', () => {
  chmodSync(at('b.key'), 0o644);
  expect(said('b.crt', 'b.key')).toBe('key may be read or written by everybody');
});

it('refuses a certificate that has expired', () => {
  expect(said('a.crt', 'a.key', Date.now() + 3 * 86_400_000)).toMatch(/^certificate expired on /);
});
