import { describe, expect, it } from 'vitest';
import { IpFilter } from '../../../../src/data-path/guard/ip-filter.ts';
import { type IpPrefix, parsePrefix } from '../../../../src/lib/ip.ts';
import { ip } from '../../../support/pool.ts';

const prefixes = (...texts: string[]): IpPrefix[] =>
  texts.map((text) => {
    const prefix = parsePrefix(text);
    if (prefix === undefined) throw new Error(text);
    return prefix;
  });

describe('IpFilter', () => {
  it('permits everyone when both lists are empty', () => {
    const filter = new IpFilter([], []);
    expect(filter.permits(ip('203.0.113.7'))).toBe(true);
    expect(filter.permits(ip('2001:db8::7'))).toBe(true);
  });

  it('denies what is on the deny list, even inside an allowed network', () => {
    const filter = new IpFilter(
      prefixes('10.0.0.0/8', '2001:db8::/32'),
      prefixes('10.1.0.0/16', '2001:db8:0:1::/64'),
    );
    expect(filter.permits(ip('10.2.0.1'))).toBe(true);
    expect(filter.permits(ip('10.1.255.255'))).toBe(false);
    expect(filter.permits(ip('2001:db8::1'))).toBe(true);
    expect(filter.permits(ip('2001:db8:0:1::1'))).toBe(false);
  });

  it('with an allow list of one family shuts the other one out', () => {
    const filter = new IpFilter(prefixes('10.0.0.0/8'), []);
    expect(filter.permits(ip('11.0.0.1'))).toBe(false);
    expect(filter.permits(ip('2001:db8::1'))).toBe(false);
    expect(filter.permits(ip('::ffff:10.0.0.1'))).toBe(true);
  });

  it('knows /0, single hosts, and host parts in a prefix', () => {
    const filter = new IpFilter(
      prefixes('0.0.0.0/0'),
      prefixes('192.0.2.1', '198.51.100.77/24', '2001:db8::1/128'),
    );
    expect(filter.permits(ip('255.255.255.255'))).toBe(true);
    expect(filter.permits(ip('192.0.2.1'))).toBe(false);
    expect(filter.permits(ip('192.0.2.2'))).toBe(true);
    expect(filter.permits(ip('198.51.100.1'))).toBe(false);
    expect(new IpFilter(prefixes('::/0'), []).permits(ip('2001:db8::1'))).toBe(true);
  });
});
