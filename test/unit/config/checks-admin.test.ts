import { expect, test } from 'vitest';
import { diffConfig } from '../../../src/config/diff.ts';
import type { Environment } from '../../../src/config/environment.ts';
import { load, problemsOf, testHost } from '../../support/config.ts';
import { atTop, describeFaults, fault, inGroup, warned } from '../../support/config-faults.ts';

const admin = (lines: string): string => atTop(`[admin]\n${lines}`);
const TOKEN = 'token_file = "/etc/tandem/token"';
const TLS = 'tls = { certificate = "/etc/tandem/crt", key = "/etc/tandem/key" }';
const WIDE = 'listen = "10.0.0.2:9465"';
const LOCAL = 'listen = "127.0.0.1:9465"';

describeFaults('[admin] listen', [
  fault(
    'beyond loopback without a token',
    admin(`${WIDE}\n${TLS}`),
    'admin.listen',
    '"10',
    /10.0.0.2:9465 is not a loopback address, and there is no token/,
    /token_file, or listen on "127.0.0.1:9465"/,
  ),
  fault(
    'beyond loopback without TLS',
    admin(`${WIDE}\n${TOKEN}`),
    'admin.listen',
    '"10',
    /not a loopback address, and there is no TLS/,
    /\[admin.tls\] with certificate and key/,
  ),
  fault(
    'a wildcard without TLS',
    admin(`listen = "[::]:9465"\n${TOKEN}`),
    'admin.listen',
    '"[::]',
    /\[::\]:9465 is not a loopback/,
    /tls/,
  ),
  fault(
    'a virtual address',
    `${inGroup('')}[admin]\nlisten = "10.0.0.100:9465"\n${TOKEN}\n${TLS}`,
    'admin.listen',
    '"10',
    /10.0.0.100 is a virtual address/,
    /this node's own/,
  ),
  fault(
    'without a port',
    admin('listen = "127.0.0.1"'),
    'admin.listen',
    '"127',
    /no port/,
    /write "127.0.0.1:80"/,
  ),
]);

describeFaults('what nothing reads', [
  warned(
    'a token without a listener',
    admin(TOKEN),
    'admin.token_file',
    'token_file',
    /no effect: \[admin\] has no listen/,
    /listen = "127.0.0.1:9465"/,
  ),
  warned('TLS without a listener', admin(TLS), 'admin.tls', 'tls', /no effect/, /listen/),
]);

describeFaults('[admin] token_file', [
  fault(
    'the secret of the peer',
    `${inGroup('')}[failover.peer]\naddress = "10.0.0.3"\nsecret_file = "/etc/tandem/token"\n[admin]\n${LOCAL}\n${TOKEN}\n`,
    'admin.token_file',
    '"/etc',
    /is the secret of \[failover.peer\]/,
    /another one/,
  ),
]);

const broken = (denied: boolean): Environment => ({
  ...testHost,
  tokenFault: () => ({ fault: 'is empty', hint: 'write one', denied }),
});
const brokenTls = (denied: boolean): Environment => ({
  ...testHost,
  tlsFault: () => ({ file: 'key', fault: 'does not exist', hint: 'name a file', denied }),
});
const token = ['admin.token_file', '"/etc', /token" is empty/, /write one/] as const;
const key = ['admin.tls.key', '"/etc', /key" does not exist/, /name a file/] as const;
describeFaults('a token that cannot be used', [fault('is a fault', admin(`${LOCAL}\n${TOKEN}`), ...token)], {
  environment: broken(false),
});
describeFaults(
  'a token for the daemon alone',
  [warned('proves nothing', admin(`${LOCAL}\n${TOKEN}`), ...token)],
  {
    environment: broken(true),
  },
);
describeFaults('a key that cannot be used', [fault('is a fault', admin(`${LOCAL}\n${TLS}`), ...key)], {
  environment: brokenTls(false),
});
describeFaults('a key for the daemon alone', [warned('proves nothing', admin(`${LOCAL}\n${TLS}`), ...key)], {
  environment: brokenTls(true),
});

test('two listeners on one address clash', () => {
  const problems = problemsOf(`${admin('listen = "127.0.0.1:9464"')}[metrics]\n`);
  expect(problems.map(({ message }) => message)).toEqual([
    expect.stringContaining('127.0.0.1:9464 is taken by [metrics]'),
  ]);
});

test('beyond loopback both are told when both are missing', () => {
  expect(problemsOf(admin(WIDE)).map(({ message }) => message)).toEqual([
    expect.stringContaining('no token'),
    expect.stringContaining('no TLS'),
  ]);
});

test('loopback needs neither, and elsewhere both are enough', () => {
  expect(load(admin(LOCAL)).admin.http).toMatchObject({ tokenFile: null, tls: null });
  expect(load(admin('listen = "[::1]:9465"')).admin.http?.listen.port).toBe(9_465);
  expect(load(admin(`${WIDE}\n${TOKEN}\n${TLS}`)).admin.http).toMatchObject({
    tokenFile: '/etc/tandem/token',
    tls: { certificate: '/etc/tandem/crt', key: '/etc/tandem/key' },
  });
  expect(load(admin('')).admin.http).toBeNull();
});

test('a reload applies all of it', () => {
  const diff = diffConfig(load(admin('')), load(admin(`${LOCAL}\n${TOKEN}\n${TLS}`)));
  expect(diff.settings).toEqual(['admin.listen', 'admin.token_file', 'admin.tls']);
  expect(diff.restart).toEqual([]);
});
