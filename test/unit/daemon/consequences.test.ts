import { expect, it } from 'vitest';
import { relayOf, requireRelay } from '../../../src/daemon/consequences.ts';
import { TandemError } from '../../../src/lib/errors.ts';
import { loadNative, type Native } from '../../../src/native/index.ts';
import { load } from '../../support/config.ts';

const native = loadNative();

/** As built before the relay of that name was there. */
function without(...missing: (keyof Native)[]): Native {
  const left = Object.entries(native).filter(([name]) => !missing.includes(name as keyof Native));
  return Object.fromEntries(left) as unknown as Native;
}

const config = (listen: string, relay: string): ReturnType<typeof load> =>
  load(`
[data_path]
relay = "${relay}"

[[service]]
name = "dns"
protocol = "udp"
listen = ["${listen}"]

[[service.backend]]
address = "127.0.0.1:5353"
`);

it('"auto" takes the relay of the addon where the addon has both of them', () => {
  const auto = config('127.0.0.1:53', 'auto');
  expect(relayOf(auto, native)).toBe('native');
  expect(relayOf(auto, without('openRelay'))).toBe('node');
  expect(relayOf(auto, without('openUdpRelay'))).toBe('node');
  expect(relayOf(config('127.0.0.1:53', 'node'), native)).toBe('node');
});

it('what only the relay of the addon can do is refused at the start where an older addon lacks it', () => {
  const wildcard = config('0.0.0.0:53', 'auto');
  const relay = relayOf(wildcard, without('openUdpRelay'));
  const start = (): void => requireRelay(wildcard, relay, 'build it anew');
  expect(start).toThrow(TandemError);
  expect(start).toThrow(
    expect.objectContaining({
      code: 'relay-lacks',
      hint: 'build it anew',
      message: expect.stringContaining('service dns: UDP on the wildcard 0.0.0.0:53'),
    }),
  );
  requireRelay(wildcard, 'native', 'nothing to say');
  requireRelay(config('127.0.0.1:53', 'auto'), relay, 'nothing to say');
});
