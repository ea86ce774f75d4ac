import { connect } from 'node:net';
import type { Endpoint } from '../../lib/ip.ts';
import { failed, failedBy } from '../health/probe.ts';
import { MAX_REPLY, readAgentLine } from './reply.ts';
import type { AgentResult } from './state.ts';

/** Asks one agent once. When `signal` fires it lets go of the socket; what it answers then no longer counts. */
export type AskAgent = (target: Endpoint, send: string | null, signal: AbortSignal) => Promise<AgentResult>;

/** One connection, one line. Whatever comes after the line is not read. */
export const askAgent: AskAgent = (target, send, signal) =>
  new Promise((resolve) => {
    const socket = connect({ host: target.address.text, port: target.port, signal });
    let received: Uint8Array = new Uint8Array();
    const end = (result: AgentResult): void => {
      resolve(result);
      socket.destroy();
    };
    const judge = (ended: boolean): void => {
      const line = readAgentLine(received, ended);
      if (line.kind === 'reply') end({ ok: true, reply: line.reply });
      else if (line.kind === 'bad') end(asFailure(failed('protocol', line.detail)));
    };
    socket.on('error', (error) => end(asFailure(failedBy(error, 'protocol'))));
    socket.once('close', () => judge(true));
    socket.once('end', () => judge(true));
    socket.once('connect', () => {
      // Nobody listens, but the kernel chose the very port as our own: the line would be what was sent.
      const self = socket.localPort === target.port && socket.localAddress === socket.remoteAddress;
      if (self) end(asFailure(failed('refused', 'connection refused')));
      else if (send !== null) socket.write(send);
    });
    socket.on('data', (chunk: Buffer) => {
      // one byte over is enough to know that it is too long
      received = Buffer.concat([received, chunk.subarray(0, Math.max(0, MAX_REPLY + 2 - received.length))]);
      judge(false);
    });
  });

function asFailure(outcome: ReturnType<typeof failed>): AgentResult {
  return outcome.ok ? { ok: false, reason: 'protocol', detail: outcome.detail } : outcome;
}
