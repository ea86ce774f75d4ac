/** Imports of haproxy.cfg for tests: files in memory, and the fixtures. */
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { importHaproxy } from '../../src/config/import/haproxy/index.ts';
import type { ImportResult } from '../../src/config/import/result.ts';
import { systemReader } from '../../src/config/import/system-reader.ts';
import { readerOf } from './keepalived-import.ts';

export const HAPROXY_FIXTURES = resolve(import.meta.dirname, '../fixtures/haproxy');
export const haproxyFixtures: readonly string[] = readdirSync(HAPROXY_FIXTURES).filter((name) =>
  name.endsWith('.cfg'),
);

export const importHaproxyFixture = (name: string): ImportResult =>
  importHaproxy([join(HAPROXY_FIXTURES, name)], systemReader, () => undefined);

/** `files` are what conditions and maps name. */
export const importHaproxyText = (
  text: string,
  environment: Readonly<Record<string, string>> = {},
  files: Readonly<Record<string, string>> = {},
): ImportResult => {
  const { read } = readerOf({ '/h/haproxy.cfg': text, ...files });
  return importHaproxy(['/h/haproxy.cfg'], { read, glob: () => [] }, (name) => environment[name]);
};
