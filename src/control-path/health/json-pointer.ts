/** Parsed JSON. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** A value, or nothing at that place. */
export type Lookup = { readonly found: true; readonly value: Json } | { readonly found: false };

const NOTHING: Lookup = { found: false };

/** RFC 6901, section 4: no leading zeros; "-" names the element after the last, which never exists. */
const INDEX = /^(?:0|[1-9]\d*)$/;

/** Is this a JSON pointer (RFC 6901, section 3): empty, or "/" before each token, "~" only as "~0" or "~1"? */
export function isJsonPointer(text: string): boolean {
  return (text === '' || text.startsWith('/')) && !/~(?![01])/.test(text);
}

/**
 * The value that `pointer` names in `document`, RFC 6901. The document is hostile: only its own members
 * count, never what an object inherits ("/__proto__", "/constructor", "/length").
 */
export function resolvePointer(document: Json, pointer: string): Lookup {
  if (!isJsonPointer(pointer)) return NOTHING;
  let value: Json = document;
  for (const raw of pointer.split('/').slice(1)) {
    // "~1" first, then "~0": "~01" is "~1", not "/" (section 4)
    const token = raw.replaceAll('~1', '/').replaceAll('~0', '~');
    const next = step(value, token);
    if (!next.found) return NOTHING;
    value = next.value;
  }
  return { found: true, value };
}

function step(value: Json, token: string): Lookup {
  if (typeof value !== 'object' || value === null) return NOTHING;
  if (isArray(value)) {
    const item = INDEX.test(token) ? value[Number(token)] : undefined;
    return item === undefined ? NOTHING : { found: true, value: item };
  }
  if (!Object.hasOwn(value, token)) return NOTHING;
  const member = value[token];
  return member === undefined ? NOTHING : { found: true, value: member };
}

// Array.isArray does not narrow readonly arrays
const isArray = (value: Json): value is readonly Json[] => Array.isArray(value);
