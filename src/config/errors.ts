import { EXIT, TandemError } from '../lib/errors.ts';

/** One thing that is wrong in the configuration. */
export interface Problem {
  readonly severity: 'error' | 'warning';
  readonly file: string;
  /** From 1; null when the file as a whole is meant. */
  readonly line: number | null;
  readonly column: number | null;
  /** The key as `service[0].timeout.idle`; empty when no key is meant. */
  readonly key: string;
  readonly message: string;
  /** What would be right. */
  readonly hint: string | undefined;
  /** The line as it stands in the file. */
  readonly source: string | null;
}

/**
 * A configuration that cannot be used, with everything that is wrong with it (never empty). The exit status is 64;
 * with `hostOnly` it is 71: the file may be right and the host not ready yet, so that another try is worth it.
 */
export class ConfigError extends TandemError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[], options: { cause?: unknown; hostOnly?: boolean } = {}) {
    const exitStatus = options.hostOnly === true ? EXIT.osError : EXIT.usage;
    super('config-invalid', renderProblems(problems), { exitStatus, cause: options.cause });
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** What is wrong with a file as a whole. */
export const wholeFile = (file: string, message: string, hint?: string): Problem => ({
  severity: 'error',
  file,
  line: null,
  column: null,
  key: '',
  message,
  hint,
  source: null,
});

/** All problems, ready to print: place, key, what is wrong, the line with a caret, what would be right. */
export function renderProblems(problems: readonly Problem[]): string {
  return problems.map(renderProblem).join('\n');
}

export function renderProblem(problem: Problem): string {
  const place = [problem.file, problem.line, problem.column].filter((part) => part !== null).join(':');
  const severity = problem.severity === 'warning' ? 'warning: ' : '';
  const key = problem.key === '' ? '' : `${problem.key}: `;
  const lines = [`${place}: ${severity}${key}${problem.message}`];
  if (problem.source !== null && problem.line !== null && problem.column !== null) {
    lines.push(...excerpt(problem.source, problem.line, problem.column));
  }
  if (problem.hint !== undefined) lines.push(`  = ${problem.hint}`);
  return lines.join('\n');
}

const MAX_WIDTH = 100;

/** The line and a caret under the column; a long line is cut around the column. */
function excerpt(source: string, line: number, column: number): string[] {
  const cut = Math.max(0, column - 1 - MAX_WIDTH / 2);
  const start = source.length > MAX_WIDTH ? cut : 0;
  const visible = printable(source.slice(start, start + MAX_WIDTH));
  const caret = ' '.repeat(Math.max(0, Math.min(column - 1, source.length) - start));
  const number = String(line);
  const gutter = ' '.repeat(number.length);
  return [`  ${number} | ${visible}`, `  ${gutter} | ${caret}^`];
}

/** One column a character, and nothing that would steer a terminal. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, ' ').trimEnd();
}
