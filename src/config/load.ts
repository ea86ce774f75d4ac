import { resolve } from 'node:path';
import type { Config } from '../model/config.ts';
import { checkStateFile } from './check-admin.ts';
import { checkUnused } from './check-unused.ts';
import { checkConfig } from './checks.ts';
import { type Environment, systemEnvironment } from './environment.ts';
import { ConfigError, type Problem } from './errors.ts';
import type { WrittenFile } from './file-diff.ts';
import type { Finding } from './finding.ts';
import { forgive, related } from './forgive.ts';
import { findingsOf } from './issues.ts';
import { formatPath, type Position, type Positions } from './positions.ts';
import { fileStamp, readConfigFile } from './read-file.ts';
import { resolveConfig } from './resolve.ts';
import { type FileSchema, fileSchema } from './schema.ts';
import { parseToml } from './toml-text.ts';

export interface LoadOptions {
  /** The host to check against; this one unless a test says otherwise. */
  readonly environment?: Environment;
  /**
   * What a fault of the host is (an interface, group or program that does not exist, an address in no subnet).
   * `tandem check` and the start of the daemon take it as an error: a balancer whose failover cannot work should not look
   * started. A reload takes it as a warning: the groups already run, and an interface that has gone for a
   * moment must not stand in the way of taking out a broken backend.
   */
  readonly hostFaults?: 'error' | 'warning';
  /** Called once for each warning, in the order of the file. */
  readonly onWarning?: (problem: Problem) => void;
}

/**
 * Reads, parses, validates and resolves a configuration file. Nothing is bound or changed.
 * @throws ConfigError with every problem found.
 */
export function loadConfig(path: string, options: LoadOptions = {}): Config {
  return loadFile(path, options).config;
}

/** The same with what is written in the file, and where. @throws ConfigError */
export function loadFile(path: string, options: LoadOptions = {}): WrittenFile {
  // before it is read: what is written meanwhile is another file
  const stamp = fileStamp(path);
  return { ...parseFile(readConfigFile(path), resolve(path), options), stamp };
}

/**
 * The same for a text that is already read; `path` is for messages and becomes `Config.path`.
 * @throws ConfigError with every problem found.
 */
export function parseConfig(text: string, path: string, options: LoadOptions = {}): Config {
  return parseFile(text, path, options).config;
}

/** The same with what is written in the text, and where. @throws ConfigError */
export function parseFile(text: string, path: string, options: LoadOptions = {}): WrittenFile {
  const environment = options.environment ?? systemEnvironment;
  const parsed = parseToml(text);
  if ('message' in parsed) {
    const { position, message, first } = parsed;
    const hint = first === undefined ? parsed.hint : `${placeOf(path, first.position)}: ${parsed.hint}`;
    const line = position?.line ?? null;
    const source = line === null ? null : sourceLine(text.split('\n'), line);
    const place = { file: path, line, column: position?.column ?? null, key: first?.key ?? '', source };
    throw new ConfigError([{ severity: 'error', ...place, message, hint }]);
  }
  const { file, findings } = judge(parsed.value, path, environment);
  const judged = findings.map((finding) => forHost(finding, options));
  const lines = text.split('\n');
  const problems = judged
    .map((finding) => place(finding, lines, path, parsed.positions))
    .sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
  const errors = judged.filter(({ severity }) => severity === 'error');
  if (file === undefined || errors.length > 0) {
    throw new ConfigError(problems, { hostOnly: errors.every(({ aboutHost }) => aboutHost === true) });
  }
  for (const problem of problems) options.onWarning?.(problem);
  const { value, positions } = parsed;
  return { config: resolveConfig(file, path, environment.hostname()), value, positions, stamp: null };
}

const placeOf = (path: string, { line, column }: Position): string =>
  `it is first at ${path}:${line}:${column}`;

function forHost(finding: Finding, options: LoadOptions): Finding {
  const softened = finding.aboutHost === true && options.hostFaults === 'warning';
  return softened ? { ...finding, severity: 'warning' } : finding;
}

/**
 * Form first (the schema), then meaning (the checks). When the form is wrong, the checks still run over what
 * is left without the faulty values, so that one run shows everything that can be known.
 */
function judge(
  raw: unknown,
  path: string,
  environment: Environment,
): { file?: FileSchema; findings: Finding[] } {
  const whole = fileSchema.safeParse(raw);
  const meaningOf = (file: FileSchema): Finding[] => [
    ...checkConfig(file, environment),
    ...checkStateFile(file, path),
    ...checkUnused(raw),
  ];
  if (whole.success) return { file: whole.data, findings: meaningOf(whole.data) };
  const form = findingsOf(whole.error.issues, raw);
  const rest = fileSchema.safeParse(forgive(raw, form));
  if (!rest.success) return { findings: form };
  const meaning = meaningOf(rest.data).filter((finding) => !related(finding, form));
  return { findings: [...form, ...meaning] };
}

function place(finding: Finding, lines: readonly string[], file: string, positions: Positions): Problem {
  const { line, column } = positions.locate(finding.path, finding.at);
  const key = formatPath(finding.path);
  const { severity, message, hint } = finding;
  return { severity, file, line, column, key, message, hint, source: sourceLine(lines, line) };
}

function sourceLine(lines: readonly string[], line: number): string {
  return (lines[line - 1] ?? '').replace(/\r$/, '');
}
