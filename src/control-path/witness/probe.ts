import { unreachable } from '../../lib/errors.ts';
import type { HttpProbeSpec } from '../../model/health.ts';
import type { WitnessCheck } from '../../model/witness.ts';
import type { Native } from '../../native/index.ts';
import type { ProbeOutcome } from '../health/probe.ts';
import { probeHttp } from '../health/probes/http.ts';
import { IcmpProbe } from './icmp-probe.ts';
import { LinkProbe } from './link-probe.ts';

/** Asks the witness; one question at a time. */
export interface WitnessProbe {
  /** Settles when `signal` fires, at the latest. Never rejects. */
  ask(signal: AbortSignal): Promise<ProbeOutcome>;
  close(): void;
}

/** A server that answers is there, whatever it thinks of the request; an error of its own (5xx) may be a gateway's. */
const ANSWERS = Array.from({ length: 400 }, (_, i) => 100 + i);

export function witnessProbe(check: WitnessCheck, native: Native): WitnessProbe {
  switch (check.type) {
    case 'arp':
      return new LinkProbe(native, check.interface, check.address);
    case 'icmp':
      return new IcmpProbe(check.address);
    case 'http':
      return httpWitness(check);
    default:
      return unreachable(check);
  }
}

function httpWitness(check: Extract<WitnessCheck, { type: 'http' }>): WitnessProbe {
  const spec: HttpProbeSpec = {
    type: 'http',
    tls: check.tls,
    // it is asked whether it is there, not who it is
    tlsVerify: false,
    method: 'GET',
    path: check.path,
    host: check.host,
    expectStatus: ANSWERS,
    expectBody: null,
    expectRegex: null,
    expectJson: {},
    sendProxy: null,
  };
  return { ask: (signal) => probeHttp(spec, check.endpoint, signal), close: () => undefined };
}
