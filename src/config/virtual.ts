import type { FileSchema } from './schema.ts';

/** The virtual addresses of every group, as canonical text. */
export function virtualAddresses(file: FileSchema): Set<string> {
  const groups = file.failover?.group ?? [];
  return new Set(
    groups.flatMap(({ addresses, excluded_addresses: excluded }) =>
      [...addresses, ...excluded].map(({ address: { address } }) => address.text),
    ),
  );
}
