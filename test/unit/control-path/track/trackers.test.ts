import { expect, it } from 'vitest';
import { Trackers } from '../../../../src/control-path/track/trackers.ts';
import { seconds } from '../../../../src/lib/duration.ts';
import type { TandemEvent } from '../../../../src/model/event.ts';
import type { TrackSpec } from '../../../../src/model/track.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

it('counts an inverted tracker the other way round, in status and events alike', async () => {
  const link = {
    index: 2,
    name: 'eth1',
    mac: new Uint8Array(6),
    up: true,
    carrier: true,
    mtu: 1_500,
    lower: 0,
    alias: '',
    kind: '',
  };
  const events: Pick<TandemEvent, 'name' | 'message'>[] = [];
  let looked = (): void => undefined;
  const first = new Promise<void>((resolve) => {
    looked = resolve;
  });
  const trackers = new Trackers({
    links: { listLinks: () => [link] },
    clock: new ManualClock(),
    emit: ({ name, message }) => events.push({ name, message }),
    onChange: () => looked(),
  });
  const spec: TrackSpec = {
    name: 'standby-link',
    check: { type: 'interface', interface: 'eth1' },
    interval: seconds(1),
    rise: 1,
    fall: 1,
    weight: -20,
    invert: true,
  };
  trackers.configure([spec]);
  await first;
  expect(trackers.statuses()).toMatchObject([{ state: 'down', weight: -20, detail: 'eth1 is up' }]);
  expect(events).toEqual([{ name: 'tracker.down', message: 'tracker standby-link is down: eth1 is up' }]);
  trackers.stop();
});
