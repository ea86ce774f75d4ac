import { z } from 'zod';

/** What two supervisors say to each other; from the one that gives its role away, unless noted. */

const MAX_GROUPS = 255;
const MAX_DRAIN_MILLIS = 3_600_000;
const reason = z.string().max(500);

/** A group as both nodes know it: names and interfaces may differ between them. */
const group = z.strictObject({
  vrid: z.number().int().min(1).max(255),
  /** Without prefix lengths, sorted. */
  addresses: z.array(z.string().max(45)).max(255),
});
export type GroupIdentity = z.infer<typeof group>;

const peerMessage = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('prepare'),
    groups: z.array(group).min(1).max(MAX_GROUPS),
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
]);
export type PeerMessage = z.infer<typeof peerMessage>;

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
