import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../../lib/errors.ts';
import type { NftCommand } from './rules.ts';

/** Debian's place and the others'; a search path is for people. */
const PROGRAMS = ['/usr/sbin/nft', '/sbin/nft', '/usr/bin/nft'] as const;
const TIME_LIMIT_MS = 5_000;
const MAX_OUTPUT = 1_048_576;

/** The `nft` program could not do it. `missing`: it is not installed. */
export class NftError extends Error {
  readonly missing: boolean;
  constructor(message: string, missing: boolean) {
    super(message);
    this.name = 'NftError';
    this.missing = missing;
  }
}

/** Runs libnftables JSON through `nft`; one transaction, done whole or not at all. */
export class Nft {
  /** One at a time: two transactions on one table would only get in each other's way. */
  #last: Promise<unknown> = Promise.resolve();

  /** @throws NftError */
  apply(commands: readonly NftCommand[]): Promise<void> {
    return this.#enqueue(() => applyFile(JSON.stringify({ nftables: commands })));
  }

  /** The tables whose names begin with `prefix`. @throws NftError */
  tables(prefix: string): Promise<{ family: string; name: string }[]> {
    return this.#enqueue(async () => tablesOf(await run(['-j', 'list', 'tables']), prefix));
  }

  #enqueue<T>(task: () => Promise<T>): Promise<T> {
    const next = this.#last.then(task, task);
    this.#last = next.catch(() => undefined);
    return next;
  }
}

function tablesOf(output: string, prefix: string): { family: string; name: string }[] {
  const listing = JSON.parse(output) as { nftables?: { table?: { family: string; name: string } }[] };
  return (listing.nftables ?? []).flatMap(({ table }) =>
    table?.name.startsWith(prefix) === true ? [{ family: table.family, name: table.name }] : [],
  );
}

/** Not its standard input: nft opens /dev/stdin, which cannot be done with the socket that Node makes of it. */
async function applyFile(text: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'tandem-nft-'));
  try {
    const path = join(folder, 'rules.json');
    await writeFile(path, text, { mode: 0o600 });
    await run(['-j', '-f', path]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function run(args: readonly string[]): Promise<string> {
  for (const program of PROGRAMS) {
    try {
      return await runOne(program, args);
    } catch (error) {
      if (!(error instanceof NftError && error.missing)) throw error;
    }
  }
  throw new NftError('the program nft is not installed', true);
}

function runOne(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: TIME_LIMIT_MS,
      killSignal: 'SIGKILL',
    });
    let output = '';
    let complaint = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (output.length < MAX_OUTPUT) output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (complaint.length < MAX_OUTPUT) complaint += text;
    });
    child.once('error', (error: NodeJS.ErrnoException) =>
      reject(new NftError(`nft: ${messageOf(error)}`, error.code === 'ENOENT')),
    );
    child.once('close', (status, signal) => {
      if (status === 0) resolve(output);
      else reject(new NftError(`nft ${signal ?? `ended with ${status}`}: ${firstLine(complaint)}`, false));
    });
  });
}

const firstLine = (text: string): string => text.split('\n', 1)[0] ?? '';
