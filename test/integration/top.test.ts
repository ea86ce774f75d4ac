/**
 * `tandem top` in a real terminal (tmux, 80x24) against the real daemon.
 *
 *   lb   shell in tmux ──► tandem top ──► admin socket of the daemon ──► two backends on 127.0.0.1
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Model } from '../../src/cli/top/model.ts';
import { eventually, type Host, Lab, missing } from '../support/netns.ts';
import { MAIN, Tandem } from '../support/tandem.ts';

const skip = missing('tmux') !== null;
const BACKENDS = ['127.0.0.1:9001', '127.0.0.1:9002'];
const TOML = `
[[service]]
name = "web"
listen = ["127.0.0.1:8000"]
${BACKENDS.map((address) => `[[service.backend]]\naddress = "${address}"\n`).join('')}
`;
/** Colours as tmux tells of them: 30 to 37, 38;5;n, 90 to 97. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: colours are what is looked for
const COLOR = /\u001b\[(?:[\d;]*;)?(?:3[0-8]|9[0-7])[;m]/;

let serial = 0;

/** A shell in a terminal of its own. */
class Terminal {
  readonly #host: Host;
  readonly #tmux: readonly string[];

  private constructor(host: Host, lab: Lab) {
    this.#host = host;
    this.#tmux = ['tmux', '-S', join(lab.dir, `tmux-${++serial}`), '-f', '/dev/null'];
  }

  static async open(host: Host, lab: Lab): Promise<Terminal> {
    const terminal = new Terminal(host, lab);
    const shell = 'env PS1=ready: LC_ALL=C.UTF-8 TERM=screen-256color bash --norc --noprofile';
    await terminal.#run('new-session', '-d', '-x', '80', '-y', '24', shell);
    await terminal.shows('ready:');
    return terminal;
  }

  async #run(...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await this.#host.run([...this.#tmux, ...args]);
    if (status !== 0) throw new Error(`tmux ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  /** Key names of tmux ("Down", "C-c"), or characters. */
  async keys(...keys: string[]): Promise<void> {
    await this.#run('send-keys', ...keys);
  }

  line(text: string): Promise<void> {
    return this.keys('-l', `${text}\n`);
  }

  screen(...options: string[]): Promise<string> {
    return this.#run('capture-pane', '-p', ...options);
  }

  async shows(what: string | RegExp, timeoutMs = 15_000): Promise<string> {
    let last = '';
    await eventually(
      `the terminal shows ${what}`,
      async () => {
        last = await this.screen();
        return typeof what === 'string' ? last.includes(what) : what.test(last);
      },
      timeoutMs,
      100,
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}; it shows:\n${last}`);
    });
    return last;
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.#run('resize-window', '-x', String(columns), '-y', String(rows));
  }

  /** The shell has its terminal back: echo, whole lines, and what was there before. */
  async restored(marker: string): Promise<void> {
    // what is typed before its prompt is there would be keys of what is ending
    await this.shows(/ready:\s*$/);
    await this.line(`echo; stty -a | grep -o '[-]*icanon\\|[-]*echo ' | tr '\\n' ' '; echo '${marker}'`);
    const shown = await this.shows(new RegExp(`^icanon echo\\s+${marker}$`, 'm'));
    expect(shown).not.toContain('SERVICE / BACKEND');
    await this.line('clear');
    await this.shows(/^ready:\s*$/);
  }

  async close(): Promise<void> {
    await this.#run('kill-server');
  }
}

describe.skipIf(skip)('tandem top', () => {
  let lab: Lab;
  let host: Host;
  let daemon: Tandem;
  let terminal: Terminal;
  const command = (env = ''): string => `${env} node ${MAIN} top --interval 300ms -s ${daemon.socket}`.trim();

  beforeAll(async () => {
    lab = Lab.create('top');
    host = lab.host('lb');
    daemon = await Tandem.start(lab, host, TOML);
  });

  afterAll(async () => {
    await lab?.destroy();
  });

  beforeEach(async () => {
    terminal = await Terminal.open(host, lab);
  });

  afterEach(async () => {
    await terminal.close();
  });

  const stateOf = async (id: string | undefined): Promise<string | undefined> =>
    (await daemon.status()).services[0]?.backends.find((backend) => backend.id === id)?.admin;

  it('shows the node in 80x24, drains by key, follows the size, and gives the terminal back', async () => {
    await terminal.line(command());
    const first = await terminal.shows('SERVICE / BACKEND');
    const lines = first.split('\n');
    expect(lines.every((line) => line.length <= 80)).toBe(true);
    expect(lines[23]).toMatch(/^\?:help .* q:quit$/);
    for (const word of ['web', ...BACKENDS, '2/2 up', 'EVENTS', 'daemon.started'])
      expect(first).toContain(word);
    expect(await terminal.screen('-e')).toMatch(COLOR);

    await terminal.keys('Down');
    await terminal.keys('d');
    await eventually('the marked backend drains', async () => (await stateOf(BACKENDS[1])) === 'draining');
    expect(await stateOf(BACKENDS[0])).toBe('ready');
    await terminal.shows(/9002 +draining/);
    await terminal.shows('1/2 up');
    // the other one is the last
    await terminal.keys('Up');
    await terminal.keys('d');
    await terminal.shows('nobody else takes clients of web');
    await terminal.keys('n');
    await terminal.shows('nothing was changed');
    expect(await stateOf(BACKENDS[0])).toBe('ready');
    await terminal.keys('Down');
    await terminal.keys('r');
    await eventually('it is ready again', async () => (await stateOf(BACKENDS[1])) === 'ready');
    await terminal.keys('w');
    await terminal.keys('7', 'Enter');
    await terminal.shows(/9002 +unchecked +7 /);
    await terminal.keys('H');
    await terminal.shows('no [failover] section');

    await terminal.keys('Escape');
    await terminal.shows(/q:quit$/m);

    await terminal.resize(110, 30);
    const wide = await terminal.shows(/SINCE[\s\S]*q:quit/);
    expect(wide.split('\n')[29]).toContain('q:quit');
    await terminal.resize(80, 24);
    await terminal.shows(/q:quit$/m);
    await terminal.keys('q');
    await terminal.restored('after-quit');
  });

  it('stops at Ctrl-Z and comes back, and leaves the terminal in order when it is killed or crashes', async () => {
    await terminal.line(command());
    await terminal.shows('SERVICE / BACKEND');
    await terminal.keys('C-z');
    await terminal.shows('Stopped');
    await terminal.restored('while-stopped');
    await terminal.line('fg');
    await terminal.shows('SERVICE / BACKEND');
    const { stdout } = await host.run(['pgrep', '-f', `^node ${MAIN} top .* ${daemon.socket}$`]);
    process.kill(Number(stdout.trim()), 'SIGTERM');
    await terminal.restored('after-term');

    const fault = join(lab.dir, 'fault.mjs');
    writeFileSync(fault, 'setTimeout(() => { throw new Error("on purpose"); }, 2_500);\n');
    await terminal.line(command(`NODE_OPTIONS=--import=${fault}`));
    await terminal.shows('SERVICE / BACKEND');
    // the error is not lost with the other screen
    await terminal.shows('on purpose');
    await terminal.restored('after-crash');
  });

  it('does without colours and without characters beside ASCII', async () => {
    await terminal.line(command('NO_COLOR=1 LC_ALL=C'));
    await terminal.shows('SERVICE / BACKEND');
    await terminal.keys('s');
    const shown = await terminal.shows('CONNSv');
    expect(shown).toMatch(/^[\x20-\x7e\n]*$/);
    const escapes = await terminal.screen('-e');
    expect(escapes).toContain('\u001b[');
    expect(escapes).not.toMatch(COLOR);
    await terminal.keys('q');
    await terminal.restored('after-plain');
  });

  it('prints snapshots where it is no terminal', async () => {
    const once = await daemon.tandem('top', '--interval', '200ms');
    expect(once).toMatchObject({ status: 0, stderr: '' });
    expect(once.stdout).toMatch(/^web .*2\/2 up.*\n.*127\.0\.0\.1:9001 /m);
    expect(once.stdout).not.toContain('\u001b');
    const json = await daemon.tandem('top', '--json', '--count', '2', '--interval', '200ms');
    const looks = json.stdout
      .trimEnd()
      .split('\n')
      .map((line): Model => JSON.parse(line));
    expect(looks).toHaveLength(2);
    expect(looks[0]?.rows.map(({ key }) => key)).toEqual(['web', ...BACKENDS.map((id) => `web/${id}`)]);
    expect(looks[1]?.rows[0]?.rates).toEqual({ opened: 0, failed: 0, in: 0, out: 0 });
    const nobody = await host.run(['node', MAIN, 'top', '-s', '/nonexistent/socket']);
    expect(nobody).toMatchObject({ status: 69, stdout: '' });
  });

  it('shows a daemon that has gone, and goes on when there is one again', async () => {
    await terminal.line(command());
    await terminal.shows('2/2 up');
    await daemon.crash();
    const lost = await terminal.shows('trying again');
    expect(lost).toContain('2/2 up');
    const again = host.spawn('tandem', ['node', MAIN, 'run', '--config', daemon.configPath]);
    await terminal.shows(`pid ${again.pid}`);
    expect(await terminal.screen()).not.toContain('trying again');
    await terminal.keys('C-c');
    await terminal.restored('after-interrupt');
  });
});
