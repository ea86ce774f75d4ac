import { type Context, createContext, Script } from 'node:vm';
import { messageOf } from '../../lib/errors.ts';
import type { HttpProbeSpec } from '../../model/health.ts';
import { type Json, resolvePointer } from './json-pointer.ts';
import { failed, type ProbeOutcome } from './probe.ts';

export type BodyChecks = Pick<HttpProbeSpec, 'expectBody' | 'expectRegex' | 'expectJson'>;

/** What was read of a body. */
export interface Body {
  readonly bytes: Uint8Array;
  /** There was more than the limit. */
  readonly cut: boolean;
}

/** A pattern that backtracks for longer than this fails, instead of holding up the daemon. */
const REGEX_BUDGET_MS = 100;

export function wantsBody(spec: BodyChecks): boolean {
  return spec.expectBody !== null || spec.expectRegex !== null || Object.keys(spec.expectJson).length > 0;
}

/**
 * The first check that the body fails, or null. Text and regular expression look at what was read, also of
 * a longer body; half a JSON document means nothing.
 */
export function checkBody(spec: BodyChecks, body: Body): ProbeOutcome | null {
  const text = Buffer.from(body.bytes.buffer, body.bytes.byteOffset, body.bytes.byteLength).toString('utf8');
  if (spec.expectBody !== null && !text.includes(spec.expectBody)) {
    return failed('body-mismatch', `body does not contain ${quote(spec.expectBody)}`);
  }
  if (spec.expectRegex !== null) {
    const verdict = checkRegex(spec.expectRegex, text);
    if (verdict !== null) return verdict;
  }
  return Object.keys(spec.expectJson).length === 0 ? null : checkJson(spec.expectJson, text, body.cut);
}

function checkJson(wanted: HttpProbeSpec['expectJson'], text: string, cut: boolean): ProbeOutcome | null {
  if (cut) return failed('body-too-large', 'JSON body is larger than 1 MiB');
  let document: Json;
  try {
    document = JSON.parse(text) as Json;
  } catch {
    // the parser's message quotes the body; that it is not JSON is all there is to say
    return failed('json-mismatch', 'body is not JSON');
  }
  for (const [pointer, value] of Object.entries(wanted)) {
    const at = resolvePointer(document, pointer);
    if (!at.found) return failed('json-mismatch', `JSON has no ${pointer}, wanted ${quote(value)}`);
    if (at.value !== value) {
      return failed('json-mismatch', `JSON ${pointer} is ${summary(at.value)}, wanted ${quote(value)}`);
    }
  }
  return null;
}

const quote = (value: unknown): string => JSON.stringify(value);

function summary(value: Json): string {
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'string' ? quote(value.slice(0, 60)) : String(value);
}

const TEST = new Script('new RegExp(source).test(text)');
let sandbox: (Context & { source: string; text: string }) | undefined;

/**
 * Matches under a time limit. The pattern is the operator's, but the text is the backend's: one that makes
 * the pattern backtrack for ever would hang the daemon, and only `vm` can interrupt a match.
 */
function checkRegex(source: string, text: string): ProbeOutcome | null {
  sandbox ??= Object.assign(createContext({}, { name: 'health-regex' }), { source: '', text: '' });
  Object.assign(sandbox, { source, text });
  try {
    const matches: unknown = TEST.runInContext(sandbox, { timeout: REGEX_BUDGET_MS });
    return matches === true ? null : failed('body-mismatch', `body does not match /${source}/`);
  } catch (error) {
    // not errnoOf: an error out of another realm is no instance of this one's Error
    const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
    const slow = code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
    const why = slow ? `took longer than ${REGEX_BUDGET_MS}ms` : messageOf(error);
    return failed('body-mismatch', `/${source}/ on the body: ${why}`);
  } finally {
    sandbox.text = '';
  }
}
