import { unreachable } from '../../../lib/errors.ts';
import type { Probe } from '../probe.ts';
import { probeTcp } from './tcp.ts';

/** The probe of every type. */
export const runProbe: Probe = (spec, target, signal) => {
  switch (spec.type) {
    case 'tcp':
      return probeTcp(spec, target, signal);
    case 'http':
    case 'udp':
    case 'dns':
    case 'exec':
      return Promise.reject(new Error(`probe ${spec.type} is not built yet`));
    default:
      return unreachable(spec);
  }
};
