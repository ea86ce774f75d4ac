import type { Command } from 'commander';
import type { Problem } from '../../config/errors.ts';
import { type Finding, SEVERITIES, type Severity } from '../../doctor/finding.ts';
import { EXIT, TandemError } from '../../lib/errors.ts';
import type { Config } from '../../model/config.ts';
import { printable, type Style, table } from '../output.ts';
import { DEFAULT_CONFIG, type Session } from '../session.ts';
import type { Host } from './host.ts';

/** For the question which file it runs with; one that is stopped must not hold everything up. */
const DAEMON_TIMEOUT_MS = 2_000;

export function addDoctor(program: Command, host: Host): void {
  program
    .command('doctor')
    .description('look for what breaks pairs: network, kernel, privileges, peer; exit status 1 with problems')
    .action((_options: object, command: Command) => host.run(command, doctor));
}

async function doctor(session: Session): Promise<number> {
  const [{ examine }, { systemFiles }, { loadNative }] = await Promise.all([
    import('../../doctor/doctor.ts'),
    import('../../doctor/collect/files.ts'),
    import('../../native/index.ts'),
  ]);
  const warnings: Problem[] = [];
  const config = await load(session.configOption ?? (await runningFile(session)), warnings);
  const progress = new Progress(session);
  const findings = printable(
    await examine({
      config,
      configWarnings: warnings.map(warningOf),
      client: await session.client(config.admin.socket),
      native: loadNative(),
      files: systemFiles,
      progress: (what) => progress.show(what),
    }).finally(() => progress.clear()),
  );
  if (session.json) session.printJson({ ok: !hasProblem(findings), findings });
  else session.print(...render(findings, session.style));
  return hasProblem(findings) ? EXIT.failure : EXIT.ok;
}

/** What the host lacks is the doctor's business: it must not keep the file from being read. */
async function load(path: string, warnings: Problem[]): Promise<Config> {
  const { loadConfig } = await import('../../config/load.ts');
  return loadConfig(path, {
    hostFaults: 'warning',
    onWarning: (problem) => warnings.push(problem),
  });
}

/** Without --config: the file that the daemon runs with, or else would run with. */
async function runningFile(session: Session): Promise<string> {
  try {
    return (await (await session.client()).status(DAEMON_TIMEOUT_MS)).configPath;
  } catch (error) {
    if (!(error instanceof TandemError)) throw error;
    // why it does not answer is one of the findings
    return DEFAULT_CONFIG;
  }
}

function warningOf({ key, message, hint }: Problem): { text: string; hint: string | null } {
  return { text: key === '' ? message : `${key}: ${message}`, hint: hint ?? null };
}

const hasProblem = (findings: readonly Finding[]): boolean =>
  findings.some(({ severity }) => severity === 'problem');

/** Severities that are nouns, in singular and plural. */
const COUNTED: Partial<Record<Severity, readonly [string, string]>> = {
  problem: ['problem', 'problems'],
  warning: ['warning', 'warnings'],
};

/** The worst first, each with its fix below it, and the count. */
export function render(findings: readonly Finding[], style: Style): string[] {
  const colour: Readonly<Record<Severity, (text: string) => string>> = {
    problem: style.red,
    warning: style.yellow,
    skipped: style.dim,
    ok: style.green,
  };
  const rows = findings.flatMap(({ severity, code, subject, seen, fix }) => [
    [colour[severity](severity), code, subject ?? '', seen],
    ...(fix === null ? [] : [['', '', '', style.cyan(`fix: ${fix}`)]]),
  ]);
  const columns = ['RESULT', 'CHECK', 'OF', 'SEEN'].map((title) => ({ title }));
  const counts = SEVERITIES.map((severity) => {
    const count = findings.filter((finding) => finding.severity === severity).length;
    return `${count} ${COUNTED[severity]?.[count === 1 ? 0 : 1] ?? severity}`;
  });
  return [...table(columns, rows, style), '', counts.join(', ')];
}

/** One line on a terminal that is replaced and then gone; nothing elsewhere. */
class Progress {
  readonly #out: NodeJS.WriteStream | null;

  constructor({ io, json }: Session) {
    this.#out = io.stderr.isTTY && !json ? io.stderr : null;
  }

  show(what: string): void {
    this.#out?.write(`\r${what}...\u001b[K`);
  }

  clear(): void {
    this.#out?.write('\r\u001b[K');
  }
}
