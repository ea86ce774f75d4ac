/** Imports of haproxy.cfg for tests: files in memory, and the fixtures. */
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { importHaproxy } from '../../src/config/import/haproxy/index.ts';
import type { ImportResult } from '../../src/config/import/result.ts';
import { systemReader } from '../../src/config/import/system-reader.ts';

export const HAPROXY_FIXTURES = resolve(import.meta.dirname, '../fixtures/haproxy');
export const haproxyFixtures: readonly string[] = readdirSync(HAPROXY_FIXTURES).filter((name) =>
  name.endsWith('.cfg'),
);

export const importHaproxyFixture = (name: string): ImportResult =>
  importHaproxy([join(HAPROXY_FIXTURES, name)], systemReader, () => undefined);

export const importHaproxyText = (
  text: string,
  environment: Readonly<Record<string, string>> = {},
): ImportResult =>
  importHaproxy(['/h/haproxy.cfg'], { read: () => text, glob: () => [] }, (name) => environment[name]);
