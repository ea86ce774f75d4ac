import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';

/** The documents: what they point at exists, and what they tell people to write works. */
const root = resolve(import.meta.dirname, '../..');

function documents(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory())
      return entry.name === 'docs' || folder !== root ? documents(join(folder, entry.name)) : [];
    return entry.name.endsWith('.md') ? [join(folder, entry.name)] : [];
  });
}

describe.each(documents(root).map((path) => [relative(root, path), path]))('%s', (_name, path) => {
  const text = readFileSync(path, 'utf8');

  test('its links within the repository lead somewhere', () => {
    const links = [...text.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)].map((match) => match[1] ?? '');
    const local = links.filter((link) => !/^[a-z]+:/.test(link));
    expect(local.filter((link) => !existsSync(join(dirname(path), link)))).toEqual([]);
  });

  test('its configurations are accepted', () => {
    for (const [, toml = ''] of text.matchAll(/^```toml\n([\s\S]*?)^```/gm)) {
      if (!/^\[/m.test(toml)) continue; // a line or two out of a section
      expect(() => parseConfig(toml, `${path}.toml`, { hostFaults: 'warning' })).not.toThrow();
    }
  });
});

test('the scripts that the README names exist', () => {
  const named = readFileSync(join(root, 'README.md'), 'utf8').match(/scripts\/[a-z-]+/g) ?? [];
  expect(named.length).toBeGreaterThan(2);
  for (const path of named) expect(existsSync(join(root, path)), path).toBe(true);
});
