import { expect, it } from 'vitest';
import { loadScenarios } from '../support/scenario.ts';

const scenarios = loadScenarios();

it.each(scenarios.map((scenario) => [scenario.name, scenario] as const))('%s', (_, scenario) => {
  expect(scenario.run(), scenario.shows).toEqual(scenario.expected);
});
