/**
 * Writes go to the primary of two real Redis servers, with a password and over TLS, and move with its role: the real HAProxy, and
 * Tandem with what was imported from its haproxy.cfg.
 *
 *     lb          client         one         two
 *   10.95.0.1   10.95.0.50   10.95.0.11   10.95.0.12   /24
 *      |            |            |           |
 *   ===+============+============+===========+====   lan
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, type Host, Lab, missing } from '../support/netns.ts';
import { MAIN, Tandem } from '../support/tandem.ts';
import { selfSigned } from '../unit/control-path/health/probes/support.ts';

const PASSWORD = 'correct-horse';

const CFG = `
defaults
    mode tcp
    timeout connect 2s
    timeout client 30s
    timeout server 30s
    default-server inter 200ms fall 2 rise 1 on-marked-down shutdown-sessions

listen plain
    bind 10.95.0.1:6379
    option tcp-check
    tcp-check connect
    tcp-check send AUTH\\ ${PASSWORD}\\r\\n
    tcp-check expect string +OK
    tcp-check send PING\\r\\n
    tcp-check expect rstring ^[+]PONG
    tcp-check send info\\ replication\\r\\n
    tcp-check expect string role:master
    tcp-check send QUIT\\r\\n
    tcp-check expect string +OK
    server one 10.95.0.11:6379 check
    server two 10.95.0.12:6379 check

listen secure
    bind 10.95.0.1:6380
    option tcp-check
    tcp-check connect ssl
    tcp-check send-binary ${Buffer.from(`AUTH ${PASSWORD}\r\nINFO replication\r\n`).toString('hex')}
    tcp-check expect binary ${Buffer.from('role:master').toString('hex')}
    server one 10.95.0.11:6380 check verify none
    server two 10.95.0.12:6380 check verify none

listen any
    bind 10.95.0.1:6381
    option redis-check
    server one 10.95.0.11:6381 check
`;

const unable = missing('haproxy', 'redis-server', 'redis-cli', 'openssl');

describe.skipIf(unable !== null).each(['haproxy', 'tandem'] as const)(
  '%s with this configuration',
  (kind) => {
    const lab = Lab.create(`redis-${kind}`);
    const hosts = new Map<string, Host>();
    const host = (name: string): Host => {
      const found = hosts.get(name);
      if (found === undefined) throw new Error(`no host ${name}`);
      return found;
    };

    /** What a Redis says, on its host or at the address where clients ask. */
    async function redis(from: Host, options: readonly string[], ...command: string[]): Promise<string> {
      const auth = ['-a', PASSWORD, '--no-auth-warning'];
      return (await from.run(['timeout', '3', 'redis-cli', ...auth, ...options, ...command])).stdout.trim();
    }
    const secure = ['-p', '6380', '--tls', '--insecure'];
    const at = (options: readonly string[] = []): Promise<string> =>
      redis(
        host('client'),
        ['-h', '10.95.0.1', ...options],
        'CONFIG',
        'GET',
        'cluster-announce-hostname',
      ).then((answer) => answer.split('\n')[1] ?? '');

    function serve(name: string): void {
      const { key, cert } = selfSigned(name);
      const file = (suffix: string, content: Buffer): string => {
        const path = join(lab.dir, `${name}.${suffix}`);
        writeFileSync(path, content);
        return path;
      };
      const tls = [
        '--tls-port',
        '6380',
        '--tls-cert-file',
        file('crt', cert),
        '--tls-key-file',
        file('key', key),
      ];
      const auth = ['--requirepass', PASSWORD, '--masterauth', PASSWORD];
      // who it is, for the test: Redis uses it in clusters alone
      const named = ['--cluster-announce-hostname', name];
      const kept = ['--save', '', '--dir', lab.dir, '--tls-auth-clients', 'no', '--protected-mode', 'no'];
      host(name).spawn('redis', ['redis-server', ...tls, ...auth, ...named, ...kept]);
    }

    beforeAll(async () => {
      const lan = lab.bridge('lan');
      for (const [name, number] of Object.entries({ lb: 1, client: 50, one: 11, two: 12 })) {
        hosts.set(name, lab.host(name));
        host(name).join(lan, 'eth0', [`10.95.0.${number}/24`]);
      }
      for (const name of ['one', 'two']) {
        serve(name);
        await eventually(`${name} answers`, async () => (await redis(host(name), [], 'PING')) === 'PONG');
      }
      const options = [
        'redis-server',
        '--port',
        '6381',
        '--save',
        '',
        '--protected-mode',
        'no',
        '--dir',
        lab.dir,
      ];
      host('one').spawn('open', options);
      expect(await redis(host('two'), [], 'REPLICAOF', '10.95.0.11', '6379')).toBe('OK');
      const cfg = join(lab.dir, 'haproxy.cfg');
      writeFileSync(cfg, CFG);
      if (kind === 'haproxy') host('lb').spawn('haproxy', ['haproxy', '-db', '-f', cfg]);
      else {
        const toml = join(lab.dir, 'imported.toml');
        const { status, stdout, stderr } = await host('lb').run(['node', MAIN, 'import', cfg, '-o', toml]);
        expect(status, stderr).toBe(0);
        expect(stdout + stderr).not.toContain(PASSWORD);
        await Tandem.start(lab, host('lb'), readFileSync(toml, 'utf8'));
      }
    });
    afterAll(() => lab.destroy());

    /** Of six clients on each port. */
    const served = async (): Promise<string> => {
      const asked = Array.from({ length: 6 }, () => [at(), at(secure)]).flat();
      return [...new Set(await Promise.all(asked))].join();
    };

    test('sends everybody to the primary, though the replica takes connections', async () => {
      // both are taken for up until the first checks are in
      await eventually('the primary serves all', async () => (await served()) === 'one');
      expect(await served()).toBe('one');
    });

    test('follows the role', async () => {
      expect(await redis(host('two'), [], 'REPLICAOF', 'NO', 'ONE')).toBe('OK');
      expect(await redis(host('one'), [], 'REPLICAOF', '10.95.0.12', '6379')).toBe('OK');
      await eventually('the new primary serves all', async () => (await served()) === 'two');
      expect(await served()).toBe('two');
    });

    test('finds a Redis that merely answers', async () => {
      const ping = ['timeout', '3', 'redis-cli', '-h', '10.95.0.1', '-p', '6381', 'PING'];
      await eventually('it is used', async () => (await host('client').run(ping)).stdout === 'PONG\n');
    });
  },
);
