import { formatDuration, seconds } from '../../../lib/duration.ts';
import { type ImportResult, renderFile, resultOf } from '../result.ts';
import type { SourceReader } from '../source.ts';
import type { TomlTable } from '../toml.ts';
import { readSpacings } from './announce.ts';
import { convertFailover, type FailoverTables } from './convert-failover.ts';
import { convertServices } from './convert-services.ts';
import { flatten } from './files.ts';
import { Journal, Section } from './journal.ts';
import type { Globals, KeepalivedModel } from './model.ts';
import { parse, type Statement } from './parser.ts';
import { readVirtualServer } from './read-lvs.ts';
import { readLinkDelays, readSyncGroup, readTrackers } from './read-trackers.ts';
import { readGlobals, readInstance } from './read-vrrp.ts';
import { buildReport } from './report.ts';

/**
 * Turns a keepalived configuration into Tandem's. `configId` is keepalived's `-i` (by default the first part
 * of the host's name), which decides "@" lines.
 * @throws ConfigError (exit status 64) when the file cannot be read or parsed, with file, line and column.
 */
export function importKeepalived(path: string, reader: SourceReader, configId: string): ImportResult {
  const { lines, notes, files } = flatten(path, reader, configId);
  const statements = parse(lines);
  const journal = new Journal();
  const model = readModel(statements, journal);
  const services = convertServices(model.virtualServers, model.globals.timeouts);
  const order = new Map(statements.map((statement, index) => [statement, index]));
  const failover = convertFailover(model, order, journal);
  const toml = render(path, model.globals, services, failover);
  const report = buildReport(statements, journal, notes);
  const secret = failover.groups
    .flat()
    .some(({ values }) =>
      Object.entries(values).some(([key, value]) => key === 'auth_pass' && value !== undefined),
    );
  return resultOf(toml, report, { secret, files });
}

export function readModel(statements: readonly Statement[], journal: Journal): KeepalivedModel {
  const root: Statement = {
    keyword: '',
    args: [],
    place: { file: '', line: 0, column: 0 },
    block: statements,
  };
  const top = new Section(root, '', journal);
  const globals = readGlobals(top.sections('global_defs'));
  const named = top
    .all('virtual_server_group')
    .map((group): [string, Statement] => [group.args[0] ?? '', group]);
  const groups = new Map(named);
  return {
    globals,
    syncGroups: top.sections('vrrp_sync_group').map(readSyncGroup),
    trackers: readTrackers(top),
    linkDelays: readLinkDelays(top),
    spacings: readSpacings(top),
    instances: top.sections('vrrp_instance').map((section) => readInstance(section, globals)),
    virtualServers: top.sections('virtual_server').map((section) => readVirtualServer(section, groups)),
  };
}

function render(
  path: string,
  globals: Globals,
  services: readonly (readonly TomlTable[])[],
  { groups, tracks }: FailoverTables,
): string {
  const name = globals.routerId;
  const usable = name !== undefined && /^[a-zA-Z0-9_.-]{1,64}$/.test(name);
  const node: TomlTable[] = usable ? [{ header: '[node]', comments: [], values: { name } }] : [];
  const failover = groups.length === 0 ? [] : failoverTable(globals);
  const tables = [...node, ...services.flat(), ...failover, ...groups.flat(), ...tracks];
  return renderFile(path, 'docs/coming-from-keepalived.md', tables);
}

function failoverTable({ realtimePriority, startupDelay }: Globals): TomlTable[] {
  if (realtimePriority === undefined && startupDelay === undefined) return [];
  const delay = startupDelay === undefined ? undefined : Math.min(3_600, startupDelay);
  const values = {
    realtime_priority: realtimePriority,
    startup_delay: delay === undefined ? undefined : formatDuration(seconds(delay)),
  };
  return [{ header: '[failover]', comments: [], values }];
}
