/** A message of a text/event-stream. */
export interface SseMessage {
  readonly event: string;
  readonly data: string;
  /** Of the last message that had one; what a new request resumes after. */
  readonly id: string;
}

/** A status with some ten thousand backends has a few MiB. */
const MAX_LENGTH = 32 * 1_024 * 1_024;

/**
 * Server-sent events, as WHATWG HTML 9.2.6 reads them. EventSource itself cannot send a token.
 * Pure: takes pieces of text, gives messages.
 */
export class SseParser {
  #rest = '';
  #event = '';
  #data: string[] = [];
  #id = '';

  /** @throws RangeError for a line without end */
  push(text: string): SseMessage[] {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > MAX_LENGTH) throw new RangeError('a line of the stream is too long');
    return lines.flatMap((line) => this.#line(line.endsWith('\r') ? line.slice(0, -1) : line));
  }

  #line(line: string): SseMessage[] {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.#event = value;
    else if (field === 'data') this.#data.push(value);
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
    return [];
  }

  #dispatch(): SseMessage[] {
    const message = { event: this.#event || 'message', data: this.#data.join('\n'), id: this.#id };
    const empty = this.#data.length === 0;
    this.#event = '';
    this.#data = [];
    return empty ? [] : [message];
  }
}
