import { removeLeftovers } from './netns.ts';

export function setup(): void {
  removeLeftovers();
}

export function teardown(): void {
  removeLeftovers();
}
