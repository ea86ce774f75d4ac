import type { ProbeSpec } from '../../../model/health.ts';
import { failed, type Probe, passed } from '../probe.ts';
import { exchange } from './datagram.ts';

/**
 * Sends `send` and wants a reply that begins with `expect` (null: any reply). ICMP port unreachable is down
 * at once. No reply is down as well, after the timeout: silence cannot be told from a host that is gone, so
 * a service that never answers (syslog, statsd) wants an `exec` check or a `tcp` one on another port.
 */
export const probeUdp: Probe<Extract<ProbeSpec, { type: 'udp' }>> = (spec, target, signal) =>
  exchange(target, spec.send, signal, (reply) => {
    const { expect } = spec;
    const matches = expect === null || Buffer.from(reply.subarray(0, expect.byteLength)).equals(expect);
    return matches
      ? passed(`${reply.byteLength} bytes received`)
      : failed('body-mismatch', `reply of ${reply.byteLength} bytes does not begin as expected`);
  });
