import { between, type Duration, formatDuration, type Instant, toMillis } from '../lib/duration.ts';
import type { RecordedInput, Trace } from '../model/history.ts';
import type { Router, RouterInput, RouterSettings } from './router.ts';

/** More than enough for the three advertisements and the time-out that decide an election. */
const MAX_INPUTS = 32;

interface Entry {
  readonly before: Router;
  readonly input: RouterInput;
  readonly at: Instant;
}

/** Keeps the last inputs of a state machine, and writes them down as a scenario. */
export class TraceRecorder {
  readonly #entries: Entry[] = [];
  /** The beginning: everything before it is forgotten. */
  #from: Instant;

  constructor(now: Instant) {
    this.#from = now;
  }

  note(before: Router, input: RouterInput, at: Instant): void {
    this.#entries.push({ before, input, at });
    if (this.#entries.length > MAX_INPUTS) this.#from = this.#entries.shift()?.at ?? at;
  }

  /** What was noted since the last call or `note` dropped; the next trace begins here. */
  take(now: Instant): Trace | null {
    const [first] = this.#entries;
    const from = this.#from;
    const entries = this.#entries.splice(0);
    this.#from = now;
    if (first === undefined) return null;
    const { started, weight, linkUp, fit } = first.before;
    const begun = [
      ...(weight === 0 ? [] : [{ at: 0, type: 'weight', weight }]),
      ...(started ? [{ at: 0, ...beginning(first.before) }] : []),
    ];
    return {
      start: { ...settingsJson(first.before.settings), linkUp, fit },
      input: [...begun, ...entries.map(({ input, at }) => ({ at: since(from, at), ...inputJson(input) }))],
    };
  }
}

const since = (from: Instant, at: Instant): number => toMillis(between(from, at));

/** A start that brings a fresh router where `router` is. */
function beginning({ state, raised, yielded }: Router): Omit<RecordedInput, 'at'> & { type: string } {
  if (state === 'Initialize') return { type: 'start' };
  return { type: 'start', resume: { state, effectivePriority: raised, yielded } };
}

function settingsJson(settings: RouterSettings): Record<string, string | number | boolean> {
  const { version, priority, advertiseInterval, preempt, preemptDelay, source, paired } = settings;
  return {
    version,
    priority,
    interval: exact(advertiseInterval),
    preempt,
    preemptDelay: exact(preemptDelay),
    source: source.text,
    ...(paired === true && { paired }),
  };
}

function inputJson(input: RouterInput): { readonly type: string; readonly [field: string]: unknown } {
  switch (input.type) {
    case 'start':
      return input.resume === null ? { type: 'start' } : { ...input };
    case 'advertisement':
      return { ...input, source: input.source.text, interval: exact(input.interval) };
    case 'reconfigure':
      return { type: 'reconfigure', settings: settingsJson(input.settings) };
    default:
      return { ...input };
  }
}

const exact = (duration: Duration): string => formatDuration(duration);
