import { clamp } from '../../../lib/clamp.ts';
import { formatDuration, seconds } from '../../../lib/duration.ts';
import { isDeviceName, Names } from '../names.ts';
import { whereabouts } from '../source.ts';
import type { TomlTable } from '../toml.ts';
import type { Journal } from './journal.ts';
import type { LinkDelays, Look, SyncGroup, TrackerDefinition, TrackKind, TrackUse } from './model.ts';
import type { Statement } from './parser.ts';
import { LINK_INTERVAL } from './read-trackers.ts';

/** Who tracks: an instance, and the sync group that it belongs to. */
export interface Tracking {
  readonly section: { readonly statement: Statement; readonly journal: Journal };
  readonly tracks: readonly TrackUse[];
  readonly device: string;
  readonly sync: SyncGroup | undefined;
  /** Priority 255: weights mean nothing. */
  readonly isOwner: boolean;
  /** A member of the sync group has priority 255. */
  readonly syncHasOwner: boolean;
}

/** A use with what counts: the weight is never undefined. */
interface Effective {
  readonly use: TrackUse;
  readonly weight: number;
  readonly reverse: boolean;
  readonly definition: TrackerDefinition | undefined;
}

export interface TracksOptions {
  readonly journal: Journal;
  readonly definitions: readonly TrackerDefinition[];
  readonly linkDelays: ReadonlyMap<string, LinkDelays>;
  /** Where the blocks at the top of the files stand. */
  readonly order: ReadonlyMap<Statement, number>;
}

/**
 * [[failover.track]]: in keepalived each use has a weight of its own, in Tandem each tracker, so that uses which
 * differ become trackers of their own.
 */
export class Tracks {
  readonly #options: TracksOptions;
  readonly #definitions: ReadonlyMap<string, TrackerDefinition>;
  readonly #names = new Names();
  readonly #tables = new Map<string, { readonly name: string; readonly table: TomlTable }>();
  readonly #used = new Set<TrackerDefinition>();
  /** Interfaces of groups, and those that are tracked beside them. */
  readonly #devices = new Set<string>();
  readonly #links = new Set<string>();

  constructor(options: TracksOptions) {
    this.#options = options;
    this.#definitions = new Map(options.definitions.map((each) => [`${each.kind} ${each.name}`, each]));
  }

  /** The names of the trackers that count for this instance. */
  of(tracking: Tracking): string[] {
    this.#devices.add(tracking.device);
    const effective = merge(this.#own(tracking), this.#ofSync(tracking));
    const names = effective.flatMap((each) => this.#tracker(each));
    return [...new Set(names)];
  }

  tables(): TomlTable[] {
    return [...this.#tables.values()].map(({ table }) => table);
  }

  /** To be called last: keepalived does not look at what nobody tracks. */
  remarkUnused(): void {
    for (const definition of this.#options.definitions) {
      if (this.#used.has(definition) || definition.look === undefined) continue;
      const { statement, journal } = definition.section;
      journal.remark(statement, 'needless', 'left out: it counts for no instance');
    }
    for (const delays of this.#options.linkDelays.values()) this.#remarkDelays(delays);
  }

  #remarkDelays({ name, section, item }: LinkDelays): void {
    const { journal } = section;
    if (this.#devices.has(name)) {
      journal.remark(item, 'missing', 'a group gives up at once when its own interface loses the link');
    } else if (!this.#links.has(name)) journal.remark(item, 'needless', 'no instance tracks this interface');
  }

  /** keepalived 2.2, vrrp_complete_instance(): weights of a sync group's members, and of owners, do not count. */
  #own(tracking: Tracking): Effective[] {
    const { section, sync, isOwner } = tracking;
    const { journal } = section;
    const weightless = isOwner || (sync !== undefined && !sync.weighs);
    const who = isOwner ? 'of an address owner (priority 255)' : 'of an instance in a sync group';
    return this.#resolve(tracking.tracks, tracking).flatMap((each) => {
      const { use, weight } = each;
      if (!weightless || weight === 0 || (use.kind === 'process' && !isOwner)) return [each];
      const faults = use.kind === 'interface' ? !isOwner : use.kind === 'file' && weight === 1;
      if (faults) {
        journal.remark(use.item, 'changed', `weight = 0, a fault: keepalived ignores the weight ${who}`);
        return [{ ...each, weight: 0 }];
      }
      const advice = 'name it in `track` of the group if it is meant to count';
      journal.remark(use.item, 'changed', `left out: keepalived ignores a weight ${who}; ${advice}`);
      return [];
    });
  }

  #ofSync(tracking: Tracking): Effective[] {
    const { section, sync, syncHasOwner } = tracking;
    if (sync === undefined) return [];
    return this.#resolve(sync.tracks, { ...tracking, section: sync.section }).map((each) => {
      if (!syncHasOwner || each.weight === 0) return each;
      const text = 'weight = 0, a fault: keepalived ignores the weight, for a member has priority 255';
      section.journal.remark(each.use.item, 'changed', text);
      return { ...each, weight: 0 };
    });
  }

  #resolve(uses: readonly TrackUse[], tracking: Tracking): Effective[] {
    const { journal } = tracking.section;
    return uses.flatMap((use): Effective[] => {
      if (use.kind === 'interface') {
        if (!isDeviceName(use.name)) {
          journal.remark(use.item, 'missing', 'left out: not the name of an interface');
          return [];
        }
        if (use.name === tracking.device) {
          const partners = tracking.sync?.tracks.includes(use) === true;
          const text = "nothing to do: a group's own interface is always watched";
          if (!partners) journal.remark(use.item, 'needless', text);
          return [];
        }
        return [{ use, weight: use.weight ?? 0, reverse: use.reverse === true, definition: undefined }];
      }
      const definition = this.#definition(use, tracking);
      if (definition === undefined) return [];
      const weight = use.weight ?? definition.weight;
      return [{ use, weight, reverse: use.reverse ?? definition.reverse, definition }];
    });
  }

  #definition({ item, kind, name }: TrackUse, { section }: Tracking): TrackerDefinition | undefined {
    const { journal, statement } = section;
    const definition = this.#definitions.get(`${kind} ${name}`);
    if (definition === undefined) {
      journal.remark(item, 'missing', `left out: there is no ${BLOCKS[kind]} of that name`);
      return undefined;
    }
    if (definition.look === undefined) {
      const { line } = definition.section.statement.place;
      journal.remark(item, 'missing', `left out: see line ${line}`);
      return undefined;
    }
    const { order } = this.#options;
    if ((order.get(definition.section.statement) ?? 0) > (order.get(statement) ?? 0)) {
      const text = `it counts here; keepalived 2.2 ignores it, because the ${BLOCKS[kind]} stands further down`;
      journal.remark(item, 'changed', text);
    }
    return definition;
  }

  #tracker({ use, weight, reverse, definition }: Effective): string[] {
    const look = definition?.look ?? this.#link(use.name);
    const content = contentOf(look, weight, reverse);
    if (content === undefined) {
      const text = 'left out: a number other than 0 is the fault in Tandem, never 0 itself';
      definition?.section.journal.remark(use.item, 'missing', text);
      return [];
    }
    if (definition !== undefined) this.#used.add(definition);
    const key = JSON.stringify([use.kind, use.name, content]);
    const known = this.#tables.get(key);
    if (known !== undefined) return [known.name];
    if (this.#tables.size >= MAX_TRACKERS) {
      const text = `left out: it would be more than ${MAX_TRACKERS} trackers`;
      this.#options.journal.remark(use.item, 'missing', text);
      return [];
    }
    const name = this.#names.take(use.name);
    const { place } = definition?.section.statement ?? use.item;
    const comments = [`${BLOCKS[use.kind]} ${use.name} (${whereabouts(place)})`];
    this.#tables.set(key, {
      name,
      table: { header: '[[failover.track]]', comments, values: { name, ...content } },
    });
    return [name];
  }

  #link(name: string): Look {
    this.#links.add(name);
    const delays = this.#options.linkDelays.get(name);
    const looks = (delay: number): number => 1 + Math.round(delay / LINK_INTERVAL);
    return {
      keys: { type: 'interface', interface: name },
      interval: LINK_INTERVAL,
      rise: looks(delays?.up ?? 0),
      fall: looks(delays?.down ?? 0),
      invert: false,
    };
  }
}

/** Far above what anybody looks at; a template that goes wild stops here. */
const MAX_TRACKERS = 1_000;

const BLOCKS: Readonly<Record<TrackKind, string>> = {
  script: 'vrrp_script',
  process: 'vrrp_track_process',
  file: 'track_file',
  interface: 'track_interface',
};

/** What stands at an instance and at its sync group: the group's weight, unless the instance has none. */
function merge(own: readonly Effective[], ofSync: readonly Effective[]): Effective[] {
  const merged = new Map<string, Effective>();
  for (const each of [...own, ...ofSync]) {
    const key = `${each.use.kind} ${each.use.name}`;
    const earlier = merged.get(key);
    if (earlier === undefined || earlier.weight !== 0) merged.set(key, each);
  }
  return [...merged.values()];
}

/**
 * `reverse` takes the weight away while up, and gives it while down: Tandem turns the look round instead, and
 * what counts towards up then counts towards down. Undefined for a file where 0 would be the fault.
 */
function contentOf(look: Look, weight: number, reverse: boolean): TomlTable['values'] | undefined {
  const file = look.keys['type'] === 'file';
  if (file && reverse && weight === 0) return undefined;
  const turned = !file && reverse;
  const [rise, fall] = turned ? [look.fall, look.rise] : [look.rise, look.fall];
  return {
    ...look.keys,
    interval: formatDuration(seconds(clamp(look.interval, 0.1, 3_600))),
    rise: clamp(Math.round(rise), 1, 1_000),
    fall: clamp(Math.round(fall), 1, 1_000),
    weight: reverse ? 0 - weight : weight,
    invert: turned !== look.invert ? true : undefined,
  };
}
