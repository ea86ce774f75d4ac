import { errnoOf, messageOf } from '../../lib/errors.ts';
import type { Endpoint } from '../../lib/ip.ts';
import type { ProbeFailure, ProbeSpec } from '../../model/health.ts';

/** What a probe answers; the prober adds the latency. `detail` as in ProbeResult. */
export type ProbeOutcome =
  | { readonly ok: true; readonly detail: string }
  | { readonly ok: false; readonly reason: ProbeFailure; readonly detail: string };

/**
 * Asks one backend once. When `signal` fires it lets go of everything (sockets, processes) and settles
 * soon; what it answers then no longer counts. Failures are outcomes: it rejects only by mistake.
 * @param progress is told how far it got, in words, for when the time is over
 */
export type Probe<S extends ProbeSpec = ProbeSpec> = (
  spec: S,
  target: Endpoint,
  signal: AbortSignal,
  progress?: (text: string) => void,
) => Promise<ProbeOutcome>;

export const passed = (detail: string): ProbeOutcome => ({ ok: true, detail: printable(detail) });

export const failed = (reason: ProbeFailure, detail: string): ProbeOutcome => ({
  ok: false,
  reason,
  detail: printable(detail),
});

/** Details quote what backends and programs said: one short line, nothing that a terminal would act on. */
const printable = (text: string): string => text.replaceAll(/[^\x20-\x7e\u00a0-\uffff]+/g, ' ').slice(0, 200);

const ERRNO: Readonly<Record<string, readonly [ProbeFailure, string]>> = {
  ECONNREFUSED: ['refused', 'connection refused'],
  ECONNRESET: ['reset', 'connection reset'],
  EPIPE: ['reset', 'connection reset'],
  ECONNABORTED: ['reset', 'connection aborted'],
  ETIMEDOUT: ['timeout', 'connection timed out'],
  EHOSTUNREACH: ['unreachable', 'no route to host'],
  EHOSTDOWN: ['unreachable', 'host is down'],
  ENETUNREACH: ['unreachable', 'network is unreachable'],
  ENETDOWN: ['unreachable', 'network is down'],
  EACCES: ['unreachable', 'refused by a firewall or policy of this host (EACCES)'],
  EPERM: ['unreachable', 'refused by a firewall or policy of this host (EPERM)'],
  EMFILE: ['local', 'this process has no free descriptor'],
  ENFILE: ['local', 'this host has no free descriptor'],
  ENOBUFS: ['local', 'this host has no buffer space'],
  ENOMEM: ['local', 'this host has no memory'],
  EAGAIN: ['local', 'this host has no resources for it now'],
  EADDRNOTAVAIL: ['local', 'this host has no free local port or address'],
};

/** The outcome for a failed system call; `otherwise` and `detail` are for errors that are not in the table. */
export function failedBy(error: unknown, otherwise: ProbeFailure, detail = messageOf(error)): ProbeOutcome {
  const known = ERRNO[errnoOf(error) ?? ''];
  return known === undefined ? failed(otherwise, detail) : failed(known[0], known[1]);
}
