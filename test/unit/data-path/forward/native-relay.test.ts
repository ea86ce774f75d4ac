import { describe, expect, it } from 'vitest';
import { CounterReader, CounterWriter, createCounters } from '../../../../src/data-path/counters.ts';
import { connectFailure } from '../../../../src/data-path/forward/connect-failure.ts';
import type { RelayPort } from '../../../../src/data-path/forward/native-port.ts';
import { NativeRelay } from '../../../../src/data-path/forward/native-relay.ts';
import { Routes } from '../../../../src/data-path/forward/native-routes.ts';
import { TimerWheel } from '../../../../src/data-path/forward/timer-wheel.ts';
import type { RelayContext } from '../../../../src/data-path/forward/transport.ts';
import { instant, millis, seconds } from '../../../../src/lib/duration.ts';
import type { PoolMember } from '../../../../src/model/service.ts';
import { backend, endpoint, serviceSpec } from '../../../support/data-path.ts';

const HANDLE = 5;

/** The addon's side of one connection: what it was told, and whether the handle is stale. */
class Port implements RelayPort {
  readonly told: string[] = [];
  stale = false;
  over = false;
  last = 0;
  route: Uint32Array | null = null;

  addListener(): number {
    return 0;
  }
  setAccepting(): boolean {
    return true;
  }
  removeListener(): boolean {
    return true;
  }
  peek(): boolean {
    return this.#do('peek');
  }
  look(): number {
    return 0;
  }
  take(): boolean {
    return this.#do('take');
  }
  connect(_handle: number, route: Uint32Array): boolean {
    this.route = route;
    return this.#do('connect');
  }
  abandon(): boolean {
    return !this.over && this.#do('abandon');
  }
  closeConnection(_handle: number, reset: boolean): boolean {
    return this.#do(reset ? 'reset' : 'close');
  }
  drop(): boolean {
    return this.#do('drop');
  }
  activity(): number {
    return this.last;
  }
  tick(): void {}
  close(): void {}

  #do(what: string): boolean {
    if (!this.stale) this.told.push(what);
    return !this.stale;
  }
}

function bench() {
  const wheel = new TimerWheel({ tick: millis(50), slots: 64, now: instant(0) });
  const buffer = createCounters({ workers: 1, services: 2, backends: 2 });
  const context: RelayContext = {
    wheel,
    counters: new CounterWriter(buffer, 0),
    slot: 1,
    spec: serviceSpec({
      listen: [endpoint('10.0.0.1:80')],
      backends: [backend('10.0.0.2:8080')],
      timeouts: {
        connect: seconds(1),
        idle: seconds(10),
        fin: seconds(2),
        session: seconds(1),
        preface: seconds(3),
      },
    }),
  };
  const port = new Port();
  const heard: string[] = [];
  const owner = {
    relayConnected: () => void heard.push('connected'),
    relayConnectFailed: ({ cause }: { cause: string }) => void heard.push(`failed ${cause}`),
    relayHeld: () => void heard.push('held'),
    relayClosed: (reason: string | null) => void heard.push(`closed ${reason}`),
  };
  const relay = new NativeRelay({ port, routes: new Routes() }, HANDLE, context, owner);
  const reader = new CounterReader(buffer);
  const pass = (to: number): void => {
    for (let at = wheel.now + 50_000; at <= to; at += 50_000) wheel.advance(instant(at));
  };
  return { relay, port, heard, wheel, context, pass, fds: () => reader.process().fdsInUse };
}

const MEMBER: PoolMember = {
  id: 'b',
  slot: 1,
  endpoint: endpoint('10.0.0.2:8080'),
  weight: 1,
  maxConnections: null,
  disposition: 'eligible',
};

const second = 1_000_000;

describe('a native relay', () => {
  it('packs address, options and cells into the route, anew when the settings change', () => {
    const { relay, port, context } = bench();
    relay.connect(MEMBER, null, null);
    const { serviceIn, backendIn, serviceOut, backendOut } = context.counters.byteCells(1, 1);
    const words = [...(port.route ?? [])];
    expect(words.slice(0, 7)).toEqual([4, 8080, 3, serviceIn, backendIn, serviceOut, backendOut]);
    expect([...new Uint8Array(port.route?.buffer ?? new ArrayBuffer(0), 28, 4)]).toEqual([10, 0, 0, 2]);
    relay.connectFailed(connectFailure('ECONNREFUSED'));
    context.spec = { ...context.spec, noDelay: false };
    relay.connect(MEMBER, null, null);
    expect(port.route?.[2]).toBe(2);
  });

  it('gives a connect attempt its time, then abandons it', () => {
    const { relay, port, heard, pass, fds } = bench();
    relay.connect(MEMBER, null, null);
    expect(fds()).toBe(2);
    pass(second);
    expect(heard).toEqual([]);
    pass(second + 100_000);
    expect([heard, port.told]).toEqual([['failed timeout'], ['connect', 'abandon']]);
    expect(fds()).toBe(1);
  });

  it('leaves an attempt whose end is under way to its event', () => {
    const { relay, port, heard, pass } = bench();
    relay.connect(MEMBER, null, null);
    port.over = true;
    pass(2 * second);
    expect(heard).toEqual([]);
    relay.connected();
    expect(heard).toEqual(['connected']);
    expect(relay.established).toBe(true);
  });

  it('is idle when no byte has moved for so long, whatever the wheel thought before', () => {
    const { relay, port, heard, pass, fds } = bench();
    relay.connect(MEMBER, null, null);
    relay.connected();
    port.last = 8 * second;
    pass(17 * second);
    expect(port.told).toEqual(['connect']);
    pass(18 * second + 100_000);
    expect(port.told).toEqual(['connect', 'close']);
    relay.closed(null, false);
    expect([heard.at(-1), fds()]).toEqual(['closed idle-timeout', 0]);
  });

  it('has less patience once one side has ended', () => {
    const { relay, port, heard, pass } = bench();
    relay.connect(MEMBER, null, null);
    relay.connected();
    relay.ended();
    pass(2 * second + 150_000);
    expect(port.told).toEqual(['connect', 'close']);
    relay.closed(null, true);
    expect(heard.at(-1)).toBe('closed fin-timeout');
  });

  it('keeps the reason of the addon when its end was under way already', () => {
    const { relay, port, heard } = bench();
    relay.connect(MEMBER, null, null);
    relay.connected();
    port.stale = true;
    relay.cut('backend-down');
    relay.closed('done', true);
    expect(heard.at(-1)).toBe('closed done');
  });

  it('that is cut tells why, and nothing else on the way', () => {
    const { relay, port, heard, pass } = bench();
    relay.connect(MEMBER, null, null);
    relay.connected();
    relay.cut('shutdown');
    relay.cut('drain-deadline');
    relay.ended();
    pass(30 * second);
    expect(relay.established).toBe(true);
    relay.closed(null, false);
    expect([port.told, heard]).toEqual([
      ['connect', 'reset'],
      ['connected', 'closed shutdown'],
    ]);
  });

  it('refused before it was connected has no reason, whatever is told after that', () => {
    const { relay, heard, fds } = bench();
    relay.connect(MEMBER, null, null);
    relay.refuse();
    relay.connected();
    relay.connectFailed(connectFailure('ECONNREFUSED'));
    expect(relay.established).toBe(false);
    relay.closed(null, false);
    expect([heard, fds()]).toEqual([['closed null'], 0]);
  });

  it('knows a reset before the backend said anything', () => {
    const { relay } = bench();
    relay.connect(MEMBER, null, null);
    relay.connected();
    relay.closed('backend-reset', false);
    expect(relay.resetEarly).toBe(true);
    const late = bench().relay;
    late.connect(MEMBER, null, null);
    late.connected();
    late.closed('backend-reset', true);
    expect(late.resetEarly).toBe(false);
  });

  it('that is held is heard of when its time is over', () => {
    const { relay, heard, pass } = bench();
    relay.hold(instant(second));
    pass(2 * second);
    expect(heard).toEqual(['held']);
  });
});
