/**
 * Probes of the built program in a process that has no file descriptor left: a shortage of this host is
 * told as such ("local"), takes no backend down and brings no process down.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { missing } from '../support/netns.ts';

const skip = missing('prlimit') !== null;
const probes = fileURLToPath(new URL('../../dist/control-path/health/probes/index.js', import.meta.url));

const script = `
  import { openSync } from 'node:fs';
  import { runProbe } from ${JSON.stringify(probes)};
  const target = { address: { family: 4, text: '127.0.0.1', bytes: new Uint8Array([127, 0, 0, 1]) }, port: 9 };
  const http = { type: 'http', tls: false, tlsVerify: true, method: 'GET', path: '/', host: null, expectStatus: [200],
    expectBody: null, expectRegex: null, expectJson: {} };
  const specs = [{ type: 'tcp' }, http, { type: 'udp', send: new Uint8Array(1), expect: null },
    { type: 'dns', query: 'example.org', recordType: 'A', expectRcode: 0 }, { type: 'exec', command: ['/bin/true'] }];
  const ask = async () => {
    const found = [];
    for (const spec of specs) found.push((await runProbe(spec, target, AbortSignal.timeout(5000))).reason ?? 'ok');
    return found.join(' ');
  };
  console.log(await ask());
  try { for (;;) openSync('/dev/null'); } catch (error) { if (error.code !== 'EMFILE') throw error; }
  console.log(await ask());
`;

describe.skipIf(skip)('without a free descriptor', () => {
  it('every probe says that it is this host', async () => {
    const node = [process.execPath, '--input-type=module', '-e', script];
    const { stdout } = await promisify(execFile)('prlimit', ['--nofile=100:100', ...node], {
      timeout: 60_000,
    });
    expect(stdout.trim().split('\n')).toEqual([
      'refused refused refused refused ok',
      'local local local local local',
    ]);
  });
});
