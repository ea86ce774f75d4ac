import { formatDuration, millis, toMillis } from '../../lib/duration.ts';
import { isLinkLocal, parseIp } from '../../lib/ip.ts';
import { type Check, type Heard, type RouterFacts, routerName, type Wire } from '../facts.ts';
import { type Finding, ok, problem, skipped, warning } from '../finding.ts';

/** Does the peer reach us, does it speak as we do, and does nobody else use our VRID? */
export const checkWire: Check = ({ routers }) => routers.flatMap(checkRouter);

function checkRouter(router: RouterFacts): Finding[] {
  const subject = routerName(router);
  if ('missing' in router.wire) {
    return [skipped('adverts', subject, router.wire.missing, 'sudo tandem doctor')];
  }
  const wire = router.wire.value;
  const speakers = wire.heard.filter(({ vrid }) => vrid === router.group.vrid);
  return [
    ...adverts(router, wire, speakers),
    ...severalActive(router, speakers),
    ...speakers.flatMap((peer) => speaker(router, wire, peer)),
    ...damaged(router, wire),
  ];
}

/** Advertisements that a router of this configuration would listen to. */
const isHeeded = (router: RouterFacts, peer: Heard): boolean =>
  peer.version === router.group.version &&
  peer.secret === router.secret &&
  isListed(router, peer) &&
  (router.group.unicast !== null || peer.hopLimit === 255);

const spell = (ms: number): string => formatDuration(millis(Math.round(ms)));

function adverts(router: RouterFacts, wire: Wire, speakers: readonly Heard[]): Finding[] {
  const subject = routerName(router);
  const heeded = speakers.filter((peer) => isHeeded(router, peer));
  const listened = spell(wire.listenedMillis);
  if (heeded.length > 0) {
    const list = heeded.map(({ source, priority, count }) => `${count} of ${source} (priority ${priority})`);
    return [ok('adverts', subject, `advertisements within ${listened}: ${list.join(', ')}`)];
  }
  if (router.state === 'Active') {
    // a Backup is silent: what arrives can only be seen on its side
    if (router.received > 0) {
      return [
        ok('adverts', subject, `this node is Active; ${router.received} of the peer were heard before`),
      ];
    }
    const why = 'this node is Active and has never heard its peer, and a Backup is silent';
    return [skipped('adverts', subject, why, 'tandem doctor on the other node')];
  }
  if (wire.listenedMillis < 3 * toMillis(router.group.advertiseInterval)) {
    const why = `advertisements come every ${formatDuration(router.group.advertiseInterval)}, and ${listened} were listened`;
    return [skipped('adverts', subject, why, 'tandem events --follow')];
  }
  const nothing = `no usable advertisement of VRID ${router.group.vrid} on ${router.group.interface} within ${listened}`;
  if (router.state === 'Backup') {
    return [problem('adverts', subject, `${nothing}, though this node is Backup`, reachFix(router))];
  }
  return [
    warning('adverts', subject, `${nothing}: no node is Active, or none reaches this one`, reachFix(router)),
  ];
}

function reachFix({ group, family }: RouterFacts): string {
  const ipv = family === 4 ? 'ip protocol 112' : 'ip6 nexthdr 112';
  const firewall = `on both nodes: nft add rule inet filter input ${ipv} accept`;
  if (group.unicast !== null)
    return `${firewall}; [failover.group.unicast] peers of each node name the other`;
  const to = family === 4 ? '224.0.0.18' : 'ff02::12';
  return `${firewall}; let the switch flood ${to} (IGMP/MLD snooping), or set [failover.group.unicast] peers`;
}

/** A busy host hears late. */
const SLACK_MS = 100;

function severalActive(router: RouterFacts, speakers: readonly Heard[]): Finding[] {
  // one that has just lost the election falls silent within an interval; a single packet proves nothing
  const active = speakers.filter(
    ({ priority, count, ageMillis, intervalMillis }) =>
      priority > 0 && count >= 2 && ageMillis <= 2 * intervalMillis + SLACK_MS,
  );
  const names = active.map(({ source }) => source);
  if (router.state === 'Active') names.push('this node');
  if (names.length < 2) return [];
  const seen = `several routers are Active with VRID ${router.group.vrid}: ${names.join(', ')}`;
  const fix = `the others do not hear or do not heed each other: tandem doctor on each; ${reachFix(router)}`;
  return [problem('several-active', routerName(router), seen, fix)];
}

/** One router that has our VRID. */
function speaker(router: RouterFacts, wire: Wire, peer: Heard): Finding[] {
  if (!isListed(router, peer)) return [unlisted(router, peer)];
  const clash = addressList(router, wire, peer);
  if (clash?.code === 'vrid-clash') return [clash];
  const findings = [
    clash,
    version(router, peer),
    authentication(router, peer),
    checksum(router, peer),
    interval(router, peer),
    priority(router, peer),
    ttl(router, peer),
  ];
  return findings.filter((finding) => finding !== null);
}

const isListed = ({ group }: RouterFacts, peer: Heard): boolean =>
  group.unicast === null || group.unicast.peers.some(({ text }) => text === peer.source);

function unlisted(router: RouterFacts, peer: Heard): Finding {
  const seen = `${peer.source} advertises VRID ${peer.vrid} and is none of the unicast peers`;
  const fix = `add "${peer.source}" to [failover.group.unicast] peers, or give one of the two another vrid`;
  return warning('unicast-peer', routerName(router), seen, fix);
}

/** Without the link-local address of IPv6, which pairs with one VRID may well share. */
function comparable(addresses: readonly string[]): string[] {
  const global = addresses.filter((text) => {
    const address = parseIp(text);
    return address === undefined || address.family === 4 || !isLinkLocal(address);
  });
  return (global.length > 0 ? global : [...addresses]).sort();
}

function addressList(router: RouterFacts, wire: Wire, peer: Heard): Finding | null {
  const own = comparable(router.advertised);
  const theirs = comparable(peer.addresses);
  const subject = routerName(router);
  const says = `${peer.source} advertises VRID ${peer.vrid} for ${theirs.join(', ')}`;
  if (!theirs.some((address) => own.includes(address))) {
    const free = freeVrid(wire, peer.vrid);
    const fix = `vrid = ${free} on both nodes of one of the pairs (a VRID is one pair's alone on a link)`;
    return problem('vrid-clash', subject, `${says}: another pair, or a peer with other addresses`, fix);
  }
  const differs = own.join() !== theirs.join();
  // keepalived compares IPv6 lists whole, the link-local address first
  const first = router.family === 6 && router.advertised[0] !== peer.addresses[0];
  if (!differs && !first) return null;
  const seen = differs
    ? `${says}; here it has ${own.join(', ')}`
    : `${peer.source} begins its list with ${peer.addresses[0] ?? 'nothing'}, this node with ${router.advertised[0] ?? 'nothing'}`;
  const fix = 'the same addresses in [[failover.group]] on both nodes, then tandem reload';
  return warning('address-list', subject, seen, fix);
}

function freeVrid(wire: Wire, taken: number): number {
  const used = new Set(wire.heard.map(({ vrid }) => vrid));
  for (let step = 1; step < 255; step++) {
    const vrid = ((taken - 1 + step) % 255) + 1;
    if (!used.has(vrid)) return vrid;
  }
  return taken;
}

function version(router: RouterFacts, peer: Heard): Finding | null {
  if (peer.version === router.group.version) return null;
  const seen = `${peer.source} speaks VRRPv${peer.version}, this node VRRPv${router.group.version}: they do not hear each other`;
  return problem(
    'version',
    routerName(router),
    seen,
    `version = ${peer.version} in [[failover.group]], or change the peer`,
  );
}

/** Says whether, never what: PASS goes over the wire in clear text and is a secret nevertheless. */
function authentication(router: RouterFacts, peer: Heard): Finding | null {
  if (peer.secret === router.secret) return null;
  const subject = routerName(router);
  if (peer.secret === null) {
    const seen = `${peer.source} sends no authentication, and auth_pass is set here`;
    return problem('authentication', subject, seen, 'remove auth_pass, or set auth_type PASS at the peer');
  }
  if (router.secret === null) {
    const seen = `${peer.source} sends a PASS, and auth_pass is not set here`;
    return problem(
      'authentication',
      subject,
      seen,
      "auth_pass with the peer's password in [[failover.group]]",
    );
  }
  const seen = `${peer.source} sends another PASS than auth_pass`;
  return problem('authentication', subject, seen, 'the same password (at most 8 bytes) on both nodes');
}

function checksum(router: RouterFacts, peer: Heard): Finding | null {
  const ours = router.group.checksum;
  if (peer.checksum === null || router.group.version !== 3) return null;
  const subject = routerName(router);
  if (peer.checksum === ours) return ok('checksum', subject, `${peer.source} and this node: ${ours}`);
  const fix = `checksum = "${peer.checksum}" in [failover], then tandem reload`;
  if (ours === 'rfc9568') {
    const seen = `${peer.source} computes the checksum as ${peer.checksum}, this node as ${ours}: keepalived 2.2 and FRR discard that`;
    return problem('checksum', subject, seen, fix);
  }
  const seen = `${peer.source} computes the checksum as ${peer.checksum}, this node as ${ours}: a strict peer discards that`;
  return warning('checksum', subject, seen, fix);
}

function interval(router: RouterFacts, peer: Heard): Finding | null {
  // the wire has whole centiseconds (v3) or seconds (v2), rounded up
  const unit = router.group.version === 3 ? 10 : 1_000;
  const ours = Math.ceil(toMillis(router.group.advertiseInterval) / unit) * unit;
  if (peer.version !== router.group.version || peer.intervalMillis === ours) return null;
  const theirs = spell(peer.intervalMillis);
  const seen = `${peer.source} advertises every ${theirs}, this node every ${spell(ours)}`;
  const fix = `advertise_interval = "${theirs}" in [failover], or change the peer`;
  const subject = routerName(router);
  return router.group.version === 2
    ? problem('interval', subject, `${seen}: VRRPv2 routers discard that`, fix)
    : warning('interval', subject, `${seen}: how fast a failover is depends on which node fails`, fix);
}

function priority(router: RouterFacts, peer: Heard): Finding | null {
  if (peer.priority !== router.group.priority) return null;
  const seen = `${peer.source} has priority ${peer.priority}, and so has this node: the greater address decides`;
  return warning(
    'priority',
    routerName(router),
    seen,
    'another priority on one of the nodes, such as 200 and 100',
  );
}

function ttl(router: RouterFacts, peer: Heard): Finding | null {
  const subject = routerName(router);
  if (peer.hopLimit === 255) return null;
  const came = `advertisements of ${peer.source} arrive with ${router.family === 4 ? 'TTL' : 'hop limit'} ${peer.hopLimit}`;
  if (router.group.unicast === null) {
    const seen = `${came} and not with 255: forged, or they have passed a router; they are discarded`;
    return problem(
      'ttl',
      subject,
      seen,
      'the nodes belong on one link; where they cannot be, [failover.group.unicast]',
    );
  }
  // keepalived sends IPv6 unicast with the kernel's default of 64
  if (peer.hopLimit === 64) return ok('ttl', subject, `${came}, as keepalived sends them; unicast takes any`);
  const seen = `${came}: they pass ${(peer.hopLimit > 64 ? 255 : 64) - peer.hopLimit} routers, and the failover hangs on those`;
  return warning('ttl', subject, seen, 'put the nodes on one link, or take a longer advertise_interval');
}

function damaged(router: RouterFacts, wire: Wire): Finding[] {
  const ours = wire.junk.filter(({ vrid }) => vrid === router.group.vrid);
  return ours.map(({ source, reason, count }) => {
    const seen = `${count} messages of ${source} with VRID ${router.group.vrid} are not valid: ${reason}`;
    const device = router.group.interface;
    return warning(
      'damaged',
      routerName(router),
      seen,
      `tcpdump -vvni ${device} proto 112; find out what ${source} is`,
    );
  });
}
