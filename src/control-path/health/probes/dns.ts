import { randomInt } from 'node:crypto';
import type { ProbeSpec } from '../../../model/health.ts';
import { decodeReply, encodeQuery, rcodeName } from '../dns-message.ts';
import { failed, type Probe, passed } from '../probe.ts';
import { exchange } from './datagram.ts';

/**
 * Asks one question over UDP and wants the expected answer code. A truncated reply is as good as a whole
 * one: the server is alive and has said its code. Datagrams with another id or question are not our answer.
 */
export const probeDns: Probe<Extract<ProbeSpec, { type: 'dns' }>> = (spec, target, signal) => {
  const query = { id: randomInt(65_536), name: spec.query, type: spec.recordType };
  return exchange(target, encodeQuery(query), signal, (datagram) => {
    const reply = decodeReply(query, datagram);
    if (typeof reply === 'string') return undefined;
    const name = rcodeName(reply.rcode);
    return reply.rcode === spec.expectRcode
      ? passed(name)
      : failed('rcode', `${name}, wanted ${rcodeName(spec.expectRcode)}`);
  });
};
