import type { HttpProbeSpec } from '../../model/health.ts';
import { matches } from './bounded-regex.ts';
import { type Json, resolvePointer } from './json-pointer.ts';
import { failed, type ProbeOutcome } from './probe.ts';

export type BodyChecks = Pick<HttpProbeSpec, 'expectBody' | 'expectRegex' | 'expectJson'>;

/** What was read of a body. */
export interface Body {
  readonly bytes: Uint8Array;
  /** There was more than the limit. */
  readonly cut: boolean;
}

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

function checkRegex(source: string, text: string): ProbeOutcome | null {
  const found = matches(source, text);
  if (found === true) return null;
  return failed(
    'body-mismatch',
    found === false ? `body does not match /${source}/` : `/${source}/ on the body: ${found}`,
  );
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
