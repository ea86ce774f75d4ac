import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { failed, type ProbeOutcome, passed } from '../../../src/control-path/health/probe.ts';
import { echoRequest, replyCookie } from '../../../src/control-path/witness/icmp-probe.ts';
import type { PeerEvidence } from '../../../src/control-path/witness/judge.ts';
import { LinkProbe } from '../../../src/control-path/witness/link-probe.ts';
import { WitnessWatch } from '../../../src/control-path/witness/watch.ts';
import { millis, seconds } from '../../../src/lib/duration.ts';
import type { EventInput } from '../../../src/model/event.ts';
import { GOOD_STANDING } from '../../../src/model/failover.ts';
import type { WitnessSpec } from '../../../src/model/witness.ts';
import type { Native } from '../../../src/native/index.ts';
import { decodeArp, gratuitousArp } from '../../../src/vrrp/arp.ts';
import { onesComplementSum } from '../../../src/vrrp/checksum.ts';
import { FakeKernel, IFA_F_PERMANENT } from '../../support/fake-kernel.ts';
import { addr } from '../../support/golden.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const GATEWAY = addr('10.0.0.254');
const MAC = Uint8Array.of(2, 0, 0, 0, 0, 1);
const SPEC: WitnessSpec = {
  check: { type: 'arp', interface: 'eth0', address: GATEWAY },
  interval: seconds(1),
  timeout: millis(500),
  fall: 3,
  rise: 2,
  policy: 'resign',
};

describe('the watch', () => {
  let clock: ManualClock;
  let answers: boolean;
  let asked: number;
  let events: EventInput[];
  let changes: number;
  let evidence: PeerEvidence;
  let watch: WitnessWatch;

  beforeEach(() => {
    clock = new ManualClock();
    answers = true;
    asked = 0;
    events = [];
    changes = 0;
    evidence = { report: null, advertisementAt: null, active: false };
    watch = new WitnessWatch({
      spec: SPEC,
      native: new FakeKernel().native,
      clock,
      emit: (event) => events.push(event),
      evidence: () => evidence,
      onChange: () => changes++,
      probe: {
        ask: (signal): Promise<ProbeOutcome> => {
          asked++;
          if (answers) return Promise.resolve(passed('here'));
          return new Promise((resolve) => {
            signal.addEventListener('abort', () => resolve(failed('timeout', 'nothing')), { once: true });
          });
        },
        close: () => undefined,
      },
    });
  });

  test('keeps a node that is cut off out of the election, and tells so', async () => {
    watch.start();
    await clock.advanceAsync(seconds(3));
    expect(watch.standing(GOOD_STANDING)).toEqual(GOOD_STANDING);
    answers = false;
    await clock.advanceAsync(seconds(10));
    expect(watch.standing(GOOD_STANDING).fault).toBe(
      'isolated: the witness 10.0.0.254 (arp) and the peer are not heard',
    );
    expect(watch.status()).toMatchObject({ seen: 'down', verdict: 'isolated', detail: 'nothing' });
    answers = true;
    await clock.advanceAsync(seconds(4));
    expect(watch.standing(GOOD_STANDING)).toEqual(GOOD_STANDING);
    expect(changes).toBe(2);
    expect(events.map(({ message }) => message.replace('the witness 10.0.0.254 (arp) ', ''))).toEqual([
      'is lost: nothing',
      'and the peer are not heard: this node is cut off and takes no part',
      'answers again: here',
      'says nothing against this node any more',
    ]);
  });

  test('lets it yield to a peer that sees the witness, beside what is against it already', async () => {
    watch.start();
    answers = false;
    for (let i = 0; i < 8; i++) {
      await clock.advanceAsync(seconds(1));
      evidence = { ...evidence, report: { at: clock.now(), witness: 'up' } };
    }
    expect(watch.standing(GOOD_STANDING)).toMatchObject({ fault: null, weight: -254 });
    const unfit = { fault: null, weight: -254, reason: 'worse' };
    expect(watch.standing(unfit)).toEqual(unfit);
  });

  test('objects to a claim when the witness does not answer just now, and waits no longer than its time-out', async () => {
    expect(await watch.objection()).toBeNull();
    answers = false;
    const objection = watch.objection();
    // a second router asks at the same moment
    const other = watch.objection();
    await clock.advanceAsync(millis(500));
    expect(await objection).toContain('10.0.0.254 (arp) does not answer');
    expect(await other).toBe(await objection);
    expect(asked).toBe(2);
  });

  test('asks nobody once it is stopped: the claim of a node that stops is none', async () => {
    watch.stop();
    expect(await watch.objection()).toContain('not asked any more');
    expect(asked).toBe(0);
  });

  test('leaves no timer behind', async () => {
    watch.start();
    await clock.advanceAsync(seconds(1));
    watch.stop();
    expect(clock.pending).toBe(0);
  });
});

describe('a neighbour as witness', () => {
  let kernel: FakeKernel;
  let probe: LinkProbe;
  let limit: AbortController;

  beforeEach(() => {
    kernel = new FakeKernel();
    const link = {
      index: 7,
      name: 'eth0',
      mac: MAC,
      up: true,
      carrier: true,
      mtu: 1_500,
      lower: 0,
      alias: '',
      kind: '',
    };
    kernel.links.set(7, link);
    const address = { ifindex: 7, prefixLength: 24, scope: 0, validLifetime: 0, preferredLifetime: 0 };
    // the virtual address first: it has a lifetime
    kernel.addresses.set('vip', { ...address, address: addr('10.0.0.100').bytes, flags: 0 });
    kernel.addresses.set('own', { ...address, address: addr('10.0.0.1').bytes, flags: IFA_F_PERMANENT });
    probe = new LinkProbe(kernel.native, 'eth0', GATEWAY);
    limit = new AbortController();
  });

  test('is asked from an address of this node, never from a virtual one', async () => {
    const answer = probe.ask(limit.signal);
    const [frame] = kernel.frames;
    if (frame === undefined) throw new Error('nothing was sent');
    expect(decodeArp(frame)).toMatchObject({
      operation: 'request',
      senderIp: { text: '10.0.0.1' },
      targetIp: { text: '10.0.0.254' },
    });
    kernel.arp(gratuitousArp(MAC, addr('10.0.0.9')));
    kernel.arp(gratuitousArp(Uint8Array.of(2, 0, 0, 0, 0, 9), GATEWAY));
    expect(await answer).toEqual(passed('answers on eth0'));
  });

  test('that cannot be listened to leaves no socket open', async () => {
    const fe80 = {
      prefixLength: 64,
      scope: 253,
      validLifetime: 0,
      preferredLifetime: 0,
      flags: IFA_F_PERMANENT,
    };
    kernel.addresses.set('six', { ...fe80, ifindex: 7, address: addr('fe80::1').bytes });
    let open = 0;
    const native = {
      ...kernel.native,
      openPacketSocket: () => {
        open++;
        return { send: () => undefined, close: () => open-- };
      },
      openRaw6Receiver: () => {
        throw new Error('no more descriptors');
      },
    } as unknown as Native;
    const six = new LinkProbe(native, 'eth0', addr('fe80::254'));
    expect(await six.ask(limit.signal)).toMatchObject({ ok: false, detail: 'no more descriptors' });
    expect(open).toBe(0);
  });

  test('that does not answer, or a link that is not there, is lost', async () => {
    const silent = probe.ask(limit.signal);
    limit.abort();
    expect((await silent).ok).toBe(false);
    const other = new LinkProbe(kernel.native, 'eth9', GATEWAY);
    expect(await other.ask(new AbortController().signal)).toMatchObject({
      ok: false,
      detail: 'there is no interface eth9',
    });
  });
});

describe('an echo request', () => {
  const cookie = Uint8Array.from({ length: 16 }, (_, i) => i);
  const header = Uint8Array.of(0x45, ...new Uint8Array(19));

  test('has a right checksum over IPv4, and the cookie comes back in the reply', () => {
    const request = echoRequest(4, cookie);
    expect(onesComplementSum(request)).toBe(0xffff);
    // our own request, which a raw socket may see as well
    expect(replyCookie(4, Uint8Array.of(...header, ...request))).toBeNull();
    const reply = Uint8Array.of(0, ...request.subarray(1));
    expect(replyCookie(4, Uint8Array.of(...header, ...reply))).toEqual(cookie);
    expect(replyCookie(6, Uint8Array.of(129, ...echoRequest(6, cookie).subarray(1)))).toEqual(cookie);
  });

  test('any bytes are a reply with a cookie, or none', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 80 }),
        fc.constantFrom(4 as const, 6 as const),
        (bytes, family) => {
          const found = replyCookie(family, bytes);
          if (found !== null) expect(found).toHaveLength(16);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
