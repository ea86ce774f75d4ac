/**
 * The machines of vagrant/: Vagrant itself reads the Vagrantfile, for both providers and with every variable of its head.
 * That they boot, balance and fail over takes a hypervisor and is tried by hand with vagrant/failover-test (docs/vagrant.md).
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { missing, type RunResult } from '../support/netns.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const unable = missing('vagrant');

describe.skipIf(unable !== null)('vagrant validate', () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tandem-vagrant-'));
    // all that Vagrant asks of VirtualBox before it reads its part of the file; Debian does not have VirtualBox
    mkdirSync(join(folder, 'bin'));
    const manage = join(folder, 'bin/VBoxManage');
    writeFileSync(manage, '#!/bin/sh\ncase "$*" in *--version*) echo 7.0.20r163906 ;; esac\n');
    chmodSync(manage, 0o755);
    mkdirSync(join(folder, 'vagrant'));
    for (const name of ['Vagrantfile', 'prepare', 'provision']) {
      cpSync(join(ROOT, 'vagrant', name), join(folder, 'vagrant', name));
    }
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  function validate(env: NodeJS.ProcessEnv): RunResult {
    const { status, stdout, stderr } = spawnSync('vagrant', ['validate'], {
      cwd: join(folder, 'vagrant'),
      encoding: 'utf8',
      timeout: 60_000,
      env: {
        ...process.env,
        PATH: `${join(folder, 'bin')}:${process.env['PATH']}`,
        VAGRANT_HOME: join(folder, 'home'),
        VAGRANT_CHECKPOINT_DISABLE: '1',
        ...env,
      },
    });
    return { status, stdout, stderr };
  }

  test.each(['libvirt', 'virtualbox'])('%s: the public box, and one of our own', (provider) => {
    for (const own of [{}, { TANDEM_BOX: 'tandem-debian12', TANDEM_DRIVER: 'qemu', TANDEM_MEMORY: '384' }]) {
      const { status, stdout, stderr } = validate({ VAGRANT_DEFAULT_PROVIDER: provider, ...own });
      expect(stderr).toBe('');
      expect(stdout).toContain('Vagrantfile validated successfully');
      expect(status).toBe(0);
    }
  });

  test.each(['libvirt', 'virtualbox'])('%s: a setting that there is not is found', (provider) => {
    const path = join(folder, 'vagrant/Vagrantfile');
    const text = readFileSync(path, 'utf8');
    try {
      writeFileSync(path, text.replace(`${provider}.cpus`, `${provider}.cpuz`));
      const { status, stderr } = validate({ VAGRANT_DEFAULT_PROVIDER: provider });
      expect(status).not.toBe(0);
      expect(stderr).toContain("shouldn't exist: cpuz");
    } finally {
      writeFileSync(path, text);
    }
  });

  test('a driver that there is not is refused with those that there are', () => {
    const { status, stderr } = validate({ VAGRANT_DEFAULT_PROVIDER: 'libvirt', TANDEM_DRIVER: 'xen' });
    expect(status).not.toBe(0);
    expect(stderr).toContain('TANDEM_DRIVER is kvm or qemu, not xen');
  });
});
