import { ConfigError, wholeFile } from '../errors.ts';
import { SECTIONS } from './haproxy/sections.ts';
import { KEYWORDS } from './keepalived/keywords.ts';
import type { Source } from './source.ts';

/**
 * Whose configuration a file is, by the first line that only one of them could have: a section of HAProxy without
 * a brace, or a block of keepalived.
 * @throws ConfigError when no line says so.
 */
export function detectSource(path: string, text: string): Source {
  for (const line of text.split('\n')) {
    const [word = '', second = ''] = line
      .replace(/[#!].*$/, '')
      .trim()
      .split(/\s+/, 2);
    if (SECTIONS.has(word) && second !== '{') return 'haproxy';
    if (
      KEYWORDS.rowOf('', word.replace(/\{$/, '')) !== undefined ||
      /^(?:include\w?|\$\w+=.*|@\S+)$/.test(word)
    ) {
      return 'keepalived';
    }
  }
  const message = 'neither a configuration of HAProxy nor one of keepalived';
  const hint = 'say which one it is: --from haproxy, --from keepalived';
  throw new ConfigError([wholeFile(path, message, hint)]);
}
