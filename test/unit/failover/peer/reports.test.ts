import { beforeEach, describe, expect, test } from 'vitest';
import type { ChannelHandlers, PeerChannel } from '../../../../src/failover/peer/channel.ts';
import { MAX_FRAME } from '../../../../src/failover/peer/frame.ts';
import { decodeMessage, encodeMessage, type PeerMessage } from '../../../../src/failover/peer/messages.ts';
import { PeerReports } from '../../../../src/failover/peer/reports.ts';
import type { CallerHandlers } from '../../../../src/failover/peer/server.ts';
import { millis, seconds } from '../../../../src/lib/duration.ts';
import type { EventInput } from '../../../../src/model/event.ts';
import type { NodeSummary } from '../../../../src/model/peer-report.ts';
import { addr } from '../../../support/golden.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { endpoint } from '../../../support/specs.ts';

const REPORT: PeerMessage = { type: 'report', version: 1, fit: true, backends: 'abc', up: 3 };
const peer = {
  address: addr('10.0.0.2'),
  port: 8_694,
  listen: endpoint('10.0.0.1:8694'),
  secretFile: '/dev/null',
  drain: seconds(0),
};

/** A connection whose other end is the test. */
interface Line {
  readonly handlers: ChannelHandlers;
  readonly sent: PeerMessage[];
  closed: boolean;
}

let clock: ManualClock;
let lines: Line[];
let events: EventInput[];
let reports: PeerReports;
let own: NodeSummary | null;

beforeEach(() => {
  clock = new ManualClock();
  lines = [];
  events = [];
  own = null;
  reports = newReports();
});

function newReports(): PeerReports {
  return new PeerReports({
    peer,
    secret: new Uint8Array(32),
    clock,
    emit: (event) => events.push(event),
    report: () => ({ fit: false, reach: { digest: 'xyz', up: 1 }, witness: null, node: own }),
    connect: (_, __, handlers) => {
      const line: Line = { handlers, sent: [], closed: false };
      lines.push(line);
      return channelOf(line);
    },
  });
}

function channelOf(line: Line): PeerChannel {
  const channel = {
    send: (message: PeerMessage) => line.sent.push(message),
    close: () => {
      line.closed = true;
    },
  };
  return channel as unknown as PeerChannel;
}

function last(): Line {
  const line = lines.at(-1);
  if (line === undefined) throw new Error('no connection');
  return line;
}

describe('over a connection of our own', () => {
  test('reports twice a second, and believes the answers as long as they are fresh', () => {
    reports.start();
    expect(reports.latest()).toBeNull();
    last().handlers.onOpen();
    last().handlers.onMessage(REPORT);
    clock.advance(seconds(2));
    expect(last().sent).toHaveLength(5);
    expect(last().sent[0]).toEqual({ type: 'report', version: 1, fit: false, backends: 'xyz', up: 1 });
    expect(reports.latest()).toEqual({
      fit: true,
      reach: { digest: 'abc', up: 3 },
      witness: null,
      node: null,
    });
    clock.advance(millis(1_100));
    expect(reports.latest()).toBeNull();
    clock.advance(seconds(1));
    expect(events.map(({ level }) => level)).toEqual(['info', 'warn']);
  });

  test('renews the connection before it has lived too long, without a gap', () => {
    reports.start();
    last().handlers.onOpen();
    for (let i = 0; i < 62; i++) {
      last().handlers.onMessage(REPORT);
      clock.advance(millis(500));
    }
    expect(lines).toHaveLength(2);
    expect(lines.map(({ closed }) => closed)).toEqual([true, false]);
    last().handlers.onOpen();
    expect(last().sent).toHaveLength(1);
    expect(reports.latest()).not.toBeNull();
  });

  test('tries again after a second, and seldom with a peer that knows no reports or has another key', () => {
    reports.start();
    last().handlers.onEnd({ why: 'ECONNREFUSED', trusted: true });
    clock.advance(seconds(1));
    expect(lines).toHaveLength(2);
    // an older version ends the session at the first report
    last().handlers.onOpen();
    last().handlers.onEnd({ why: 'the connection was closed', trusted: true });
    clock.advance(seconds(59));
    expect(lines).toHaveLength(2);
    clock.advance(seconds(1));
    expect(lines).toHaveLength(3);
    last().handlers.onEnd({ why: 'it has another key', trusted: false });
    clock.advance(seconds(59));
    expect(lines).toHaveLength(3);
  });

  test('a peer with another key is told of at once, one that was never reached after half a minute', () => {
    reports.start();
    last().handlers.onEnd({ why: 'ECONNREFUSED', trusted: true });
    clock.advance(seconds(1));
    expect(events).toEqual([]);
    last().handlers.onEnd({ why: 'it has another key', trusted: false });
    const message = 'the peer reports nothing about itself: it has another key';
    expect(events).toMatchObject([{ level: 'warn', name: 'failover.peer', message }]);

    events = [];
    reports = newReports();
    reports.start();
    for (let second = 0; second < 40; second++) {
      last().handlers.onEnd({ why: 'ECONNREFUSED', trusted: true });
      if (second === 29) expect(events).toEqual([]);
      clock.advance(seconds(1));
    }
    expect(events.map((event) => event.message)).toEqual([
      'the peer reports nothing about itself: ECONNREFUSED',
    ]);
  });

  test('leaves nothing behind', () => {
    reports.start();
    last().handlers.onOpen();
    reports.stop();
    expect(last().closed).toBe(true);
    expect(clock.pending).toBe(0);
  });
});

describe('over the connection of the peer', () => {
  /** What a handover would have been told. */
  let told: string[];
  let caller: CallerHandlers;
  let line: Line;

  beforeEach(() => {
    told = [];
    caller = reports.caller({
      onOpen: () => told.push('open'),
      onMessage: ({ type }) => told.push(type),
      onEnd: () => told.push('end'),
    });
    line = { handlers: { ...caller, onOpen: () => undefined }, sent: [], closed: false };
    caller.onOpen(channelOf(line));
  });

  test('each report is answered, and no handover waits for it', () => {
    caller.onMessage(REPORT);
    caller.onMessage(REPORT);
    caller.onEnd({ why: 'closed', trusted: true });
    expect(line.sent).toHaveLength(2);
    expect(told).toEqual(['open', 'end']);
    expect(reports.latest()?.reach.up).toBe(3);
  });

  test('anything else is a handover', () => {
    caller.onMessage({ type: 'take' });
    caller.onEnd({ why: 'closed', trusted: true });
    expect(told).toEqual(['open', 'take', 'end']);
    expect(line.sent).toEqual([]);
  });
});

test('a report of a later version is understood as far as it goes, a wrong one not at all', () => {
  const later = { ...REPORT, version: 2, more: { than: ['this', 'one'] } };
  expect(decodeMessage(JSON.stringify(later))).toEqual({ ...REPORT, version: 2 });
  expect(decodeMessage(encodeMessage(REPORT))).toEqual(REPORT);
  for (const wrong of [{ up: -1 }, { up: 1e9 }, { up: '3' }, { backends: 'x'.repeat(65) }, { fit: 1 }]) {
    expect(decodeMessage(JSON.stringify({ ...REPORT, ...wrong }))).toBeUndefined();
  }
});

describe('a node in short', () => {
  const router = { group: 'main', vrid: 51, family: 4, state: 'Active', priority: 200 } as const;
  const node: NodeSummary = {
    name: 'lb-b',
    version: '9.9.9',
    uptimeSeconds: 12,
    routers: [router],
    services: [{ name: 'web', connections: 3, backends: 2, eligible: 1 }],
    config: [{ section: 'service web', digest: '0123456789abcdef' }],
  };
  const received = (value: unknown): PeerMessage | undefined =>
    decodeMessage(JSON.stringify({ ...REPORT, node: value }));

  test('travels with the report, as much as there is room for', () => {
    own = { ...node, routers: Array.from({ length: 40 }, () => router) };
    reports.start();
    last().handlers.onOpen();
    const [sent] = last().sent;
    if (sent?.type !== 'report') throw new Error('no report');
    expect(sent.node?.routers).toHaveLength(32);
    expect(decodeMessage(encodeMessage(sent))).toEqual(sent);
    last().handlers.onMessage({ ...sent, node: { ...node, routers: [router], services: [], config: [] } });
    expect(reports.latest()?.node?.name).toBe('lb-b');
  });

  test('of the greatest size still fits into a frame', () => {
    const long = 'x'.repeat(64);
    const most = {
      ...node,
      name: long,
      routers: Array.from({ length: 32 }, () => ({ ...router, group: long, state: 'Initialize' })),
      services: Array.from({ length: 64 }, () => ({
        ...{ name: long, connections: 1e9, backends: 1e9, eligible: 1e9 },
      })),
      config: Array.from({ length: 96 }, () => ({ section: `service ${long}`, digest: '0'.repeat(16) })),
    };
    expect(received(most)).toMatchObject({ node: most });
    expect(JSON.stringify({ ...REPORT, node: most }).length).toBeLessThan(MAX_FRAME);
  });

  test('may hold more in a later version; what makes no sense is left out, the report stays', () => {
    expect(received({ ...node, new: 1, routers: [{ ...router, also: 'new' }] })).toEqual({ ...REPORT, node });
    for (const bad of [
      null,
      7,
      {},
      { ...node, routers: Array.from({ length: 33 }, () => router) },
      { ...node, routers: [{ ...router, priority: 300 }] },
      { ...node, services: [{ name: 'web', connections: -1, backends: 2, eligible: 1 }] },
      { ...node, name: 'x'.repeat(81) },
      { ...node, uptimeSeconds: 'long' },
    ]) {
      expect(received(bad)).toEqual({ ...REPORT, node: undefined });
    }
  });
});
