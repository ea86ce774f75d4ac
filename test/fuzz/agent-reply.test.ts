import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_REPLY, parseReply, readAgentLine } from '../../src/control-path/agent-check/reply.ts';

const word = fc.constantFrom(
  'up',
  'DOWN',
  'fail',
  'stopped',
  'ready',
  'drain',
  'Maint',
  '50%',
  '0%',
  'maxconn:7',
  'x',
);
const separator = fc.constantFrom(' ', ',', '\t', ' , ');

describe("an agent's bytes", () => {
  it('come to a verdict that more of them do not change, with nothing in it that a terminal would act on', () => {
    const chunk = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      word.map((text) => Buffer.from(`${text} `)),
      fc.constant(Buffer.alloc(MAX_REPLY, 97)),
    );
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 12 }), fc.nat(), (chunks, cut) => {
        const bytes = Buffer.concat(chunks);
        const part = readAgentLine(bytes.subarray(0, cut % (bytes.length + 1)), false);
        const whole = readAgentLine(bytes, true);
        if (part.kind !== 'more') expect(whole).toEqual(part);
        expect(whole.kind).not.toBe('more');
        if (whole.kind !== 'reply') return;
        const { reason, notUnderstood, weightPercent, maxConnections } = whole.reply;
        for (const text of [reason, notUnderstood ?? '']) expect(text).toMatch(/^[\x20-\x7e]{0,120}$/);
        expect(weightPercent ?? 0).toBeLessThanOrEqual(25_600);
        expect(maxConnections ?? 0).toBeLessThanOrEqual(10_000_000);
      }),
      { numRuns: 2_000 },
    );
  });

  it('mean the same in any order, case and spacing, as long as no kind comes twice', () => {
    const kinds = fc
      .tuple(
        fc.option(fc.constantFrom('up', 'down', 'fail', 'stopped')),
        fc.option(fc.constantFrom('ready', 'drain', 'maint')),
        fc.option(fc.nat(300).map((n) => `${n}%`)),
        fc.option(fc.nat(5_000).map((n) => `maxconn:${n}`)),
      )
      .map((words) => words.filter((one) => one !== null));
    const shuffled = kinds.chain((words) =>
      fc.tuple(fc.constant(words), fc.shuffledSubarray(words, { minLength: words.length }), separator),
    );
    fc.assert(
      fc.property(shuffled, ([words, others, between]) => {
        const reply = parseReply(words.join(' '));
        expect(parseReply(others.map((one) => one.toUpperCase()).join(between))).toEqual(reply);
        expect(reply.notUnderstood).toBeNull();
      }),
    );
  });
});
