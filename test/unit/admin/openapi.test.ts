import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { openApiDocument } from '../../../src/admin/openapi.ts';
import { findRoute, pathOf, ROUTES, type RouteSpec, routeEntries } from '../../../src/admin/route-table.ts';
import { answerCheck, schemaAt } from '../../support/openapi.ts';

const root = resolve(import.meta.dirname, '../../..');

describe('the OpenAPI document', () => {
  it('is valid OpenAPI 3.1', async () => {
    const validator = new Validator();
    const result = await validator.validate(structuredClone({ ...openApiDocument() }));
    expect(result).toEqual({ valid: true });
    expect(validator.version).toBe('3.1');
  });

  it('is what docs/openapi.json has', () => {
    expect(JSON.parse(readFileSync(join(root, 'docs/openapi.json'), 'utf8'))).toEqual(openApiDocument());
  });

  it('refers only to what it has, and has nothing that nobody refers to', () => {
    const text = JSON.stringify(openApiDocument());
    const references = [...text.matchAll(/"#(\/[^"]+)"/g)].map(([, pointer = '']) => pointer);
    for (const pointer of references) expect(schemaAt(pointer), pointer).toBeDefined();
    const components = openApiDocument()['components'] as { schemas: Record<string, unknown> };
    const used = new Set(references);
    const unused = Object.keys(components.schemas).filter((name) => !used.has(`/components/schemas/${name}`));
    expect(unused).toEqual([]);
  });

  it.each(routeEntries())('%s: one operation, with its parameters, body and answers', (name, spec) => {
    const operation = schemaAt(`/paths/${spec.path.replaceAll('/', '~1')}/${spec.method.toLowerCase()}`) as {
      operationId: string;
      parameters?: { name: string; in: string }[];
      requestBody?: unknown;
      responses: Record<string, unknown>;
      security: object[];
    };
    expect(operation.operationId).toBe(name);
    const named = (operation.parameters ?? []).filter((one) => one.in === 'path').map((one) => one.name);
    expect(named).toEqual([...spec.path.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter));
    expect(named).toEqual(Object.keys(spec.params?.shape ?? {}));
    expect(operation.requestBody === undefined).toBe(spec.body === undefined);
    expect(Object.keys(operation.responses)).toContain('default');
    // over HTTP whatever changes something, or tells more than the status, needs the token
    const free = operation.security.some((requirement) => Object.keys(requirement).length === 0);
    expect(free).toBe(spec.method === 'GET' && spec.guarded !== true);
    expect(spec.body === undefined || spec.method === 'POST').toBe(true);
  });

  it('closes requests and leaves answers open', () => {
    expect(schemaAt('/components/schemas/SetStateRequest')).toMatchObject({ additionalProperties: false });
    expect(schemaAt('/components/schemas/Status')).not.toHaveProperty('additionalProperties');
  });

  it('tells a wrong answer from a right one', () => {
    const check = answerCheck('reload');
    expect(check({ changes: [], more: 1 })).toEqual([]);
    expect(check({ changes: [1] })).not.toEqual([]);
    expect(check({})).not.toEqual([]);
  });
});

describe('the route table', () => {
  it('has each path once, and each is of this version or public', () => {
    const paths = routeEntries().map(([, { path }]) => path);
    expect(new Set(paths).size).toBe(paths.length);
    for (const [, spec] of routeEntries()) expect(spec.path.startsWith('/v1/')).toBe(spec.public !== true);
  });

  it('fills in and finds again whatever a name has in it', () => {
    const odd = '[2001:db8::1]:80/../?%#';
    const path = pathOf(ROUTES.setBackendState, { service: 'web', backend: odd });
    expect(findRoute(new URL(path, 'http://tandem').pathname)).toEqual({
      name: 'setBackendState',
      params: { service: 'web', backend: encodeURIComponent(odd) },
    });
    expect(() => pathOf(ROUTES.setBackendState, { service: 'web' })).toThrow(RangeError);
  });

  it.each(['/v1/openapixjson', '/v1/status/', '/v1', '/v1/services//backends/b/state', '/v2/status', '/'])(
    'finds nothing for %s',
    (path) => expect(findRoute(path)).toBeUndefined(),
  );

  it('takes the number of an event and nothing else', () => {
    const spec: RouteSpec = ROUTES.events;
    const query = spec.query ?? z.strictObject({});
    expect(query.safeParse({ after: '17', follow: '1' }).data).toEqual({ after: 17, follow: '1' });
    for (const after of ['', '-1', '1e3', '0x10', '1.5', ' 1', '9999999999999999']) {
      expect(query.safeParse({ after }).success, after).toBe(false);
    }
    expect(query.safeParse({ follow: 'yes' }).success).toBe(false);
    expect(query.safeParse({ folow: '1' }).success).toBe(false);
  });
});
