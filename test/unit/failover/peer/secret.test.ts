import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadSecret } from '../../../../src/failover/peer/secret.ts';
import { MAX_SECRET_BYTES } from '../../../../src/lib/secret-file.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tandem-secret-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function file(text: string, mode = 0o600): string {
  const path = join(folder, 'key');
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

const KEY = '0123456789abcdef0123456789abcdef';

test('a key is taken without the white space around it', () => {
  expect(Buffer.from(loadSecret(file(`${KEY}\n`))).toString()).toBe(KEY);
});

test('the group may read it, for a daemon that is not root', () => {
  expect(loadSecret(file(KEY, 0o640)).byteLength).toBe(32);
});

test.each([
  ['that everybody may read', KEY, 0o604, 'may be read or written by everybody'],
  ['that everybody may write', KEY, 0o602, 'may be read or written by everybody'],
  ['that is too short', `${KEY.slice(1)}\n`, 0o600, 'is shorter than 32 bytes'],
  ['that is nothing but white space', ' \n', 0o600, 'is empty'],
  ['that is too long', 'x'.repeat(MAX_SECRET_BYTES + 1), 0o600, 'is longer than 4096 bytes'],
])('a key %s is refused, and not shown', (_what, text, mode, message) => {
  const path = file(text, mode);
  expect(() => loadSecret(path)).toThrow(message);
  expect(() => loadSecret(path)).not.toThrow(KEY);
});

test('a folder and a missing file are said so', () => {
  expect(() => loadSecret(folder)).toThrow('is not a file');
  expect(() => loadSecret(join(folder, 'none'))).toThrow('none does not exist');
});
