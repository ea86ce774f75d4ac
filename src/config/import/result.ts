import { basename } from 'node:path';
import { ConfigError } from '../errors.ts';
import { parseConfig } from '../load.ts';
import type { Fate } from './keyword-table.ts';
import { commentLine, renderTable, type TomlTable } from './toml.ts';

/** One line of the report. */
export interface ReportEntry {
  readonly fate: Fate;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** The block or section: "vrrp_instance VI_1", "backend web"; empty at the top of the file. */
  readonly within: string;
  readonly keyword: string;
  /** What it does in the other program. */
  readonly did: string;
  /** Where it is now, what is different, or what to do instead. */
  readonly note: string;
}

export interface ImportResult {
  /** The configuration for Tandem; loads unless `faults` says otherwise. */
  readonly toml: string;
  readonly report: readonly ReportEntry[];
  /** What Tandem's own check finds wrong in `toml`: faults that the source brought along. */
  readonly faults: readonly string[];
  /** Everything that decides what happens to traffic is in `toml`. */
  readonly complete: boolean;
  /** `toml` holds a password. */
  readonly secret: boolean;
  readonly files: readonly string[];
}

/** The file as a whole; `guide` is the document that explains it. */
export function renderFile(path: string, guide: string, tables: readonly TomlTable[]): string {
  const head = [
    `Made by "tandem import" from ${basename(path)}.`,
    `Read the report that came with it, and ${guide}, then: tandem check FILE`,
  ];
  return `${head.map(commentLine).join('\n')}\n\n${tables.map(renderTable).join('\n')}`;
}

/** What Tandem's own check says. Interfaces and subnets are for "tandem check" on the host itself. */
export function resultOf(
  toml: string,
  report: readonly ReportEntry[],
  { secret, files }: Pick<ImportResult, 'secret' | 'files'>,
): ImportResult {
  const faults = faultsOf(toml);
  const complete = faults.length === 0 && report.every(({ fate }) => fate !== 'missing');
  return { toml, report, faults, complete, secret, files };
}

function faultsOf(toml: string): string[] {
  try {
    parseConfig(toml, 'tandem.toml', { hostFaults: 'warning' });
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems
      .filter(({ severity }) => severity === 'error')
      .map(({ key, message }) => (key === '' ? message : `${key}: ${message}`));
  }
}
