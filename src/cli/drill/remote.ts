import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { messageOf, TandemError } from '../../lib/errors.ts';
import { type Measurement, type MeasurementOptions, type ProbeReport, probeReport } from './measurement.ts';
import { formatTarget } from './target.ts';

/** What a controlled prober prints, a line each. It is told "mark" by a line, and to finish by the end of its input. */
export const proberLine = z.union([
  z.strictObject({ ready: z.literal(true) }),
  z.strictObject({ problem: z.string() }),
  z.strictObject({ report: probeReport }),
]);
export type ProberLine = z.infer<typeof proberLine>;

/** For ssh to connect, and for the first answers. */
const READY_LIMIT_MS = 30_000;
const FINISH_LIMIT_MS = 10_000;
const MAX_COMPLAINT = 4_096;

/** "tandem failover probe --controlled" on another host, started with a program such as ssh. */
export class RemoteMeasurement implements Measurement {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string, void, undefined>;
  readonly #gone: Promise<string>;
  #complaint = '';

  /** @param command the program that runs `tandem` there, and its arguments: ["ssh", "client-1", "tandem"] */
  constructor(command: readonly string[], options: MeasurementOptions) {
    const [program = '', ...args] = command;
    const child = spawn(program, [...args, ...probeArguments(options)], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child = child;
    child.stdin.on('error', () => undefined);
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (this.#complaint.length < MAX_COMPLAINT) this.#complaint += text;
    });
    this.#gone = new Promise((resolve) => {
      child.once('error', (error) => resolve(messageOf(error)));
      child.once('close', (status, signal) =>
        resolve(this.#complaint.trim() || `${signal ?? `status ${status}`}`),
      );
    });
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]() as AsyncIterator<
      string,
      void,
      undefined
    >;
  }

  async ready(): Promise<string | null> {
    const line = await this.#next(READY_LIMIT_MS);
    if ('problem' in line) return line.problem;
    return 'ready' in line ? null : 'the prober said something else than that it is ready';
  }

  mark(): void {
    this.#child.stdin?.write('mark\n');
  }

  async finish(): Promise<ProbeReport> {
    this.#child.stdin?.end();
    const line = await this.#next(FINISH_LIMIT_MS);
    if ('report' in line) return line.report;
    throw proberFailed('problem' in line ? line.problem : 'it has no report');
  }

  close(): void {
    this.#child.stdin?.end();
    if (this.#child.exitCode === null) this.#child.kill('SIGTERM');
  }

  /** @throws TandemError 'prober' */
  async #next(limitMs: number): Promise<ProberLine> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), limitMs);
    });
    try {
      const next = await Promise.race([this.#lines.next(), late]);
      if (next === 'late') throw proberFailed(`it has said nothing for ${limitMs / 1_000} s`);
      if (next.done === true) throw proberFailed(await this.#gone);
      return proberLine.parse(JSON.parse(next.value));
    } catch (error) {
      if (error instanceof TandemError) throw error;
      throw proberFailed(`it does not answer as a prober does (${messageOf(error).split('\n', 1)[0]})`);
    } finally {
      clearTimeout(timer);
    }
  }
}

function probeArguments({ targets, intervalMillis, connections, udpPayload }: MeasurementOptions): string[] {
  return [
    'failover',
    'probe',
    '--controlled',
    '--interval',
    `${intervalMillis}ms`,
    '--connections',
    `${connections}`,
    '--udp-payload',
    udpPayload.toString('hex'),
    ...targets.map(formatTarget),
  ];
}

const proberFailed = (why: string): TandemError =>
  new TandemError('prober', `the prober failed: ${why}`, {
    hint: '--prober names the program that runs tandem on a third host: "ssh client-1 tandem"',
  });
