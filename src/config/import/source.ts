import { basename } from 'node:path';

/** Programs whose configuration is read. */
export const SOURCES = ['haproxy', 'keepalived'] as const;
export type Source = (typeof SOURCES)[number];

/** Where something is written; line and column begin at 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** How the files are reached; tests hand in a map. */
export interface SourceReader {
  /** @throws ConfigError when the file cannot be read. */
  read(path: string): string;
  /** The files that a pattern (wildcards, {a,b}) means, seen from `folder`; empty when there is none. */
  glob(pattern: string, folder: string): readonly string[];
}

/** For comments in the file that is written: it may be read on another machine. */
export const whereabouts = ({ file, line }: Place): string => `${basename(file)}:${line}`;
