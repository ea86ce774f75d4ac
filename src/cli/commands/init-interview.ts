import { hostname, networkInterfaces } from 'node:os';
import { InvalidArgumentError } from 'commander';
import type { InitService } from '../../config/init.ts';
import { parseIp } from '../../lib/ip.ts';
import type { Protocol } from '../../model/service.ts';
import { Questions } from '../ask.ts';
import type { Io } from '../session.ts';
import type { InitOptions } from './init.ts';

/** Asks on the terminal for what no flag has told. @throws TandemError 'given-up' */
export async function interview(io: Io, options: InitOptions): Promise<InitOptions> {
  const questions = new Questions(io);
  try {
    const node = options.node ?? (await questions.ask("This host's name", hostname()));
    const peer = options.peer ?? (await questions.ask('Name of the other host (empty: there is none)', ''));
    const address =
      options.address.length > 0
        ? options.address
        : words(await questions.ask('Virtual addresses with prefix length (empty: no failover)', ''));
    const told = { ...options, node, address, ...(peer === '' ? {} : { peer }) };
    const failover = address.length === 0 ? told : await askForFailover(questions, told);
    return { ...failover, service: [await askForService(questions, options.health)] };
  } finally {
    questions.close();
  }
}

async function askForFailover(questions: Questions, options: InitOptions): Promise<InitOptions> {
  const name =
    options.interface ?? (await questions.ask('Interface of the virtual addresses', firstInterface()));
  const told = { ...options, interface: name };
  if (options.peer === undefined) return told;
  const peerIp =
    options.peerIp ??
    (await askFor(
      questions,
      'Address of the other host (empty: no planned handover that keeps connections)',
      '',
      ipOrNothing,
    ));
  if (peerIp === '') return told;
  const ownIp =
    options.ownIp ?? (await askFor(questions, 'Address of this host', addressOf(name, peerIp), ipOf));
  const both = { ...told, ownIp, peerIp };
  if (options.unicastPeer.length > 0) return both;
  const multicast = await askFor(
    questions,
    'Does the network carry multicast? yes, or no (as in most clouds)',
    'yes',
    yesOrNo,
  );
  return multicast ? both : { ...both, unicastOwn: [ownIp], unicastPeer: [peerIp] };
}

async function askForService(questions: Questions, health: string | undefined): Promise<InitService> {
  const name = await questions.ask('Name of the service', 'web');
  const protocol = await askFor(questions, 'Protocol, tcp or udp', 'tcp', protocolOf);
  const port = await askFor(questions, 'Port for clients', protocol === 'tcp' ? '80' : '53', portOf);
  const backends = await askFor(questions, 'Backends as ADDRESS:PORT, separated by spaces', '', someWords);
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

export const words = (text: string): string[] => text.split(/[\s,]+/).filter((word) => word !== '');

function someWords(text: string): string[] {
  const found = words(text);
  if (found.length > 0) return found;
  throw new InvalidArgumentError('A service needs at least one backend, such as 10.0.1.11:8080.');
}

function ipOf(text: string): string {
  if (parseIp(text) !== undefined) return text;
  throw new InvalidArgumentError(`"${text}" is not an IP address; names are not resolved.`);
}

const ipOrNothing = (text: string): string => (text === '' ? '' : ipOf(text));

function yesOrNo(text: string): boolean {
  if (/^y(?:es)?$/i.test(text)) return true;
  if (/^no?$/i.test(text)) return false;
  throw new InvalidArgumentError(`Answer yes or no, not "${text}".`);
}

/** The first interface of this host that is not the loopback. */
export function firstInterface(): string {
  const found = Object.entries(networkInterfaces()).find(([, all]) => all?.some((one) => !one.internal));
  return found?.[0] ?? 'eth0';
}

/** This host's first address on the interface, of the peer's family; empty where there is none. */
function addressOf(name: string, peer: string): string {
  const family = peer.includes(':') ? 'IPv6' : 'IPv4';
  return networkInterfaces()[name]?.find((one) => one.family === family)?.address ?? '';
}

export function protocolOf(text: string): Protocol {
  if (text === 'tcp' || text === 'udp') return text;
  throw new InvalidArgumentError(`The protocol is tcp or udp, not "${text}".`);
}

export const portOf = (text: string): number => integer(1, 65_535)(text);

export function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It is a whole number from ${min} to ${max}, not "${text}".`);
  };
}
