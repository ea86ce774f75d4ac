import { readFileSync } from 'node:fs';
import { register } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { METRICS, Metrics } from '../../../src/observability/metrics.ts';

const DOCUMENT = new URL('../../../docs/metrics.md', import.meta.url);

/** Rows "| `name` | type | `label` `label` | meaning |" */
function documented(): Record<string, { type: string; labels: string[]; help: string }> {
  const rows = readFileSync(DOCUMENT, 'utf8').matchAll(
    /^\| `(tandem_\w+)` \| (\w+) \| ([^|]*) \| (.+) \|$/gm,
  );
  return Object.fromEntries(
    [...rows].map(([, name, type, labels, help]) => [
      name,
      { type: type!, help: help!, labels: [...labels!.matchAll(/`(\w+)`/g)].map((match) => match[1]!) },
    ]),
  );
}

describe('the metrics', () => {
  it('are those of docs/metrics.md, word for word', () => {
    const declared = Object.fromEntries(
      Object.entries(METRICS).map(([name, { type, labels, help }]) => [
        name,
        { type, help, labels: [...labels] },
      ]),
    );
    expect(documented()).toEqual(declared);
  });

  it('are named after the conventions', () => {
    for (const [name, { type }] of Object.entries(METRICS)) {
      expect(name).toMatch(/^tandem_[a-z]+(_[a-z]+)+$/);
      if (type === 'gauge') expect(name).not.toMatch(/_total$/);
      else expect(name).toMatch(/_(total|sum|count)$/);
    }
  });

  it('leave the global registry alone', () => {
    new Metrics();
    expect(register.getMetricsAsArray()).toEqual([]);
  });

  it('set a counter to the total that was read, and forget what is gone', async () => {
    const metrics = new Metrics();
    metrics.set('tandem_service_connections_total', { service: 'web' }, 10);
    metrics.set('tandem_service_connections_total', { service: 'old' }, 1);
    metrics.reset();
    metrics.set('tandem_service_connections_total', { service: 'web' }, 12);
    const text = await metrics.render();
    expect(text).toContain('tandem_service_connections_total{service="web"} 12\n');
    expect(text).not.toContain('"old"');
  });

  it('have no series before they are set, labels or not', async () => {
    const metrics = new Metrics();
    metrics.set('tandem_process_uptime_seconds', {}, 3);
    metrics.reset();
    const series = (await metrics.render()).split('\n').filter((line) => /^tandem_/.test(line));
    expect(series).toEqual([]);
  });
});
