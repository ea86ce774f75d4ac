import { hostname, networkInterfaces } from 'node:os';
import { InvalidArgumentError } from 'commander';
import type { InitService } from '../../config/init.ts';
import type { AnswerKind, faultOf } from '../../config/init-answers.ts';
import type { Protocol } from '../../model/service.ts';
import { Questions } from '../ask.ts';
import type { Io } from '../session.ts';
import type { InitOptions } from './init.ts';

/** Asks on the terminal for what no flag has told. @throws TandemError 'given-up' */
export async function interview(io: Io, options: InitOptions): Promise<InitOptions> {
  // only here: no other command needs the schema to start
  const asker = new Asker(new Questions(io), (await import('../../config/init-answers.ts')).faultOf);
  try {
    const node = options.node ?? (await asker.one("This host's name", hostname(), 'name'));
    const peer = options.peer ?? (await asker.until(PEER, '', (text) => asker.peer(text, node)));
    const address =
      options.address.length > 0 ? options.address : await asker.some(VIRTUAL, 'virtualAddress');
    const told = { ...options, node, address, ...(peer === '' ? {} : { peer }) };
    const failover = address.length === 0 ? told : await askForFailover(asker, told);
    return { ...failover, service: [await askForService(asker, options.health)] };
  } finally {
    asker.questions.close();
  }
}

const PEER = 'Name of the other host (empty: there is none)';
const VIRTUAL = 'Virtual addresses with prefix length (empty: no failover)';
const PEER_IP = 'Address of the other host (empty: no planned handover that keeps connections)';
const MULTICAST = 'Does the network carry multicast? yes, or no (as in most clouds)';
const HEALTH = 'Path of an HTTP health check (empty: connect only)';

async function askForFailover(asker: Asker, options: InitOptions): Promise<InitOptions> {
  const name =
    options.interface ??
    (await asker.one('Interface of the virtual addresses', firstInterface(), 'interface'));
  const told = { ...options, interface: name };
  if (options.peer === undefined) return told;
  const peerIp =
    options.peerIp ??
    (await asker.until(PEER_IP, '', (text) => (text === '' ? '' : asker.judged('address', text))));
  if (peerIp === '') return told;
  const ownIp =
    options.ownIp ?? (await asker.one('Address of this host', addressOf(name, peerIp), 'address'));
  const both = { ...told, ownIp, peerIp };
  if (options.unicastPeer.length > 0) return both;
  const multicast = await asker.until(MULTICAST, 'yes', yesOrNo);
  return multicast ? both : { ...both, unicastOwn: [ownIp], unicastPeer: [peerIp] };
}

async function askForService(asker: Asker, health: string | undefined): Promise<InitService> {
  const name = await asker.one('Name of the service', 'web', 'name');
  const protocol = await asker.until('Protocol, tcp or udp', 'tcp', protocolOf);
  const port = await asker.until('Port for clients', protocol === 'tcp' ? '80' : '53', portOf);
  const backends = await asker.until('Backends as ADDRESS:PORT, separated by spaces', '', (text) =>
    someWords(text).map((word) => asker.judged('backend', word)),
  );
  const path = protocol === 'udp' ? '' : (health ?? (await asker.questions.ask(HEALTH, '')));
  return { name, protocol, port, backends, healthPath: path === '' ? null : path };
}

/** Asks again until the answer is one that the file may hold, so that no answer before it is lost. */
class Asker {
  readonly questions: Questions;
  readonly #faultOf: typeof faultOf;

  constructor(questions: Questions, judge: typeof faultOf) {
    this.questions = questions;
    this.#faultOf = judge;
  }

  async until<T>(question: string, fallback: string, parse: (text: string) => T): Promise<T> {
    for (;;) {
      const answer = await this.questions.ask(question, fallback);
      try {
        return parse(answer);
      } catch (error) {
        if (!(error instanceof InvalidArgumentError)) throw error;
        this.questions.tell(error.message);
      }
    }
  }

  one(question: string, fallback: string, kind: AnswerKind): Promise<string> {
    return this.until(question, fallback, (text) => this.judged(kind, text));
  }

  some(question: string, kind: AnswerKind): Promise<string[]> {
    return this.until(question, '', (text) => words(text).map((word) => this.judged(kind, word)));
  }

  /** @throws InvalidArgumentError in the words of `tandem check` */
  judged(kind: AnswerKind, text: string): string {
    const fault = this.#faultOf(kind, text);
    if (fault !== undefined) throw new InvalidArgumentError(fault);
    return text;
  }

  peer(text: string, node: string): string {
    if (text === node)
      throw new InvalidArgumentError(`This host is ${node}: the other one needs another name.`);
    return text === '' ? '' : this.judged('name', text);
  }
}

export const words = (text: string): string[] => text.split(/[\s,]+/).filter((word) => word !== '');

function someWords(text: string): string[] {
  const found = words(text);
  if (found.length > 0) return found;
  throw new InvalidArgumentError('A service needs at least one backend, such as 10.0.1.11:8080.');
}

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
