import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { flowKey, TableEntry, UdpFlowTable } from '../../../../src/data-path/forward/udp-flow-table.ts';

class Entry extends TableEntry {}

describe('UdpFlowTable', () => {
  it('tells clients, ports and service addresses apart', () => {
    const keys = [
      flowKey(0, '10.0.0.1', 53),
      flowKey(1, '10.0.0.1', 53),
      flowKey(0, '10.0.0.1', 54),
      flowKey(0, '10.0.0.15', 3),
      flowKey(0, 'fe80::1%eth0', 53),
      flowKey(0, 'fe80::1%eth1', 53),
    ];
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('refuses a key twice', () => {
    const table = new UdpFlowTable<Entry>();
    table.add(new Entry('a'));
    expect(() => table.add(new Entry('a'))).toThrow(RangeError);
  });

  it('a flow that has been replaced cannot delete its successor', () => {
    const table = new UdpFlowTable<Entry>();
    const [first, second] = [new Entry('a'), new Entry('a')];
    table.add(first);
    expect(table.delete(first)).toBe(true);
    table.add(second);
    expect(table.delete(first)).toBe(false);
    expect(table.find('a')).toBe(second);
  });

  it('deleting while iterating visits everybody once', () => {
    const table = new UdpFlowTable<Entry>();
    for (let i = 0; i < 10; i++) table.add(new Entry(`${i}`));
    let seen = 0;
    for (const entry of table) {
      seen++;
      table.delete(entry);
    }
    expect([seen, table.size, table.leastRecent]).toEqual([10, 0, null]);
  });

  it('knows the least recently used one (property: against a plain list)', () => {
    const step = fc.record({ op: fc.constantFrom('use', 'delete', 'evict'), id: fc.nat(7) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const table = new UdpFlowTable<Entry>();
        let order: string[] = []; // oldest first
        for (const { op, id } of steps) {
          const key = op === 'evict' ? (table.leastRecent?.key ?? 'none') : `${id}`;
          const known = table.find(key);
          order = order.filter((each) => each !== key);
          if (op === 'use') {
            order.push(key);
            if (known === undefined) table.add(new Entry(key));
            else table.touch(known);
          } else if (known !== undefined) expect(table.delete(known)).toBe(true);
          expect(table.size).toBe(order.length);
          expect(table.leastRecent?.key).toBe(order[0]);
        }
        const drained: string[] = [];
        for (let oldest = table.leastRecent; oldest !== null; oldest = table.leastRecent) {
          drained.push(oldest.key);
          table.delete(oldest);
        }
        expect(drained).toEqual(order);
      }),
    );
  });
});
