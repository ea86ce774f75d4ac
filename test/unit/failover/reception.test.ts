import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import { Reception } from '../../../src/failover/reception.ts';
import { RouterEvents } from '../../../src/failover/router-events.ts';
import { virtualRouterSpecs } from '../../../src/failover/router-spec.ts';
import { seconds } from '../../../src/lib/duration.ts';
import { type IpAddress, parseIp } from '../../../src/lib/ip.ts';
import type { EventInput } from '../../../src/model/event.ts';
import type { DiscardReason } from '../../../src/model/failover.ts';
import { encodeAdvertisement, passData, VRRP_GROUP_4 } from '../../../src/vrrp/packet.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const address = (text: string): IpAddress => {
  const parsed = parseIp(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
};

const config = parseConfig(
  `[[failover.group]]
interface = "eth0"
vrid = 51
version = 2
advertise_interval = "1s"
auth_pass = "secret"
addresses = ["10.0.0.100/24"]`,
  '/test.toml',
  { hostFaults: 'warning' },
);
const [spec] = virtualRouterSpecs(
  config.failover ?? {
    groups: [],
    tracks: [],
    realtimePriority: 0,
    startupDelay: seconds(0),
    peer: null,
    witness: null,
  },
);
if (spec === undefined) throw new Error('no router');

const envelope = {
  family: 4,
  source: address('10.0.0.2'),
  destination: VRRP_GROUP_4,
  hopLimit: 255,
} as const;

function message(vrid: number, password: string): Uint8Array {
  return encodeAdvertisement(
    {
      version: 2,
      family: 4,
      vrid,
      priority: 100,
      interval: seconds(1),
      addresses: [address('10.0.0.100')],
      authentication: { type: 'pass', data: passData(password) },
    },
    { source: envelope.source, destination: envelope.destination, checksumStyle: 'rfc5798' },
  );
}

describe('reception', () => {
  const told: [DiscardReason, string][] = [];
  const reception = new Reception(
    spec,
    () => false,
    (reason, source) => told.push([reason, source.text]),
  );

  it('takes what is right and tells nothing', () => {
    expect(reception.accept(message(51, 'secret'), envelope)?.priority).toBe(100);
    expect(told).toEqual([]);
  });

  it('tells of an advertisement for this router that it throws away', () => {
    expect(reception.accept(message(51, 'wrong'), envelope)).toBeNull();
    expect(told).toEqual([['auth-failed', '10.0.0.2']]);
  });

  it('counts another VRID on the link, which is no news', () => {
    expect(reception.accept(message(52, 'secret'), envelope)).toBeNull();
    expect(told).toHaveLength(1);
    expect(reception.discarded).toEqual({ 'auth-failed': 1, vrid: 1 });
  });
});

describe('the event of a discard', () => {
  it('comes once a reason in half a minute, however many are thrown away', () => {
    const clock = new ManualClock();
    const events: EventInput[] = [];
    const router = new RouterEvents(
      clock,
      (event) => events.push(event),
      () => spec,
    );
    for (let i = 1; i < 200; i++) {
      router.discarded('checksum', address(`10.0.0.${i}`));
      router.discarded('auth-failed', address(`10.0.0.${i}`));
      clock.advance(seconds(0.1));
    }
    expect(events.map(({ fields }) => fields['reason'])).toEqual(['checksum', 'auth-failed']);
    clock.advance(seconds(30));
    router.discarded('checksum', address('10.0.0.9'));
    expect(events).toHaveLength(3);
    expect(JSON.stringify(events)).not.toContain('secret');
  });
});
