import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Command, InvalidArgumentError, Option } from 'commander';
import {
  type InitFile,
  type InitPeer,
  type InitRequest,
  type InitService,
  PEER_KEY,
  renderInit,
} from '../../config/init.ts';
import { EXIT, errnoOf, messageOf, TandemError } from '../../lib/errors.ts';
import { shellWord } from '../../lib/shell-word.ts';
import { canAsk } from '../ask.ts';
import { DEFAULT_CONFIG, type Session } from '../session.ts';
import type { Host } from './host.ts';
import { firstInterface, integer, interview, portOf, protocolOf, words } from './init-interview.ts';

/** Where npm puts the JSON Schema, or a clone has it; else the Debian package is meant. */
const SCHEMA = fileURLToPath(new URL('../../../config/tandem.schema.json', import.meta.url));
const DEBIAN_SCHEMA = '/usr/share/tandem-lb/tandem.schema.json';

/** What the flags say, completed by answers. */
export interface InitOptions {
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
  readonly ownIp?: string;
  readonly peerIp?: string;
  readonly outputDir: string;
  readonly output?: string;
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
    .option(
      '--own-ip <ip>',
      "this host's own address: with --peer-ip for planned handovers, and a key for them",
    )
    .option('--peer-ip <ip>', "the other host's own address")
    .option('-o, --output-dir <folder>', 'where to write', '.')
    .addOption(new Option('--output <folder>').hideHelp())
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
  const request = requestOf(asks ? await interview(session.io, options) : options);
  const files = renderInit(request);
  await check(files);
  const folder = options.output ?? options.outputDir;
  const key = request.peer?.peering ? [keyFile()] : [];
  const paths = write([...files, ...key], folder, options.force === true);
  if (session.json) session.printJson({ files: paths });
  else {
    session.print(...paths);
    for (const line of nextSteps(request, files, folder)) session.note(line);
  }
  return EXIT.ok;
}

/** A file that only its owner may read. */
interface SecretFile extends InitFile {
  readonly mode: number;
}

/** 32 bytes, as "openssl rand -hex 32" gives them. */
const keyFile = (): SecretFile => ({
  file: 'peer.key',
  text: `${randomBytes(32).toString('hex')}\n`,
  mode: 0o600,
});

/** What to copy where, as commands for root. */
function nextSteps({ peer }: InitRequest, files: readonly InitFile[], folder: string): string[] {
  const keyed = peer?.peering ? [join(folder, 'peer.key')] : [];
  const [own, other] = files.map(({ file }) => join(folder, file));
  const install = (from: string, to: string): string =>
    `  install -D -m 640 -g tandem ${shellWord(from)} ${to}`;
  const begin = '  tandem check && systemctl enable --now tandem';
  const lines = ['Next: look them over; then on this host, as root:', install(own ?? '', DEFAULT_CONFIG)];
  lines.push(...keyed.map((path) => install(path, PEER_KEY)), begin);
  if (peer === null || other === undefined) return lines;
  const carried = [other, ...keyed].map(shellWord).join(' ');
  return [
    ...lines,
    `and for ${peer.nodeName}:`,
    `  scp ${carried} ${shellWord(`root@${inScp(peer.peering?.peer ?? peer.nodeName)}:`)}`,
    ...[other, ...keyed].map((path, i) => install(basename(path), i === 0 ? DEFAULT_CONFIG : PEER_KEY)),
    `  ${begin.trim()}`,
    ...(keyed.length === 0 ? [] : ['The key is a secret: remove the copies that are left.']),
  ];
}

/** scp takes the first colon for the end of the host. */
const inScp = (host: string): string => (host.includes(':') ? `[${host}]` : host);

function requestOf(options: InitOptions): InitRequest {
  const { vrid, priority, health } = options;
  const nodeName = options.node ?? hostname();
  refuseWithoutPeer(options);
  if (options.peer === nodeName) {
    throw new TandemError('init-names', `both nodes would be called ${nodeName}`, {
      hint: 'the name tells them apart: give this one another with --node, or the other one with --peer',
      exitStatus: EXIT.usage,
    });
  }
  return {
    nodeName,
    interface: options.interface ?? firstInterface(),
    virtualAddresses: options.address,
    services: options.service.map((service) => withHealth(service, health)),
    ...(vrid === undefined ? {} : { vrid }),
    ...(priority === undefined ? {} : { priority }),
    peer: options.peer === undefined ? null : peerOf(options.peer, options),
    schema: existsSync(SCHEMA) ? SCHEMA : DEBIAN_SCHEMA,
  };
}

/** @throws TandemError when a flag speaks of another host, and there is none */
function refuseWithoutPeer(options: InitOptions): void {
  const { peer, peerInterface, unicastOwn, unicastPeer, ownIp, peerIp } = options;
  const told = [peerInterface, ownIp, peerIp, ...unicastOwn, ...unicastPeer].some((one) => one !== undefined);
  if (peer !== undefined || !told) return;
  throw new TandemError('init-incomplete', 'there are flags for a pair, and --peer is missing', {
    hint: "name the other host with --peer, or leave out its addresses and this host's towards it",
    exitStatus: EXIT.usage,
  });
}

/** @throws TandemError when one is given without the other */
function requireBoth(own: string, hasOwn: boolean, peer: string, hasPeer: boolean): void {
  if (hasOwn === hasPeer) return;
  throw new TandemError('init-incomplete', `${own} and ${peer} belong together`, {
    hint: 'each node has to know the other one',
    exitStatus: EXIT.usage,
  });
}

/** @throws TandemError when a flag needs another one */
function peerOf(nodeName: string, options: InitOptions): InitPeer {
  const { peerInterface, unicastOwn, unicastPeer, ownIp, peerIp, address } = options;
  requireBoth('--own-ip', ownIp !== undefined, '--peer-ip', peerIp !== undefined);
  requireBoth('--unicast-own', unicastOwn.length > 0, '--unicast-peer', unicastPeer.length > 0);
  const peering = ownIp === undefined || peerIp === undefined ? null : { own: ownIp, peer: peerIp };
  return {
    nodeName,
    unicast: unicastPeer.length === 0 ? null : { own: unicastOwn, peer: unicastPeer },
    // a section of the failover, which there is not without virtual addresses
    peering: address.length === 0 ? null : peering,
    ...(peerInterface === undefined ? {} : { interface: peerInterface }),
  };
}

const withHealth = (service: InitService, path: string | undefined): InitService =>
  service.protocol === 'tcp' && path !== undefined ? { ...service, healthPath: path } : service;

/** Nothing is written that the daemon would not take; what this host lacks the other one may have. */
async function check(files: readonly InitFile[]): Promise<void> {
  const { parseConfig } = await import('../../config/load.ts');
  for (const { file, text } of files) parseConfig(text, file, { hostFaults: 'warning' });
}

function write(files: readonly (InitFile | SecretFile)[], folder: string, force: boolean): string[] {
  const paths = files.map(({ file }) => join(folder, file));
  const taken = paths.filter((path) => existsSync(path));
  if (taken.length > 0 && !force) throw exists(taken.join(', '));
  try {
    // not recursive: Node goes round in circles where a folder refuses new ones with ENOENT, as those of /proc do
    if (!existsSync(folder)) mkdirSync(folder);
    for (const one of files) {
      const path = join(folder, one.file);
      const mode = 'mode' in one ? one.mode : 0o666;
      // a file that was open to others must not get the secret before it is closed to them
      if ('mode' in one && force && existsSync(path)) chmodSync(path, mode);
      writeFileSync(path, one.text, { flag: force ? 'w' : 'wx', mode });
    }
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') throw exists(folder);
    throw new TandemError('init-write', `cannot write to ${folder}: ${messageOf(error)}`, {
      exitStatus: errnoOf(error) === 'EACCES' ? EXIT.noPermission : EXIT.osError,
      cause: error,
    });
  }
  return paths;
}

function exists(what: string): TandemError {
  return new TandemError('file-exists', `${what} exists already`, {
    hint: 'write elsewhere with --output-dir, or over it with --force',
  });
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
