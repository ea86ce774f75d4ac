import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { allKeys } from '../../../src/config/suggest.ts';
import { parseToml } from '../../../src/config/toml-text.ts';
import { EXIT } from '../../../src/lib/errors.ts';
import { load } from '../../support/config.ts';

const folder = join(import.meta.dirname, '../../../config');
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
const full = read('full.toml');

/** `#key = value`, without a space: a default, or an example marked as unset. */
const COMMENTED = /^#(?=[a-z_0-9]+ = )/;
const UNSET = /# unset by default/;

const uncomment = (text: string, which: (line: string) => boolean): string =>
  text
    .split('\n')
    .map((line) => (COMMENTED.test(line) && which(line) ? line.slice(1) : line))
    .join('\n');

describe('config/', () => {
  test.each(readdirSync(folder).filter((name) => name.endsWith('.toml')))(
    '%s loads without a warning',
    (name) => {
      expect(load(read(name)).services.length).toBeGreaterThan(0);
    },
  );

  test('the two nodes of a pair differ in name and priority alone', () => {
    const [a, b] = [load(read('pair-a.toml')), load(read('pair-b.toml'))];
    const [groupA] = a.failover?.groups ?? [];
    const [groupB] = b.failover?.groups ?? [];
    expect([groupA?.priority, groupB?.priority]).toEqual([150, 100]);
    expect({ ...groupB, priority: 150 }).toEqual(groupA);
    expect(b.services).toEqual(a.services);
    expect([a.node.name, b.node.name]).toEqual(['lb-a', 'lb-b']);
  });

  test('active-active: the two nodes differ in name and in crossed priorities alone', () => {
    const [a, b] = [load(read('active-active-a.toml')), load(read('active-active-b.toml'))];
    const prioritiesOf = (of: typeof a) => of.failover?.groups.map(({ priority }) => priority);
    expect(prioritiesOf(a)).toEqual([150, 100]);
    expect(prioritiesOf(b)).toEqual([100, 150]);
    const same = (of: typeof a) => of.failover?.groups.map((group) => ({ ...group, priority: 0 }));
    expect(same(b)).toEqual(same(a));
    expect(b.services).toEqual(a.services);
    expect([a.node.name, b.node.name]).toEqual(['lb-a', 'lb-b']);
  });

  test('the unit has the capabilities that the daemon and its agent need', () => {
    const unit = read('tandem.service');
    const wanted = 'CAP_NET_RAW CAP_NET_ADMIN CAP_NET_BIND_SERVICE CAP_SYS_NICE';
    expect(unit).toContain(`AmbientCapabilities=${wanted}\n`);
    expect(unit).toContain(`CapabilityBoundingSet=${wanted}\n`);
  });

  test('the unit tries again, but for a file that is wrong', () => {
    const unit = read('tandem.service');
    expect(unit).toMatch(/^Restart=on-failure$/m);
    expect(unit).toMatch(/^StartLimitIntervalSec=0$/m);
    expect(unit).toMatch(new RegExp(`^RestartPreventExitStatus=${EXIT.usage}$`, 'm'));
    // it would fail with 64 as well, and systemd would not look at that
    expect(unit).not.toMatch(/^ExecStartPre=/m);
  });
});

describe('config/full.toml', () => {
  test('has the defaults that hold', () => {
    const written = uncomment(full, (line) => !UNSET.test(line));
    expect(written).not.toBe(full);
    expect(load(written)).toEqual(load(full));
  });

  test.each(full.split('\n').filter((line) => COMMENTED.test(line) && UNSET.test(line)))(
    'an option without a default changes something: %s',
    (line) => {
      // a burst hangs on its rate
      const isBurst = line.startsWith('#burst');
      const one = uncomment(full, (other) => other === line || (isBurst && other.startsWith('#rate')));
      expect(load(one)).not.toEqual(load(full));
    },
  );

  test('shows every key of the schema, and no other', () => {
    const parsed = parseToml(uncomment(full, () => true));
    if ('message' in parsed) throw new Error(parsed.message);
    const shown = new Set<string>();
    const walk = (value: unknown, prefix: string): void => {
      if (Array.isArray(value)) for (const item of value) walk(item, prefix);
      else if (typeof value === 'object' && value !== null && !prefix.endsWith('expect_json.')) {
        for (const [key, item] of Object.entries(value)) {
          shown.add(`${prefix}${key}`);
          walk(item, `${prefix}${key}.`);
        }
      }
    };
    walk(parsed.value, '');
    // what a group takes from [failover], and a backend from its service, is shown there
    const inherited = (key: string): boolean =>
      shown.has(
        key.replace('failover.group.', 'failover.').replace('service.backend.agent', 'service.agent'),
      );
    expect(allKeys().filter((key) => !shown.has(key) && !inherited(key))).toEqual([]);
    expect([...shown].filter((key) => !allKeys().includes(key))).toEqual([]);
  });

  test('loads with every option uncommented', () => {
    expect(load(uncomment(full, () => true)).services).toHaveLength(7);
  });
});
