import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Status } from '../../../../src/admin/contract.ts';
import { styleOf, widthOf } from '../../../../src/cli/output.ts';
import { modelOf, type Reading } from '../../../../src/cli/top/model.ts';
import { type Frame, renderPlain, renderScreen } from '../../../../src/cli/top/render.ts';
import { ASCII, fitted, hasUnicode, lineText, lineWidth, UNICODE } from '../../../../src/cli/top/spans.ts';
import { START, type Ui } from '../../../../src/cli/top/ui.ts';
import { backendStatusOf, statusOf } from '../../../support/fake-admin.ts';

const frame: Frame = { width: 80, height: 24, glyphs: ASCII, rhythm: 'every 1s', lost: null };
const event = {
  seq: 1,
  time: 1_059_000,
  level: 'warn',
  name: 'backend.down',
  message: 'web: backend 10.0.1.12:8080 is down (connection refused)',
  fields: {},
} as const;
const reading = (status: Status): Reading => ({ status, at: 1_060_000, ticks: 0, events: [event] });
const model = modelOf(reading(statusOf({ pid: 99 })), undefined);
const text = (
  ui: Ui = START,
  changes: Partial<Frame> = {},
  shown: typeof model | undefined = model,
): string =>
  renderScreen(shown, ui, { ...frame, ...changes })
    .map((line) => lineText(line, styleOf(false)))
    .join('\n');

describe('renderScreen', () => {
  it('shows the whole node in 80x24', () => {
    expect(text()).toBe(`\
lb-a  tandem 0.0.0, pid 99, up 3m12s                         every 1s  00:17:40Z
failover  main/v4 Active 2m40s  peer 10.0.0.2 prio 100, 31ms ago
pair      lb-b Backup, tandem 0.1.0
clients   7  new -/s  in -/s  out -/s  queued 0  refused -/s
workers   1 of 1 running, native relay, loop 1ms late at most
service conns web      [|       7/20k]
SERVICE / BACKEND       STATE     WEIGHT     CONNS  NEW/S  ERR/S    IN/S   OUT/S
web  tcp 10.0.0.100:80~ 2/2 up               7/20k      -      -       -       -
 |-10.0.1.11:8080       up            10     4/500      -      -       -       -
 \`-10.0.1.12:8080       up            10         3      -      -       -       -
${'\n'.repeat(10)}
EVENTS
00:17:39 backend.down web: backend 10.0.1.12:8080 is down (connection refused)
?:help d:drain r:ready m:maint w:weight H:handover s:sort /:find p:pause q:quit`);
  });

  it('fits every terminal, whatever the daemon says', () => {
    const word = fc.oneof(fc.string({ maxLength: 80 }), fc.constant('名前'.repeat(20)));
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 250 }),
        fc.integer({ min: 1, max: 80 }),
        fc.array(word, { maxLength: 40 }),
        fc.constantFrom<Ui['mode']>(
          { type: 'browse' },
          { type: 'help' },
          { type: 'filter', before: '' },
          { type: 'confirm', question: 'x'.repeat(300), action: { type: 'handover' } },
        ),
        (width, height, names, mode) => {
          const status = statusOf();
          status.node = names[0] ?? '';
          status.services[0]!.backends = names.map((name) => backendStatusOf(name, { lastCheck: name }));
          const lines = renderScreen(
            modelOf(reading(status), undefined),
            { ...START, mode },
            { ...frame, width, height, lost: { reason: names[1] ?? '', forMillis: 5_000 } },
          );
          expect(lines.length).toBeLessThanOrEqual(Math.max(1, height));
          for (const line of lines) expect(lineWidth(line)).toBeLessThanOrEqual(width);
        },
      ),
    );
  });

  it('keeps the marked row in sight and counts the others', () => {
    const status = statusOf();
    status.services[0]!.backends = Array.from({ length: 50 }, (_, i) => backendStatusOf(`10.0.1.${i}:80`));
    const many = modelOf(reading(status), undefined);
    expect(text(START, {}, many)).toContain('0 above');
    const at30 = text({ ...START, selected: 'web/10.0.1.30:80' }, {}, many);
    expect(at30).toContain('10.0.1.30:80');
    expect(at30).toMatch(/[1-9]\d* above, [1-9]\d* below/);
    expect(text({ ...START, selected: 'web/10.0.1.49:80' }, {}, many)).toContain(', 0 below');
  });

  it('says what is missing, lost, paused and asked', () => {
    expect(text(START, { width: 30 })).toBe('needs 40x8, has 30x24');
    expect(text({ ...START, paused: true })).toContain('PAUSED');
    const lost = text(START, { lost: { reason: 'there is no daemon', forMillis: 12_000 } });
    expect(lost.split('\n')[0]).toContain('LOST, trying again; as of 12s ago: there is no daemon');
    expect(text({ ...START, filter: 'zzz' })).toContain('nothing matches "zzz"');
    const mode = { type: 'confirm', question: 'hand over main?', action: { type: 'handover' } } as const;
    expect(text({ ...START, mode })).toMatch(/hand over main\? \[y\/N\]$/);
  });

  it('takes no character beside ASCII where the locale has none', () => {
    expect(text({ ...START, sort: 'connections' })).toMatch(/^[\x20-\x7e\n]*$/);
    expect(text({ ...START, sort: 'connections' }, { glyphs: UNICODE })).toContain('▼');
  });
});

describe('renderPlain', () => {
  it('has every row and the checks when there is room', () => {
    const lines = renderPlain(model, ASCII, 160).map((line) => lineText(line, styleOf(false)));
    expect(lines.filter((line) => line.includes('10.0.1.1'))).toHaveLength(3);
    expect(lines.join('\n')).toContain('LAST CHECK');
    expect(lines.join('\n')).toContain('backend.down');
  });
});

describe('spans', () => {
  it('fits text by columns, not characters', () => {
    expect(fitted('abc', 5, ASCII)).toBe('abc  ');
    expect(fitted('abc', 5, ASCII, true)).toBe('  abc');
    expect(fitted('abcdef', 4, ASCII)).toBe('abc~');
    expect(widthOf(fitted('名前名前', 4, UNICODE))).toBe(4);
  });

  it('goes by the locale as POSIX orders it', () => {
    expect(hasUnicode({ LANG: 'de_DE.UTF-8' })).toBe(true);
    expect(hasUnicode({ LANG: 'de_DE.UTF-8', LC_ALL: 'C' })).toBe(false);
    expect(hasUnicode({ LC_ALL: '', LC_CTYPE: 'C.utf8' })).toBe(true);
    expect(hasUnicode({})).toBe(false);
  });
});
