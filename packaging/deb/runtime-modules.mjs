// Prints the folders of node_modules that run-time needs, one a line: what the package depends on, without what only builds
// the addons. Resolved as Node does, by package-lock.json.
import { readFileSync } from 'node:fs';

const BUILD_ONLY = new Set(['node-gyp', 'node-addon-api', 'nan']);
const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
const found = new Set();

/** The folder that `name` means to whoever lies in `from`: its own node_modules first, then those above. */
function resolve(name, from) {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules/') - 1))) {
    const path = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`;
    if (packages[path] !== undefined) return path;
    if (folder === '') return undefined;
  }
}

function visit(folder) {
  for (const name of Object.keys(packages[folder]?.dependencies ?? {})) {
    if (BUILD_ONLY.has(name)) continue;
    const path = resolve(name, folder);
    if (path === undefined) throw new Error(`package-lock.json does not have ${name}, which ${folder} needs`);
    if (found.has(path)) continue;
    found.add(path);
    visit(path);
  }
}

visit('');
console.log([...found].sort().join('\n'));
