/** The largest group of items with the same content; of equally large ones the first. */
export function mostCommon<T>(items: readonly T[], contentOf: (item: T) => string): T[] {
  const alike = new Map<string, T[]>();
  for (const item of items) {
    const content = contentOf(item);
    const same = alike.get(content);
    if (same === undefined) alike.set(content, [item]);
    else same.push(item);
  }
  return [...alike.values()].reduce<T[]>((a, b) => (b.length > a.length ? b : a), []);
}
