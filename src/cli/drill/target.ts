import { EXIT, TandemError } from '../../lib/errors.ts';
import { type Endpoint, formatEndpoint, parseEndpoint } from '../../lib/ip.ts';

export interface Target {
  readonly protocol: 'tcp' | 'udp';
  readonly endpoint: Endpoint;
}

export const formatTarget = ({ protocol, endpoint }: Target): string =>
  `${protocol}://${formatEndpoint(endpoint)}`;

/** "tcp://10.0.0.100:80", "udp://[2001:db8::100]:53", or without a protocol: TCP. @throws TandemError */
export function parseTarget(text: string): Target {
  const match = /^(?:(tcp|udp):\/\/)?(.+)$/.exec(text);
  const endpoint = parseEndpoint(match?.[2] ?? '');
  if (endpoint === undefined || endpoint.port === 0) {
    throw new TandemError('bad-target', `${JSON.stringify(text)} is no address and port`, {
      hint: 'write 10.0.0.100:80, [2001:db8::100]:80 or udp://10.0.0.100:53',
      exitStatus: EXIT.usage,
    });
  }
  return { protocol: match?.[1] === 'udp' ? 'udp' : 'tcp', endpoint };
}
