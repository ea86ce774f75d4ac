import { clamp } from '../../../lib/clamp.ts';
import { formatDuration, seconds } from '../../../lib/duration.ts';
import type { TomlValue } from '../toml.ts';
import type { Section } from './journal.ts';
import type { Announce, ArpSpacing, VrrpInstance } from './model.ts';

/** Without a word, keepalived announces five times at once, and five times again after five seconds. */
const REPEAT = 5;
const DELAY = 5;

/** vrrp_garp_... of global_defs; `single` is vrrp_min_garp, which changes what nothing else says. */
export function readGlobalAnnounce(
  found: (name: string, min: number) => number | undefined,
  single: boolean,
): Announce {
  const otherwise = (value: number): number | undefined => (single ? value : undefined);
  return {
    repeat: found('vrrp_garp_master_repeat', 1) ?? otherwise(1),
    delay: found('vrrp_garp_master_delay', 0) ?? otherwise(0),
    refresh: found('vrrp_garp_master_refresh', 0) ?? otherwise(0),
    refreshRepeat: found('vrrp_garp_master_refresh_repeat', 1),
    conflictRepeat: found('vrrp_garp_lower_prio_repeat', 0),
    conflictDelay: found('vrrp_garp_lower_prio_delay', 0),
    spacing: {
      arp: found('vrrp_garp_interval', 0),
      neighbor: found('vrrp_gna_interval', 0),
    },
  };
}

/** What an instance does not say is what global_defs says; what happens at a conflict is never its own `repeat`. */
export function readAnnounce(section: Section, globals: Announce): Announce {
  const own = (name: string, min: number): number | undefined => section.number(name, min, 1e6);
  return {
    repeat: own('garp_master_repeat', 1) ?? globals.repeat,
    delay: own('garp_master_delay', 0) ?? globals.delay,
    refresh: own('garp_master_refresh', 0) ?? globals.refresh,
    refreshRepeat: own('garp_master_refresh_repeat', 1) ?? globals.refreshRepeat,
    conflictRepeat: own('garp_lower_prio_repeat', 0) ?? globals.conflictRepeat ?? globals.repeat ?? REPEAT,
    conflictDelay: own('garp_lower_prio_delay', 0) ?? globals.conflictDelay ?? globals.delay ?? DELAY,
    spacing: globals.spacing,
  };
}

/** garp_group: by interface. Those of `interfaces` share one queue in keepalived. */
export function readSpacings(top: Section): ReadonlyMap<string, ArpSpacing> {
  const spacings = new Map<string, ArpSpacing>();
  for (const group of top.sections('garp_group')) {
    const shared = group.last('interfaces');
    if (shared !== undefined) {
      const text = 'each of its interfaces keeps the interval by itself, not all of them together';
      group.journal.remark(shared, 'changed', text);
    }
    const names = group.items('interfaces').flatMap((item) => [item.keyword, ...item.args]);
    const spacing = {
      arp: group.number('garp_interval', 0, 1e6),
      neighbor: group.number('gna_interval', 0, 1e6),
    };
    for (const name of [group.text('interface'), ...names]) {
      if (name !== undefined) spacings.set(name, spacing);
    }
  }
  return spacings;
}

/** The table `announce` of a group; undefined where Tandem's defaults will do. */
export function convertAnnounce(
  { announce, family, section }: VrrpInstance,
  ownSpacing: ArpSpacing | undefined,
): TomlValue | undefined {
  const { arp, neighbor } = ownSpacing ?? announce.spacing;
  const spacing = (family === 6 ? neighbor : arp) ?? 0;
  const repeat = announce.repeat ?? REPEAT;
  const delay = announce.delay ?? DELAY;
  const { conflictRepeat = repeat, conflictDelay = delay } = announce;
  if (conflictRepeat === 0) {
    const statement = section.last('garp_lower_prio_repeat') ?? section.statement;
    const text = 'one: Tandem always announces again after a conflict';
    section.journal.remark(statement, 'changed', text);
  }
  const written: Readonly<Record<string, TomlValue | undefined>> = {
    repeat: count(announce.repeat),
    interval: spacing > 0 ? span(spacing, 0.001, 60) : undefined,
    pace: spacing > 0 ? span(spacing, 0, 1) : undefined,
    delay: announce.delay === undefined ? undefined : span(delay, 0, HOUR),
    refresh: announce.refresh === undefined ? undefined : span(announce.refresh, 0, HOUR),
    refresh_repeat: count(announce.refreshRepeat),
    conflict_repeat: conflictRepeat === repeat ? undefined : count(conflictRepeat),
    conflict_delay: conflictDelay === delay ? undefined : span(conflictDelay, 0, HOUR),
  };
  const table: Record<string, TomlValue> = {};
  for (const [key, value] of Object.entries(written)) if (value !== undefined) table[key] = value;
  return Object.keys(table).length === 0 ? undefined : table;
}

const HOUR = 3_600;
const span = (value: number, min: number, max: number): string =>
  formatDuration(seconds(clamp(value, min, max)));
const count = (value: number | undefined): number | undefined =>
  value === undefined ? undefined : clamp(Math.round(value), 1, 100);
