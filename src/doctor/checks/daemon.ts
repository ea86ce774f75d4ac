import type { Check, Facts, Status } from '../facts.ts';
import { type Finding, ok, problem, skipped, warning } from '../finding.ts';

/** The configuration file, the daemon, and whether the one runs with the other. */
export const checkDaemon: Check = (facts) => [
  ...configuration(facts),
  ...daemon(facts),
  ...(facts.daemon.kind === 'running' ? drift(facts, facts.daemon.status) : []),
  ...(facts.daemon.kind === 'running' ? pairDrift(facts.daemon.status) : []),
];

function configuration({ config, configWarnings }: Facts): Finding[] {
  if (configWarnings.length === 0) return [ok('configuration', null, `${config.path} is right`)];
  return configWarnings.map(({ text, hint }) =>
    warning('configuration', null, text, hint ?? `tandem check ${config.path}`),
  );
}

function daemon(facts: Facts): Finding[] {
  const found = facts.daemon;
  if (found.kind === 'forbidden') {
    return [skipped('daemon', null, found.why, found.hint ?? 'sudo tandem doctor')];
  }
  if (found.kind === 'silent') {
    const fix = 'tandem events, or its log, when it goes on; else systemctl restart tandem';
    return [problem('daemon', null, found.why, fix)];
  }
  if (found.kind === 'unreachable') {
    const fix = 'systemctl start tandem, or name its socket with --socket';
    return [warning('daemon', null, found.why, fix)];
  }
  const { pid, version, failover } = found.status;
  if (failover !== null && (failover.agent === 'hung' || failover.agent === 'dead')) {
    const seen = `the daemon (pid ${pid}) runs, and its failover agent is ${failover.agent}`;
    return [problem('daemon', null, seen, 'tandem failover restart-agent; the reason is in the log')];
  }
  if (failover !== null && !failover.fit) {
    const seen = `this node is unfit: ${failover.unfitReason ?? 'no reason given'}`;
    return [problem('daemon', null, seen, 'tandem status shows which service or limit it is')];
  }
  return [ok('daemon', null, `pid ${pid}, version ${version}, answers`)];
}

function drift({ config, configChangedAt }: Facts, status: Status): Finding[] {
  if (status.configPath !== config.path) {
    const differs = visibleDifferences(config, status);
    const seen = `the daemon runs with ${status.configPath}, not with ${config.path}`;
    const more = differs.length === 0 ? '' : ` (${differs.join('; ')})`;
    return [warning('config-drift', null, `${seen}${more}`, `tandem doctor --config ${status.configPath}`)];
  }
  const differs = visibleDifferences(config, status);
  if (differs.length > 0) {
    return [warning('config-drift', null, `not in force yet: ${differs.join('; ')}`, 'tandem reload')];
  }
  if (configChangedAt !== null && configChangedAt > status.configLoadedAt) {
    const seen = `${config.path} was written or moved after the daemon read it`;
    return [warning('config-drift', null, seen, 'tandem reload; it tells what has changed')];
  }
  return [ok('config-drift', null, 'the daemon runs with the file as it is')];
}

/** Are both nodes configured alike? The daemon compares them; nothing is said without [failover.peer]. */
function pairDrift({ failover }: Status): Finding[] {
  const pair = failover?.pair ?? null;
  if (pair === null) return [];
  const { peer, drift: differs, driftUnknown } = pair;
  if (differs === null) {
    return [
      skipped(
        'pair-drift',
        null,
        driftUnknown ?? 'not known',
        'tandem status on both nodes; tandem upgrade --plan',
      ),
    ];
  }
  if (differs.length === 0) return [ok('pair-drift', null, `configured like its peer ${peer?.name ?? ''}`)];
  const fix = 'compare the files of both nodes, correct one, and tandem reload there';
  return [warning('pair-drift', null, `not configured like its peer: ${differs.join(', ')}`, fix)];
}

/** What names alone show; the time of the file shows the rest. */
function visibleDifferences(config: Facts['config'], status: Status): string[] {
  const wanted = config.services.map(({ name }) => `service ${name}`);
  const running = status.services.map(({ name }) => `service ${name}`);
  const groups = (config.failover?.groups ?? []).map(({ name }) => `group ${name}`);
  const runningGroups = [...new Set((status.failover?.routers ?? []).map(({ group }) => `group ${group}`))];
  const without = (list: readonly string[], others: readonly string[]): string[] =>
    list.filter((name) => !others.includes(name));
  return [
    ...without([...wanted, ...groups], [...running, ...runningGroups]).map((name) => `${name} does not run`),
    ...without([...running, ...runningGroups], [...wanted, ...groups]).map((name) => `${name} runs still`),
  ];
}
