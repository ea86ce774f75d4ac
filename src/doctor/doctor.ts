import type { AdminClient } from '../admin/client.ts';
import { runProbe } from '../control-path/health/probes/index.ts';
import { type VirtualRouterSpec, virtualRouterSpecs } from '../failover/router-spec.ts';
import { formatDuration, millis } from '../lib/duration.ts';
import { EXIT, TandemError } from '../lib/errors.ts';
import { type IpAddress, parseIp } from '../lib/ip.ts';
import { formatMac } from '../lib/mac.ts';
import type { Config } from '../model/config.ts';
import type { Native } from '../native/index.ts';
import { passData, virtualMac } from '../vrrp/packet.ts';
import { diagnose } from './checks/index.ts';
import { addressHolders } from './collect/addresses.ts';
import { backendFacts } from './collect/backends.ts';
import type { Files } from './collect/files.ts';
import { hostFacts } from './collect/host.ts';
import { interfaceFacts } from './collect/interfaces.ts';
import { listenerFacts } from './collect/listeners.ts';
import { type Answers, askNeighbours } from './collect/neighbours.ts';
import { processFacts } from './collect/process.ts';
import { listen, listeningTime, secretOf } from './collect/wire.ts';
import {
  type DaemonFacts,
  type Fact,
  type Facts,
  known,
  missing,
  type RouterFacts,
  type Wire,
} from './facts.ts';
import type { Finding } from './finding.ts';

/** A daemon that runs answers at once; one that is stopped must not hold everything up. */
const DAEMON_TIMEOUT_MS = 2_000;

export interface DoctorOptions {
  readonly config: Config;
  readonly configWarnings: Facts['configWarnings'];
  readonly client: AdminClient;
  readonly native: Native;
  readonly files: Files;
  /** What is being done, for people who wait. */
  readonly progress: (what: string) => void;
}

/**
 * Looks at everything that breaks pairs in practice and judges it. Changes nothing that lasts: it listens,
 * sends ARP probes and neighbour solicitations, asks each backend once, and binds a listener for a moment when
 * the daemon does not have it. Takes a few seconds at most.
 */
export async function examine(options: DoctorOptions): Promise<Finding[]> {
  return diagnose(await collect(options));
}

async function collect(options: DoctorOptions): Promise<Facts> {
  const { config, configWarnings, native, files, progress } = options;
  const specs = config.failover === null ? [] : virtualRouterSpecs(config.failover);
  const [wires, backends] = await Promise.all([
    listenEverywhere(options, specs),
    backendFacts(config, runProbe),
  ]);
  progress('asking the neighbours for the virtual addresses');
  const neighbours = await neighboursOf(native, specs, wires);
  // last of all, so that the roles are those of what has just been heard
  progress('asking the daemon');
  const daemon = await askDaemon(options.client);
  const kernel = { links: native.listLinks(), addresses: native.listAddresses() };
  return {
    config,
    configWarnings,
    configChangedAt: files.changedAt(config.path),
    daemon,
    routers: specs.map((spec) => routerFacts({ native, spec, wires, neighbours, daemon })),
    host: hostFacts(files, interfaceFacts(files, kernel, config.failover?.groups ?? [])),
    process: processFacts(files, native, config, daemon),
    listeners: listenerFacts(files, native, config, daemon),
    backends,
  };
}

async function askDaemon(client: AdminClient): Promise<DaemonFacts> {
  try {
    return { kind: 'running', status: await client.status(DAEMON_TIMEOUT_MS) };
  } catch (error) {
    if (!(error instanceof TandemError)) throw error;
    return { kind: kindOf(error), why: error.message, hint: error.hint ?? null };
  }
}

function kindOf(error: TandemError): 'forbidden' | 'silent' | 'unreachable' {
  if (error.exitStatus === EXIT.noPermission) return 'forbidden';
  return error.code === 'no-answer' ? 'silent' : 'unreachable';
}

/** One family on one interface, however many groups share it. */
const placeOf = ({ group, family }: VirtualRouterSpec): string => `${family}@${group.interface}`;

function byPlace(specs: readonly VirtualRouterSpec[]): Map<string, VirtualRouterSpec[]> {
  const places = new Map<string, VirtualRouterSpec[]>();
  for (const spec of specs) places.set(placeOf(spec), [...(places.get(placeOf(spec)) ?? []), spec]);
  return places;
}

type Wires = ReadonlyMap<string, Fact<Wire>>;

async function listenEverywhere(
  { native, progress }: DoctorOptions,
  specs: readonly VirtualRouterSpec[],
): Promise<Wires> {
  const time = listeningTime(specs.map(({ group }) => group));
  if (specs.length > 0) progress(`listening for advertisements for ${formatDuration(millis(time))}`);
  const places = [...byPlace(specs)].flatMap(([place, [spec]]) =>
    spec === undefined ? [] : [{ place, spec }],
  );
  const heard = await Promise.all(
    places.map(async ({ place, spec: { family, group } }): Promise<[string, Fact<Wire>]> => {
      return [place, await listen(native, { family, interface: group.interface }, time)];
    }),
  );
  return new Map(heard);
}

type Neighbours = ReadonlyMap<string, Fact<Answers>>;

/** Who has the virtual addresses, and which MAC addresses those have who advertise. */
async function neighboursOf(
  native: Native,
  specs: readonly VirtualRouterSpec[],
  wires: Wires,
): Promise<Neighbours> {
  const answers = await Promise.all(
    [...byPlace(specs)].map(async ([place, here]): Promise<[string, Fact<Answers>]> => {
      const [first] = here;
      if (first === undefined) return [place, missing('nothing to ask')];
      const virtual = here.flatMap(({ addresses }) => addresses.map(({ address }) => address));
      const sources = here.flatMap((spec) => sourcesOf(spec, wires));
      const all = new Map([...virtual, ...sources].map((address) => [address.text, address]));
      return [place, await askNeighbours(native, first.group.interface, first.family, [...all.values()])];
    }),
  );
  return new Map(answers);
}

/** Addresses of the routers that advertise the VRID. */
function sourcesOf(spec: VirtualRouterSpec, wires: Wires): IpAddress[] {
  const wire = wires.get(placeOf(spec));
  const heard = wire !== undefined && 'value' in wire ? wire.value.heard : [];
  return heard.filter(({ vrid }) => vrid === spec.group.vrid).flatMap(({ source }) => parseIp(source) ?? []);
}

interface Sources {
  readonly native: Native;
  readonly spec: VirtualRouterSpec;
  readonly wires: Wires;
  readonly neighbours: Neighbours;
  readonly daemon: DaemonFacts;
}

function routerFacts({ native, spec, wires, neighbours, daemon }: Sources): RouterFacts {
  const { group, family } = spec;
  const running =
    daemon.kind === 'running'
      ? daemon.status.failover?.routers.find(
          (router) => router.group === group.name && router.family === family,
        )
      : undefined;
  const answers = neighbours.get(placeOf(spec)) ?? missing('nobody was asked');
  const answersFor = (address: IpAddress): readonly string[] =>
    'value' in answers ? (answers.value.get(address.text) ?? []) : [];
  const pass = group.version === 2 ? group.authPass : null;
  return {
    group,
    family,
    state: running?.state ?? null,
    received: running?.advertisementsReceived ?? 0,
    wire: wires.get(placeOf(spec)) ?? missing('nobody listened'),
    addresses: spec.addresses.map(({ address, length }) => ({
      address: address.text,
      prefixLength: length,
      held: addressHolders(native, address),
      answers: 'value' in answers ? known(answersFor(address)) : answers,
    })),
    advertised: spec.addresses.map(({ address }) => address.text),
    routerMacs: [
      formatMac(virtualMac(family, group.vrid)),
      ...sourcesOf(spec, wires).flatMap((source) => answersFor(source)),
    ],
    secret: pass === null ? null : secretOf({ type: 'pass', data: passData(pass) }),
  };
}
