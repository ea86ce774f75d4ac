import { z } from 'zod';
import { nearest } from '../lib/nearest.ts';
import type { KeyPath } from './positions.ts';
import { fileSchema } from './schema.ts';

/** The part of a JSON Schema that says which keys there are. */
interface Shape {
  readonly properties?: Readonly<Record<string, Shape>> & { readonly type?: Shape };
  readonly items?: Shape;
  readonly anyOf?: readonly Shape[];
  readonly oneOf?: readonly Shape[];
  readonly const?: unknown;
}

const root = z.toJSONSchema(fileSchema, { io: 'output', unrepresentable: 'any' }) as Shape;

const variants = (shape: Shape): readonly Shape[] => shape.oneOf ?? shape.anyOf ?? [shape];

function child(shape: Shape, part: string | number): Shape | undefined {
  if (typeof part === 'number') return shape.items;
  for (const variant of variants(shape)) {
    const found = variant.properties?.[part];
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The keys that a table may have: those of the variant called `type` when it has several. */
export function keysAt(path: KeyPath, type?: unknown): string[] {
  let shape: Shape | undefined = root;
  for (const part of path) shape = shape === undefined ? undefined : child(shape, part);
  if (shape === undefined) return [];
  const all = variants(shape);
  const chosen = all.find((variant) => variant.properties?.type?.const === type);
  return [
    ...new Set((chosen === undefined ? all : [chosen]).flatMap((v) => Object.keys(v.properties ?? {}))),
  ];
}

/** Every key of the file, as "service.timeout.idle"; tables themselves are included. */
export function allKeys(): string[] {
  const found = new Set<string>();
  const walk = (shape: Shape, prefix: string): void => {
    for (const variant of variants(shape.items ?? shape)) {
      for (const [key, value] of Object.entries(variant.properties ?? {})) {
        found.add(`${prefix}${key}`);
        walk(value, `${prefix}${key}.`);
      }
    }
  };
  walk(root, '');
  return [...found];
}

/** What HAProxy, nginx and keepalived call it; of several the one that the table has. */
const ALIASES: Readonly<Record<string, string | readonly string[]>> = {
  balance: 'schedule',
  lb_algo: 'schedule',
  bind: 'listen',
  server: ['backend', 'idle'],
  client: 'idle',
  tunnel: 'idle',
  delay_loop: 'interval',
  uri: 'path',
  url: 'path',
  host: 'address',
  ip: 'address',
  port: ['address', 'listen'],
  dst: 'to',
  gateway: 'via',
  gw: 'via',
  dev: 'interface',
  src: 'source',
  master: 'active',
  real_server: 'backend',
  virtual_server: 'service',
  frontend: 'service',
  vrrp_instance: 'failover',
  vrrp_sync_group: 'sync',
  track_script: 'track',
  track_interface: 'track',
  virtual_ipaddress_excluded: 'excluded_addresses',
  virtual_routes: 'routes',
  use_vmac: 'virtual_mac',
  garp_master_delay: 'announce',
  garp_master_repeat: 'announce',
  garp_master_refresh: 'announce',
  garp_master_refresh_repeat: 'announce',
  notify_master: 'notify',
  notify_backup: 'notify',
  notify_fault: 'notify',
  servers: 'backend',
  backends: 'backend',
  services: 'service',
  groups: 'group',
  maxconn: 'max_connections',
  mode: 'protocol',
  inter: 'interval',
  receive: 'expect',
  fastinter: 'fast_interval',
  check: 'health',
  virtual_router_id: 'vrid',
  virtual_ipaddress: 'addresses',
  advert_int: 'advertise_interval',
};

const STEP = 'write it as a step: exchange = [{ send = "PING\\r\\n", expect = "+PONG" }]';

/** What another word for a key does not tell: by the table's last name (and type), or anywhere. */
const ANSWERS: Readonly<Record<string, string>> = {
  'group.nopreempt': 'write preempt = false',
  'group.state': 'remove it: of the nodes that are there the one with the highest priority becomes active',
  'group.authentication': 'remove it: VRRPv3 has none; for version 2 there is auth_pass',
  'group.auth_type': 'remove it: VRRPv3 has none; for version 2 there is auth_pass',
  'group.unicast_peer': 'write unicast = { peers = ["10.0.0.3"] }',
  'group.unicast_src_ip': 'write unicast = { source = "10.0.0.2", peers = ["10.0.0.3"] }',
  'health:tcp.send': STEP,
  'health:tcp.expect': STEP,
  'health:tcp.expect_regex': STEP,
  '.global': 'limits of the process are in [limits], its name and log in [node]',
  '.defaults':
    'there are none for all services: each [[service]] says what differs from the built-in defaults',
};

/** What somebody who wrote the unknown `key` in the table at `path` may have meant. */
export function suggestKey(path: KeyPath, key: string, type?: unknown): string {
  const here = keysAt(path, type);
  const table = path.findLast((part) => typeof part === 'string') ?? '';
  const answer = ANSWERS[`${table}.${key}`] ?? ANSWERS[`${table}:${String(type)}.${key}`];
  if (answer !== undefined) return answer;
  const aliases = Object.hasOwn(ALIASES, key) ? ALIASES[key] : undefined;
  const alias = [aliases ?? []].flat().find((one) => here.includes(one));
  // a key of another type is no slip of the pen, however close it is to one of this type
  const other = variantsWith(path, key);
  if (other.length > 0) return `"${key}" belongs to type = ${other.map((t) => `"${t}"`).join(' or ')}`;
  const meant = alias ?? nearest(spelled(key), here);
  if (meant !== undefined) return `did you mean "${meant}"?`;
  const owner = ownerOf(path, key);
  if (owner !== undefined) return owner;
  return here.length === 0 ? 'remove it' : `known here: ${here.sort().join(', ')}`;
}

/** The types of other variants of this table that know the key. */
function variantsWith(path: KeyPath, key: string): string[] {
  let shape: Shape | undefined = root;
  for (const part of path) shape = shape === undefined ? undefined : child(shape, part);
  return variants(shape ?? {})
    .filter((variant) => variant.properties?.[key] !== undefined && variant.properties.type !== undefined)
    .map((variant) => String(variant.properties?.type?.const));
}

/** A table that knows the key: above or below the given one if possible, otherwise any. */
function ownerOf(path: KeyPath, key: string): string | undefined {
  const names = path.filter((part) => typeof part === 'string').join('.');
  const owners = allKeys()
    .filter((known) => known.endsWith(`.${key}`) || known === key)
    .map((known) => known.slice(0, -key.length - 1));
  const related = owners.filter((owner) => owner.startsWith(names) || names.startsWith(owner));
  const owner = related[0] ?? owners[0];
  if (owner === undefined) return undefined;
  if (owner === '') return `"${key}" stands at the top of the file, before the first [table]`;
  return `"${key}" belongs in ${/^(?:service|service\.backend|failover\.group)$/.test(owner) ? `[[${owner}]]` : `[${owner}]`}`;
}

/** A key as this file writes keys: `max-connections` and `maxConnections` mean `max_connections`. */
const spelled = (key: string): string =>
  key
    .replaceAll(/[-\s]/g, '_')
    .replaceAll(/(?<=[a-z])[A-Z]/g, '_$&')
    .toLowerCase();
