/** Imports for tests: files in memory, and the fixtures. */
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ConfigError } from '../../src/config/errors.ts';
import { importKeepalived } from '../../src/config/import/keepalived/index.ts';
import type { ImportResult, ReportEntry } from '../../src/config/import/result.ts';
import type { SourceReader } from '../../src/config/import/source.ts';
import { systemReader } from '../../src/config/import/system-reader.ts';
import type { Config } from '../../src/model/config.ts';
import { load } from './config.ts';

export const FIXTURES = resolve(import.meta.dirname, '../fixtures/keepalived');
export const fixtures: readonly string[] = readdirSync(FIXTURES).filter((name) => name.endsWith('.conf'));

export const importFixture = (name: string, configId = 'lb-a'): ImportResult =>
  importKeepalived(join(FIXTURES, name), systemReader, configId);

/** Files by name in "/k"; a pattern means the files whose name it is, or all that end like it after "*". */
export function readerOf(files: Readonly<Record<string, string>>): SourceReader {
  return {
    read(path) {
      const text = files[path.replace('/k/', '')];
      if (text !== undefined) return text;
      const place = { file: path, line: null, column: null, key: '', source: null };
      throw new ConfigError([{ severity: 'error', ...place, message: 'no such file', hint: undefined }]);
    },
    glob(pattern) {
      const names = Object.keys(files).filter((name) =>
        pattern.startsWith('*')
          ? name.endsWith(pattern.slice(1))
          : name === pattern || pattern === `!${name}`,
      );
      return names.map((name) => `/k/${name}`);
    },
  };
}

export const importText = (text: string, others: Readonly<Record<string, string>> = {}): ImportResult =>
  importKeepalived('/k/keepalived.conf', readerOf({ 'keepalived.conf': text, ...others }), 'lb-a');

/** The configuration that an import comes to; it must load. */
export const configOf = (result: ImportResult): Config =>
  load(result.toml, { hostFaults: 'warning', warnings: [] });

/** What the report says of a keyword, "fate: note". */
export const told = ({ report }: ImportResult, keyword: string): string[] =>
  report.filter((entry) => entry.keyword === keyword).map(({ fate, note }) => `${fate}: ${note}`);

export const lost = ({ report }: ImportResult): ReportEntry[] =>
  report.filter(({ fate }) => fate === 'missing');
