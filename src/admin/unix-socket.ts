import { createHash } from 'node:crypto';
import { chmod, chown, link, lstat, mkdir, mkdtemp, readFile, rm, stat, unlink } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer, type Server } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { EXIT, errnoOf, messageOf, TandemError } from '../lib/errors.ts';
import { status as statusSchema } from './contract.ts';

/** sockaddr_un.sun_path without its terminating zero. */
const MAX_PATH = 107;
const PROBE_TIMEOUT_MS = 1_000;
/** A start that finds a hung daemon takes PROBE_TIMEOUT_MS; a few of them may queue. */
const TURN_MS = 5_000;

/**
 * Binds `server` to a unix socket that only its owner (0600), or its owner and `group` (0660), may use.
 * The socket is bound in a private directory, gets its mode and owner there, and only then its name: at no
 * moment can somebody else connect, whatever the umask. Resolves to a function that removes the name again.
 * @throws TandemError "already-running" when a daemon answers on `path`.
 */
export async function bindUnixSocket(
  server: Server,
  path: string,
  group: string | null,
): Promise<() => Promise<void>> {
  const directory = dirname(path);
  const gid = group === null ? null : await groupId(group);
  try {
    // the last step of /run/tandem/ may be missing; more than that is a wrong path
    await makeDirectory(directory);
    const stage = await mkdtemp(join(directory, '.t'));
    try {
      const staged = join(stage, 's');
      checkLength(path, staged);
      await listen(server, staged);
      await chmod(staged, gid === null ? 0o600 : 0o660);
      if (gid !== null) await chown(staged, process.getuid?.() ?? -1, gid);
      await publish(staged, path);
    } finally {
      await rm(stage, { recursive: true, force: true });
    }
  } catch (error) {
    server.close();
    throw asBindError(error, path);
  }
  const { dev, ino } = await lstat(path);
  return () => removeOwn(path, dev, ino);
}

function checkLength(path: string, staged: string): void {
  const longest = Math.max(Buffer.byteLength(path), Buffer.byteLength(staged));
  if (longest <= MAX_PATH) return;
  throw new TandemError('socket-path-too-long', `the admin socket's path is too long: ${path}`, {
    hint: `choose a path of at most ${MAX_PATH - 10} bytes in [admin] socket`,
    exitStatus: EXIT.usage,
  });
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path }, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}

/**
 * Gives the staged socket its name. link(2) fails when the name is taken, unlike rename(2): a socket is
 * removed only after nobody has answered on it. Daemons that start at once take turns, or one could remove
 * as stale what another has just published.
 */
async function publish(staged: string, path: string): Promise<void> {
  const release = await takeTurn(path);
  try {
    await link(staged, path).catch(async (error: unknown) => {
      if (errnoOf(error) !== 'EEXIST') throw error;
      await refuseUnlessStale(path);
      await rm(path, { force: true });
      await link(staged, path);
    });
  } finally {
    await release();
  }
}

/**
 * A lock that the kernel drops with its holder: an abstract socket. No start holds it for as long as
 * TURN_MS; whoever does is not one of ours (anybody may bind such a name), and is not waited for.
 */
async function takeTurn(path: string): Promise<() => Promise<void>> {
  const lock = createServer();
  const digest = createHash('sha256').update(resolve(path)).digest('hex').slice(0, 32);
  const deadline = performance.now() + TURN_MS;
  for (;;) {
    try {
      await listen(lock, `\0tandem-${digest}`);
      return () => new Promise((done) => lock.close(() => done()));
    } catch (error) {
      if (errnoOf(error) !== 'EADDRINUSE') throw error;
      if (performance.now() > deadline) return async () => undefined;
      await setTimeout(20);
    }
  }
}

async function refuseUnlessStale(path: string): Promise<void> {
  let socket: boolean;
  try {
    socket = (await stat(path)).isSocket();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw error;
  }
  if (!socket) {
    throw new TandemError('not-a-socket', `${path} exists and is not a socket`, {
      hint: 'remove it, or choose another path in [admin] socket',
      exitStatus: EXIT.osError,
    });
  }
  const owner = await probe(path);
  if (owner === null) return;
  throw new TandemError('already-running', `a daemon is already running on ${path}${owner}`, {
    hint: 'stop it first, or give this one its own [admin] socket',
    exitStatus: EXIT.osError,
  });
}

/** Who answers on the socket: " (pid N)", "" when it does not say, null when nobody listens. */
function probe(socketPath: string): Promise<string | null> {
  return new Promise((resolve) => {
    const ask = request({ socketPath, path: '/v1/status', timeout: PROBE_TIMEOUT_MS, agent: false });
    ask.once('timeout', () => ask.destroy(new Error('no answer')));
    ask.once('error', (error) => {
      // Refused: the name is left, the process is gone. Anything else: somebody holds it, perhaps hung.
      const nobody = ['ECONNREFUSED', 'ENOENT'].includes(errnoOf(error) ?? '');
      resolve(nobody ? null : '');
    });
    ask.once('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', () => resolve(''));
      response.on('end', () => resolve(pidIn(Buffer.concat(chunks).toString('utf8'))));
    });
    ask.end();
  });
}

function pidIn(body: string): string {
  try {
    return ` (pid ${statusSchema.pick({ pid: true }).parse(JSON.parse(body)).pid})`;
  } catch {
    // Another version's answer or none: it is alive, and that is what was asked.
    return '';
  }
}

async function removeOwn(path: string, dev: number, ino: number): Promise<void> {
  try {
    const now = await lstat(path);
    if (now.dev === dev && now.ino === ino) await unlink(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

/** Node has no getgrnam(3); the local file is what an admin group is in. */
async function groupId(group: string): Promise<number> {
  if (/^\d+$/.test(group)) return Number(group);
  const lines = (await readFile('/etc/group', 'utf8')).split('\n');
  const entry = lines.map((line) => line.split(':')).find(([name]) => name === group);
  const gid = Number(entry?.[2] ?? Number.NaN);
  if (Number.isInteger(gid)) return gid;
  throw new TandemError('unknown-group', `there is no group "${group}" for the admin socket`, {
    hint: `create it (groupadd ${group}), or change [admin] group`,
    exitStatus: EXIT.usage,
  });
}

function asBindError(error: unknown, path: string): unknown {
  if (error instanceof TandemError) return error;
  const denied = ['EACCES', 'EPERM', 'EROFS'].includes(errnoOf(error) ?? '');
  return new TandemError('admin-socket', `cannot open the admin socket ${path}: ${messageOf(error)}`, {
    hint: denied
      ? 'let the daemon write to that directory (systemd: RuntimeDirectory=tandem), or change [admin] socket'
      : 'change [admin] socket',
    exitStatus: denied ? EXIT.noPermission : EXIT.osError,
    cause: error,
  });
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o755 });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
}
