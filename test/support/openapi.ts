/** The OpenAPI document as a client has it: what it says is looked up and checked with ajv, not with the daemon's schemas. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import { openApiDocument } from '../../src/admin/openapi.ts';
import { ROUTES, type RouteName, type RouteSpec } from '../../src/admin/route-table.ts';

type Document = Readonly<Record<string, unknown>>;

/** What a JSON pointer into the document leads to; undefined for nothing. */
export function schemaAt(pointer: string, document: Document = { ...openApiDocument() }): unknown {
  let at: unknown = document;
  for (const token of pointer.split('/').slice(1)) {
    const key = token.replaceAll('~1', '/').replaceAll('~0', '~');
    at =
      typeof at === 'object' && at !== null
        ? Object.entries(at).find(([name]) => name === key)?.[1]
        : undefined;
  }
  return at;
}

/**
 * Checks answers of a route against the document: the body of a JSON route, one line of /v1/events, the text of others.
 * @param at a JSON pointer to another schema of the document instead
 * @returns what is wrong, one finding a line; empty when nothing is
 */
export function answerCheck(
  name: RouteName,
  document: Document = { ...openApiDocument() },
  at = pointerTo(name, document),
): (answer: unknown) => string[] {
  const ajv = new Ajv2020({ allErrors: true, strict: false });
  ajv.addSchema({ ...document, $id: 'tandem' });
  // a space or a semicolon of a media type is escaped in a URI's fragment
  const validate = ajv.compile({ $ref: `tandem#${at.split('/').map(encodeURIComponent).join('/')}` });
  return (value) =>
    validate(value) ? [] : (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message}`);
}

function pointerTo(name: RouteName, document: Document): string {
  const { path, method, answer }: RouteSpec = ROUTES[name];
  const content = `/paths/${path.replaceAll('/', '~1')}/${method.toLowerCase()}/responses/200/content`;
  const [type = ''] = Object.keys(schemaAt(content, document) as object);
  return `${content}/${type.replaceAll('/', '~1')}/${answer.type === 'lines' ? 'x-line' : 'schema'}`;
}
