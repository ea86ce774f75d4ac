// npm's install script: builds the addon, or says in plain words what is missing for that.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = dirname(fileURLToPath(import.meta.url));
const { CXX = 'c++', PYTHON = 'python3', MAKE = 'make' } = process.env;

const works = (program) => spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;

/** What the build needs and this machine lacks, in words. */
function lacking() {
  const found = [];
  if (!works(PYTHON)) found.push('python3');
  if (!works(MAKE)) found.push('make');
  if (!works(CXX) && !works('g++') && !works('clang++')) found.push('a C++ compiler');
  return found;
}

function main() {
  const missing = lacking();
  if (missing.length > 0) {
    console.error(`tandem-lb: the native addon cannot be built, this machine lacks: ${missing.join(', ')}`);
    console.error(
      'hint: on Debian and Ubuntu: apt-get install g++ make python3; then run the installation again',
    );
    return 1;
  }
  const gyp = join(
    dirname(createRequire(import.meta.url).resolve('node-gyp/package.json')),
    'bin/node-gyp.js',
  );
  const args = [gyp, 'rebuild', '--directory', folder, '--loglevel=error'];
  const { status, error } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status === 0) return 0;
  if (error !== undefined) console.error(`tandem-lb: ${error.message}`);
  console.error('tandem-lb: building the native addon failed; the lines above say why');
  console.error(
    'hint: node-gyp needs the headers of this Node: it fetches them, or takes them from --nodedir (npm_config_nodedir)',
  );
  return 1;
}

process.exitCode = main();
