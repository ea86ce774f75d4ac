/**
 * One line a node, as their admin sockets tell it: role, address held, clients, backends.
 *
 *   node scripts/lab-view.mjs SECONDS NAME=SOCKET...
 *
 * On a terminal the lines are redrawn in place; piped, a line is printed when what it says has changed.
 */
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const [seconds, ...pairs] = process.argv.slice(2);
const nodes = pairs.map((pair) => ({ name: pair.split('=')[0], socket: pair.slice(pair.indexOf('=') + 1) }));
const live = process.stdout.isTTY === true;
const began = performance.now();

function status(socketPath) {
  return new Promise((resolve) => {
    const asked = request({ socketPath, path: '/v1/status', timeout: 300 }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text) => {
        body += text;
      });
      response.once('end', () => resolve(response.statusCode === 200 ? JSON.parse(body) : null));
      response.once('error', () => resolve(null));
    });
    asked.once('timeout', () => asked.destroy());
    asked.once('error', () => resolve(null));
    asked.end();
  });
}

/** The roles of a node: one word when IPv4 and IPv6 agree. */
function roles(routers) {
  const words = routers.map(({ state, holdsAddresses }) =>
    holdsAddresses ? `${state}, holds the addresses` : state,
  );
  if (new Set(words).size === 1) return words[0];
  return routers.map(({ family }, i) => `IPv${family} ${words[i]}`).join('; ');
}

function eligible({ name, backends }) {
  return `${name} ${backends.filter((backend) => backend.eligible).length}/${backends.length} backends`;
}

function clients({ accepted, connections }) {
  return live ? `${accepted} clients, ${connections} now` : `${accepted} clients`;
}

/** `line` is shown; `key` decides whether a piped view prints it again (counts alone do not). */
function describe(name, found) {
  if (found === null) return { key: 'gone', line: `${name}  no answer` };
  const role = roles(found.failover?.routers ?? []);
  const services = found.services.map((one) => `${eligible(one)}, ${clients(one)}`);
  return {
    key: [role, ...found.services.map(eligible)].join(),
    line: [`${name}  ${role}`, ...services].join(' | '),
  };
}

const shown = new Map();
let drawn = false;
while (performance.now() - began < Number(seconds) * 1_000) {
  const found = await Promise.all(
    nodes.map(async ({ name, socket }) => describe(name, await status(socket))),
  );
  if (live) {
    if (drawn) process.stdout.write(`\x1b[${nodes.length}A`);
    const width = process.stdout.columns ?? 120;
    for (const { line } of found) process.stdout.write(`\x1b[2K    ${line.slice(0, width - 5)}\n`);
    drawn = true;
  } else {
    found.forEach(({ key, line }, i) => {
      if (shown.get(i) !== key) {
        const at = ((performance.now() - began) / 1_000).toFixed(1).padStart(5);
        console.log(`    ${at} s  ${line}`);
      }
      shown.set(i, key);
    });
  }
  await sleep(live ? 100 : 50);
}
