import type { SniRoute } from '../../model/service.ts';

/**
 * The service for a TLS server name, null for none: the exact name first, then the longest wildcard. "*.example.org"
 * stands for any name below example.org, several labels included, and not for example.org itself.
 * @param name in lower case, as decodeClientHello gives it
 */
export function routeOf(routes: readonly SniRoute[], name: string | null): string | null {
  if (name === null) return null;
  for (const candidate of candidates(name)) {
    const route = routes.find(({ names }) => names.includes(candidate));
    if (route !== undefined) return route.service;
  }
  return null;
}

function* candidates(name: string): Generator<string> {
  yield name;
  for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) yield `*${name.slice(dot)}`;
}
