/**
 * A scenario of the VRRP state machine is a folder:
 *
 *   start.json      what it shows, and the router's settings
 *   input.jsonl     one input a line, `at` in milliseconds; `message` goes through the codec first
 *   expected.jsonl  for every input the state after it and the actions, one line each
 *
 * Actions are words: "send 100", "arm active-down @3609.375", "transition Backup -> Active (preempt)".
 */
import { readdirSync, readFileSync } from 'node:fs';
import { type Duration, type Instant, millis, parseDuration, toMillis } from '../../src/lib/duration.ts';
import { unreachable } from '../../src/lib/errors.ts';
import type { TransitionReason, VrrpState } from '../../src/model/failover.ts';
import type { Trace } from '../../src/model/history.ts';
import {
  decodeAdvertisement,
  type Envelope,
  passData,
  refusal,
  VRRP_GROUP_4,
} from '../../src/vrrp/packet.ts';
import {
  createRouter,
  type ResumePoint,
  type Router,
  type RouterAction,
  type RouterInput,
  type RouterSettings,
  type TimerName,
} from '../../src/vrrp/router.ts';
import { step } from '../../src/vrrp/state-machine.ts';
import { TraceRecorder } from '../../src/vrrp/trace.ts';
import { addr, unhex } from './golden.ts';

interface SettingsJson {
  readonly version?: 2 | 3;
  readonly priority: number;
  readonly interval?: string;
  readonly preempt?: boolean;
  readonly preemptDelay?: string;
  readonly source?: string;
  readonly paired?: boolean;
}

interface StartJson extends SettingsJson {
  readonly shows: string;
  readonly linkUp?: boolean;
  readonly fit?: boolean;
  readonly authPass?: string;
}

type InputJson = { readonly at: number } & (
  | { readonly type: 'start'; readonly resume?: ResumePoint }
  | { readonly type: 'stop'; readonly reason: 'shutdown' | 'supervisor-lost' }
  | {
      readonly type: 'advertisement';
      readonly source: string;
      readonly priority: number;
      readonly interval?: string;
    }
  | { readonly type: 'message'; readonly hex: string; readonly ttl?: number; readonly times?: number }
  | { readonly type: 'timer'; readonly timer: TimerName }
  | { readonly type: 'link'; readonly up: boolean }
  | { readonly type: 'fitness'; readonly fit: boolean }
  | { readonly type: 'weight'; readonly weight: number }
  | { readonly type: 'part' | 'handover' | 'takeover' | 'contested' | 'lapsed' }
  | { readonly type: 'reconfigure'; readonly settings: SettingsJson }
);

export interface ScenarioLine {
  readonly at: number;
  readonly state: string;
  readonly actions: readonly string[];
}

export interface Traced {
  readonly trace: Trace;
  readonly state: VrrpState;
  readonly reason: TransitionReason;
}

export interface Scenario {
  readonly name: string;
  readonly shows: string;
  readonly run: () => ScenarioLine[];
  /** What a recorder writes down at each transition, and where that led. */
  readonly traced: () => Traced[];
  readonly expected: readonly ScenarioLine[];
}

const ROOT = new URL('../scenarios/vrrp/', import.meta.url);

/** Where messages of a scenario come from. */
const PEER = addr('10.99.0.1');

function duration(text: string): Duration {
  const parsed = parseDuration(text);
  if (parsed === undefined) throw new Error(`not a duration: ${text}`);
  return parsed;
}

const at = (ms: number): Instant => millis(ms) as number as Instant;

function settingsOf(json: SettingsJson): RouterSettings {
  return {
    version: json.version ?? 3,
    priority: json.priority,
    advertiseInterval: duration(json.interval ?? '1s'),
    preempt: json.preempt ?? true,
    preemptDelay: duration(json.preemptDelay ?? '0s'),
    source: addr(json.source ?? '10.99.0.2'),
    paired: json.paired ?? false,
  };
}

function lines<T>(path: URL): T[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line) as T);
}

export function loadScenarios(): Scenario[] {
  return readdirSync(ROOT).map((name) => {
    const folder = new URL(`${name}/`, ROOT);
    const start = JSON.parse(readFileSync(new URL('start.json', folder), 'utf8')) as StartJson;
    return {
      name,
      shows: start.shows,
      run: () => play(start, lines<InputJson>(new URL('input.jsonl', folder))),
      traced: () => record(start, lines<InputJson>(new URL('input.jsonl', folder))),
      expected: lines<ScenarioLine>(new URL('expected.jsonl', folder)),
    };
  });
}

function routerOf(start: StartJson): Router {
  return {
    ...createRouter(settingsOf(start)),
    linkUp: start.linkUp ?? true,
    fit: start.fit ?? true,
  };
}

/** The router after what a TraceRecorder wrote down, read as the files of a scenario are. */
export function playTrace(trace: Trace): Router {
  const written = JSON.parse(JSON.stringify(trace)) as { start: StartJson; input: InputJson[] };
  let router = routerOf(written.start);
  for (const json of written.input) {
    const input = inputOf(json, written.start);
    if (typeof input === 'string') throw new Error(input);
    router = step(router, input, at(json.at)).router;
  }
  return router;
}

function record(start: StartJson, inputs: readonly InputJson[]): Traced[] {
  let router = routerOf(start);
  const recorder = new TraceRecorder(at(inputs[0]?.at ?? 0));
  const traced: Traced[] = [];
  for (const json of inputs) {
    const input = inputOf(json, start);
    if (typeof input === 'string') continue;
    const before = router;
    const now = at(json.at);
    router = step(router, input, now).router;
    recorder.note(before, input, now);
    if (router.state === before.state) continue;
    const trace = recorder.take(now);
    if (trace !== null) traced.push({ trace, state: router.state, reason: router.reason });
  }
  return traced;
}

function play(start: StartJson, inputs: readonly InputJson[]): ScenarioLine[] {
  let router = routerOf(start);
  return inputs.map((json) => {
    const times = json.type === 'message' ? (json.times ?? 1) : 1;
    const actions: string[] = [];
    for (let i = 0; i < times; i++) {
      const heard = inputOf(json, start);
      if (typeof heard === 'string') {
        if (actions.at(-1) !== heard) actions.push(heard);
        continue;
      }
      const result = step(router, heard, at(json.at));
      router = result.router;
      actions.push(...result.actions.map(words));
    }
    return { at: json.at, state: router.state, actions };
  });
}

/** The state machine's input, or why there is none. */
function inputOf(json: InputJson, start: StartJson): RouterInput | string {
  switch (json.type) {
    case 'start':
      return { type: 'start', resume: json.resume ?? null };
    case 'advertisement': {
      const { priority, interval } = json;
      const source = addr(json.source);
      return { type: 'advertisement', source, priority, interval: duration(interval ?? '1s') };
    }
    case 'message':
      return receive(unhex(json.hex), json.ttl ?? 255, start);
    case 'reconfigure':
      return { type: 'reconfigure', settings: settingsOf(json.settings) };
    default: {
      const { at: _, ...input } = json;
      return input;
    }
  }
}

function receive(message: Uint8Array, hopLimit: number, start: StartJson): RouterInput | string {
  const envelope: Envelope = { family: 4, source: PEER, destination: VRRP_GROUP_4, hopLimit };
  const decoded = decodeAdvertisement(message, envelope);
  if (decoded.kind === 'discarded') return `discarded ${decoded.reason}`;
  const { version, source } = settingsOf(start);
  const authPass = start.authPass === undefined ? null : passData(start.authPass);
  const expected = { version, vrid: 51, ownSources: [source], peers: null, authPass };
  const reason = refusal(decoded.advertisement, envelope, expected);
  if (reason !== null) return `discarded ${reason}`;
  const { priority, interval } = decoded.advertisement;
  return { type: 'advertisement', source: PEER, priority, interval };
}

function words(action: RouterAction): string {
  switch (action.type) {
    case 'send':
      return `send ${action.priority}`;
    case 'arm':
      return `arm ${action.timer} @${toMillis(action.at as number as Duration)}`;
    case 'cancel':
      return `cancel ${action.timer}`;
    case 'conflict':
      return `conflict ${action.source.text} ${action.priority}`;
    case 'transition':
      return `transition ${action.from} -> ${action.to} (${action.reason})`;
    case 'claim':
    case 'release':
    case 'announce':
      return action.type;
    default:
      return unreachable(action);
  }
}
