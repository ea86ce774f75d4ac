/** The alert rules and the dashboard, by Prometheus' own promtool, and against what the daemon really has. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { METRICS, Metrics } from '../../src/observability/metrics.ts';
import { missing } from '../support/netns.ts';

const path = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const RULES = path('config/prometheus-alerts.yml');
const read = (name: string): string => readFileSync(path(name), 'utf8');
const unable = missing('promtool');

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}
interface Dashboard {
  readonly panels: readonly Panel[];
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
  readonly templating: { readonly list: readonly { readonly query: string | { readonly query: string } }[] };
}

const alerts = (): string[] =>
  [...read('config/prometheus-alerts.yml').matchAll(/- alert: (\w+)/g)].map(([, name = '']) => name);
const metricsIn = (text: string): string[] => [...text.matchAll(/\btandem_[a-z_]+/g)].map(([name]) => name);

function promtool(args: readonly string[], input = ''): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync('promtool', args, {
    input,
    encoding: 'utf8',
    timeout: 30_000,
  });
  return { status, output: stdout + stderr };
}

/** Labels that an expression asks for, or that a legend names, by the metrics of that expression. */
function labelsIn(text: string): string[] {
  const selectors = [...text.matchAll(/\{([^{}]*)\}/g)].flatMap(([, inside = '']) => inside.split(','));
  return selectors.flatMap((one) => /^\s*(\w+)\s*(?:=|!)/.exec(one)?.[1] ?? []);
}

describe('alert rules', () => {
  test.skipIf(unable !== null)('are accepted, fire for their fault, and are silent without it', () => {
    expect(promtool(['check', 'rules', RULES])).toMatchObject({ status: 0 });
    const tried = promtool(['test', 'rules', path('test/fixtures/prometheus/alerts.test.yml')]);
    expect(tried.output).toContain('SUCCESS');
    expect(tried.status).toBe(0);
  });

  test('are all tried, both ways', () => {
    const tests = read('test/fixtures/prometheus/alerts.test.yml');
    expect(alerts().length).toBeGreaterThan(10);
    for (const name of alerts()) {
      expect(tests).toContain(`- name: ${name} fires`);
      expect(tests).toContain(`- name: ${name} is silent`);
    }
  });

  test('ask for metrics that there are, and name a chapter that there is', () => {
    for (const name of metricsIn(read('config/prometheus-alerts.yml'))) expect(METRICS).toHaveProperty(name);
    const chapters = read('docs/troubleshooting.md');
    for (const name of alerts()) {
      expect(chapters).toContain(`\n### ${name}\n`);
      expect(read('config/prometheus-alerts.yml')).toContain(
        `docs/troubleshooting.md#${name.toLowerCase()}"`,
      );
    }
  });
});

describe('the dashboard', () => {
  const dashboard = JSON.parse(read('config/grafana-dashboard.json')) as Dashboard;
  const targets = dashboard.panels.flatMap(({ targets: all = [] }) => all);

  test('asks for metrics and labels that there are', () => {
    const { annotations, templating } = dashboard;
    const queries = templating.list.map(({ query }) => (typeof query === 'string' ? query : query.query));
    const expressions = [
      ...annotations.list.map(({ expr }) => expr),
      ...queries,
      ...targets.map(({ expr }) => expr),
    ];
    for (const name of expressions.flatMap(metricsIn)) expect(METRICS).toHaveProperty(name);
    const known = METRICS as Record<string, { readonly labels: readonly string[] }>;
    for (const { expr, legendFormat } of targets) {
      const named = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label);
      const has = new Set(['instance', ...metricsIn(expr).flatMap((name) => known[name]?.labels ?? [])]);
      for (const label of [...labelsIn(expr), ...named]) expect(has, `${label} in ${expr}`).toContain(label);
    }
  });

  test('has no empty panel, and no two of one number', () => {
    const { panels } = dashboard;
    for (const { type, title, targets: all = [] } of panels)
      if (type !== 'row') expect(all, title).not.toHaveLength(0);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  });

  test('shows whether the pair is configured alike, and no panel over another', () => {
    expect(targets.map(({ expr }) => expr).flatMap(metricsIn)).toContain('tandem_failover_pair_drift');
    const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
  });

  test.skipIf(unable !== null)('asks in words that Prometheus understands', () => {
    const rules = targets.map(({ expr }, i) => {
      const plain = expr.replaceAll('$__rate_interval', '5m').replaceAll(/\$(instance|service)/g, '.*');
      return `      - record: panel:target:${i}\n        expr: ${JSON.stringify(plain)}\n`;
    });
    const folder = mkdtempSync(join(tmpdir(), 'tdt-promtool-'));
    const file = join(folder, 'dashboard.yml');
    writeFileSync(file, `groups:\n  - name: dashboard\n    rules:\n${rules.join('')}`);
    const checked = promtool(['check', 'rules', file]);
    rmSync(folder, { recursive: true });
    expect(checked.output).toContain(`${targets.length} rules found`);
    expect(checked.status).toBe(0);
  });
});

test.skipIf(unable !== null)('what the daemon exposes is well formed by promtool', async () => {
  const metrics = new Metrics();
  for (const [name, { labels }] of Object.entries(METRICS)) {
    metrics.set(name as keyof typeof METRICS, Object.fromEntries(labels.map((label) => [label, 'x'])), 1);
  }
  const checked = promtool(['check', 'metrics'], await metrics.render());
  expect(checked.output).toBe('');
  expect(checked.status).toBe(0);
});
