import type { Command } from 'commander';
import { EXIT, TandemError } from '../../lib/errors.ts';
import { canAsk, Questions } from '../ask.ts';
import { Drill, type DrillResult, refused } from '../drill/drill.ts';
import { LocalMeasurement, type Measurement, type MeasurementOptions } from '../drill/measurement.ts';
import { targetsOf } from '../drill/plan.ts';
import { RemoteMeasurement } from '../drill/remote.ts';
import { formatTarget, parseTarget } from '../drill/target.ts';
import { drillLines } from '../drill/view.ts';
import { printable } from '../output.ts';
import type { Session } from '../session.ts';
import { asker } from './asker.ts';
import { addProbe } from './failover-probe.ts';
import { type Host, untilInterrupted } from './host.ts';
import { addProbeOptions, millisOf, type ProbeOptions, probeOptions } from './probe-options.ts';

interface Options extends ProbeOptions {
  readonly crash?: 'agent' | 'node' | true;
  readonly return: boolean;
  readonly yes?: true;
  readonly force?: true;
  readonly target: string;
  readonly prober?: string;
  readonly probe?: readonly string[];
}

const CRASHES = {
  agent: { kind: 'crash-agent', what: 'the failover agent of this node is killed (kill -9)' },
  node: {
    kind: 'crash-node',
    what: 'the whole daemon of this node is killed (kill -9), with all its connections',
  },
} as const;

export function addDrill(failover: Command, host: Host): void {
  const drill = failover
    .command('drill')
    .description(
      'fail over on purpose, measure it, and say whether that was good enough (exit status 0 or 1)',
    )
    .argument('[group]', 'one group alone (default: all of them)')
    .option('--crash [what]', 'kill the "agent" (default) or the "node" instead of a planned handover')
    .option('--no-return', 'leave the role at the peer')
    .option('--target <duration>', 'the longest gap that passes', '500ms')
    .option('--prober <command>', 'probe from a third host: "ssh client-1 tandem" runs tandem there')
    .option('--probe <url...>', 'what to probe (default: every service on the addresses)')
    .option('--yes', 'do not ask before a crash')
    .option('--force', 'kill a daemon, too, that nothing starts again');
  addProbeOptions(drill).action((group: string | undefined, options: Options, command: Command) =>
    host.run(command, (session) => run(session, group, options)),
  );
  addProbe(failover, host);
}

async function run(session: Session, group: string | undefined, options: Options): Promise<number> {
  const crash = crashOf(options.crash);
  const targetMillis = millisOf(options.target, '--target');
  const client = await session.client();
  const interrupted = untilInterrupted();
  const drill = new Drill(client, {
    kind: crash === null ? 'planned' : CRASHES[crash].kind,
    group,
    targetMillis,
    comeBack: options.return,
    force: options.force === true,
    by: asker(),
    note: (line) => session.note(printable(line)),
    signal: interrupted.signal,
  });
  let measurement: Measurement | null = null;
  try {
    const before = await drill.check();
    const targets = options.probe?.map(parseTarget) ?? targetsOf(before, group);
    if (targets.length === 0) throw refused('no service listens on the addresses: there is nothing to probe');
    if (crash !== null) await confirm(session, CRASHES[crash].what, options.yes === true);
    measurement = measurementOf({ targets, ...probeOptions(options) }, options.prober);
    session.note(`probing ${targets.map(formatTarget).join(', ')}`);
    const problem = await measurement.ready();
    if (problem !== null) throw notMeasured(problem);
    const result = await drill.run(before, measurement);
    await client.drillDone(result.report).catch((error: unknown) => {
      session.note(`the daemon could not be told: ${error instanceof Error ? error.message : String(error)}`);
    });
    show(session, result);
    return result.report.passed ? EXIT.ok : EXIT.failure;
  } finally {
    measurement?.close();
    interrupted.dispose();
  }
}

function measurementOf(options: MeasurementOptions, prober: string | undefined): Measurement {
  if (prober === undefined) return new LocalMeasurement(options);
  const command = prober.split(/\s+/).filter((word) => word !== '');
  return new RemoteMeasurement(command, options);
}

function notMeasured(problem: string): TandemError {
  return new TandemError('drill-refused', `no drill now: ${problem}`, {
    hint: 'probe from a third host: --prober "ssh client-1 tandem"',
    exitStatus: EXIT.failure,
  });
}

function crashOf(crash: Options['crash']): keyof typeof CRASHES | null {
  if (crash === undefined) return null;
  if (crash === true) return 'agent';
  if (Object.hasOwn(CRASHES, crash)) return crash;
  throw new TandemError('bad-crash', `--crash ${crash}: there is "agent" and "node"`, {
    exitStatus: EXIT.usage,
  });
}

/** @throws TandemError unless somebody agrees */
async function confirm(session: Session, what: string, yes: boolean): Promise<void> {
  if (yes) return;
  if (!canAsk(session.io)) {
    throw new TandemError('drill-unconfirmed', `${what}: nobody is there to confirm that`, {
      hint: 'say --yes',
      exitStatus: EXIT.usage,
    });
  }
  const questions = new Questions(session.io);
  try {
    const answer = await questions.ask(`${what}. Go on? (yes/no)`, 'no');
    if (answer !== 'yes') throw refused('not confirmed');
  } finally {
    questions.close();
  }
}

function show(session: Session, { report, probes, connections }: DrillResult): void {
  if (session.json)
    session.printJson({ ...report, targets: probes.targets, unmeasured: probes.unmeasured, connections });
  else session.print(...printable(drillLines(report, probes, connections, session.style)));
}
