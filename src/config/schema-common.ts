import { seconds } from '../lib/duration.ts';
import { integer, right, textLeaf, wrong } from './values.ts';

// What the parts of the schema share.

export const MILLION = 1_000_000;
export const connections = () => integer(1, 10 * MILLION);
export const hour = seconds(3_600);
export const day = seconds(86_400);

export const isTable = (raw: unknown): boolean =>
  typeof raw === 'object' && raw !== null && !Array.isArray(raw);

export const path = (expected: string) =>
  textLeaf(expected, (raw) =>
    raw.startsWith('/') && !raw.includes('\0')
      ? right(raw)
      : wrong(`${JSON.stringify(raw)} is not an absolute path`, `write ${expected}, beginning with "/"`),
  );
