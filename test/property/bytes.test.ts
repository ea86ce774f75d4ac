import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteReader, ByteWriter, TruncatedError } from '../../src/lib/bytes.ts';

const fields = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('u8' as const), value: fc.nat(0xff) }),
    fc.record({ kind: fc.constant('u16' as const), value: fc.nat(0xffff) }),
    fc.record({ kind: fc.constant('u32' as const), value: fc.nat(0xffff_ffff) }),
    fc.record({ kind: fc.constant('bytes' as const), value: fc.uint8Array({ maxLength: 40 }) }),
  ),
);

describe('bytes', () => {
  it('reads back what was written, however small the buffer began', () => {
    fc.assert(
      fc.property(fields, fc.integer({ min: 1, max: 64 }), (list, capacity) => {
        const writer = new ByteWriter(capacity);
        for (const field of list) {
          if (field.kind === 'bytes') writer.bytes(field.value);
          else writer[field.kind](field.value);
        }
        const reader = new ByteReader(writer.finish());
        for (const field of list) {
          if (field.kind === 'bytes') expect([...reader.bytes(field.value.length)]).toEqual([...field.value]);
          else expect(reader[field.kind]()).toBe(field.value);
        }
        expect(reader.remaining).toBe(0);
        expect(() => reader.u8()).toThrow(TruncatedError);
      }),
    );
  });
});
