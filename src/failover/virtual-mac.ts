import { writeFileSync } from 'node:fs';
import { errnoOf, messageOf } from '../lib/errors.ts';
import type { EventInput } from '../model/event.ts';
import type { LinkInfo, Native } from '../native/index.ts';
import type { InterfaceView } from './interface-view.ts';
import type { VirtualRouterSpec } from './router-spec.ts';

/** IFLA_IFALIAS of our interfaces: nothing without it is ever changed or removed, but for {@link isHalfMade}. */
const MARK = 'tandem';
/**
 * MACVLAN_MODE_VEPA. Private mode gives what the peer sends from the same MAC address to the macvlan alone, and
 * the sockets on the interface below would be deaf to it just when both are Active. VEPA hands it to them, and
 * does not join macvlans of this host either.
 */
const MODE_VEPA = 2;

/** Like what `VirtualMac` needs to know of its router. */
export interface VirtualMacOptions {
  readonly native: Native;
  readonly spec: () => VirtualRouterSpec;
  /** Interfaces as the monitor knows them; it may lag a little behind. */
  readonly view: (device: string) => InterfaceView | null;
}

/**
 * The macvlan interface with the virtual router's MAC address (RFC 9568, 7.3). It is up while the router is
 * Active and down otherwise, so that a Backup answers for nothing. Without `virtual_mac` there is none, and every
 * method does nothing.
 */
export class VirtualMac {
  readonly #options: VirtualMacOptions;
  #index: number | null = null;
  /** Its settings are in force: it may be used. */
  #settled = false;
  /** Made by us, and nobody has been told. */
  #isNew = false;
  /** For good: what the kernel tells of the removal must not bring it back. */
  #removed = false;

  constructor(options: VirtualMacOptions) {
    this.#options = options;
  }

  /** The interface's index; null when the device is another one, or not there. */
  indexOf(device: string): number | null {
    return this.#options.spec().mac?.device === device ? this.#index : null;
  }

  /**
   * Makes the interface over `lower`, or adopts the one that a predecessor made.
   * @returns whether it is a new one
   * @throws Error or NativeError when it cannot be made, or when somebody else's has its name.
   */
  ensure(lower: InterfaceView): boolean {
    const { native, spec, view } = this.#options;
    const { mac } = spec();
    if (mac === null || this.#removed) return false;
    if (this.#settled && view(mac.device)?.index === this.#index) return false;
    const present = find(native, mac.device);
    if (present !== undefined && this.#isRight(present, lower)) {
      return this.#settle(present.index);
    }
    if (present !== undefined) removeOurs(native, present, isHalfMade(present, mac.address, lower));
    const index = create(native, mac, lower.index);
    this.#isNew = true;
    return this.#settle(index);
  }

  /** What fails here is tried again at the next attempt: without its settings the interface answers for too much. */
  #settle(index: number): boolean {
    if (this.#settled && this.#index === index) return false;
    this.#index = index;
    this.#settled = false;
    setSysctls(this.#options.spec());
    this.#settled = true;
    const isNew = this.#isNew;
    this.#isNew = false;
    return isNew;
  }

  #isRight(link: LinkInfo, lower: InterfaceView): boolean {
    const { mac } = this.#options.spec();
    const isIt = mac !== null && Buffer.compare(link.mac, mac.address) === 0;
    return isOurs(link) && isIt && link.lower === lower.index;
  }

  /** @throws NativeError */
  up(): void {
    if (this.#index !== null) this.#options.native.setLink(this.#index, { up: true });
  }

  /** Idempotent; an interface that is gone is down. @throws NativeError */
  down(): void {
    if (this.#index === null) return;
    try {
      this.#options.native.setLink(this.#index, { up: false });
    } catch (error) {
      if (errnoOf(error) !== 'ENODEV') throw error;
    }
  }

  /** For good. @throws NativeError */
  remove(): void {
    this.#removed = true;
    if (this.#index !== null) this.#options.native.removeLink(this.#index);
    this.#index = null;
  }
}

/**
 * Removes the interfaces of ours that are not among `kept`, with everything on them: a predecessor that was
 * killed left them. @returns their names. @throws NativeError
 */
export function removeStaleMacs(native: Native, kept: ReadonlySet<string>): string[] {
  const stale = native.listLinks().filter((link) => isOurs(link) && !kept.has(link.name));
  return stale.filter(({ index }) => native.removeLink(index)).map(({ name }) => name);
}

export const macsCleaned = (names: readonly string[]): EventInput => ({
  level: 'warn',
  name: 'failover.cleanup',
  message: `removed interfaces that a predecessor left: ${names.join(', ')}`,
  fields: { interfaces: names.join(' ') },
});

const isOurs = ({ kind, alias }: LinkInfo): boolean => kind === 'macvlan' && alias === MARK;

const find = (native: Native, name: string): LinkInfo | undefined =>
  native.listLinks().find((link) => link.name === name);

/**
 * A predecessor was killed between making it and marking it, for the kernel does not take both in one request: ours in
 * everything but the mark, and never up. Otherwise it would be in the way for ever.
 */
const isHalfMade = (link: LinkInfo, mac: Uint8Array, lower: InterfaceView): boolean =>
  link.kind === 'macvlan' &&
  link.alias === '' &&
  !link.up &&
  link.lower === lower.index &&
  Buffer.compare(link.mac, mac) === 0;

function removeOurs(native: Native, link: LinkInfo, halfMade: boolean): void {
  if (!isOurs(link) && !halfMade) throw new Error(`an interface ${link.name} exists and is not Tandem's`);
  native.removeLink(link.index);
}

function create(
  native: Native,
  { device, address }: NonNullable<VirtualRouterSpec['mac']>,
  lower: number,
): number {
  native.createMacvlan({ name: device, lower, mac: address, mode: MODE_VEPA });
  const made = find(native, device);
  if (made === undefined) throw new Error(`interface ${device} is gone again`);
  try {
    native.setLink(made.index, { alias: MARK });
  } catch (error) {
    // without its mark nobody would clean it up
    native.removeLink(made.index);
    throw error;
  }
  return made.index;
}

/**
 * Of our own interface alone. arp_ignore: it answers for the virtual addresses, not for the host's others.
 * rp_filter 2: clients are routed over the interface below, which strict filtering would take for spoofing
 * (the greater one of "all" and the interface's counts). IPv6: no address, and no route, but ours.
 */
function setSysctls({ mac, held }: VirtualRouterSpec): void {
  if (mac === null) return;
  const six = held.some(({ address, device }) => address.family === 6 && device === mac.device);
  const settings: [key: string, value: string][] = [
    ['ipv4/conf/*/arp_ignore', '1'],
    ['ipv4/conf/*/rp_filter', '2'],
    ['ipv6/conf/*/disable_ipv6', six ? '0' : '1'],
    ...(six ? SIX : []),
  ];
  for (const [key, value] of settings) {
    const path = `/proc/sys/net/${key.replace('*', mac.device)}`;
    try {
      writeFileSync(path, value);
    } catch (error) {
      // a kernel without IPv6 has nothing to switch off
      if (!six && errnoOf(error) === 'ENOENT' && key.startsWith('ipv6/')) continue;
      throw new Error(`${path} cannot be written: ${messageOf(error)}`, { cause: error });
    }
  }
}

const SIX: [key: string, value: string][] = [
  ['ipv6/conf/*/addr_gen_mode', '1'],
  ['ipv6/conf/*/accept_ra', '0'],
  ['ipv6/conf/*/autoconf', '0'],
  ['ipv6/conf/*/accept_dad', '0'],
];
