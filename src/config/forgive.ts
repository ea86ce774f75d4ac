import { type Finding, UNKNOWN_KEY } from './finding.ts';
import { formatPath, type KeyPath } from './positions.ts';

/** A copy of the parsed file without the values that the findings are about. */
export function forgive(raw: unknown, findings: readonly Finding[]): unknown {
  const faulty = new Set(findings.map((finding) => JSON.stringify(finding.path)));
  const copy = (value: unknown, path: KeyPath): unknown => {
    const keep = (key: string | number): boolean => !faulty.has(JSON.stringify([...path, key]));
    if (Array.isArray(value)) {
      const items: unknown[] = value;
      return items.flatMap((item, index) => (keep(index) ? [copy(item, [...path, index])] : []));
    }
    if (typeof value !== 'object' || value === null || value instanceof Date) return value;
    const table: Record<string, unknown> = Object.create(null);
    for (const [key, item] of Object.entries(value)) if (keep(key)) table[key] = copy(item, [...path, key]);
    return table;
  };
  return copy(raw, []);
}

/**
 * May a finding be no more than a consequence of a faulty value that was taken out? It may when one contains
 * the other, when both stand in the same table, when both are about failover (groups inherit settings), or
 * when it is about the host (it could be about a listener that was taken out). A key that nobody knows has no
 * consequences.
 */
export function related(finding: Finding, faulty: readonly Finding[]): boolean {
  return faulty.some((other) => {
    if (other.message === UNKNOWN_KEY) return false;
    if (finding.aboutHost === true || (isFailover(finding.path) && isFailover(other.path))) return true;
    const contains = startsWith(finding.path, other.path) || startsWith(other.path, finding.path);
    return contains || formatPath(finding.path.slice(0, -1)) === formatPath(other.path.slice(0, -1));
  });
}

const isFailover = (path: KeyPath): boolean => path[0] === 'failover';

const startsWith = (path: KeyPath, prefix: KeyPath): boolean =>
  prefix.every((part, index) => path[index] === part);
