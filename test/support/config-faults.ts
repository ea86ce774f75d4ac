/** Files with one fault each: where it must be reported, and what the message and the hint must say. */
import { describe, expect, test } from 'vitest';
import type { LoadOptions } from '../../src/config/load.ts';
import { backend, problemsOf, service } from './config.ts';

export { backend, problemsOf, service };

export interface Fault {
  readonly name: string;
  readonly text: string;
  readonly key: string;
  /** What the caret stands under. */
  readonly caret: string;
  readonly message: RegExp;
  readonly hint: RegExp;
  readonly severity: 'error' | 'warning';
}

export const fault = (
  name: string,
  text: string,
  key: string,
  caret: string,
  message: RegExp,
  hint: RegExp,
): Fault => ({ name, text, key, caret, message, hint, severity: 'error' });

export const warned = (...args: Parameters<typeof fault>): Fault => ({
  ...fault(...args),
  severity: 'warning',
});

export const inService = (lines: string): string => service(lines) + backend();
export const inTable = (table: string, lines: string): string =>
  `${service()}[service.${table}]\n${lines}\n${backend()}`;
export const inHealth = (type: string, lines: string): string =>
  inTable('health', `type = "${type}"\n${lines}`);
export const inBackend = (lines: string): string => service() + backend('10.0.1.11:80', lines);
export const atTop = (lines: string): string => `${lines}\n${service()}${backend()}`;
export const inGroup = (lines: string): string =>
  `${service()}${backend()}[failover]\ninterface = "eth0"\n` +
  `[[failover.group]]\nvrid = 1\naddresses = ["10.0.0.100/24"]\n${lines}\n`;

/** One test a fault: it is the only problem, at its key, under its caret, in these words. */
export function describeFaults(title: string, faults: readonly Fault[], options: LoadOptions = {}): void {
  describe(title, () => {
    test.each(faults)('$name', ({ text, key, caret, message, hint, severity }) => {
      const problems = problemsOf(text, options);
      expect(problems.map((problem) => problem.key)).toEqual([key]);
      const [problem] = problems;
      expect(problem?.severity).toBe(severity);
      expect(problem?.message).toMatch(message);
      expect(problem?.hint).toMatch(hint);
      const line = text.split('\n')[(problem?.line ?? 0) - 1];
      expect(problem?.source).toBe(line);
      const under = line?.slice((problem?.column ?? 0) - 1);
      expect(under?.startsWith(caret), `the caret stands under ${under}`).toBe(true);
    });
  });
}
