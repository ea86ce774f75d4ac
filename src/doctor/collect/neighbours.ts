import { messageOf } from '../../lib/errors.ts';
import { type IpAddress, type IpFamily, ipFromBytes, isLinkLocal } from '../../lib/ip.ts';
import { formatMac } from '../../lib/mac.ts';
import type { LinkInfo, Native, PacketSocket } from '../../native/index.ts';
import { arpProbe, decodeArp, ETHERTYPE_ARP } from '../../vrrp/arp.ts';
import { decodeNeighbourAdvertisement, ETHERTYPE_IPV6, neighbourSolicitation } from '../../vrrp/ndp.ts';
import { type Fact, known, missing } from '../facts.ts';

/** RFC 5227 asks three times; answers on a link come within milliseconds. */
const ROUNDS = 3;
const ROUND_MS = 200;
/** Answers of more hosts for one address tell nothing more. */
const MAX_ANSWERS = 16;

/** MAC addresses that answer, by address. */
export type Answers = ReadonlyMap<string, readonly string[]>;

/**
 * Asks the link who has these addresses, all of one family, and claims none of them: ARP Probes (RFC 5227) or
 * Neighbour Solicitations. This host's own MAC addresses are left out.
 */
export async function askNeighbours(
  native: Native,
  device: string,
  family: IpFamily,
  addresses: readonly IpAddress[],
): Promise<Fact<Answers>> {
  const links = native.listLinks();
  const link = links.find(({ name }) => name === device);
  if (link === undefined) return missing(`there is no interface ${device}`);
  if (!link.up || !link.carrier) return missing(`${device} is down or has no carrier`);
  if (link.mac.every((byte) => byte === 0)) return missing(`${device} has no neighbours to ask`);
  const source = family === 6 ? linkLocalOf(native, link) : null;
  if (family === 6 && source === null) return missing(`${device} has no link-local address to ask from`);
  const answers = new Map(addresses.map(({ text }) => [text, new Set<string>()]));
  const own = new Set(links.map(({ mac }) => formatMac(mac)));
  try {
    const socket = native.openPacketSocket(
      link.index,
      family === 4 ? ETHERTYPE_ARP : ETHERTYPE_IPV6,
      (frame) => {
        const claim = family === 4 ? claim4(frame) : claim6(frame);
        const macs = claim === null ? undefined : answers.get(claim.address);
        if (claim === null || macs === undefined || own.has(claim.mac)) return;
        if (macs.size < MAX_ANSWERS) macs.add(claim.mac);
      },
    );
    await ask(socket, link.mac, source, addresses);
  } catch (error) {
    return missing(`asking on ${device} needs root (CAP_NET_RAW): ${messageOf(error)}`);
  }
  return known(new Map([...answers].map(([address, macs]) => [address, [...macs]])));
}

async function ask(
  socket: PacketSocket,
  mac: Uint8Array,
  source: IpAddress | null,
  addresses: readonly IpAddress[],
): Promise<void> {
  try {
    for (let round = 0; round < ROUNDS; round++) {
      for (const address of addresses) {
        socket.send(source === null ? arpProbe(mac, address) : neighbourSolicitation(mac, source, address));
      }
      await new Promise((resolve) => setTimeout(resolve, ROUND_MS));
    }
  } finally {
    socket.close();
  }
}

interface Claim {
  readonly address: string;
  readonly mac: string;
}

function claim4(frame: Uint8Array): Claim | null {
  const arp = decodeArp(frame);
  return arp === null ? null : { address: arp.senderIp.text, mac: formatMac(arp.senderMac) };
}

function claim6(frame: Uint8Array): Claim | null {
  const told = decodeNeighbourAdvertisement(frame);
  if (told === null) return null;
  return { address: told.target.text, mac: formatMac(told.targetMac ?? told.etherSource) };
}

function linkLocalOf(native: Native, link: LinkInfo): IpAddress | null {
  const own = native.listAddresses().filter(({ ifindex }) => ifindex === link.index);
  const found = own.map(({ address }) => ipFromBytes(address));
  return found.find((address) => address.family === 6 && isLinkLocal(address)) ?? null;
}
