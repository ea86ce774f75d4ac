import { z } from 'zod';
import { seconds } from '../lib/duration.ts';
import { textKind } from './kinds.ts';
import { integer, right, textLeaf, wrong } from './values.ts';

// What the parts of the schema share.

export const MILLION = 1_000_000;
export const connections = () => integer(1, 10 * MILLION);
export const hour = seconds(3_600);
export const day = seconds(86_400);

export const isTable = (raw: unknown): raw is Readonly<Record<string, unknown>> =>
  typeof raw === 'object' && raw !== null && !Array.isArray(raw);

export const path = (expected: string) =>
  textLeaf(expected, textKind('an absolute path', 'absolute paths', { pattern: '^/' }), (raw) =>
    raw.startsWith('/') && !raw.includes('\0')
      ? right(raw)
      : wrong(`${JSON.stringify(raw)} is not an absolute path`, `write ${expected}, beginning with "/"`),
  );

/** A program and its arguments, as a list: no shell takes it apart. */
export const command = () =>
  z.array(textLeaf('a program or argument', textKind('text', 'program, arguments'), right));

/** Linux takes at most 15 bytes (IFNAMSIZ), no "/" and no white space. */
const INTERFACE = /^[^\s/\0]{1,15}$/;

export const interfaceName = textLeaf(
  'a network interface such as "eth0"',
  textKind('1 to 15 characters', 'interfaces', { pattern: '^[^\\s/]{1,15}$' }),
  (raw) =>
    INTERFACE.test(raw) && raw !== '.' && raw !== '..'
      ? right(raw)
      : wrong(
          `${JSON.stringify(raw)} is not an interface name`,
          'write a name of 1 to 15 characters, such as "eth0"',
        ),
);
