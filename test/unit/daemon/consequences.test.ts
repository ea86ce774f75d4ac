import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { processLimits, relayOf, requireRelay } from '../../../src/daemon/consequences.ts';
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

it('leaves descriptors for the pipes that the native relay keeps, as its source has them', () => {
  const header = readFileSync(new URL('../../../native/src/relay-pipes.h', import.meta.url), 'utf8');
  const constant = (name: string): number => Number(new RegExp(` ${name} = (\\d+);`).exec(header)?.[1]);
  const auto = config('127.0.0.1:53', 'auto');
  const limit = (relay: 'native' | 'node'): number =>
    processLimits(auto, { workers: 3, relay }, native).fdLimit;
  expect(limit('node') - limit('native')).toBe(3 * 2 * (constant('kMost') + constant('kMostFree')));
});
