// The tables of docs/metrics.md, from the metrics as the code declares them; what stands between them is written by hand.

const HEAD = '| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n';
const TABLE = /\| metric \| type \| labels \| meaning \|\n\| --- \| --- \| --- \| --- \|\n((?:\|.*\|\n)*)/g;
/** What a metric is about: "tandem_service_..." */
const objectOf = (name) => name.split('_')[1];

/**
 * A table has every metric about an object of which it has one already.
 * @param text the document as it is
 * @param metrics METRICS of src/observability/metrics.ts
 */
export function metricsDocument(text, metrics) {
  const placed = new Set();
  const written = text.replaceAll(TABLE, (_, rows) => {
    const objects = new Set([...rows.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => objectOf(name)));
    const own = Object.entries(metrics).filter(([name]) => objects.has(objectOf(name)));
    for (const [name] of own) {
      if (placed.has(name)) throw new Error(`docs/metrics.md has two tables for ${name}`);
      placed.add(name);
    }
    return HEAD + own.map(row).join('');
  });
  const missing = Object.keys(metrics).filter((name) => !placed.has(name));
  if (missing.length === 0) return written;
  throw new Error(
    `docs/metrics.md has no table for ${missing.join(', ')}: write one row of it where it belongs`,
  );
}

const row = ([name, { type, labels, help }]) =>
  `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(' ')} | ${help} |\n`;
