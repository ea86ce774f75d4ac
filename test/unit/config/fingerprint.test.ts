import { expect, test } from 'vitest';
import { fingerprint } from '../../../src/config/fingerprint.ts';
import { hostWith, load } from '../../support/config.ts';

const KEY = new Uint8Array(32).fill(7);

/** One node's file; `own` is what belongs to this node alone. */
function file({
  name = 'lb-a',
  own = '10.0.0.2',
  priority = 200,
  device = 'eth0',
  weight = 1,
  interval = '1s',
  limit = 100,
}: {
  readonly name?: string;
  readonly own?: string;
  readonly priority?: number;
  readonly device?: string;
  readonly weight?: number;
  readonly interval?: string;
  readonly limit?: number;
} = {}): string {
  return `
[node]
name = "${name}"
[limits]
max_connections = ${limit}
[[service]]
name = "web"
listen = ["10.0.0.100:80", "${own}:81", "[::]:82"]
[[service.backend]]
address = "10.0.1.11:8080"
weight = ${weight}
[failover]
interface = "${device}"
[[failover.group]]
vrid = 51
priority = ${priority}
advertise_interval = "${interval}"
addresses = ["10.0.0.100/24"]
`;
}

const environment = hostWith({ eth0: ['10.0.0.2/24'], eth1: ['10.0.0.3/24'] });
const sections = (text: string, key = KEY) => fingerprint(load(text, { environment }), key);
const changed = (text: string, than: string = file()): string[] => {
  const before = new Map(sections(than).map(({ section, digest }) => [section, digest]));
  return sections(text).flatMap(({ section, digest }) => (before.get(section) === digest ? [] : [section]));
};

test('what belongs to one node is left out', () => {
  expect(changed(file({ name: 'lb-b', own: '10.0.0.3', priority: 100, device: 'eth1' }))).toEqual([]);
});

test('everything else is in, by section', () => {
  expect(sections(file()).map(({ section }) => section)).toEqual([
    'limits',
    'drain_timeout',
    'failover group with vrid 51',
    'service web',
  ]);
  expect(changed(file({ weight: 2 }))).toEqual(['service web']);
  expect(changed(file({ interval: '500ms' }))).toEqual(['failover group with vrid 51']);
  expect(changed(file({ limit: 99 }))).toEqual(['limits']);
  expect(changed(file().replace(':81', ':83'))).toEqual(['service web']);
});

test('digests are of this pair alone', () => {
  const [one] = sections(file());
  const [other] = sections(file(), new Uint8Array(32));
  expect(one?.digest).toMatch(/^[0-9a-f]{16}$/);
  expect(one?.digest).not.toBe(other?.digest);
});

test('of very many services the last ones are one section', () => {
  const more = Array.from(
    { length: 120 },
    (_, i) =>
      `[[service]]\nname = "s${i}"\nlisten = ["10.0.0.100:${1_000 + i}"]\n[[service.backend]]\naddress = "10.0.1.11:80"\n`,
  );
  const text = file() + more.join('');
  expect(sections(text)).toHaveLength(96);
  expect(changed(text.replace('10.0.0.100:1119', '10.0.0.100:2000'), text)).toEqual(['29 further services']);
});
