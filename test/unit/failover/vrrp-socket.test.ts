import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readPacket4 } from '../../../src/failover/vrrp-socket.ts';

const header = (total: number, ihl = 5): number[] => [
  0x40 | ihl,
  0xc0,
  total >> 8,
  total & 255,
  0,
  0,
  0,
  0,
  255,
  112,
  0,
  0,
  10,
  0,
  0,
  1,
  224,
  0,
  0,
  18,
];

test('the header tells source, destination and TTL, and how long the message is', () => {
  const padding = [0, 0, 0, 0, 0, 0];
  const read = readPacket4(Uint8Array.from([...header(23), 1, 2, 3, ...padding]));
  expect(read?.message).toEqual(Uint8Array.of(1, 2, 3));
  expect(read?.envelope).toMatchObject({ family: 4, hopLimit: 255 });
  expect(read?.envelope.source.text).toBe('10.0.0.1');
  expect(read?.envelope.destination.text).toBe('224.0.0.18');
});

test('options are skipped', () => {
  const options = [7, 4, 0, 0];
  expect(readPacket4(Uint8Array.from([...header(26, 6), ...options, 1, 2]))?.message).toEqual(
    Uint8Array.of(1, 2),
  );
});

test.each([
  ['nothing', []],
  ['half a header', header(20).slice(0, 12)],
  ['IPv6', [0x60, ...header(20).slice(1)]],
  ['a header shorter than a header', header(20, 4)],
  ['more than there is', header(40)],
  ['less than its header', header(19)],
])('%s is nothing', (_, bytes) => {
  expect(readPacket4(Uint8Array.from(bytes))).toBeNull();
});

test('no bytes make it throw or read past the packet', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      const read = readPacket4(bytes);
      if (read !== null) expect(read.message.length).toBeLessThanOrEqual(bytes.length - 20);
    }),
  );
});
