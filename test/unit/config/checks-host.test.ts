import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type Environment, systemEnvironment } from '../../../src/config/environment.ts';
import { ConfigError } from '../../../src/config/errors.ts';
import { EXIT, type ExitStatus } from '../../../src/lib/errors.ts';
import { load, problemsOf, testHost } from '../../support/config.ts';
import {
  atTop,
  describeFaults,
  fault,
  inGroup,
  inHealth,
  inService,
  warned,
} from '../../support/config-faults.ts';

const dir = mkdtempSync(join(tmpdir(), 'tandem-host-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const program = (name: string, mode: number): string => {
  const path = join(dir, name);
  writeFileSync(path, '#!/bin/sh\n');
  chmodSync(path, mode);
  return path;
};
const plain = program('plain', 0o644);
const runnable = program('runnable', 0o755);
symlinkSync(join(dir, 'nowhere'), join(dir, 'dangling'));
symlinkSync(runnable, join(dir, 'link'));

/** The made-up host, with the programs of this one. */
const host: Environment = { ...testHost, programFault: systemEnvironment.programFault };

const exec = (path: string): string => inHealth('exec', `command = [${JSON.stringify(path)}, "-q"]`);
const COMMAND = 'service[0].health.command[0]';
const withGroup = (name: string): string => atTop(`[admin]\ngroup = "${name}"`);

describeFaults(
  'the program of an exec check',
  (
    [
      ['does not exist', join(dir, 'none'), /does not exist/],
      ['lies under a file', join(plain, 'x'), /does not exist/],
      ['is a link to nothing', join(dir, 'dangling'), /does not exist/],
      ['is a directory', dir, /is a directory/],
      ['is a device', '/dev/null', /is not a file/],
      ['is not executable', plain, /is not executable/],
    ] as const
  ).map(([name, path, message]) => fault(name, exec(path), COMMAND, `"${path}"`, message, /may run/)),
  { environment: host },
);

const inFailover = (lines: string): string =>
  `[failover]\ninterface = "eth0"\n[[failover.group]]\nvrid = 1\naddresses = ["10.0.0.9/24"]\n${lines}`;
const script = (path: string): string =>
  inFailover(`[[failover.track]]\nname = "s"\ntype = "script"\ncommand = ["${path}", "-q"]\n`);
const notify = (path: string): string => inFailover(`[failover.group.notify]\nactive = ["${path}"]\n`);

describeFaults(
  'the programs of trackers and notifications',
  [
    fault(
      'a script',
      script(plain),
      'failover.track[0].command[0]',
      `"${plain}"`,
      /is not executable/,
      /may run/,
    ),
  ],
  { environment: host },
);

test('a notification that cannot be run is worth a warning', () => {
  const problems = problemsOf(notify(plain), { environment: host });
  expect(problems).toMatchObject([{ severity: 'warning', key: 'failover.group[0].notify.active[0]' }]);
  expect(problemsOf(notify(runnable), { environment: host })).toEqual([]);
  const forAll = notify(runnable).replace(
    '[[failover.group]]',
    `notify = { backup = ["${plain}"] }\n[[failover.group]]`,
  );
  expect(problemsOf(forAll, { environment: host })).toMatchObject([{ key: 'failover.notify.backup[0]' }]);
});

test.each([runnable, join(dir, 'link')])('%s may be run', (path) => {
  expect(load(exec(path), { environment: host }).services).toHaveLength(1);
});

describeFaults('the group of the admin socket', [
  fault(
    'does not exist',
    withGroup('tandme'),
    'admin.group',
    '"tandme"',
    /this host has no group "tandme"/,
    /groupadd tandme.*did you mean "tandem"\?/,
  ),
]);

test('a group that exists, a number, and a host whose groups cannot be read', () => {
  expect(load(withGroup('adm')).admin.group).toBe('adm');
  expect(load(withGroup('4711')).admin.group).toBe('4711');
  const unreadable: Environment = { ...testHost, groups: () => undefined };
  expect(load(withGroup('tandme'), { environment: unreadable }).admin.group).toBe('tandme');
  expect(systemEnvironment.groups()).toContain('root');
});

describeFaults(
  'for a reload, or for another host',
  [
    warned('a group', withGroup('tandme'), 'admin.group', '"tandme"', /no group/, /groupadd/),
    warned('a program', exec(plain), COMMAND, `"${plain}"`, /is not executable/, /may run/),
  ],
  { environment: host, hostFaults: 'warning' },
);

const key = (name: string, text: string, mode: number): string => {
  const path = join(dir, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
};
const SECRET = 'a secret for tests, long enough for the rule';
const goodKey = key('good', `${SECRET}\n`, 0o640);
const withSecret = (path: string): string =>
  `${inGroup('')}[failover.peer]\naddress = "10.0.0.3"\nsecret_file = "${path}"\n`;
const keyHost: Environment = { ...testHost, secretFault: systemEnvironment.secretFault };

describeFaults(
  'the secret file',
  (
    [
      ['does not exist', join(dir, 'nokey'), /nokey" does not exist/, /openssl rand -hex 32/],
      ['is a directory', dir, /is not a file/, /openssl/],
      ['is empty', key('empty', '\n', 0o600), /is empty/, /openssl/],
      ['is too short', key('short', SECRET.slice(0, 31), 0o600), /is shorter than 32 bytes/, /openssl/],
      ['is for everybody', key('open', SECRET, 0o644), /read or written by everybody/, /chmod o= .*open/],
    ] as const
  ).map(([name, path, message, hint]) =>
    fault(name, withSecret(path), 'failover.peer.secret_file', `"${path}"`, message, hint),
  ),
  { environment: keyHost },
);

const denying: Environment = {
  ...testHost,
  secretFault: () => ({ fault: 'cannot be read by this user', hint: 'let the daemon read it', denied: true }),
};
describeFaults(
  'a secret file that only the daemon may read',
  [
    warned(
      'proves nothing',
      withSecret(goodKey),
      'failover.peer.secret_file',
      `"${goodKey}"`,
      /cannot be read by this user/,
      /let the daemon/,
    ),
  ],
  { environment: denying },
);

test('a secret file that can be used', () => {
  expect(load(withSecret(goodKey), { environment: keyHost }).failover?.peer?.secretFile).toBe(goodKey);
});

describe('the exit status', () => {
  function statusOf(text: string): ExitStatus {
    try {
      load(text, { environment: host, warnings: [] });
    } catch (error) {
      if (error instanceof ConfigError) return error.exitStatus;
      throw error;
    }
    return EXIT.ok;
  }

  test.each([
    ['the host alone', withGroup('tandme'), EXIT.osError],
    ['an interface that is not there yet', inGroup('interface = "eth7"'), EXIT.osError],
    ['the host, with a warning about the file', `${withGroup('tandme')}weight = 0\n`, EXIT.osError],
    ['the file alone', inService('retries = -1'), EXIT.usage],
    ['the file and the host', `${withGroup('tandme')}colour = "red"\n`, EXIT.usage],
    ['text that is no TOML', 'daemon', EXIT.usage],
  ])('%s', (_name, text, status) => {
    expect(problemsOf(text, { environment: host })).not.toEqual([]);
    expect(statusOf(text)).toBe(status);
  });
});

const inWitness = (name: string): string =>
  `${inGroup('')}[failover.witness]\ntype = "arp"\ntarget = "10.0.0.254"\npolicy = "stay"\ninterface = "${name}"\n`;

describeFaults(
  'peer and witness',
  [
    fault(
      'a peer that is this host',
      withSecret(goodKey).replace('10.0.0.3', '10.0.0.2'),
      'failover.peer.address',
      '"10.0.0.2"',
      /10\.0\.0\.2 is this host's own address, on eth0/,
      /the other node's address/,
    ),
    fault(
      'a peer that is a virtual address',
      withSecret(goodKey).replace('10.0.0.3', '10.0.0.100'),
      'failover.peer.address',
      '"10.0.0.100"',
      /10\.0\.0\.100 is a virtual address/,
      /the other node's own address/,
    ),
    fault(
      'a witness behind an interface that is not there',
      inWitness('eht0'),
      'failover.witness.interface',
      '"eht0"',
      /no interface "eht0"/,
      /did you mean "eth0"\?/,
    ),
  ],
  { environment: keyHost },
);
