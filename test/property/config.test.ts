import fc from 'fast-check';
import { expect, test } from 'vitest';
import { describeDiff, diffConfig, isEmptyDiff } from '../../src/config/diff.ts';
import { keysAt } from '../../src/config/suggest.ts';
import { formatDuration, millis } from '../../src/lib/duration.ts';
import { formatEndpoint, ipFromBytes, isMulticast } from '../../src/lib/ip.ts';
import { nearest } from '../../src/lib/nearest.ts';
import type { Config } from '../../src/model/config.ts';
import { ALGORITHMS } from '../../src/model/service.ts';
import { load, problemsOf } from '../support/config.ts';

/** A configuration as text, and what it must mean. */
interface Sample {
  readonly services: readonly ServiceSample[];
  readonly warnAt: number;
  readonly drainMillis: number;
}

interface ServiceSample {
  readonly protocol: 'tcp' | 'udp';
  readonly listen: readonly string[];
  readonly algorithm: (typeof ALGORITHMS)[number];
  readonly idleMillis: number;
  readonly rate: { readonly count: number; readonly burst: number } | null;
  readonly backends: readonly {
    readonly address: string;
    readonly weight: number;
    readonly backup: boolean;
  }[];
  readonly expectJson: Readonly<Record<string, string | number | boolean>>;
}

const address = fc
  .oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
  .map(ipFromBytes)
  .filter((ip) => !isMulticast(ip) && ip.bytes.some((byte) => byte !== 0 && byte !== 255));
const endpoint = fc.record({ address, port: fc.integer({ min: 1, max: 65_535 }) }).map(formatEndpoint);

const service: fc.Arbitrary<ServiceSample> = fc.record({
  protocol: fc.constantFrom('tcp', 'udp'),
  listen: fc.constant([]),
  algorithm: fc.constantFrom(...ALGORITHMS),
  idleMillis: fc.integer({ min: 100, max: 86_400_000 }),
  rate: fc.option(
    fc.record({ count: fc.integer({ min: 1, max: 100_000 }), burst: fc.integer({ min: 1, max: 100_000 }) }),
  ),
  backends: fc.uniqueArray(
    fc.record({ address: endpoint, weight: fc.integer({ min: 0, max: 256 }), backup: fc.boolean() }),
    { minLength: 1, maxLength: 5, selector: (backend) => backend.address },
  ),
  expectJson: fc.dictionary(
    fc.string().map((text) => `/${text.replaceAll('~', '~0')}`),
    fc.oneof(fc.string(), fc.integer(), fc.boolean()),
    { maxKeys: 3, noNullPrototype: true },
  ),
});

const sample: fc.Arbitrary<Sample> = fc.record({
  services: fc.array(service, { minLength: 1, maxLength: 4 }).map((services) =>
    services.map((each, index) => ({
      ...each,
      listen: [`192.0.2.${index + 1}:8080`, `[2001:db8::${index + 1}]:8080`],
    })),
  ),
  warnAt: fc.integer({ min: 1, max: 100 }),
  drainMillis: fc.integer({ min: 0, max: 86_400_000 }),
});

// the values of the sample are any text: control characters and DEL must be escaped for TOML
const quoted = (text: string): string => JSON.stringify(text).replaceAll('\u007f', '\\u007f');

function render({ services, warnAt, drainMillis }: Sample): string {
  const lines = [`drain_timeout = "${drainMillis}ms"`, '[limits]', `warn_at = "${warnAt}%"`];
  services.forEach((each, index) => {
    lines.push('[[service]]', `name = "s${index}"`, `protocol = "${each.protocol}"`);
    lines.push(`listen = [${each.listen.map(quoted).join(', ')}]`, `schedule = "${each.algorithm}"`);
    lines.push(`timeout.${each.protocol === 'tcp' ? 'idle' : 'session'} = "${each.idleMillis}ms"`);
    if (each.rate !== null) lines.push(`rate = "${each.rate.count}/s"`, `burst = ${each.rate.burst}`);
    const pointers = Object.entries(each.expectJson);
    const table = pointers.map(
      ([pointer, value]) => `${quoted(pointer)} = ${typeof value === 'string' ? quoted(value) : value}`,
    );
    lines.push('[service.health]', 'type = "http"', `expect_json = { ${table.join(', ')} }`);
    for (const { address: at, weight, backup } of each.backends) {
      lines.push('[[service.backend]]', `address = "${at}"`, `weight = ${weight}`, `backup = ${backup}`);
    }
  });
  return `${lines.join('\n')}\n`;
}

function meaning(config: Config): unknown {
  return {
    warnAt: Math.round(config.limits.warnAt * 100),
    drainMillis: config.drainTimeout / 1_000,
    services: config.services.map((each) => ({
      protocol: each.protocol,
      listen: each.listen.map(formatEndpoint),
      algorithm: each.schedule.algorithm,
      idleMillis: each.timeouts[each.protocol === 'tcp' ? 'idle' : 'session'] / 1_000,
      rate: each.rate === null ? null : { count: each.rate.count, burst: each.rate.burst },
      backends: each.backends.map((backend) => ({
        address: formatEndpoint(backend.endpoint),
        weight: backend.weight,
        backup: backend.backup,
      })),
      expectJson: each.health?.probe.type === 'http' ? each.health.probe.expectJson : null,
    })),
  };
}

test('what is written is what is meant', () => {
  fc.assert(
    fc.property(sample, (written) => {
      expect(meaning(load(render(written), { warnings: [] }))).toEqual(written);
    }),
    { numRuns: 200 },
  );
});

test('a difference is empty for equals alone, and names every service once', () => {
  fc.assert(
    fc.property(sample, sample, (before, after) => {
      const [a, b] = [load(render(before), { warnings: [] }), load(render(after), { warnings: [] })];
      expect(isEmptyDiff(diffConfig(a, a))).toBe(true);
      const diff = diffConfig(a, b);
      const { added, removed, changed } = diff.services;
      const kept = b.services.length - added.length;
      expect(a.services.length - removed.length).toBe(kept);
      expect(changed.length).toBeLessThanOrEqual(kept);
      expect(describeDiff(diff).length === 0).toBe(isEmptyDiff(diff));
    }),
    { numRuns: 100 },
  );
});

test('durations of any size keep their value over text', () => {
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 86_400_000 }), (ms) => {
      const text = formatDuration(millis(ms));
      const config = load(
        `[[service]]\nname = "a"\nlisten = ["10.0.0.1:1"]\ntimeout.fin = "${text}"\n[[service.backend]]\naddress = "10.0.0.2:1"\n`,
      );
      expect(config.services[0]?.timeouts.fin).toBeCloseTo(millis(ms), 0);
    }),
  );
});

test('one slip in a key of four letters or more leads back to it', () => {
  const keys = keysAt(['service', 0]).filter((key) => key.length >= 4);
  const slip = fc.record({
    key: fc.constantFrom(...keys),
    at: fc.nat(),
    how: fc.constantFrom('drop', 'double', 'swap'),
  });
  fc.assert(
    fc.property(slip, ({ key, at, how }) => {
      const i = at % (key.length - 1);
      const [a, b] = [key[i] ?? '', key[i + 1] ?? ''];
      const pieces = { drop: b, double: a + a + b, swap: b + a } as const;
      const wrong = key.slice(0, i) + pieces[how] + key.slice(i + 2);
      if (wrong === key) return;
      expect(nearest(wrong, keys)).toBe(key);
      const [problem] = problemsOf(`[[service]]\n${wrong} = 1\n`).filter(
        (found) => found.key === `service[0].${wrong}`,
      );
      expect(problem?.hint).toBe(`did you mean "${key}"?`);
    }),
  );
});
