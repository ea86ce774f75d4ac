import { formatDuration } from '../lib/duration.ts';
import { compareIp, type Endpoint, formatEndpoint, isLoopback, isUnspecified } from '../lib/ip.ts';
import { routeTargets } from './check-preface.ts';
import { type Finding, fault, warning } from './finding.ts';
import type { KeyPath } from './positions.ts';
import { resolveService } from './resolve.ts';
import type { FileSchema, HealthSection, ServiceSection } from './schema.ts';
import { quote } from './values.ts';
import { virtualAddresses } from './virtual.ts';

/** Each service by itself, and the names of all. Listeners that clash are check-listeners.ts's business. */
export function checkServices(file: FileSchema): Finding[] {
  const virtual = virtualAddresses(file);
  const targets = routeTargets(file);
  const all = file.service.flatMap((service, index) => {
    const path = ['service', index];
    return [
      ...(targets.has(service.name) ? [] : checkListens(service, path)),
      ...checkEndpoints(service, path, virtual),
      ...checkBackends(service, path),
      ...checkSchedule(service, path),
      ...checkLimits(service, path, file.limits.max_connections),
      ...checkPassive(service, path),
      ...(service.health === undefined ? [] : checkHealth(service.health, [...path, 'health'])),
    ];
  });
  return [...checkNames(file.service), ...all];
}

function checkNames(services: readonly ServiceSection[]): Finding[] {
  return duplicates(services.map((service) => service.name)).map((index) =>
    fault(
      ['service', index, 'name'],
      `${quote(services[index]?.name ?? '')} is the name of an earlier service`,
      'give each service a name of its own',
    ),
  );
}

/** The indexes of the values that occurred before. */
export function duplicates(values: readonly string[]): number[] {
  const seen = new Set<string>();
  return values.flatMap((value, index) => {
    if (seen.has(value)) return [index];
    seen.add(value);
    return [];
  });
}

/** A service that another one routes to need not listen itself. */
function checkListens({ listen }: ServiceSection, path: KeyPath): Finding[] {
  if (listen.length > 0) return [];
  const hint = 'write at least one address and port, such as listen = ["10.0.0.100:80"]';
  return [fault([...path, 'listen'], 'nothing to listen on', hint)];
}

function checkEndpoints(service: ServiceSection, path: KeyPath, virtual: ReadonlySet<string>): Finding[] {
  const findings: Finding[] = [];
  service.backend.forEach((backend, index) => {
    const at = [...path, 'backend', index, 'address'];
    const { text } = backend.address.address;
    if (service.listen.some((listen) => leadsBack(listen, backend.address, virtual))) {
      const message = `${formatEndpoint(backend.address)} is where this service itself listens: it would connect to itself`;
      findings.push(fault(at, message, 'write the address of a server'));
    } else if (virtual.has(text)) {
      // a warning: chaining two services through the Active node is odd, but it does work
      const message = `${text} is a virtual address of this file: it leads to whichever node is Active, never to a server of its own`;
      findings.push(warning(at, message, 'write the address of a server, one that does not move'));
    }
  });
  return findings;
}

/**
 * Would a connection to `backend` arrive at `listen`? A wildcard has the loopback addresses on every host, and
 * the virtual ones on the Active node.
 */
function leadsBack(listen: Endpoint, backend: Endpoint, virtual: ReadonlySet<string>): boolean {
  if (listen.port !== backend.port || listen.address.family !== backend.address.family) return false;
  if (isUnspecified(listen.address)) return isLoopback(backend.address) || virtual.has(backend.address.text);
  return compareIp(listen.address, backend.address) === 0;
}

function checkBackends(service: ServiceSection, path: KeyPath): Finding[] {
  const { backend: backends } = service;
  // one that has only routes refuses the others
  if (backends.length === 0 && service.sni.length > 0) return [];
  if (backends.length === 0) {
    const hint = 'add [[service.backend]] with address = "10.0.1.11:8080"';
    return [fault([...path, 'backend'], 'no backend to send clients to', hint)];
  }
  const findings: Finding[] = [];
  const addresses = backends.map((backend) => formatEndpoint(backend.address));
  for (const index of duplicates(addresses)) {
    const message = `${addresses[index]} is the address of an earlier backend of this service`;
    findings.push(fault([...path, 'backend', index, 'address'], message, 'remove one, or raise its weight'));
  }
  const ids = resolveService(service).backends.map((backend) => backend.id);
  for (const index of duplicates(ids)) {
    if (backends[index]?.id === undefined && duplicates(addresses).includes(index)) continue;
    const message = `${quote(ids[index] ?? '')} is the id of an earlier backend of this service`;
    findings.push(fault([...path, 'backend', index, 'id'], message, 'give each backend an id of its own'));
  }
  if (backends.every((backend) => backend.weight === 0)) {
    findings.push(
      warning([...path, 'backend'], 'every backend has weight 0: no client will be served', 'raise a weight'),
    );
  }
  return findings;
}

function checkSchedule(service: ServiceSection, path: KeyPath): Finding[] {
  const { schedule } = service;
  const { algorithm } = resolveService(service).schedule;
  const findings: Finding[] = [];
  const at = (key: string): KeyPath => [...path, 'schedule', key];
  const only = (key: string, algorithms: readonly string[]): void => {
    if (algorithms.includes(algorithm)) return;
    const names = algorithms.map(quote).join(' or ');
    findings.push(fault(at(key), `means nothing to ${quote(algorithm)}`, `remove it, or choose ${names}`));
  };
  if (schedule?.hash_key !== undefined) only('hash_key', ['maglev']);
  if (schedule?.balance_factor !== undefined) {
    only('balance_factor', ['source-hash', 'maglev']);
    if (schedule.balance_factor <= 100) {
      const hint = 'write more than "100%", such as "125%": at the mean itself no backend has room';
      findings.push(fault(at('balance_factor'), `${schedule.balance_factor}% is out of range`, hint));
    }
  }
  if (schedule?.table_size !== undefined) {
    only('table_size', ['maglev']);
    findings.push(...checkTableSize(schedule.table_size, service.backend.length, at('table_size')));
  }
  // of several backups the first that is there serves, which is what is wanted of them
  const primaries = service.backend.filter(({ backup }) => !backup);
  if (algorithm === 'first' && primaries.slice(0, -1).some((b) => b.max_connections === undefined)) {
    const hint = 'give every backend but the last a max_connections';
    const message = '"first" fills a backend up to its max_connections: without one the next is never used';
    findings.push(warning([...path, 'schedule'], message, hint));
  }
  return findings;
}

function checkTableSize(size: number, backends: number, path: KeyPath): Finding[] {
  if (!isPrime(size)) {
    return [
      fault(path, `${size} is not a prime number`, `write a prime, such as ${nextPrime(size)} or 65537`),
    ];
  }
  if (size >= backends) return [];
  const hint = 'every backend needs a slot; 100 for each spread the load within a few per cent';
  return [fault(path, `${size} slots are too few for ${backends} backends`, hint)];
}

export function isPrime(n: number): boolean {
  if (n < 2) return false;
  for (let divisor = 2; divisor * divisor <= n; divisor++) if (n % divisor === 0) return false;
  return true;
}

function nextPrime(n: number): number {
  let candidate = n;
  while (!isPrime(candidate)) candidate++;
  return candidate;
}

function checkLimits(service: ServiceSection, path: KeyPath, processLimit: number | undefined): Finding[] {
  const findings: Finding[] = [];
  const burst = (limit: { burst?: number | undefined; rate?: unknown }, at: KeyPath): void => {
    if (limit.burst === undefined || limit.rate !== undefined) return;
    findings.push(
      fault([...at, 'burst'], 'means nothing without a rate', 'add rate = "100/s", or remove it'),
    );
  };
  burst(service, path);
  const source = service.source_limit;
  if (source !== undefined) {
    burst(source, [...path, 'source_limit']);
    if (source.max_connections === undefined && source.rate === undefined) {
      const hint = 'set max_connections or rate in it';
      findings.push(warning([...path, 'source_limit'], 'limits nothing', hint));
    }
  }
  const { max_connections: own } = service;
  if (own !== undefined && processLimit !== undefined && own > processLimit) {
    const message = `${own} is never reached: [limits] max_connections is ${processLimit}`;
    findings.push(warning([...path, 'max_connections'], message, 'raise that one or lower this one'));
  }
  if (service.none_eligible === 'backup' && !service.backend.some((backend) => backend.backup)) {
    const hint = 'mark a backend with backup = true, or choose "reject" or "fail-open"';
    findings.push(fault([...path, 'none_eligible'], 'there is no backup backend', hint));
  }
  return findings;
}

function checkPassive({ passive }: ServiceSection, path: KeyPath): Finding[] {
  if (passive.max_ejection >= passive.base_ejection) return [];
  const message = `${formatDuration(passive.max_ejection)} is shorter than base_ejection`;
  const hint = `write at least "${formatDuration(passive.base_ejection)}"`;
  return [fault([...path, 'passive', 'max_ejection'], message, hint)];
}

function checkHealth(health: HealthSection, path: KeyPath): Finding[] {
  const findings: Finding[] = [];
  const interval = formatDuration(health.interval);
  for (const key of ['timeout', 'fast_interval'] as const) {
    const value = health[key];
    if (value === undefined || value <= health.interval) continue;
    const message = `${formatDuration(value)} is longer than the interval of ${interval}`;
    findings.push(fault([...path, key], message, `write at most "${interval}", or a longer interval`));
  }
  if (health.type === 'tcp') findings.push(...checkTcp(health, path));
  if (health.type === 'http') findings.push(...checkHttp(health, path));
  if (health.type === 'exec') findings.push(...checkCommand(health.command, [...path, 'command']));
  return findings;
}

function checkTcp(health: Extract<HealthSection, { type: 'tcp' }>, path: KeyPath): Finding[] {
  const empty = health.exchange.findIndex((step) =>
    Object.values(step).every((value) => value === undefined),
  );
  const findings: Finding[] = [];
  if (empty >= 0) {
    const hint = 'write { send = "PING\\r\\n", expect = "+PONG" }, or one of them';
    findings.push(fault([...path, 'exchange', empty], 'neither sends nor expects anything', hint));
  }
  if (health.host !== undefined && !health.tls) {
    const message = 'is the server name of TLS, and this check has none';
    findings.push(fault([...path, 'host'], message, 'write tls = true, or remove it'));
  }
  return findings;
}

function checkHttp(health: Extract<HealthSection, { type: 'http' }>, path: KeyPath): Finding[] {
  const findings: Finding[] = [];
  if (health.expect_status.length === 0) {
    findings.push(fault([...path, 'expect_status'], 'no status is accepted', 'write expect_status = [200]'));
  }
  if (health.method !== 'HEAD') return findings;
  const bodyKeys = {
    expect_body: health.expect_body !== undefined,
    expect_regex: health.expect_regex !== undefined,
    expect_json: Object.keys(health.expect_json).length > 0,
  };
  for (const [key, used] of Object.entries(bodyKeys)) {
    if (!used) continue;
    const message = 'the answer to HEAD has no body';
    findings.push(fault([...path, key], message, 'remove it, or write method = "GET"'));
  }
  return findings;
}

/** A program to run: absolute path, no NUL. */
export function checkCommand(command: readonly string[], path: KeyPath): Finding[] {
  const [program] = command;
  const hint = 'write the program\'s absolute path and its arguments: ["/usr/local/bin/check", "--fast"]';
  if (program === undefined) return [fault(path, 'names no program', hint)];
  if (!program.startsWith('/')) {
    return [fault([...path, 0], `${quote(program)} is not an absolute path (no shell runs it)`, hint)];
  }
  const index = command.findIndex((argument) => argument.includes('\0'));
  return index < 0 ? [] : [fault([...path, index], 'contains a NUL character', hint)];
}
