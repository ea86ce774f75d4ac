import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeReply,
  encodeQuery,
  labelsOf,
  RECORD_TYPES,
} from '../../src/control-path/health/dns-message.ts';

const label = fc.stringMatching(/^[a-zA-Z0-9_-]{1,63}$/);
const name = fc.array(label, { maxLength: 8 }).map((labels) => `${labels.join('.')}.`);
const queries = fc
  .record({
    id: fc.integer({ min: 0, max: 65_535 }),
    name,
    type: fc.constantFrom(...(Object.keys(RECORD_TYPES) as (keyof typeof RECORD_TYPES)[])),
  })
  .filter((query) => labelsOf(query.name) !== undefined);

describe('DNS replies', () => {
  it('never throw, whatever the bytes', () => {
    fc.assert(
      fc.property(queries, fc.uint8Array({ maxLength: 600 }), (query, bytes) => {
        const reply = decodeReply(query, bytes);
        expect(['truncated', 'id', 'not-a-response', 'question', 'object']).toContain(
          typeof reply === 'string' ? reply : typeof reply,
        );
      }),
      { numRuns: 2_000 },
    );
  });

  it('are read back from a query turned into its reply, and survive any damage to it', () => {
    fc.assert(
      fc.property(
        queries,
        fc.integer({ min: 0, max: 15 }),
        fc.uint8Array({ maxLength: 100 }),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
        (query, rcode, records, damage) => {
          const reply = Buffer.concat([encodeQuery(query), records]);
          reply[2] = 0x81;
          reply[3] = 0x80 | rcode;
          expect(decodeReply(query, reply)).toEqual({ rcode, truncated: false, answers: 0 });
          for (const [at, byte] of damage) reply[at % reply.length] = byte;
          expect(() => decodeReply(query, reply)).not.toThrow();
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
