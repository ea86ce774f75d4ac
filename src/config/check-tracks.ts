import { LOOPBACK } from './check-interface.ts';
import { checkCommand, duplicates } from './check-services.ts';
import { type Finding, fault, warning } from './finding.ts';
import type { FileSchema } from './schema.ts';
import { quote } from './values.ts';

/** [[failover.track]] and the groups that name trackers. */
export function checkTracks({ failover }: FileSchema): Finding[] {
  if (failover === undefined) return [];
  const names = failover.track.map(({ name }) => name);
  return [
    ...duplicates(names).map((index) =>
      fault(
        ['failover', 'track', index, 'name'],
        `${quote(names[index] ?? '')} is the name of an earlier tracker`,
        'give each tracker a name of its own',
      ),
    ),
    ...failover.track.flatMap((track, index) =>
      track.type === 'script' ? checkCommand(track.command, ['failover', 'track', index, 'command']) : [],
    ),
    ...failover.track.flatMap(checkLink),
    ...checkReferences(failover, names),
    ...checkUnused(failover, names),
  ];
}

function checkLink(track: Failover['track'][number], index: number): Finding[] {
  if (track.type !== 'interface' || track.interface !== LOOPBACK) return [];
  const hint = 'name an interface that a cable, a switch or a bond can take down';
  const at = ['failover', 'track', index, 'interface'];
  return [warning(at, `"${LOOPBACK}" is always up: the tracker says nothing`, hint)];
}

type Failover = NonNullable<FileSchema['failover']>;

function checkReferences({ group }: Failover, names: readonly string[]): Finding[] {
  const existing = new Set(names);
  const known =
    names.length === 0 ? 'add a [[failover.track]] of that name' : `there is: ${names.join(', ')}`;
  return group.flatMap(({ track = [] }, g) => {
    const at = (index: number): (string | number)[] => ['failover', 'group', g, 'track', index];
    return [
      ...track.flatMap((name, index) =>
        existing.has(name) ? [] : [fault(at(index), `there is no tracker ${quote(name)}`, known)],
      ),
      ...duplicates(track).map((index) => fault(at(index), 'is named twice', 'remove one')),
    ];
  });
}

function checkUnused({ group }: Failover, names: readonly string[]): Finding[] {
  if (group.some(({ track }) => track === undefined)) return [];
  const used = new Set(group.flatMap(({ track }) => track ?? []));
  return names.flatMap((name, index) =>
    used.has(name)
      ? []
      : [
          warning(
            ['failover', 'track', index],
            `no group names tracker ${quote(name)}`,
            'remove it, or name it in a group',
          ),
        ],
  );
}
