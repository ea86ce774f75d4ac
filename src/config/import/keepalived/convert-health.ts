import { clamp } from '../../../lib/clamp.ts';
import { formatDuration, seconds } from '../../../lib/duration.ts';
import { mostCommon } from '../majority.ts';
import type { TomlTable, TomlValue } from '../toml.ts';
import { convertProbe, type Probe, type ProbeSource } from './convert-probe.ts';
import type { Section } from './journal.ts';
import type { RealServer, VirtualServer } from './model.ts';

/** The kinds of checks, those that tell most about a server first: Tandem has one for each service. */
const CHECKS = [
  'HTTP_GET',
  'SSL_GET',
  'DNS_CHECK',
  'UDP_CHECK',
  'MISC_CHECK',
  'SMTP_CHECK',
  'TCP_CHECK',
] as const;

type Health = Readonly<Record<string, TomlValue | undefined>>;

interface Candidate {
  readonly server: RealServer;
  readonly check: Section;
  readonly health: Health;
}

/**
 * [service.health]: keepalived checks each server in ways of its own, Tandem all of a service in one. The way
 * that most servers share is taken; what differs is told.
 */
export function convertHealth(virtual: VirtualServer): TomlTable | undefined {
  const candidates = virtual.realServers.flatMap((server) => candidateOf(virtual, server));
  const common = mostCommon(candidates, ({ health }) => JSON.stringify(health));
  const taken = new Set(common);
  const [chosen] = common;
  if (chosen === undefined) return undefined;
  for (const { check } of candidates.filter((candidate) => !taken.has(candidate))) {
    const text = 'a service has one check for all its backends, and this one differs: left out';
    check.journal.remark(check.statement, 'missing', text);
  }
  for (const { check } of common.filter((candidate) => candidate.check.context === 'SSL_GET')) {
    const text = 'keepalived does not check the certificate: consider tls_verify = true';
    check.journal.remark(check.statement, null, text);
  }
  const checked = new Set(candidates.map(({ server }) => server));
  for (const { section } of virtual.realServers.filter((server) => !checked.has(server))) {
    section.journal.remark(
      section.statement,
      'changed',
      'it had no check that is carried over: it gets that of the others',
    );
  }
  return { header: '[service.health]', comments: [], values: chosen.health };
}

/** The most telling check of a server; the others are told to be left out. */
function candidateOf(virtual: VirtualServer, server: RealServer): Candidate[] {
  const checks = CHECKS.flatMap((kind) => server.section.sections(kind));
  const usable = checks.flatMap((check) => {
    const source: ProbeSource = { check, server, virtual };
    const probe = convertProbe(source);
    return probe === undefined ? [] : [{ check, server, health: healthOf(source, probe) }];
  });
  for (const { check } of usable.slice(1)) {
    check.journal.remark(check.statement, 'missing', 'a service has one check: left out');
  }
  return usable.slice(0, 1);
}

const HOUR = 3_600;

/** Timers are the check's own, else the server's, else the service's: keepalived.conf(5), "LVS CONFIGURATION". */
function healthOf({ check, server, virtual }: ProbeSource, probe: Probe): Health {
  const levels = [check, server.section, virtual.section];
  const inherited = (max: number, ...keywords: readonly string[]): number | undefined =>
    levels.map((section) => section.number(keywords, 0, max)).find((value) => value !== undefined);
  const alpha = levels.map((section) => section.flag('alpha')).find((value) => value !== undefined);
  const delayLoop = inherited(1e6, 'delay_loop') ?? 60;
  const interval = clamp(delayLoop, 0.01, HOUR);
  const retries = Math.round(inherited(1e6, 'retry', 'nb_get_retry') ?? probe.retries);
  const again = inherited(1e6, 'delay_before_retry') ?? probe.delayBeforeRetry ?? interval;
  const connect = inherited(1e6, 'connect_timeout') ?? 5;
  const timeout = probe.timeout ?? connect;
  if (delayLoop > HOUR) check.journal.remark(check.statement, 'changed', 'at most an hour between checks');
  if (Number.isFinite(timeout) && timeout > interval) {
    const text = `the time-out of a check is at most its interval: ${interval} s`;
    check.journal.remark(check.statement, 'changed', text);
  }
  const { port } = probe;
  return {
    ...probe.keys,
    port: port === server.port ? undefined : port,
    interval: span(interval),
    fast_interval: span(clamp(again, 0.01, interval)),
    timeout: span(clamp(timeout, 0.01, interval)),
    rise: 1,
    fall: clamp(retries + 1, 1, 1_000),
    initial: alpha === true ? undefined : 'up',
  };
}

const span = (value: number): string => formatDuration(seconds(value));
