import { createInterface } from 'node:readline';
import type { Command } from 'commander';
import { EXIT } from '../../lib/errors.ts';
import { LocalMeasurement } from '../drill/measurement.ts';
import type { ProberLine } from '../drill/remote.ts';
import { parseTarget } from '../drill/target.ts';
import { probeLines } from '../drill/view.ts';
import type { Session } from '../session.ts';
import { type Host, pause, untilInterrupted } from './host.ts';
import { addProbeOptions, millisOf, type ProbeOptions, probeOptions } from './probe-options.ts';

/** However it is controlled: a forgotten prober ends. */
const LIFE_LIMIT_MS = 600_000;

interface Options extends ProbeOptions {
  readonly for?: string;
  readonly target: string;
  readonly controlled?: true;
}

/** The prober alone: needs no daemon, and runs where clients are. */
export function addProbe(failover: Command, host: Host): void {
  const probe = failover
    .command('probe')
    .description('probe addresses from this host, as a client would, and say how long they did not answer')
    .argument('<target...>', '10.0.0.100:80, [2001:db8::100]:80, udp://10.0.0.100:53')
    .option('--for <duration>', 'how long (default: until Ctrl-C)')
    .option('--target <duration>', 'the longest gap that passes (exit status 0 or 1)', '500ms')
    .option('--controlled', 'for a drill on another host: told by standard input, answers in JSON');
  addProbeOptions(probe).action((targets: string[], options: Options, command: Command) =>
    host.run(command, (session) => run(session, targets, options)),
  );
}

async function run(session: Session, targets: readonly string[], options: Options): Promise<number> {
  const measurement = new LocalMeasurement({ targets: targets.map(parseTarget), ...probeOptions(options) });
  try {
    return options.controlled === true
      ? await controlled(session, measurement)
      : await free(session, measurement, options);
  } finally {
    measurement.close();
  }
}

async function controlled(session: Session, measurement: LocalMeasurement): Promise<number> {
  const say = (line: ProberLine): void => session.printJson(line);
  const problem = await measurement.ready();
  if (problem !== null) {
    say({ problem });
    return EXIT.failure;
  }
  say({ ready: true });
  const input = createInterface({ input: session.io.stdin });
  const limit = setTimeout(() => input.close(), LIFE_LIMIT_MS);
  for await (const line of input) if (line === 'mark') measurement.mark();
  clearTimeout(limit);
  say({ report: await measurement.finish() });
  return EXIT.ok;
}

async function free(session: Session, measurement: LocalMeasurement, options: Options): Promise<number> {
  const targetMillis = millisOf(options.target, '--target');
  const limit = options.for === undefined ? LIFE_LIMIT_MS : millisOf(options.for, '--for');
  const interrupted = untilInterrupted();
  try {
    const problem = await measurement.ready();
    if (problem !== null) {
      session.note(`tandem: ${problem}`);
      return EXIT.failure;
    }
    measurement.mark();
    session.note(options.for === undefined ? 'probing; Ctrl-C ends it' : `probing for ${options.for}`);
    await pause(limit, interrupted.signal);
    const report = await measurement.finish();
    if (session.json) session.printJson(report);
    else session.print(...probeLines(report, targetMillis, session.style));
    const gaps = report.targets.map(({ gapMillis }) => gapMillis ?? Number.POSITIVE_INFINITY);
    return Math.max(...gaps) > targetMillis ? EXIT.failure : EXIT.ok;
  } finally {
    interrupted.dispose();
  }
}
