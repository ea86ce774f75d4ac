import { formatHostPort } from '../lib/ip.ts';
import type { Protocol } from '../model/service.ts';

/** What `tandem init` was told; addresses are text and not judged here. */
export interface InitRequest {
  readonly nodeName: string;
  /** Where the virtual addresses live on this host. */
  readonly interface: string;
  /** With prefix lengths: "10.0.0.100/24". Empty: no failover, the services listen on every address. */
  readonly virtualAddresses: readonly string[];
  /** 1 to 255; 51 unless given. */
  readonly vrid?: number;
  /** This host's; 150 unless given. The peer gets 100, or 150 when this host is not above that. */
  readonly priority?: number;
  readonly services: readonly InitService[];
  /** The other host; null writes one file. */
  readonly peer: InitPeer | null;
  /** Path of the JSON Schema, for editors. */
  readonly schema: string;
}

export interface InitService {
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
  /** "10.0.1.11:8080" */
  readonly backends: readonly string[];
  /** A path to ask for over HTTP; null connects only (TCP), or leaves the backends unchecked (UDP). */
  readonly healthPath: string | null;
}

export interface InitPeer {
  readonly nodeName: string;
  /** The same as here unless given. */
  readonly interface?: string;
  /** For networks without multicast: addresses of this host and of the peer. Null speaks multicast. */
  readonly unicast: { readonly own: readonly string[]; readonly peer: readonly string[] } | null;
  /** The nodes' own addresses, for planned handovers over [failover.peer]; null leaves that out. */
  readonly peering: { readonly own: string; readonly peer: string } | null;
}

/** Where both nodes have the key of [failover.peer]. */
export const PEER_KEY = '/etc/tandem/peer.key';

export interface InitFile {
  /** Without a folder: "lb-a.toml". */
  readonly file: string;
  readonly text: string;
}

interface Node {
  readonly name: string;
  readonly interface: string;
  readonly priority: number;
  readonly peerName: string | null;
  readonly peerAddresses: readonly string[];
  readonly ownAddresses: readonly string[];
  /** Of the other node, for [failover.peer]. */
  readonly peering: string | null;
}

/**
 * Commented configurations for this host and, where there is one, its peer. They differ in the node's name,
 * priority, interface and unicast addresses alone. Wrong input gives a text that does not load: hand it to
 * parseConfig before it is written.
 */
export function renderInit(request: InitRequest): InitFile[] {
  const { peer } = request;
  const priority = request.priority ?? 150;
  const here: Node = {
    name: request.nodeName,
    interface: request.interface,
    priority,
    peerName: peer?.nodeName ?? null,
    ownAddresses: peer?.unicast?.own ?? [],
    peerAddresses: peer?.unicast?.peer ?? [],
    peering: peer?.peering?.peer ?? null,
  };
  if (peer === null) return [renderNode(request, here)];
  const there: Node = {
    name: peer.nodeName,
    interface: peer.interface ?? request.interface,
    priority: priority > 100 ? 100 : 150,
    peerName: request.nodeName,
    ownAddresses: here.peerAddresses,
    peerAddresses: here.ownAddresses,
    peering: peer.peering?.own ?? null,
  };
  return [renderNode(request, here), renderNode(request, there)];
}

function renderNode(request: InitRequest, node: Node): InitFile {
  const sections = [
    header(request.schema, node),
    ...request.services.map((service) => renderService(service, request.virtualAddresses)),
    ...(request.virtualAddresses.length === 0 ? [] : [renderFailover(request, node)]),
    ADMIN,
  ];
  return { file: `${node.name}.toml`, text: sections.join('\n') };
}

const header = (schema: string, node: Node): string => `#:schema ${printable(schema)}
# Tandem on ${printable(node.name)}${
  node.peerName === null ? '' : `, one of a pair with ${printable(node.peerName)}`
}.
# Every other option, with its default: man tandem.toml. After a change: tandem check, then tandem reload.

[node]
name = ${quoted(node.name)}
`;

function renderService(service: InitService, virtualAddresses: readonly string[]): string {
  const listen = listenOn(virtualAddresses).map((address) => formatHostPort(address, service.port));
  return `[[service]]
name = ${quoted(service.name)}
protocol = ${quoted(service.protocol)}
listen = ${list(listen)}
#max_connections = 20_000        # at once; without it the file descriptors are the limit
#source_limit = { max_connections = 200, rate = "100/s" }    # for each client address
${renderHealth(service)}
${service.backends.map(renderBackend).join('\n')}`;
}

/** UDP needs its addresses one by one, TCP can take them all: both get what the host will hold. */
function listenOn(virtualAddresses: readonly string[]): string[] {
  if (virtualAddresses.length === 0) return ['0.0.0.0', '::'];
  return virtualAddresses.map((prefix) => prefix.split('/')[0] ?? prefix);
}

function renderHealth({ protocol, healthPath }: InitService): string {
  if (healthPath !== null) {
    return `
[service.health]
type = "http"
path = ${quoted(healthPath)}
expect_status = [200]
#expect_json = { "/status" = "ok" }    # look into the answer: JSON pointer = value
`;
  }
  if (protocol === 'udp') {
    return `
# Unchecked: backends are taken out only by what traffic shows. For example:
#[service.health]
#type = "dns"
#query = "health.example.org"
`;
  }
  return `
[service.health]
type = "tcp"                     # connects only; type = "http" asks the application
#interval = "2s"
`;
}

const renderBackend = (address: string): string => `[[service.backend]]
address = ${quoted(address)}
#weight = 1
#max_connections = 500
`;

function renderFailover(request: InitRequest, node: Node): string {
  return `[failover]
interface = ${quoted(node.interface)}
advertise_interval = "100ms"     # the same on both nodes; the other one takes over after about three of them
${renderPeering(node)}
[[failover.group]]
vrid = ${request.vrid ?? 51}                        # the same on both nodes, and no other router's on this network
priority = ${node.priority}                   # the higher one is active
addresses = ${list(request.virtualAddresses)}
#preempt = false                 # stay with the node that is active when a better one comes back
${renderUnicast(node)}`;
}

function renderPeering({ peering }: Node): string {
  if (peering === null) return '';
  return `
[failover.peer]                  # planned handovers keep connections
address = ${quoted(peering)}
secret_file = "${PEER_KEY}"    # the same on both nodes
`;
}

function renderUnicast({ ownAddresses, peerAddresses }: Node): string {
  if (peerAddresses.length === 0) return '';
  const [source] = ownAddresses;
  // one source cannot serve two families: each then takes the interface's primary address
  const own = source !== undefined && ownAddresses.length === 1 ? `source = ${quoted(source)}, ` : '';
  return `unicast = { ${own}peers = ${list(peerAddresses)} }\n`;
}

const ADMIN = `[admin]
#socket = "/run/tandem/admin.sock"
#group = "adm"                   # whose members may use the tandem command
#listen = "127.0.0.1:9465"       # status page: http://127.0.0.1:9465/

[metrics]
listen = "127.0.0.1:9464"        # /metrics for Prometheus, /healthz
`;

const list = (items: readonly string[]): string => `[${items.map(quoted).join(', ')}]`;

/** A JSON string is a TOML one, but for DEL, which TOML wants escaped too. */
const quoted = (text: string): string => JSON.stringify(text).replaceAll('\u007f', '\\u007f');

/** For comments, which a line break would end. */
const printable = (text: string): string => JSON.stringify(text).slice(1, -1).replaceAll('\u007f', '');
