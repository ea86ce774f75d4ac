import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import { descriptorsOf, fitConnections } from '../../../src/control-path/descriptors.ts';
import { TandemError } from '../../../src/lib/errors.ts';
import type { Config } from '../../../src/model/config.ts';

const config = (limits: string, ...services: string[]): Config =>
  parseConfig(
    [
      '[limits]',
      'fd_reserve = 100',
      limits,
      ...services.map(
        (settings, i) => `[[service]]\nname = "s${i}"\nlisten = ["127.0.0.1:${8000 + i}"]\n${settings}`,
      ),
    ].join('\n'),
    '/test.toml',
    {
      environment: {
        hostname: () => 'test',
        interfaces: () => [],
        groups: () => [],
        programFault: () => undefined,
        secretFault: () => undefined,
        tokenFault: () => undefined,
        tlsFault: () => undefined,
      },
    },
  );

const tcp = (settings = '', backend = ''): string =>
  `protocol = "tcp"\n${settings}\n[[service.backend]]\naddress = "127.0.0.2:1"\n${backend}`;
const udp = (settings = ''): string =>
  `protocol = "udp"\n${settings}\n[[service.backend]]\naddress = "127.0.0.2:1"`;

describe('descriptors of a service', () => {
  const of = (text: string): number => descriptorsOf(config('', text).services[0]!, 2);

  it('takes two a TCP connection and for each worker one a listener and its duplicate', () => {
    expect(of(tcp('max_connections = 1000'))).toBe(2004);
  });
  it('takes one for a client that can only wait in the queue', () => {
    expect(of(tcp('max_connections = 1000', 'max_connections = 900'))).toBe(1904);
  });
  it('takes one a UDP session', () => {
    expect(of(udp('max_connections = 1000'))).toBe(1004);
  });
  it('is unbounded without a limit', () => {
    expect(of(tcp())).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('fitting connections into the descriptor limit', () => {
  it('takes what fits when nothing is configured', () => {
    expect(fitConnections(config('', tcp()), 1, 20_000)).toBe(9_950);
  });
  it('takes the sum of the services where each has a limit', () => {
    const services = [tcp('max_connections = 1000'), udp('max_connections = 500')];
    expect(fitConnections(config('', ...services), 1, 20_000)).toBe(1_500);
  });
  it('takes the process limit where there is one', () => {
    expect(fitConnections(config('max_connections = 300', tcp()), 1, 20_000)).toBe(300);
    expect(fitConnections(config('max_connections = 300', tcp('max_connections = 90000')), 1, 20_000)).toBe(
      300,
    );
  });
  it('fits 10,000 connections into 20,000 descriptors when 9,800 reach a backend and 200 wait', () => {
    const service = tcp('max_connections = 10000', 'max_connections = 9800');
    expect(fitConnections(config('', service), 1, 20_000)).toBe(10_000);
  });
  it.each([
    ['a process limit', config('max_connections = 20000', tcp())],
    ['a service limit', config('', tcp('max_connections = 20000'))],
    ['a service limit beside a service without one', config('', tcp('max_connections = 20000'), tcp())],
    ['services that fit alone', config('', tcp('max_connections = 6000'), tcp('max_connections = 6000'))],
  ])('refuses %s that cannot be kept, and says what would be right', (_, wrong) => {
    let error: unknown;
    try {
      fitConnections(wrong, 1, 20_000);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(TandemError);
    expect((error as TandemError).code).toBe('fd-limit');
    expect((error as TandemError).message).toContain('hard limit is 20000');
    expect((error as TandemError).hint).toContain('at most 9950');
  });
});
