import type { BackendFacts, Check, Facts, ListenerFacts } from '../facts.ts';
import { type Finding, ok, problem, skipped, warning } from '../finding.ts';

/** Listeners that cannot be opened, and backends that do not answer. */
export const checkServices: Check = (facts) => [
  ...facts.listeners.map(listener),
  ...facts.config.services.flatMap(({ name }) => backends(facts, name)),
];

function listener({ service, protocol, endpoint, port, found }: ListenerFacts): Finding {
  const subject = `${service} ${endpoint}`;
  if ('missing' in found) return skipped('listener', subject, found.missing, 'sudo tandem doctor');
  switch (found.value.kind) {
    case 'daemon':
      return ok('listener', subject, 'open in the daemon');
    case 'free':
      return ok('listener', subject, 'free');
    case 'refused':
      return problem(
        'listener',
        subject,
        `cannot be bound: ${found.value.why}`,
        'change listen in the service',
      );
    case 'taken': {
      const { by } = found.value;
      const option = protocol === 'tcp' ? '-ltnp' : '-lunp';
      const fix = `stop it, or choose another port; ss ${option} 'sport = :${port}' shows it`;
      return problem('listener', subject, `taken by ${by ?? 'another program'}`, fix);
    }
  }
}

/** One finding for what answers and what does not, for a service has dozens of backends. */
function backends(facts: Facts, service: string): Finding[] {
  const all = facts.backends.filter((backend) => backend.service === service);
  const asked = all.flatMap((backend) =>
    'value' in backend.result ? [{ ...backend, ...backend.result.value }] : [],
  );
  const unasked = all.flatMap(({ backend, result }) =>
    'missing' in result ? [{ backend, why: result.missing }] : [],
  );
  const silent = asked.filter((backend) => !backend.ok);
  const findings: Finding[] = [];
  if (silent.length > 0) findings.push(unreachable(service, asked.length, silent));
  else if (asked.length > 0)
    findings.push(ok('backends', service, `${asked.length} of ${asked.length} answer`));
  for (const why of new Set(unasked.map((backend) => backend.why))) {
    const names = unasked.filter((backend) => backend.why === why).map(({ backend }) => backend);
    findings.push(skipped('backends', service, `${shortList(names)}: ${why}`, 'tandem status'));
  }
  return findings;
}

function unreachable(
  service: string,
  asked: number,
  silent: readonly (Pick<BackendFacts, 'backend'> & { readonly detail: string })[],
): Finding {
  const reasons = silent.map(({ backend, detail }) => `${backend} (${detail})`);
  const seen = `${silent.length} of ${asked} do not answer: ${shortList(reasons)}`;
  const fix =
    'start them, and let this host through their firewall; tandem backends shows what their checks say';
  return silent.length === asked
    ? problem('backends', service, seen, fix)
    : warning('backends', service, seen, fix);
}

const SHOWN = 5;

function shortList(names: readonly string[]): string {
  const shown = names.slice(0, SHOWN).join(', ');
  return names.length > SHOWN ? `${shown} and ${names.length - SHOWN} more` : shown;
}
