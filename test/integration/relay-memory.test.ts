/**
 * The memory of the native relays: built with AddressSanitizer and UndefinedBehaviorSanitizer, and under valgrind, it is
 * driven by peers and calls that do anything at any time (test/native/). Loopback alone.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missing } from '../support/netns.ts';

const run = promisify(execFile);
const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

const SANITIZE = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-fno-omit-frame-pointer'];
const COMMON = ['-std=c++17', '-Wall', '-Wextra', '-Werror', '-g', '-O1', '-D_GNU_SOURCE'];
const FUZZ = at('test/native/relay-fuzz.cc');
const UDP_FUZZ = at('test/native/udp-fuzz.cc');
const sources = (...names: string[]): string[] => names.map((name) => at(`native/src/${name}.cc`));
const ROUTE = sources('relay-route');
const RELAY = sources('relay', 'relay-accept', 'relay-connect', 'relay-peek', 'relay-pipes', 'relay-splice');
const UDP = sources('udp-batch', 'udp-session', 'udp-relay');
/** What is compiled, and for how many steps it runs under valgrind and without. */
const PROGRAMS = [
  { name: 'TCP', sources: [FUZZ, ...RELAY, ...ROUTE], steps: 3_000, slow: 1_000 },
  { name: 'UDP', sources: [UDP_FUZZ, ...UDP, ...ROUTE], steps: 6_000, slow: 600 },
];
/** Most of the time here is the compiler's, who may share the machine with others. */
const PATIENCE = 300_000;
const SEEDS = [1, 2];

let dir: string;

const compile = (args: readonly string[]): Promise<unknown> => run('g++', [...COMMON, ...args]);

/** Where node-gyp found Node's headers when it built the addon. */
function nodeHeaders(): string {
  const nodedir = /"nodedir":\s*"([^"]+)"/.exec(readFileSync(at('native/build/config.gypi'), 'utf8'))?.[1];
  if (nodedir === undefined) throw new Error('native/build/config.gypi has no nodedir');
  return join(nodedir, 'include/node');
}

const library = async (name: string): Promise<string> =>
  (await run('gcc', [`-print-file-name=${name}`])).stdout.trim();

const unable = missing('valgrind', 'g++');

describe.skipIf(unable !== null)(
  'the native relays do not touch memory that is not their own',
  { timeout: PATIENCE },
  () => {
    beforeAll(() => {
      dir = mkdtempSync(join(tmpdir(), 'tandem-relay-'));
    });
    afterAll(() => rmSync(dir, { recursive: true, force: true }));

    it.each(PROGRAMS)(
      '$name under AddressSanitizer, with hostile peers',
      async ({ name, sources, steps }) => {
        const program = join(dir, `${name}-sanitized`);
        await compile([...SANITIZE, '-o', program, ...sources]);
        for (const seed of SEEDS) {
          const { stdout } = await run(program, [String(seed), String(steps)]);
          expect(stdout).toContain('ok');
        }
      },
    );

    it.each(PROGRAMS)('$name under valgrind, and gives all of it back', async ({ name, sources, slow }) => {
      const program = join(dir, name);
      await compile(['-o', program, ...sources]);
      const valgrind = ['-q', '--leak-check=full', '--errors-for-leak-kinds=all', '--error-exitcode=9'];
      const { stdout } = await run('valgrind', [...valgrind, program, '4', String(slow)]);
      expect(stdout).toContain('ok');
    });

    it('through their JavaScript face, with arguments of every kind', async () => {
      const include = [`-I${nodeHeaders()}`, `-I${at('node_modules/node-addon-api')}`];
      const defines = ['-DNAPI_VERSION=8', '-DNAPI_CPP_EXCEPTIONS', '-DNODE_GYP_MODULE_NAME=relay_addon'];
      defines.push('-DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS'); // as in native/binding.gyp
      const addon = join(dir, 'relay_addon.node');
      // the sanitizer's look at virtual tables needs type information that Node does not export
      const shared = [...SANITIZE, '-fno-sanitize=vptr', '-fPIC', '-shared', ...defines, ...include];
      await compile([...shared, '-o', addon, at('test/native/relay-addon.cc'), ...RELAY, ...UDP, ...ROUTE]);
      const preload = (await Promise.all(['libasan.so', 'libubsan.so'].map(library))).join(' ');
      // V8 itself keeps memory to its end; leaks are valgrind's to find
      const env = { ...process.env, LD_PRELOAD: preload, ASAN_OPTIONS: 'detect_leaks=0' };
      for (const script of ['relay-api-fuzz.mjs', 'udp-api-fuzz.mjs']) {
        for (const seed of SEEDS) {
          const args = [at(`test/native/${script}`), addon, String(seed), '500'];
          const { stdout } = await run(process.execPath, args, { env });
          expect(stdout).toContain('ok');
        }
      }
    });
  },
);
