import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FIXTURES, fixtures } from '../support/keepalived-import.ts';
import { type Host, Lab, missing } from '../support/netns.ts';

/** The fixtures of the import are configurations that the real keepalived understands. */
const fixture = fixtures.filter((name) => name !== 'other-builds.conf');

/** What `keepalived -t` says of a configuration that it does not understand; its advice is not meant. */
const COMPLAINT =
  /unknown (?:keyword|configuration|interface|scheduler)|missing '[{}]|missing terminating|unexpected|extra '|unterminated|unmatched|outside range|not valid|no such|invalid/i;

describe.skipIf(missing('keepalived') !== null)('keepalived -t', () => {
  const lab = Lab.create('kimport');
  let host: Host;

  beforeAll(() => {
    const lan = lab.bridge('lan');
    host = lab.host('lb');
    host.join(lan, 'eth0', ['10.0.0.2/24', '2001:db8::2/64']);
    host.join(lan, 'eth1', ['10.9.0.2/24']);
  });

  afterAll(() => lab.destroy());

  const check = async (path: string): Promise<string[]> => {
    const { stdout, stderr, status } = await host.run(['keepalived', '-t', '-i', 'lb-a', '-f', path]);
    expect(status).not.toBeNull();
    return `${stdout}\n${stderr}`.split('\n').filter((line) => COMPLAINT.test(line));
  };

  test.each(fixture)('understands %s', async (name) => {
    expect(await check(join(FIXTURES, name))).toEqual([]);
  });

  test('would complain', async () => {
    expect(await check(join(FIXTURES, 'other-builds.conf'))).not.toEqual([]);
  });
});
