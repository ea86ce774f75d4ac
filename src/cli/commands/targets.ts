import { unknownName } from '../../lib/unknown-name.ts';
import type { Target } from './arguments.ts';

interface Listed {
  readonly name: string;
  readonly backends: readonly { readonly id: string }[];
}

const isPattern = (text: string): boolean => text.includes('*');

/** Is the list of services needed to know what is meant, or that all of it exists? */
export const needsList = (targets: readonly Target[]): boolean =>
  targets.length > 1 || targets.some(({ service, backend }) => isPattern(service) || isPattern(backend));

/**
 * The backends that are meant, each once, in the order of the command line: "web/*" is all of a service, "*" stands
 * for any text in both parts. Throws before anything is changed when one of them means nothing.
 * @throws TandemError "unknown-service", "unknown-backend"
 */
export function expandTargets(targets: readonly Target[], services: readonly Listed[]): Target[] {
  const found = new Map<string, Target>();
  for (const target of targets) {
    for (const one of matching(target, services)) found.set(`${one.service}/${one.backend}`, one);
  }
  return [...found.values()];
}

function matching(target: Target, services: readonly Listed[]): Target[] {
  const ofService = services.filter(({ name }) => matches(target.service, name));
  if (ofService.length === 0) {
    const names = services.map(({ name }) => name);
    throw unknownName('unknown-service', `there is no service ${target.service}`, target.service, names);
  }
  const found = ofService.flatMap(({ name, backends }) =>
    backends.flatMap(({ id }) => (matches(target.backend, id) ? [{ service: name, backend: id }] : [])),
  );
  if (found.length > 0) return found;
  const ids = [...new Set(ofService.flatMap(({ backends }) => backends.map(({ id }) => id)))];
  const message = `${target.service} has no backend ${target.backend}`;
  throw unknownName('unknown-backend', message, target.backend, ids);
}

/** "*" is any text, everything else itself; without backtracking into earlier stars. */
function matches(pattern: string, text: string): boolean {
  const [head = '', ...rest] = pattern.split('*');
  if (rest.length === 0) return pattern === text;
  if (!text.startsWith(head)) return false;
  const tail = rest.pop() ?? '';
  let at = head.length;
  for (const piece of rest) {
    const next = text.indexOf(piece, at);
    if (next < 0) return false;
    at = next + piece.length;
  }
  return text.length - tail.length >= at && text.endsWith(tail);
}
