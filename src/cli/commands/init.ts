import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { type InitFile, type InitRequest, type InitService, renderInit } from '../../config/init.ts';
import { EXIT, errnoOf, messageOf, TandemError } from '../../lib/errors.ts';
import type { Protocol } from '../../model/service.ts';
import { canAsk, Questions } from '../ask.ts';
import { DEFAULT_CONFIG, type Session } from '../session.ts';
import type { Host } from './host.ts';

interface InitOptions {
  readonly node?: string;
  readonly peer?: string;
  readonly interface?: string;
  readonly peerInterface?: string;
  readonly address: readonly string[];
  readonly vrid?: number;
  readonly priority?: number;
  readonly service: readonly InitService[];
  readonly health?: string;
  readonly unicastOwn: readonly string[];
  readonly unicastPeer: readonly string[];
  readonly output: string;
  readonly force?: boolean;
}

export function addInit(program: Command, host: Host): void {
  program
    .command('init')
    .description('write a commented configuration for this host and for its peer; asks what flags leave open')
    .option('--node <name>', "this host's name (default: its host name)")
    .option('--peer <name>', "the other host's name; its file is written too")
    .option('--address <ip/length>', 'a virtual address that the pair shares; may be repeated', append, [])
    .option('--interface <name>', 'where the virtual addresses live')
    .option('--peer-interface <name>', 'the same on the peer, where it differs')
    .option('--vrid <number>', 'virtual router id, 1 to 255', integer(1, 255))
    .option('--priority <number>', "this host's, 1 to 254; the higher one is active", integer(1, 254))
    .option(
      '--service <name/protocol/port=backend,...>',
      'such as web/tcp/80=10.0.1.11:8080,10.0.1.12:8080; may be repeated',
      appendService,
      [],
    )
    .option('--health <path>', 'ask TCP backends for this path over HTTP')
    .option('--unicast-own <ip>', 'no multicast: this address of ours; may be repeated', append, [])
    .option('--unicast-peer <ip>', 'no multicast: this address of the peer; may be repeated', append, [])
    .option('-o, --output <folder>', 'where to write', '.')
    .option('--force', 'overwrite files that exist')
    .action((options: InitOptions, command: Command) =>
      host.run(command, (session) => init(session, options)),
    );
}

async function init(session: Session, options: InitOptions): Promise<number> {
  const asks = options.service.length === 0;
  if (asks && !canAsk(session.io)) {
    throw new TandemError('init-incomplete', 'there is no terminal to ask on, and --service is missing', {
      hint: 'for example --service web/tcp/80=10.0.1.11:8080,10.0.1.12:8080',
      exitStatus: EXIT.usage,
    });
  }
  const request = asks ? await interview(session, options) : requestOf(options);
  const files = renderInit(request);
  await check(files);
  const paths = write(files, options);
  if (session.json) session.printJson({ files: paths });
  else {
    session.print(...paths);
    session.note(
      `Next: look them over, copy each to its host as ${DEFAULT_CONFIG}, then "tandem check" there.`,
    );
  }
  return EXIT.ok;
}

function requestOf(options: InitOptions): InitRequest {
  const { vrid, priority, peerInterface, unicastOwn, unicastPeer, health } = options;
  const unicast = unicastPeer.length === 0 ? null : { own: unicastOwn, peer: unicastPeer };
  return {
    nodeName: options.node ?? hostname(),
    interface: options.interface ?? firstInterface(),
    virtualAddresses: options.address,
    services: options.service.map((service) => withHealth(service, health)),
    ...(vrid === undefined ? {} : { vrid }),
    ...(priority === undefined ? {} : { priority }),
    peer:
      options.peer === undefined
        ? null
        : {
            nodeName: options.peer,
            unicast,
            ...(peerInterface === undefined ? {} : { interface: peerInterface }),
          },
  };
}

const withHealth = (service: InitService, path: string | undefined): InitService =>
  service.protocol === 'tcp' && path !== undefined ? { ...service, healthPath: path } : service;

/** Asks for what no flag has told. */
async function interview(session: Session, options: InitOptions): Promise<InitRequest> {
  const questions = new Questions(session.io);
  const open = async (given: string | undefined, question: string, fallback: string): Promise<string> =>
    given ?? (await questions.ask(question, fallback));
  try {
    const node = await open(options.node, "This host's name", hostname());
    const peer = await open(options.peer, 'Name of the other host (empty: there is none)', '');
    const address =
      options.address.length > 0
        ? options.address
        : words(await questions.ask('Virtual addresses with prefix length (empty: no failover)', ''));
    const name =
      address.length === 0
        ? firstInterface()
        : await open(options.interface, 'Interface of the virtual addresses', firstInterface());
    const service = await askForService(questions, options.health);
    return requestOf({
      ...options,
      node,
      address,
      interface: name,
      service: [service],
      ...(peer === '' ? {} : { peer }),
    });
  } finally {
    questions.close();
  }
}

async function askForService(questions: Questions, health: string | undefined): Promise<InitService> {
  const name = await questions.ask('Name of the service', 'web');
  const protocol = await askFor(questions, 'Protocol, tcp or udp', 'tcp', protocolOf);
  const port = await askFor(questions, 'Port for clients', protocol === 'tcp' ? '80' : '53', portOf);
  const backends = words(await questions.ask('Backends as ADDRESS:PORT, separated by spaces', ''));
  const path =
    protocol === 'udp'
      ? ''
      : (health ?? (await questions.ask('Path of an HTTP health check (empty: connect only)', '')));
  return { name, protocol, port, backends, healthPath: path === '' ? null : path };
}

/** Asks again until the answer is one. */
async function askFor<T>(
  questions: Questions,
  question: string,
  fallback: string,
  parse: (text: string) => T,
): Promise<T> {
  for (;;) {
    const answer = await questions.ask(question, fallback);
    try {
      return parse(answer);
    } catch (error) {
      if (!(error instanceof InvalidArgumentError)) throw error;
      questions.tell(error.message);
    }
  }
}

const words = (text: string): string[] => text.split(/[\s,]+/).filter((word) => word !== '');

/** Nothing is written that the daemon would not take; what this host lacks the other one may have. */
async function check(files: readonly InitFile[]): Promise<void> {
  const { parseConfig } = await import('../../config/load.ts');
  for (const { file, text } of files) parseConfig(text, file, { hostFaults: 'warning' });
}

function write(files: readonly InitFile[], { output, force }: InitOptions): string[] {
  const paths = files.map(({ file }) => join(output, file));
  const taken = paths.filter((path) => existsSync(path));
  if (taken.length > 0 && force !== true) throw exists(taken.join(', '));
  try {
    // not recursive: Node goes round in circles where a folder refuses new ones with ENOENT, as those of /proc do
    if (!existsSync(output)) mkdirSync(output);
    for (const { file, text } of files) {
      writeFileSync(join(output, file), text, { flag: force === true ? 'w' : 'wx' });
    }
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') throw exists(output);
    throw new TandemError('init-write', `cannot write to ${output}: ${messageOf(error)}`, {
      exitStatus: errnoOf(error) === 'EACCES' ? EXIT.noPermission : EXIT.osError,
      cause: error,
    });
  }
  return paths;
}

function exists(what: string): TandemError {
  return new TandemError('file-exists', `${what} exists already`, {
    hint: 'write elsewhere with --output, or over it with --force',
  });
}

/** The first interface of this host that is not the loopback. */
function firstInterface(): string {
  const found = Object.entries(networkInterfaces()).find(([, all]) => all?.some((one) => !one.internal));
  return found?.[0] ?? 'eth0';
}

const append = (text: string, before: readonly string[]): string[] => [...before, text];

function appendService(text: string, before: readonly InitService[]): InitService[] {
  const match = /^([^/=]+)\/([^/=]+)\/([^/=]+)=(.+)$/.exec(text);
  if (match === null) {
    throw new InvalidArgumentError('It is written NAME/PROTOCOL/PORT=BACKEND,BACKEND.');
  }
  const [, name = '', protocol = '', port = '', backends = ''] = match;
  const service = {
    name,
    protocol: protocolOf(protocol),
    port: portOf(port),
    backends: words(backends),
    healthPath: null,
  };
  return [...before, service];
}

function protocolOf(text: string): Protocol {
  if (text === 'tcp' || text === 'udp') return text;
  throw new InvalidArgumentError(`The protocol is tcp or udp, not "${text}".`);
}

const portOf = (text: string): number => integer(1, 65_535)(text);

function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It is a whole number from ${min} to ${max}, not "${text}".`);
  };
}
