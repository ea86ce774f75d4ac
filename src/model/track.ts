import type { Duration } from '../lib/duration.ts';

/** What a tracker looks at. */
export type TrackCheck =
  /** Up while the link is administratively up and has carrier. */
  | { readonly type: 'interface'; readonly interface: string }
  /** Up when the program (never through a shell) ends with status 0 in time. */
  | {
      readonly type: 'script';
      readonly command: readonly [program: string, ...args: string[]];
      readonly timeout: Duration;
    }
  /** Up while at least `count` such processes run. */
  | {
      readonly type: 'process';
      readonly process: string;
      /** The name as the kernel has it (15 bytes), or the whole command line, arguments joined by spaces. */
      readonly match: 'name' | 'command';
      readonly count: number;
    }
  /** The whole number that the file holds; a file that is not there holds 0. */
  | { readonly type: 'file'; readonly path: string };

/** Something beside the data path that decides how good this node is. */
export interface TrackSpec {
  readonly name: string;
  readonly check: TrackCheck;
  /** Between looks. */
  readonly interval: Duration;
  /** What is up counts as down, and the other way round. Never for a file. */
  readonly invert: boolean;
  /** Looks in a row until it counts as up (or a file's new number counts), or as down. */
  readonly rise: number;
  readonly fall: number;
  /**
   * -254 to 254. Negative: added to the priority while down. Positive: added while up. 0: down is a fault,
   * and the groups go to Initialize. A file's number is multiplied with it; with 0, any number but 0 is a fault.
   */
  readonly weight: number;
}

/** A tracker as `status` shows it. */
export interface TrackStatus {
  readonly name: string;
  readonly type: TrackCheck['type'];
  /** "unknown" before the first look. */
  readonly state: 'up' | 'down' | 'unknown';
  /** What it adds to the priority now. */
  readonly weight: number;
  /** It keeps its groups in Initialize. */
  readonly fault: boolean;
  /** What the last look saw, in words. */
  readonly detail: string;
  /** Milliseconds since the state changed. */
  readonly stateAgeMillis: number;
}
