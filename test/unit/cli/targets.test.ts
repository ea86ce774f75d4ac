import { describe, expect, it } from 'vitest';
import { parseTarget } from '../../../src/cli/commands/arguments.ts';
import { expandTargets, needsList } from '../../../src/cli/commands/targets.ts';

const services = [
  { name: 'web', backends: [{ id: '10.0.1.11:8080' }, { id: '10.0.1.12:8080' }] },
  { name: 'api', backends: [{ id: '10.0.1.11:9090' }, { id: 'a.b' }] },
];
const expand = (...names: string[]): string[] =>
  expandTargets(names.map(parseTarget), services).map(({ service, backend }) => `${service}/${backend}`);

describe('expandTargets', () => {
  it.each([
    [['web/*'], ['web/10.0.1.11:8080', 'web/10.0.1.12:8080']],
    [['*/10.0.1.11:*'], ['web/10.0.1.11:8080', 'api/10.0.1.11:9090']],
    [
      ['api/a.b', 'web/*12*'],
      ['api/a.b', 'web/10.0.1.12:8080'],
    ],
    [
      ['web/10.0.1.12:8080', 'web/*'],
      ['web/10.0.1.12:8080', 'web/10.0.1.11:8080'],
    ],
    [['*/*'], ['web/10.0.1.11:8080', 'web/10.0.1.12:8080', 'api/10.0.1.11:9090', 'api/a.b']],
    [['api/a*b'], ['api/a.b']],
  ])('takes %j as %j', (names, wanted) => {
    expect(expand(...names)).toEqual(wanted);
  });

  it.each([
    [['web/*', 'web/10.0.1.13:8080'], 'web has no backend 10.0.1.13:8080'],
    [['wbe/*'], 'there is no service wbe'],
    [['api/a?b'], 'api has no backend a?b'],
    [['api/aa*bb'], 'api has no backend'],
    [['api/a.b*a.b'], 'api has no backend'],
  ])('refuses %j whole', (names, message) => {
    expect(() => expand(...names)).toThrow(message);
  });

  it('needs no list for one that is named in full', () => {
    expect(needsList([parseTarget('web/10.0.1.11:8080')])).toBe(false);
    expect(needsList([parseTarget('web/*')])).toBe(true);
    expect(needsList([parseTarget('web/a'), parseTarget('web/b')])).toBe(true);
  });
});
