/** What may befall a process, for real: an endless loop in its event loop, the kernel's OOM killer, a power cut. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually, type Host } from './netns.ts';

const INSPECT = fileURLToPath(new URL('./inspect.mjs', import.meta.url));

/** Memory that a leaking process may take before the kernel ends it. */
const ROOM = 96 * 1024 * 1024;
/** Slowly enough that its event loop turns and it seems well until the end. */
const LEAK = 'globalThis.leak = []; setInterval(() => globalThis.leak.push(Buffer.alloc(4 << 20, 1)), 50); 0';

/** Runs an expression in the main thread of a Node process; returns when (wall clock) it was sent. */
async function evaluate(host: Host, pid: number, expression: string): Promise<number> {
  const { status, stdout, stderr } = await host.run(['node', INSPECT, String(pid), expression]);
  if (status !== 0) throw new Error(`the inspector of ${pid}: ${stderr}`);
  return Number(stdout);
}

/** From now on its event loop does not turn, and it takes a whole CPU. Returns the wall clock of that. */
export function wedge(host: Host, pid: number): Promise<number> {
  return evaluate(host, pid, 'for (;;) {}');
}

/** From now on its event loop turns without a pause: it is never without work, and does all of it. */
export function flood(host: Host, pid: number): Promise<number> {
  return evaluate(host, pid, '(function again() { setImmediate(again); })()');
}

/**
 * The process takes memory until the kernel's OOM killer ends it, alone in a memory cgroup: the next one that needs a
 * page before the dead one's are free again would be killed as well.
 * Returns the wall clock just before that.
 */
export async function exhaustMemory(host: Host, pid: number): Promise<number> {
  const cgroup = new MemoryCgroup(`tdt${process.pid}-${pid}`, ROOM);
  try {
    cgroup.add(pid);
    await evaluate(host, pid, LEAK);
    if (cgroup.kills() > 0) throw new Error('the OOM killer was quicker than this test');
    let before = Date.now();
    await eventually(
      'the OOM killer strikes',
      () => {
        if (cgroup.kills() > 0) return true;
        before = Date.now();
        return false;
      },
      20_000,
      1,
    );
    await eventually(`process ${pid} was the one`, () => !runs(pid));
    return before;
  } finally {
    await cgroup.remove();
  }
}

/** SIGKILL for all of them as a power cut would: stopped first, or the last one would still say goodbye. */
export function killTogether(pids: readonly number[]): number {
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  const at = Date.now();
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  return at;
}

/** Neither gone nor a zombie. */
export function runs(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}

/** A memory cgroup of the test's own, in the hierarchy that has the memory controller: version 1 or 2. */
class MemoryCgroup {
  readonly #root: string;
  readonly #path: string;
  readonly #version: 1 | 2;

  constructor(name: string, limitBytes: number) {
    const { root, version } = memoryController();
    this.#root = root;
    this.#version = version;
    this.#path = join(root, name);
    mkdirSync(this.#path);
    this.#write(version === 1 ? 'memory.limit_in_bytes' : 'memory.max', limitBytes);
    // swapping would put off the end
    if (version === 2 && existsSync(join(this.#path, 'memory.swap.max'))) this.#write('memory.swap.max', 0);
  }

  add(pid: number): void {
    this.#write('cgroup.procs', pid);
  }

  kills(): number {
    const file = this.#version === 1 ? 'memory.oom_control' : 'memory.events';
    const text = readFileSync(join(this.#path, file), 'utf8');
    return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
  }

  /** Who is left goes back to the root. */
  async remove(): Promise<void> {
    for (const pid of readFileSync(join(this.#path, 'cgroup.procs'), 'utf8').split('\n')) {
      if (pid !== '' && runs(Number(pid))) writeFileSync(join(this.#root, 'cgroup.procs'), pid);
    }
    await eventually('the memory cgroup can be removed', () => {
      try {
        rmdirSync(this.#path);
        return true;
      } catch {
        return false;
      }
    });
  }

  #write(file: string, value: number): void {
    writeFileSync(join(this.#path, file), String(value));
  }
}

function memoryController(): { root: string; version: 1 | 2 } {
  for (const line of readFileSync('/proc/self/mounts', 'utf8').split('\n')) {
    const [, root = '', type, options = ''] = line.split(' ');
    if (type === 'cgroup' && options.split(',').includes('memory')) return { root, version: 1 };
    if (type !== 'cgroup2') continue;
    const controllers = readFileSync(join(root, 'cgroup.controllers'), 'utf8').trim().split(' ');
    if (!controllers.includes('memory')) continue;
    writeFileSync(join(root, 'cgroup.subtree_control'), '+memory');
    return { root, version: 2 };
  }
  throw new Error('no cgroup hierarchy with the memory controller is mounted');
}
