import { describe, expect, it } from 'vitest';
import { type SourceEntry, SourceTable } from '../../../../src/data-path/guard/source-table.ts';
import { type Instant, instant, seconds } from '../../../../src/lib/duration.ts';
import type { SourceLimitSpec } from '../../../../src/model/service.ts';
import { ip } from '../../../support/pool.ts';

const limit = (part: Partial<SourceLimitSpec> = {}): SourceLimitSpec => ({
  maxConnections: null,
  rate: null,
  prefix4: 32,
  prefix6: 64,
  ...part,
});
const START = instant(1e9);
const at = (s: number): Instant => instant(START + seconds(s));

function tryEnter(table: SourceTable, source: string, now: Instant = START): SourceEntry | undefined {
  const known = table.find(ip(source));
  if (!table.hasRoom(known) || !table.conforms(known, now)) return undefined;
  return table.enter(ip(source), known, now);
}

describe('SourceTable', () => {
  it('counts connections for each network and forgets it with the last one', () => {
    const table = new SourceTable(limit({ maxConnections: 2, prefix4: 24 }), 100);
    const first = tryEnter(table, '192.0.2.1')!;
    const second = tryEnter(table, '192.0.2.200')!;
    expect(tryEnter(table, '192.0.2.3')).toBeUndefined();
    expect(tryEnter(table, '192.0.3.3')).toBeDefined();
    table.release(first);
    expect(tryEnter(table, '192.0.2.3')).toBeDefined();
    table.release(second);
    table.release(second);
    expect(table.size).toBe(1);
    expect(() => table.release(second)).toThrow(RangeError);
  });

  it('takes an IPv6 network of the configured length for one source', () => {
    const table = new SourceTable(limit({ maxConnections: 1, prefix6: 64 }), 100);
    expect(tryEnter(table, '2001:db8:0:1::1')).toBeDefined();
    expect(tryEnter(table, '2001:db8:0:1:ffff::2')).toBeUndefined();
    expect(tryEnter(table, '2001:db8:0:2::1')).toBeDefined();
  });

  it('remembers the rate of a source without connections until its burst is whole again', () => {
    const table = new SourceTable(limit({ rate: { count: 1, per: seconds(1), burst: 2 } }), 100);
    table.release(tryEnter(table, '192.0.2.1')!);
    table.release(tryEnter(table, '192.0.2.1')!);
    expect(tryEnter(table, '192.0.2.1')).toBeUndefined();
    table.sweep(at(1.9), 10);
    expect(table.size).toBe(1);
    table.sweep(at(2), 10);
    expect(table.size).toBe(0);
  });

  it('cannot be made to forget a debt by a flood of other sources', () => {
    const table = new SourceTable(limit({ rate: { count: 1, per: seconds(10), burst: 1 } }), 50);
    table.release(tryEnter(table, '192.0.2.1')!);
    for (let n = 0; n < 1_000; n++) {
      const entry = tryEnter(table, `10.0.${n >> 8}.${n & 255}`, at(1));
      if (entry) table.release(entry);
      expect(table.size).toBeLessThanOrEqual(51);
    }
    expect(table.find(ip('192.0.2.1'))).toBeUndefined();
    expect(tryEnter(table, '192.0.2.1', at(1))).toBeUndefined();
    // strangers wait no longer than until the largest forgotten debt is over
    expect(tryEnter(table, '198.51.100.1', at(11))).toBeDefined();
  });

  it('never forgets a source that has connections, however full the table is', () => {
    const table = new SourceTable(
      limit({ maxConnections: 1, rate: { count: 1, per: seconds(1), burst: 9 } }),
      3,
    );
    const entries = ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4', '192.0.2.5'].map(
      (s) => tryEnter(table, s)!,
    );
    expect(table.size).toBe(5);
    for (const [i, entry] of entries.entries()) {
      expect(tryEnter(table, `192.0.2.${i + 1}`)).toBeUndefined();
      table.release(entry);
    }
    expect(tryEnter(table, '192.0.2.77')).toBeDefined();
    expect(table.size).toBeLessThanOrEqual(3);
  });

  describe('update', () => {
    it('keeps counts when a limit changes', () => {
      const table = new SourceTable(limit({ maxConnections: 5 }), 100);
      const entries = [1, 2, 3].map(() => tryEnter(table, '192.0.2.1')!);
      table.update(limit({ maxConnections: 3 }), 100, START);
      expect(tryEnter(table, '192.0.2.1')).toBeUndefined();
      table.release(entries[0]!);
      expect(tryEnter(table, '192.0.2.1')).toBeDefined();
    });

    it('does not hold a source to the waiting time of an older, slower rate', () => {
      const table = new SourceTable(limit({ rate: { count: 1, per: seconds(600), burst: 1 } }), 100);
      tryEnter(table, '192.0.2.1');
      table.update(limit({ rate: { count: 1, per: seconds(1), burst: 1 } }), 100, START);
      expect(tryEnter(table, '192.0.2.1', at(0.9))).toBeUndefined();
      expect(tryEnter(table, '192.0.2.1', at(1))).toBeDefined();
    });

    it('with other prefix lengths counts anew, and old connections end without a trace', () => {
      const table = new SourceTable(limit({ maxConnections: 1 }), 100);
      const old = tryEnter(table, '192.0.2.1')!;
      table.update(limit({ maxConnections: 1, prefix4: 24 }), 100, START);
      const fresh = tryEnter(table, '192.0.2.1')!;
      table.release(old);
      expect(tryEnter(table, '192.0.2.9')).toBeUndefined();
      table.release(fresh);
      expect(table.size).toBe(0);
    });
  });
});
