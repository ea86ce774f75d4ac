import type { IpAddress } from '../lib/ip.ts';
import type { SourceSpec } from '../model/service.ts';
import type { Source } from './forward/transport.ts';

/** Where a service's connections to backends leave from. */
export class SourcePool {
  #spec: SourceSpec | null;
  #turn = 0;

  constructor(spec: SourceSpec | null) {
    this.#spec = spec;
  }

  update(spec: SourceSpec | null): void {
    this.#spec = spec;
  }

  /** The addresses of the pool in turn; null where none is of the backend's family: the kernel chooses. */
  next(client: IpAddress, backend: IpAddress): Source | null {
    const spec = this.#spec;
    if (spec === null) return null;
    if (spec.kind === 'client') {
      return client.family === backend.family ? { address: client, transparent: true } : null;
    }
    const { addresses } = spec;
    for (let tried = 0; tried < addresses.length; tried++) {
      const address = addresses[this.#turn++ % addresses.length];
      if (address?.family === backend.family) return { address, transparent: false };
    }
    return null;
  }
}
