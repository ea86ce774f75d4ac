import { closeSync, fchmodSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import type { ImportResult } from '../../config/import/result.ts';
import { SOURCES, type Source } from '../../config/import/source.ts';
import { EXIT, errnoOf, messageOf, TandemError } from '../../lib/errors.ts';
import { importLines } from '../import-view.ts';
import { type Style, styleOf } from '../output.ts';
import { type Session, wantsColor } from '../session.ts';
import type { Host } from './host.ts';

interface ImportOptions {
  readonly from?: Source;
  readonly output?: string;
  readonly force?: boolean;
  readonly configId?: string;
}

export function addImport(program: Command, host: Host): void {
  program
    .command('import')
    .description('turn a haproxy.cfg or keepalived.conf into a configuration for tandem')
    .argument(
      '<file...>',
      'as with several -f of haproxy, where a directory stands for its *.cfg; one keepalived.conf',
    )
    .addOption(
      new Option('--from <program>', 'whose configuration it is (default: the file shows it)').choices(
        SOURCES,
      ),
    )
    .option('-o, --output <path>', 'write the configuration there; without it, to standard output')
    .option('--force', 'even if that file exists')
    .option('--config-id <id>', "keepalived's -i, for lines with @ (default: this host's name)")
    .addHelpText(
      'after',
      '\nWhat became of each keyword goes to standard error.' +
        '\nExit status: 0 all that matters was carried over, 1 something is missing (see the report), 64 the file cannot be read.',
    )
    .action((files: string[], options: ImportOptions, own: Command) =>
      host.run(own, (session) => {
        const color = wantsColor(
          session.io.stderr,
          session.io.env,
          own.optsWithGlobals<{ color?: boolean }>(),
        );
        return importFiles(session, files, options, styleOf(color));
      }),
    );
}

async function importFiles(
  session: Session,
  files: readonly string[],
  options: ImportOptions,
  style: Style,
): Promise<number> {
  const result = await read(session, files, options);
  if (options.output !== undefined) write(options.output, result, options.force === true);
  show(session, result, options.output, style);
  return result.complete ? EXIT.ok : EXIT.failure;
}

async function read(
  session: Session,
  files: readonly string[],
  options: ImportOptions,
): Promise<ImportResult> {
  const { systemReader } = await import('../../config/import/system-reader.ts');
  const { detectSource } = await import('../../config/import/detect.ts');
  const { expandFolders } = await import('../../config/import/folders.ts');
  const paths = expandFolders(files.map((file) => resolve(file)));
  const [first = ''] = paths;
  const source = options.from ?? detectSource(first, systemReader.read(first));
  if (source === 'haproxy') {
    const { importHaproxy } = await import('../../config/import/haproxy/index.ts');
    return importHaproxy(paths, systemReader, (name) => session.io.env[name]);
  }
  if (paths.length > 1) {
    const hint = 'name one file; what it includes is read too';
    throw new TandemError('import-files', 'keepalived reads one file', { hint, exitStatus: EXIT.usage });
  }
  const { importKeepalived } = await import('../../config/import/keepalived/index.ts');
  return importKeepalived(first, systemReader, options.configId ?? hostname().split('.')[0] ?? '');
}

function show(session: Session, result: ImportResult, output: string | undefined, style: Style): void {
  const { toml, report, faults, complete } = result;
  if (session.json) {
    // what was asked to go into a file alone stays there: it may hold a password
    const where = output === undefined ? { toml } : { output };
    session.printJson({ complete, ...where, report, faults });
    return;
  }
  if (output === undefined) session.io.stdout.write(toml);
  for (const line of importLines(result, style)) session.note(line);
  if (output !== undefined) session.note(`\n${output} is written; next: tandem check ${output}`);
}

/** A file with a password is for its owner alone, also when it was there before. */
function write(path: string, { toml, secret }: ImportResult, force: boolean): void {
  let fd: number | undefined;
  try {
    fd = openSync(path, force ? 'a' : 'wx', secret ? 0o600 : 0o644);
    if (secret) fchmodSync(fd, 0o600);
    ftruncateSync(fd);
    writeSync(fd, toml);
  } catch (error) {
    const exists = errnoOf(error) === 'EEXIST';
    const hint = exists ? '--force overwrites it' : 'choose another --output';
    const reason = exists ? 'exists already' : `cannot be written: ${messageOf(error)}`;
    const exitStatus = exists ? EXIT.usage : EXIT.osError;
    throw new TandemError('import-output', `${path} ${reason}`, { hint, exitStatus, cause: error });
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
