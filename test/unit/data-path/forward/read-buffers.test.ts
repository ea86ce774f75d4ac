import { describe, expect, it } from 'vitest';
import { ReadBuffers } from '../../../../src/data-path/forward/read-buffers.ts';

describe('ReadBuffers', () => {
  it('never leases more than its maximum, nor the shared buffer, nor one buffer twice', () => {
    const buffers = new ReadBuffers({ sharedSize: 16, leaseSize: 32, maxLeases: 10 });
    const leases = Array.from({ length: 12 }, () => buffers.lease());
    const got = leases.filter((lease) => lease !== null);
    expect(got).toHaveLength(10);
    expect(new Set([...got, buffers.shared]).size).toBe(11);
    for (const lease of got) buffers.release(lease);
    expect(buffers.leased).toBe(0);
    expect(Array.from({ length: 12 }, () => buffers.lease()).filter((lease) => lease !== null)).toHaveLength(
      10,
    );
  });
});
