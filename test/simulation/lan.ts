/**
 * A simulated link with hosts on it: the real announcers and watches over duplicates of all routers, and the
 * neighbour cache of each host, which believes the last frame that arrived.
 */
import { Announcer } from '../../src/failover/announcer.ts';
import { DuplicateWatch } from '../../src/failover/duplicate-watch.ts';
import type { IpFamily, IpPrefix } from '../../src/lib/ip.ts';
import { formatMac } from '../../src/lib/mac.ts';
import type { AnnounceSpec } from '../../src/model/failover.ts';
import type { Native, Raw6Message } from '../../src/native/index.ts';
import { encodeArp } from '../../src/vrrp/arp.ts';
import { claimOfArp, claimOfNeighbourMessage } from '../../src/vrrp/claim.ts';
import { encodeNeighbourAdvertisement, HOP_LIMIT } from '../../src/vrrp/ndp.ts';
import { type LinkQuality, Network, type NodeSpec, type SimNode, VIPS } from './network.ts';

/** Ethernet and IPv6 header before an ICMPv6 message. */
const HEADERS = 54;

export interface SimHost {
  side: number;
  /** The MAC address that it sends to; null while it knows none. */
  cache: string | null;
}

interface Nic {
  readonly mac: Uint8Array;
  readonly announcer: Announcer;
  hear: (frame: Uint8Array) => void;
}

export class Lan {
  readonly network: Network;
  readonly hosts: SimHost[];
  /** Hosts that a node took for duplicates of its address. */
  duplicates = 0;
  readonly #nics: readonly Nic[];

  constructor(
    specs: readonly NodeSpec[],
    options: {
      readonly hosts: number;
      readonly quality: LinkQuality;
      readonly seed: number;
      readonly family: IpFamily;
      readonly announce: AnnounceSpec;
    },
  ) {
    this.network = new Network(specs, options.quality, options.seed, options.family);
    this.hosts = Array.from({ length: options.hosts }, () => ({ side: 0, cache: null }));
    this.#nics = this.network.nodes.map((node) => this.#nic(node, options.announce));
    this.network.onAnnounce = (node, cause) => this.#of(node).announcer.announce(cause);
    this.network.onRelease = (node) => this.#of(node).announcer.stop();
  }

  macOf(node: SimNode): string {
    return formatMac(this.#of(node).mac);
  }

  /** Nodes and hosts with the same number reach each other. */
  partition(nodeSides: readonly number[], hostSides: readonly number[]): void {
    this.network.partition(nodeSides);
    this.hosts.forEach((host, i) => {
      host.side = hostSides[i] ?? 0;
    });
  }

  heal(): void {
    this.partition([], []);
  }

  /** A host whose entry has gone stale asks; every node that holds the address answers. */
  ask(host: SimHost): void {
    for (const node of this.network.nodes) {
      this.network.deliver(host.side, node.side, () => {
        if (node.holds) this.#deliver(node, this.#answer(node), host);
      });
    }
  }

  #of(node: SimNode): Nic {
    const nic = this.#nics[node.index];
    if (nic === undefined) throw new Error('a node without a network interface');
    return nic;
  }

  #nic(node: SimNode, announce: AnnounceSpec): Nic {
    const { network } = this;
    const address = VIPS[network.family];
    const prefix: IpPrefix = { address, length: 24, text: `${address.text}/24` };
    const mac = Uint8Array.of(2, 0, 0, 0, 0, node.index + 1);
    let hear: Nic['hear'] = () => undefined;
    // the part of the addon that an announcer uses
    const native = {
      openPacketSocket: (_: number, type: number, listener: ((frame: Uint8Array) => void) | null) => {
        if (type !== 0 && listener !== null) hear = listener;
        return { send: (frame: Uint8Array) => this.#broadcast(node, frame), close: () => undefined };
      },
      openRaw6Receiver: (_: unknown, listener: (message: Raw6Message) => void) => {
        hear = (frame) => listener(messageOf(frame));
        return { close: () => undefined };
      },
    } as unknown as Native;
    const watch = new DuplicateWatch({
      clock: network.clock,
      router: () => node.router,
      onContested: () => network.input(node, { type: 'contested' }),
      onDuplicate: () => this.duplicates++,
    });
    const announcer = new Announcer(
      {
        native,
        clock: network.clock,
        emit: () => undefined,
        fields: {},
        isOwner: () => node.holds && node.router.state === 'Active',
        whenCurrent: (act) => act(),
        onForeignClaim: (claim) => watch.claimed(claim),
      },
      [prefix],
      announce,
    );
    announcer.attach(node.index + 1, mac);
    return { mac, announcer, hear };
  }

  #broadcast(from: SimNode, frame: Uint8Array): void {
    for (const host of this.hosts) this.#deliver(from, frame, host);
    for (const node of this.network.nodes) {
      if (node === from) continue;
      this.network.deliver(from.side, node.side, () => {
        if (!node.dead) this.#of(node).hear(frame);
      });
    }
  }

  #deliver(from: SimNode, frame: Uint8Array, host: SimHost): void {
    this.network.deliver(from.side, host.side, () => {
      const claim = claimOfArp(frame) ?? claimOfNeighbourMessage(frame.subarray(HEADERS));
      if (claim !== null) host.cache = formatMac(claim.mac);
    });
  }

  #answer(node: SimNode): Uint8Array {
    const { mac } = this.#of(node);
    const address = VIPS[this.network.family];
    if (address.family === 4) {
      const [ends, ips] = [
        { etherSource: mac, etherDestination: mac, senderMac: mac, targetMac: mac },
        { senderIp: address, targetIp: address },
      ];
      return encodeArp({ ...ends, ...ips, operation: 'reply' });
    }
    return encodeNeighbourAdvertisement({
      etherSource: mac,
      etherDestination: mac,
      source: address,
      destination: address,
      router: true,
      solicited: true,
      override: true,
      target: address,
      targetMac: mac,
    });
  }
}

function messageOf(frame: Uint8Array): Raw6Message {
  return {
    payload: frame.subarray(HEADERS),
    source: frame.subarray(22, 38),
    destination: frame.subarray(38, 54),
    hopLimit: frame[21] ?? HOP_LIMIT,
    ifindex: 1,
  };
}
