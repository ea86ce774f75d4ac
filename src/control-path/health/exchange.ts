import { Buffer } from 'node:buffer';
import type { ExchangeStep } from '../../model/health.ts';
import { matches } from './bounded-regex.ts';
import { failed, type ProbeOutcome, passed } from './probe.ts';

/** What a backend may say in one check before that gives up on it. */
const MAX_HEARD = 65_536;
/** ... and in how many pieces: each is looked at anew. */
const MAX_PIECES = 256;

/** What to do now. */
export interface Turn {
  readonly send: Uint8Array;
  /** null: wait for more. */
  readonly outcome: ProbeOutcome | null;
}

/**
 * A conversation over TCP, step by step: something is sent, and what the backend says from then on must come to contain or
 * match what is expected; HAProxy's tcp-check. A step that sends nothing looks at what came since the last one that did.
 */
export class Exchange {
  readonly #steps: readonly ExchangeStep[];
  #at = 0;
  /** Of the current step: its own bytes have been sent. */
  #begun = false;
  #heard: Buffer = Buffer.alloc(0);
  #total = 0;
  #pieces = 0;

  constructor(steps: readonly ExchangeStep[]) {
    this.#steps = steps;
  }

  /** The connection is there. */
  begin(): Turn {
    return this.#advance();
  }

  /** The backend said this. */
  take(bytes: Uint8Array): Turn {
    this.#total += bytes.byteLength;
    if (this.#total > MAX_HEARD || ++this.#pieces > MAX_PIECES)
      return { send: NOTHING, outcome: failed('body-too-large', `${this.where()}: that is too much`) };
    this.#heard = Buffer.concat([this.#heard, bytes]);
    return this.#advance();
  }

  /** The backend closed its side: what has not come will not come. */
  end(): ProbeOutcome {
    return failed('body-mismatch', `closed by the backend; ${this.where()}`);
  }

  /** For people: how far it got. What was sent is not shown, for it may be a secret. */
  where(): string {
    const step = this.#steps[this.#at];
    const wanted = step?.expect ?? step?.expectRegex ?? null;
    const what =
      wanted === null ? '' : ` without ${typeof wanted === 'string' ? `/${wanted}/` : quoted(wanted)}`;
    return `step ${this.#at + 1} of ${this.#steps.length}: ${this.#heard.byteLength} bytes came${what}`;
  }

  #advance(): Turn {
    const send: Uint8Array[] = [];
    for (let step = this.#steps[this.#at]; step !== undefined; step = this.#steps[++this.#at]) {
      if (!this.#begun && step.send !== null) {
        send.push(step.send);
        this.#heard = Buffer.alloc(0);
      }
      this.#begun = true;
      const answered = this.#answered(step);
      if (answered !== true) return { send: Buffer.concat(send), outcome: answered || null };
      this.#begun = false;
    }
    const detail = this.#steps.length === 0 ? 'connected' : 'answered as expected';
    return { send: Buffer.concat(send), outcome: passed(detail) };
  }

  /** @returns false where more may come */
  #answered({ expect, expectRegex }: ExchangeStep): boolean | ProbeOutcome {
    if (expect !== null && !this.#heard.includes(Buffer.from(expect))) return false;
    if (expectRegex === null) return true;
    const found = matches(expectRegex, this.#heard.toString('latin1'));
    return typeof found === 'boolean' ? found : failed('body-mismatch', `/${expectRegex}/ ${found}`);
  }
}

const NOTHING = new Uint8Array();
/** Of what is expected, for people. */
const SHOWN = 40;

function quoted(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('latin1');
  if (!/^[\x20-\x7e\r\n\t]*$/.test(text))
    return `hex:${Buffer.from(bytes.subarray(0, SHOWN)).toString('hex')}`;
  return JSON.stringify(text.length > SHOWN ? `${text.slice(0, SHOWN)}...` : text);
}
