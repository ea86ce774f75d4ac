import type { Check, Facts } from '../facts.ts';
import { type Finding, SEVERITIES } from '../finding.ts';
import { checkAddresses } from './addresses.ts';
import { checkCapacity } from './capacity.ts';
import { checkDaemon } from './daemon.ts';
import { checkInterfaces } from './interfaces.ts';
import { checkKernel } from './kernel.ts';
import { checkPrivileges } from './privileges.ts';
import { checkServices } from './services.ts';
import { checkWire } from './wire.ts';

const CHECKS: readonly Check[] = [
  checkDaemon,
  checkWire,
  checkAddresses,
  checkInterfaces,
  checkKernel,
  checkPrivileges,
  checkCapacity,
  checkServices,
];

/** Everything that there is to say, the worst first. */
export function diagnose(facts: Facts): Finding[] {
  return CHECKS.flatMap((check) => check(facts)).sort(
    (a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity),
  );
}
