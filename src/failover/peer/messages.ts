import { z } from 'zod';
import { MAX_SECTIONS, MAX_SUMMARY_ROUTERS, MAX_SUMMARY_SERVICES } from '../../model/peer-report.ts';
import { WITNESS_STATES } from '../../model/witness.ts';

/**
 * What two supervisors say to each other; from the one that gives its role away, unless noted. A message that the
 * other end does not know ends the session: what is new must be said over a connection of its own.
 */

const MAX_GROUPS = 255;
const MAX_DRAIN_MILLIS = 3_600_000;
const MAX_STARVED = 100;
const reason = z.string().max(500);

/** A group as both nodes know it: names and interfaces may differ between them. */
const group = z.strictObject({
  vrid: z.number().int().min(1).max(255),
  /** Without prefix lengths, sorted. */
  addresses: z.array(z.string().max(45)).max(255),
});
export type GroupIdentity = z.infer<typeof group>;

const groups = z.array(group).min(1).max(MAX_GROUPS);
/** A handover's name, the same on both nodes; random. */
const handover = z.string().regex(/^[0-9a-f]{16}$/);

/** How well the sender can serve. */
const condition = z.strictObject({
  /** What its priority lacks now, over the groups in question; 0: it is as good as configured. */
  shortfall: z.number().int().min(0).max(255),
  /** Its services without an eligible backend, as far as there is room. */
  starved: z.array(z.string().max(64)).max(MAX_STARVED),
});
export type Condition = z.infer<typeof condition>;

const count = z.number().int().min(0).max(1_000_000_000);
const label = z.string().max(80);

/** A node in short. Later versions may add fields to every part of it. */
const nodeSummary = z.object({
  name: label,
  version: z.string().max(32),
  uptimeSeconds: z.number().min(0),
  routers: z
    .array(
      z.object({
        group: label,
        vrid: z.number().int().min(1).max(255),
        family: z.union([z.literal(4), z.literal(6)]),
        state: z.enum(['Initialize', 'Backup', 'Active']),
        priority: z.number().int().min(0).max(255),
      }),
    )
    .max(MAX_SUMMARY_ROUTERS),
  services: z
    .array(z.object({ name: label, connections: count, backends: count, eligible: count }))
    .max(MAX_SUMMARY_SERVICES),
  config: z.array(z.object({ section: label, digest: z.string().max(16) })).max(MAX_SECTIONS),
});

/** A request to take over, before it is one and when it is. */
const transfer = {
  groups,
  condition,
  /** Take over although the taker is no better placed. */
  force: z.boolean(),
};

const peerMessage = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('prepare'),
    ...transfer,
    handover,
    /** How long established connections may stay with the sender; 0: not at all. */
    drainMillis: z.number().int().min(0).max(MAX_DRAIN_MILLIS),
  }),
  /** Taker: prepared. `note`: why connections will not be kept, null when they will be (or need not be). */
  z.strictObject({ type: z.literal('ready'), note: reason.nullable() }),
  /** Taker: it will not take over. */
  z.strictObject({ type: z.literal('refused'), reason }),
  z.strictObject({ type: z.literal('take') }),
  /** Taker: claimed and announced. */
  z.strictObject({ type: z.literal('taken') }),
  /** Taker: it could not. */
  z.strictObject({ type: z.literal('failed'), reason }),
  z.strictObject({ type: z.literal('released') }),
  z.strictObject({ type: z.literal('abort'), reason }),
  /** Its last connection of before that handover has ended. Needs no answer. */
  z.strictObject({ type: z.literal('drained'), groups, handover }),
  /** Would the other take over? Nothing is prepared. Answered by 'answer'. */
  z.strictObject({ type: z.literal('inquire'), ...transfer }),
  /** Please hand these over to me. Answered by 'answer' when that is done. */
  z.strictObject({ type: z.literal('request'), groups }),
  z.strictObject({ type: z.literal('answer'), ok: z.boolean(), reason }),
  /**
   * Either side, over a connection for nothing else: how this node is doing. Later versions may add fields, which
   * earlier ones leave out of account; they do not change the meaning of one.
   */
  z.object({
    type: z.literal('report'),
    version: z.number().int().min(1).max(65_535),
    fit: z.boolean(),
    /** Names the set of configured backends. */
    backends: z.string().max(64),
    /** How many of them this node reaches. */
    up: z.number().int().min(0).max(1_000_000),
    /** Absent without a witness. */
    witness: z.enum(WITNESS_STATES).optional(),
    /** Absent from earlier versions. One that makes no sense does not take the rest of the report with it. */
    node: nodeSummary.optional().catch(undefined),
  }),
]);
export type PeerMessage = z.infer<typeof peerMessage>;

/** As many as a message has room for. */
export const someStarved = (names: readonly string[]): string[] =>
  names.slice(0, MAX_STARVED).map((name) => name.slice(0, 64));

export const encodeMessage = (message: PeerMessage): string => JSON.stringify(message);

/** Undefined for what is not a message of this protocol. */
export function decodeMessage(text: string): PeerMessage | undefined {
  try {
    const parsed = peerMessage.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
