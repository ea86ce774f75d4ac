/**
 * Where connections to backends leave from.
 *
 *   client 10.99.0.9 ──lan── 10.99.0.1 lb 10.98.0.1 ──back── 10.98.0.11 be-1
 *          fd99::9           fd99::1      fd98::1            fd98::11
 *
 * For clients' own addresses the backend's default route leads through the balancer, which keeps the replies
 * (docs/operations.md has these commands).
 */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, type Host, Lab, missing } from '../support/netns.ts';
import { MAIN, Tandem } from '../support/tandem.ts';

const SERVER = fileURLToPath(new URL('../support/who-server.mjs', import.meta.url));
const unable = missing('nft');

/** Replies to transparent sockets are for this host, whatever their address. */
const STEERING = `table inet tandem_transparent {
  chain prerouting {
    type filter hook prerouting priority mangle;
    meta l4proto { tcp, udp } socket transparent 1 meta mark set 1 accept
  }
}`;

describe.skipIf(unable !== null)('the source of connections to backends', () => {
  let lab: Lab;
  let lb: Host;
  let client: Host;
  let tandem: Tandem;

  const toml = (source: string): string =>
    ['tcp', 'udp']
      .flatMap((protocol) => [
        `[[service]]\nname = "${protocol}"\nprotocol = "${protocol}"\n${source}`,
        'listen = ["10.99.0.1:80", "[fd99::1]:80"]',
        protocol === 'udp' ? '[service.timeout]\nsession = "200ms"' : '',
        '[[service.backend]]\naddress = "10.98.0.11:80"\n',
      ])
      .join('\n');

  beforeAll(async () => {
    lab = Lab.create('source');
    const [lan, back] = [lab.bridge('lan'), lab.bridge('back')];
    lb = lab.host('lb');
    lb.join(lan, 'eth0', ['10.99.0.1/24', 'fd99::1/64']);
    lb.join(back, 'eth1', ['10.98.0.1/24', '10.98.0.2/24', '10.98.0.3/24', 'fd98::1/64']);
    client = lab.host('client');
    client.join(lan, 'eth0', ['10.99.0.9/24', 'fd99::9/64']);
    const backend = lab.host('be-1');
    backend.join(back, 'eth0', ['10.98.0.11/24', 'fd98::11/64']);
    backend.ip('route', 'add', 'default', 'via', '10.98.0.1');
    backend.ip('-6', 'route', 'add', 'default', 'via', 'fd98::1');
    const server = backend.spawn('who', ['node', SERVER, '80']);
    await eventually('the server is ready', () => server.log().includes('ready'));
    await lb.run(['nft', '-f', '-'], { input: STEERING });
    for (const family of ['-4', '-6']) {
      lb.ip(family, 'rule', 'add', 'fwmark', '1', 'lookup', '100');
      lb.ip(
        family,
        'route',
        'add',
        'local',
        family === '-4' ? '0.0.0.0/0' : '::/0',
        'dev',
        'lo',
        'table',
        '100',
      );
    }
    tandem = await Tandem.start(lab, lb, toml('source = "client"'));
  });
  afterAll(() => lab.destroy());

  const ASK = `const [protocol, host, port] = process.argv.slice(1);
    const say = (text) => { console.log(String(text)); process.exit(0); };
    setTimeout(() => say('no answer'), 4000);
    if (protocol === 'tcp') require('node:net').connect(Number(port), host).on('data', say).on('error', say);
    else {
      const socket = require('node:dgram').createSocket(host.includes(':') ? 'udp6' : 'udp4').on('message', say);
      socket.send('?', Number(port), host);
    }`;

  async function ask(protocol: string, host: string, port = 80): Promise<string> {
    return (await client.run(['node', '-e', ASK, protocol, host, `${port}`])).stdout.trim();
  }

  async function reconfigure(text: string): Promise<void> {
    tandem.writeConfig(text);
    const { status, stderr } = await tandem.tandem('reload');
    expect(status, stderr).toBe(0);
  }

  test.each(['tcp', 'udp'])(
    "the client's own address over %s, with an IPv4 and an IPv6 backend",
    async (protocol) => {
      await reconfigure(toml('source = "client"'));
      await eventually('the client is seen', async () => (await ask(protocol, '10.99.0.1')) === '10.99.0.9');
      await reconfigure(toml('source = "client"').replaceAll('10.98.0.11:80', '[fd98::11]:80'));
      await eventually(
        'the client is seen over IPv6',
        async () => (await ask(protocol, 'fd99::1')) === 'fd99::9',
      );
      // of another family it cannot be the client's: the kernel chooses
      await eventually(
        'an IPv4 client is served, too',
        async () => (await ask(protocol, '10.99.0.1')) === 'fd98::1',
      );
    },
  );

  test.each(['tcp', 'udp'])('a pool of addresses in turn over %s', async (protocol) => {
    await reconfigure(toml('source = ["10.98.0.2", "10.98.0.3"]'));
    const seen = new Set<string>();
    await eventually('both have been used', async () => {
      seen.add(await ask(protocol, '10.99.0.1'));
      return seen.has('10.98.0.2') && seen.has('10.98.0.3');
    });
    // the old configuration may have answered first
    expect([...seen].filter((address) => !address.startsWith('10.98.0.') && address !== '10.99.0.9')).toEqual(
      [],
    );
    if (protocol !== 'tcp') return;
    const limit = (await tandem.status()).limits.find(({ name }) => name === 'source-ports');
    const range = (await lb.run(['sysctl', '-n', 'net.ipv4.ip_local_port_range'])).stdout
      .trim()
      .split(/\s+/)
      .map(Number);
    expect(limit).toMatchObject({
      subject: 'tcp/10.98.0.11:80',
      max: 2 * ((range[1] ?? 0) - (range[0] ?? 0) + 1),
    });
    expect(await tandem.metrics()).toMatch(/limit="source-ports"/);
  });

  test('without the address it fails by name, and the backend is not blamed', async () => {
    tandem.writeConfig(toml('source = ["10.98.0.77"]'));
    // a running daemon is not stopped by what the host lacks at the moment; who asks beforehand is told
    const { status, stderr } = await lb.run(['node', MAIN, 'check', '--config', tandem.configPath]);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/this host does not have "10\.98\.0\.77"/);
    await reconfigure(toml('source = ["10.98.0.2"]'));
    lb.ip('addr', 'del', '10.98.0.2/24', 'dev', 'eth1');
    expect(await ask('tcp', '10.99.0.1')).toMatch(/ECONNRESET|no answer/);
    const service = (await tandem.status()).services.find(({ name }) => name === 'tcp');
    expect(service?.refused['connect-failed']).toBeGreaterThan(0);
    expect(service?.backends[0]).toMatchObject({ ejected: false, eligible: true });
    lb.ip('addr', 'add', '10.98.0.2/24', 'dev', 'eth1');
  });

  test.each([
    ['udp', '0.0.0.0:81', '', 'UDP on the wildcard 0.0.0.0:81'],
    ['tcp', '10.99.0.1:82', 'source = "client"\n', 'source = "client"'],
  ])(
    '%s that takes the native relay is refused while the other one runs',
    async (protocol, listen, source, why) => {
      const service = (on: string, more = ''): string =>
        `[[service]]\nname = "late"\nprotocol = "${protocol}"\nlisten = ["${on}"]\n${more}
       [[service.backend]]\naddress = "10.98.0.11:80"\n`;
      const before = `[data_path]\nrelay = "node"\n${service('10.99.0.1:83')}`;
      const after = `[data_path]\nrelay = "auto"\n${service(listen, source)}`;
      const running = await Tandem.start(lab, lb, before);
      running.writeConfig(after);
      const { status, stderr } = await running.tandem('reload');
      expect(status).toBe(64);
      expect(stderr).toContain(`service late: ${why}`);
      expect(stderr).toContain('restart the daemon');
      expect((await running.status()).services[0]?.listen).toEqual(['10.99.0.1:83']);
      expect(await ask(protocol, '10.99.0.1', 83)).toBe('10.98.0.1');
      await running.crash();
      const restarted = await Tandem.start(lab, lb, after);
      await eventually('it serves', async () => {
        return (
          (await ask(protocol, '10.99.0.1', Number(listen.split(':')[1]))) ===
          (source === '' ? '10.98.0.1' : '10.99.0.9')
        );
      });
      await restarted.crash();
    },
  );
});
