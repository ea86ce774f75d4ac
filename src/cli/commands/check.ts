import type { Command } from 'commander';
import { ConfigError, type Problem, renderProblem } from '../../config/errors.ts';
import { EXIT } from '../../lib/errors.ts';
import type { Config } from '../../model/config.ts';
import { DEFAULT_CONFIG, type Session } from '../session.ts';
import type { Host } from './host.ts';

export function addCheck(program: Command, host: Host): void {
  program
    .command('check')
    .description('check a configuration file; binds and changes nothing (exit status 64 when it is wrong)')
    .argument('[file]', `the file (default: that of --config, else ${DEFAULT_CONFIG})`)
    .option('--other-host', 'the file is for another host: what this one lacks is a warning')
    .action((file: string | undefined, options: { otherHost?: boolean }, command: Command) =>
      host.run(command, (session) => check(session, file, options.otherHost === true)),
    );
}

async function check(session: Session, file: string | undefined, otherHost: boolean): Promise<number> {
  const { loadConfig } = await import('../../config/load.ts');
  const path = file ?? session.configOption ?? DEFAULT_CONFIG;
  const warnings: Problem[] = [];
  const load = (): Config =>
    loadConfig(path, {
      hostFaults: otherHost ? 'warning' : 'error',
      onWarning: (problem) => warnings.push(problem),
    });
  if (!session.json) {
    const config = loadOrFail(load);
    for (const warning of warnings) session.note(renderProblem(warning));
    session.print(summary(config));
    return EXIT.ok;
  }
  try {
    load();
    session.printJson({ ok: true, problems: warnings });
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    session.printJson({ ok: false, problems: error.problems });
    return EXIT.usage;
  }
}

/**
 * `run` tells a host that is not ready yet (71, worth another try) from a wrong file; a check has one answer
 * to "may this file be used here?".
 */
function loadOrFail(load: () => Config): Config {
  try {
    return load();
  } catch (error) {
    throw error instanceof ConfigError ? new ConfigError(error.problems, { cause: error }) : error;
  }
}

function summary(config: Config): string {
  const backends = config.services.reduce((sum, service) => sum + service.backends.length, 0);
  const groups = config.failover?.groups.length ?? 0;
  const parts = [
    counted(config.services.length, 'service'),
    counted(backends, 'backend'),
    groups === 0 ? 'no failover' : counted(groups, 'failover group'),
  ];
  return `${config.path}: ok (${parts.join(', ')})`;
}

const counted = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`;
