import { describe, expect, it } from 'vitest';
import { QuietTally } from '../../../src/data-path/quiet-tally.ts';
import { instant, millis, seconds } from '../../../src/lib/duration.ts';

describe('a quiet tally', () => {
  const start = instant(0);

  it('tells of the first at once, and of all that came meanwhile when the quiet is over', () => {
    const tally = new QuietTally<'a'>(seconds(10));
    expect(tally.add('a', start)).toBe(1);
    expect(tally.add('a', instant(millis(1)))).toBeNull();
    expect(tally.add('a', instant(millis(9_999)))).toBeNull();
    expect(tally.add('a', instant(seconds(10)))).toBe(3);
    expect(tally.add('a', instant(seconds(19)))).toBeNull();
    expect(tally.add('a', instant(seconds(20)))).toBe(2);
  });

  it('keeps keys apart', () => {
    const tally = new QuietTally<'a' | 'b'>(seconds(10));
    expect(tally.add('a', start)).toBe(1);
    expect(tally.add('b', start)).toBe(1);
    expect(tally.add('a', start)).toBeNull();
  });
});
