import { isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HttpListener } from './admin/http-listener.ts';
import { pageFiles } from './admin/page-files.ts';
import { AdminApi } from './admin/routes.ts';
import { startAdminServer, startMetricsServer } from './admin/server.ts';
import { loadFile } from './config/load.ts';
import { ConfigWatch } from './daemon/config-watch.ts';
import { forgetManagerVariables, managerVariables, ServiceManager } from './daemon/service-manager.ts';
import { Supervisor } from './daemon/supervisor.ts';
import { systemClock } from './lib/clock.ts';
import { EXIT, messageOf } from './lib/errors.ts';
import { VERSION } from './lib/version.ts';
import type { Config } from './model/config.ts';
import { loadNative, type Native } from './native/index.ts';
import { createLogger, type LogFormat, type Logger } from './observability/logger.ts';
import { Timeline } from './observability/timeline.ts';

/** Beside this file once it is built. */
const PAGE = fileURLToPath(new URL('./page', import.meta.url));
/** sysexits(3) EX_SOFTWARE: a fault of the daemon itself. */
const EXIT_SOFTWARE = 70;

export interface RunOptions {
  readonly configPath: string;
  /** Left out: pretty on a terminal, JSON otherwise. */
  readonly logFormat?: LogFormat;
  /** Reloads whenever the file has new content. */
  readonly watch?: boolean;
}

/**
 * Runs the daemon in this process until SIGTERM or SIGINT (a second one cuts what still drains); SIGHUP reloads.
 * @returns the exit status
 * @throws TandemError when it cannot start: nothing is left bound or claimed then
 */
export async function runDaemon(options: RunOptions): Promise<number> {
  const warnings: string[] = [];
  const file = loadFile(options.configPath, { onWarning: ({ message }) => warnings.push(message) });
  const { config } = file;
  const native = loadNative();
  const timeline = new Timeline({ wallMillis: systemClock.wallMillis });
  const logger = createLogger({
    node: config.node.name,
    level: config.node.logLevel,
    ...(options.logFormat === undefined ? {} : { format: options.logFormat }),
  });
  timeline.subscribe((event) => logger.event(event));
  dieLoudly(logger);

  const { emit } = timeline;
  for (const message of warnings) emit({ level: 'warn', name: 'config.warning', message, fields: {} });
  const report = (error: unknown): void => logger.unexpected('admin API', error);
  const supervisor: Supervisor = new Supervisor({
    file,
    stateFile: stateFileOf(config, process.env),
    native,
    clock: systemClock,
    timeline,
    manager: serviceManager(native, timeline),
    prepare: ({ admin }) => http.apply(admin.http),
    onConfig: ({ node }) => logger.setLevel(node.logLevel),
  });
  const api = new AdminApi(supervisor, timeline);
  const page = pageFiles(PAGE);
  const http = new HttpListener({ route: (url) => page(url) ?? api.route(url), emit, report });
  const opened: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const end of opened.reverse()) await end();
    logger.flush();
  };
  const start = async (): Promise<void> => {
    // first of all: it is the lock against a second daemon on the same configuration
    const admin = await startAdminServer({ ...config.admin, api, report });
    opened.push(() => admin.close());
    opened.push(() => http.close());
    await http.apply(config.admin.http);
    if (config.metrics !== null) {
      const metrics = await startMetricsServer({ ...config.metrics, backend: supervisor, report });
      opened.push(() => metrics.close());
    }
    await supervisor.start();
  };
  const starting = start();
  const stopped = untilStopped(supervisor, timeline, starting);
  try {
    await starting;
    if (options.watch === true) opened.push(watchConfig(config.path, supervisor, timeline));
  } catch (error) {
    await close();
    throw error;
  }
  emit({
    level: 'info',
    name: 'daemon.started',
    message: `tandem ${VERSION} runs with ${config.services.length} services`,
    fields: { version: VERSION, pid: process.pid, config: config.path, services: config.services.length },
  });
  await stopped;
  emit({ level: 'info', name: 'daemon.stopped', message: 'stopped', fields: {} });
  await close();
  return EXIT.ok;
}

/** The configured one, or one in systemd's StateDirectory= (systemd.exec(5): several are divided by colons). */
function stateFileOf({ admin }: Config, { STATE_DIRECTORY }: NodeJS.ProcessEnv): string | null {
  const [directory = ''] = (STATE_DIRECTORY ?? '').split(':');
  return admin.stateFile ?? (isAbsolute(directory) ? join(directory, 'state.json') : null);
}

function serviceManager(native: Native, { emit }: Timeline): ServiceManager {
  const { socket, watchdog } = managerVariables(process.env, process.pid);
  forgetManagerVariables(process.env);
  return new ServiceManager({
    send: socket === null ? null : (message) => native.sendUnixDatagram(socket, message),
    watchdog,
    pid: process.pid,
    monotonicMicros: () => process.hrtime.bigint() / 1_000n,
    warn: (message) => emit({ level: 'warn', name: 'daemon.manager', message, fields: {} }),
  });
}

/** @returns ends it */
function watchConfig(path: string, supervisor: Supervisor, timeline: Timeline): () => Promise<void> {
  const watch = new ConfigWatch({
    path,
    clock: systemClock,
    // what went wrong is in the log already, as config.rejected
    changed: () => void supervisor.reload().catch(() => undefined),
    warn: (message) => timeline.emit({ level: 'warn', name: 'config.warning', message, fields: {} }),
  });
  const unsubscribe = timeline.subscribe(({ name }) => {
    if (name === 'config.reloaded' || name === 'config.rejected') watch.refresh();
  });
  return async () => {
    unsubscribe();
    watch.close();
  };
}

/**
 * Resolves when a signal has stopped the supervisor. One that comes during the start is kept until that is
 * through: its default action would end the process with listeners and agent half way up.
 */
function untilStopped(supervisor: Supervisor, { emit }: Timeline, starting: Promise<void>): Promise<void> {
  // a start that failed is told by whoever awaits it, and ends the process
  const whenStarted = (act: () => Promise<unknown>): Promise<unknown> => starting.then(act, () => undefined);
  return new Promise((resolve, reject) => {
    let signals = 0;
    const stop = (signal: NodeJS.Signals): void => {
      const hurry = ++signals > 1;
      const how = hurry ? 'cutting what is left' : 'draining';
      emit({
        level: 'info',
        name: 'daemon.stopping',
        message: `${signal}: ${how}`,
        fields: { signal, hurry },
      });
      whenStarted(() => supervisor.stop(hurry)).then(() => resolve(), reject);
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
    process.on('SIGHUP', () => {
      // what went wrong is in the log already, as config.rejected
      whenStarted(() => supervisor.reload()).catch(() => undefined);
    });
  });
}

/**
 * A fault that nobody caught ends the process: the agent sees its supervisor go, gives the addresses up and
 * tells the peer, which is better than a balancer in an unknown state that still holds them.
 */
function dieLoudly(logger: Logger): void {
  const die = (error: unknown): void => {
    logger.unexpected(`fatal: ${messageOf(error)}`, error);
    logger.flush();
    process.exit(EXIT_SOFTWARE);
  };
  process.on('uncaughtException', die);
  process.on('unhandledRejection', die);
}
