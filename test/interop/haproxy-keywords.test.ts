import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KEYWORDS } from '../../src/config/import/haproxy/keywords.ts';
import { HAPROXY_FIXTURES, haproxyFixtures } from '../support/haproxy-import.ts';
import { missing } from '../support/netns.ts';

/** The table of keywords and the fixtures, compared with what the real HAProxy knows. */
describe.skipIf(missing('haproxy') !== null)('haproxy', () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'tandem-haproxy-'));
    // what "bind ... ssl crt" of the fixtures names
    const names = ['-keyout', join(dir, 'site.pem.key'), '-out', join(dir, 'site.pem')];
    const args = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...names, '-days', '2', '-subj', '/CN=x'];
    expect(spawnSync('openssl', args).status).toBe(0);
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  const haproxy = (...args: string[]): { status: number | null; text: string } => {
    const { status, stdout, stderr } = spawnSync('haproxy', args, {
      encoding: 'utf8',
      env: { ...process.env, CERTS: dir },
    });
    return { status, text: `${stdout}${stderr}` };
  };

  test.each(haproxyFixtures)('accepts %s', (name) => {
    const { status, text } = haproxy('-c', '-f', join(HAPROXY_FIXTURES, name));
    expect(status, text).toBe(0);
  });

  test('would refuse a word that it does not know', () => {
    const path = join(dir, 'bad.cfg');
    writeFileSync(path, 'listen a\n mode tcp\n bind 127.0.0.1:1\n nonsense 1\n');
    expect(haproxy('-c', '-f', path)).toMatchObject({
      status: 1,
      text: expect.stringContaining("'nonsense'"),
    });
  });

  test('knows no keyword that the table does not', () => {
    const unknown = registered(haproxy('-dKcfg', '-q', '-c', '-f', '/dev/null').text).filter(
      ([context, phrase]) => !isInTable(context, phrase),
    );
    expect(unknown).toEqual([]);
  });

  test.each(['global', 'proxy'])('knows every keyword of the table: %s', (context) => {
    const section = context === 'global' ? 'global' : 'listen a';
    const phrases = KEYWORDS.rows
      .filter((row) => row.contexts.includes(context))
      .flatMap(({ keywords }) => keywords)
      .filter((phrase) => !OTHER_BUILDS.test(phrase));
    // it gives up after some errors: some lines at a time
    const refused: string[] = [];
    for (let at = 0; at < phrases.length; at += 8) {
      const path = join(dir, `${context}-${at}.cfg`);
      writeFileSync(path, `${section}\n${phrases.slice(at, at + 8).join('\n')}\n`);
      const { text } = haproxy('-c', '-f', path);
      refused.push(...text.split('\n').filter((line) => /unknown keyword|unknown option/.test(line)));
    }
    expect(refused).toEqual([]);
  });
});

/** In the manual of 2.6, and not in what Debian builds. */
const OTHER_BUILDS =
  /^(?:51degrees-|deviceatlas-|wurfl-|tune\.quic\.|tune\.zlib\.|ssl-engine$|profiling\.memory$)/;

/** "[context, keyword]" of everything that -dKcfg lists, in the terms of the table. */
function registered(listing: string): [context: string, phrase: string][] {
  let section = '';
  return listing.split('\n').flatMap((line): [string, string][] => {
    if (!line.startsWith('\t')) {
      section = line.trim();
      return [];
    }
    const words = line
      .trim()
      .replace(/ \[.*$| \+-?\d+$/g, '')
      .split(' ')
      .map((word) => word.replace('*', ''));
    if (section === 'global') return [['global', words.join(' ')]];
    if (section !== 'listen') return [];
    const last = words.at(-1) ?? '';
    if (words[0] === 'bind') return [['bind', last]];
    if (words[0] === 'server') return [['server', last]];
    return [['proxy', words.join(' ')]];
  });
}

/** Families are listed by their first word ("timeout"), rules by each action. */
function isInTable(context: string, phrase: string): boolean {
  const words = phrase.split(' ');
  const beginnings = words.map((_, index) => words.slice(0, index + 1).join(' '));
  return (
    beginnings.some((beginning) => KEYWORDS.rowOf(context, beginning) !== undefined) ||
    KEYWORDS.rows.some(
      (row) => row.contexts.includes(context) && row.keywords.some((one) => one.startsWith(`${phrase} `)),
    )
  );
}
