import { describe, expect, it } from 'vitest';
import type { TandemEvent } from '../../../src/model/event.ts';
import { createLogger, type Logger, type LoggerOptions } from '../../../src/observability/logger.ts';

const EVENT: TandemEvent = {
  seq: 7,
  time: 0,
  level: 'warn',
  name: 'backend.down',
  message: 'web/10.0.1.11:8080 is down',
  fields: { service: 'web', reason: 'timed out' },
};

function capture(options: Partial<LoggerOptions> = {}): { log: Logger; lines: () => string[] } {
  const written: string[] = [];
  const destination = { write: (text: string) => written.push(text) };
  const log = createLogger({ node: 'lb-a', level: 'info', format: 'json', destination, ...options });
  return { log, lines: () => written.join('').split('\n').slice(0, -1) };
}

describe('createLogger', () => {
  it('writes one JSON line an event, with its stable name', () => {
    const { log, lines } = capture();
    log.event(EVENT);
    expect(lines()).toHaveLength(1);
    const { time, ...line } = JSON.parse(lines()[0]!);
    expect(Number.isNaN(Date.parse(time))).toBe(false);
    expect(line).toEqual({
      level: 'warn',
      node: 'lb-a',
      event: 'backend.down',
      seq: 7,
      service: 'web',
      reason: 'timed out',
      msg: 'web/10.0.1.11:8080 is down',
    });
  });

  it('keeps one line when a message holds line breaks', () => {
    const { log, lines } = capture();
    log.event({ ...EVENT, message: 'a\nb', fields: { x: 'c\nd' } });
    expect(lines()).toHaveLength(1);
  });

  it('does not let a field take the place of the line’s own keys', () => {
    const { log, lines } = capture();
    log.event({ ...EVENT, fields: { event: 'forged', level: 'forged', msg: 'forged', seq: 0 } });
    const line = JSON.parse(lines()[0]!);
    expect(line).toMatchObject({ event: 'backend.down', level: 'warn', seq: 7, _event: 'forged' });
    expect(lines()[0]!.match(/"event":/g)).toHaveLength(1);
  });

  it('leaves out what is below the level, which can change', () => {
    const { log, lines } = capture({ level: 'error' });
    log.event(EVENT);
    log.debug('probe.sent', 'hidden');
    expect(lines()).toEqual([]);
    log.setLevel('debug');
    log.debug('probe.sent', 'shown', { backend: 'b' });
    expect(JSON.parse(lines()[0]!)).toMatchObject({ event: 'probe.sent', level: 'debug', backend: 'b' });
  });

  it('blots out secrets that should never have come this far', () => {
    const { log, lines } = capture();
    log.event({ ...EVENT, fields: { authPass: 'hunter22', password: 'hunter22' } });
    expect(lines()[0]).not.toContain('hunter22');
  });

  it('writes the stack of what was not expected', () => {
    const { log, lines } = capture();
    log.unexpected('in the admin API', new TypeError('boom'));
    const line = JSON.parse(lines()[0]!);
    expect(line).toMatchObject({ event: 'internal', level: 'error', msg: 'in the admin API' });
    expect(line.err.stack).toContain('logger.test.ts');
  });

  it('is for people when pretty, without colours where there is no terminal', () => {
    const { log, lines } = capture({ format: 'pretty' });
    log.event(EVENT);
    const text = lines().join('\n');
    expect(text).toContain('WARN');
    expect(text).toContain('backend.down: web/10.0.1.11:8080 is down');
    expect(text).toContain('timed out');
    expect(text).not.toContain('\u001b');
  });
});
