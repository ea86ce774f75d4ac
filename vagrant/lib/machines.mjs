/** The machines of the Vagrantfile as the host reaches them: commands over ssh, and their cables and power. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const VAGRANT_LIMIT_MS = 900_000;
const COMMAND_LIMIT_MS = 60_000;
const MAX_OUTPUT = 1_048_576;

/** Whatever ends this program ends what it has started. */
const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** In a process group of its own: Ctrl-C on the terminal is ours to handle. */
function start(command, args, options) {
  const child = spawn(command, args, { ...options, detached: true });
  running.add(child);
  child.once('close', () => running.delete(child));
  return child;
}

/**
 * Runs a program to its end. @param {{ timeoutMs?: number, signal?: AbortSignal, cwd?: string }} options
 * @returns {Promise<{ status: number | null, stdout: string, stderr: string }>} status null when it was ended
 */
export function run(command, args, { timeoutMs = COMMAND_LIMIT_MS, signal, cwd } = {}) {
  return new Promise((resolve, reject) => {
    const child = start(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd,
      signal,
      timeout: timeoutMs,
    });
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr']) {
      child[name].setEncoding('utf8').on('data', (text) => {
        output[name] = (output[name] + text).slice(-MAX_OUTPUT);
      });
    }
    child.once('error', reject);
    child.once('close', (status) => resolve({ status, ...output }));
  });
}

/** The same, and an error unless it ends well. */
async function need(command, args, options) {
  const result = await run(command, args, options);
  if (result.status !== 0) {
    const why = (result.stderr || result.stdout).trim().split('\n').slice(-3).join(' ');
    throw new Error(`${command} ${args.join(' ')}: ${result.status === null ? 'took too long' : why}`);
  }
  return result.stdout;
}

/** A command in a machine that goes on: lines come as they are said, and the end of its input ends it. */
class Stream {
  #child;
  #ended;

  constructor(child, onLine) {
    this.#child = child;
    const lines = createInterface({ input: child.stdout });
    lines.on('line', onLine);
    // who ended it does not listen any more
    child.stdin.on('error', () => undefined);
    this.#ended = new Promise((resolve) => {
      child.once('error', resolve);
      lines.once('close', resolve);
    });
  }

  /** Resolves when it has ended, whyever. */
  get ended() {
    return this.#ended;
  }

  /** Ends its input, and it when that is not enough. */
  async end(timeoutMs = 60_000) {
    this.#child.stdin.end();
    const limit = setTimeout(() => this.#child.kill('SIGKILL'), timeoutMs);
    await this.#ended;
    clearTimeout(limit);
  }

  kill() {
    this.#child.kill('SIGKILL');
  }
}

/** What the hypervisor is asked for, each by the identity that Vagrant noted. */
const HYPERVISORS = {
  libvirt: {
    async link(id, mac, up) {
      await need('virsh', [...libvirt(), 'domif-setlink', id, mac, up ? 'up' : 'down']);
    },
    powerOff: (id) => need('virsh', [...libvirt(), 'destroy', id]),
    powerOn: (id) => need('virsh', [...libvirt(), 'start', id]),
  },
  virtualbox: {
    // the first card is Vagrant's own, the second is in the network of the virtual address
    link: (id, _mac, up) => need('VBoxManage', ['controlvm', id, 'setlinkstate2', up ? 'on' : 'off']),
    powerOff: (id) => need('VBoxManage', ['controlvm', id, 'poweroff']),
    powerOn: (id) => need('VBoxManage', ['startvm', id, '--type', 'headless']),
  },
};

const libvirt = () => ['--quiet', '--connect', process.env['LIBVIRT_DEFAULT_URI'] ?? 'qemu:///system'];

export class Machines {
  #folder;
  #state;
  #signal;
  #limitMs;

  /** @param {string} folder that of the Vagrantfile @param {AbortSignal} signal ends what runs @param {number} limitMs for a command */
  constructor(folder, signal, limitMs) {
    this.#folder = folder;
    this.#signal = signal;
    this.#limitMs = limitMs;
    this.#state = mkdtempSync(join(tmpdir(), 'tandem-vms-'));
  }

  /** After an interruption: what mends may take its time. */
  goOn() {
    this.#signal = undefined;
  }

  /** Asks Vagrant how to reach them; again after a machine was off. @throws Error when one is not up */
  async reach(names) {
    const told = await need('vagrant', ['ssh-config', ...names], this.#vagrantOptions());
    // one connection for each machine, over which its commands go: setting one up takes long in an emulated machine
    const shared = [
      'Host *',
      `  ControlPath ${this.#state}/%n`,
      '  ControlMaster auto',
      '  ControlPersist 600',
      // an emulated machine may say nothing for many seconds
      '  ServerAliveInterval 10',
      '  ServerAliveCountMax 6',
      '  ConnectTimeout 60',
    ];
    writeFileSync(join(this.#state, 'ssh-config'), `${told}\n${shared.join('\n')}\n`, { mode: 0o600 });
  }

  #vagrantOptions() {
    return { cwd: this.#folder, timeoutMs: VAGRANT_LIMIT_MS, signal: this.#signal };
  }

  #ssh(name, ...args) {
    return ['-F', join(this.#state, 'ssh-config'), name, ...args];
  }

  /** A shell command there. */
  run(name, command, options = {}) {
    return run('ssh', this.#ssh(name, command), {
      signal: this.#signal,
      timeoutMs: this.#limitMs,
      ...options,
    });
  }

  /** @throws Error unless it ends well */
  async need(name, command, options = {}) {
    const { status, stdout, stderr } = await this.run(name, command, options);
    if (status !== 0)
      throw new Error(`${name}: ${command}: ${(stderr || stdout).trim().slice(-300) || `status ${status}`}`);
    return stdout;
  }

  /** A command that goes on beside the others; its machine may be switched off meanwhile. */
  stream(name, command, onLine) {
    return new Stream(start('ssh', this.#ssh(name, command), { stdio: ['pipe', 'pipe', 'ignore'] }), onLine);
  }

  /** The hypervisor and what it calls the machine. */
  #hypervisor(name) {
    const folder = join(
      process.env['VAGRANT_DOTFILE_PATH'] ?? join(this.#folder, '.vagrant'),
      'machines',
      name,
    );
    for (const [provider, commands] of Object.entries(HYPERVISORS)) {
      const path = join(folder, provider, 'id');
      if (existsSync(path)) return { ...commands, id: readFileSync(path, 'utf8').trim(), provider };
    }
    throw new Error(`${name}: no machine of libvirt or VirtualBox is noted in ${folder}`);
  }

  provider(name) {
    return this.#hypervisor(name).provider;
  }

  /** The cable of the interface with this MAC address, in the hypervisor. Not ended by Ctrl-C: it heals, too. */
  async link(name, mac, up) {
    const { link, id } = this.#hypervisor(name);
    await link(id, mac, up);
  }

  /** As if somebody pulled the plug. */
  async powerOff(name) {
    const { powerOff, id } = this.#hypervisor(name);
    await powerOff(id);
    this.#forget(name);
  }

  /** The hypervisor's own start: it boots as it would after a power cut, and Vagrant configures nothing. */
  async powerOn(name) {
    const { powerOn, id } = this.#hypervisor(name);
    await powerOn(id);
  }

  /** The connection to a machine that was off leads nowhere. */
  #forget(name) {
    rmSync(join(this.#state, name), { force: true });
  }

  /** Ends the connections, and with them what still runs over them. */
  async close(names) {
    for (const name of names) {
      if (existsSync(join(this.#state, name)))
        await run('ssh', this.#ssh(name, '-O', 'exit'), { timeoutMs: 5_000 }).catch(() => undefined);
    }
    rmSync(this.#state, { recursive: true, force: true });
  }
}
