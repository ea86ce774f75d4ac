import type { z } from 'zod';
import { backendEndpoint, unicastAddress, virtualAddress } from './addresses.ts';
import { findingsOf } from './issues.ts';
import { interfaceName } from './schema-common.ts';
import { name } from './values.ts';

const SCHEMAS = {
  name: name('a name'),
  interface: interfaceName,
  address: unicastAddress(),
  virtualAddress: virtualAddress(),
  backend: backendEndpoint(),
} as const satisfies Readonly<Record<string, z.ZodType>>;

/** What an answer to `tandem init` becomes in the file. */
export type AnswerKind = keyof typeof SCHEMAS;

/** What `tandem check` would say of it, in one line; undefined when it is right. */
export function faultOf(kind: AnswerKind, answer: string): string | undefined {
  const judged = SCHEMAS[kind].safeParse(answer);
  const [finding] = judged.success ? [] : findingsOf(judged.error.issues, answer);
  if (finding === undefined) return undefined;
  return finding.hint === undefined ? finding.message : `${finding.message}: ${finding.hint}`;
}
