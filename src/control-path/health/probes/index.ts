import { unreachable } from '../../../lib/errors.ts';
import type { Probe } from '../probe.ts';
import { probeDns } from './dns.ts';
import { probeExec } from './exec.ts';
import { probeHttp } from './http.ts';
import { probeTcp } from './tcp.ts';
import { probeUdp } from './udp.ts';

/** The probe of every type. */
export const runProbe: Probe = async (spec, target, signal, progress) => {
  switch (spec.type) {
    case 'tcp':
      return probeTcp(spec, target, signal, progress);
    case 'http':
      return probeHttp(spec, target, signal);
    case 'udp':
      return probeUdp(spec, target, signal);
    case 'dns':
      return probeDns(spec, target, signal);
    case 'exec':
      return probeExec(spec, target, signal);
    default:
      return unreachable(spec);
  }
};
