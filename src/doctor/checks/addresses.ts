import { formatDuration, seconds } from '../../lib/duration.ts';
import { type AddressFacts, type Check, type RouterFacts, routerName, type Status } from '../facts.ts';
import { type Finding, ok, problem, skipped, warning } from '../finding.ts';

/** The owner of the addresses (RFC 9568, 5.2.4) has them for good. */
const OWNER = 255;

/** Who holds the virtual addresses: this host, the peer, or somebody who must not. */
export const checkAddresses: Check = ({ routers, daemon }) => [
  ...routers.flatMap((router) =>
    router.addresses.flatMap((address) => [...permanent(router, address), ...answers(router, address)]),
  ),
  ...(daemon.kind === 'running' ? duplicates(daemon.status) : []),
];

/** A host that was there an hour ago, such as a virtual machine that was switched off, comes again. */
const RECENT_MS = 24 * 3_600_000;

/** What the daemon saw while nobody watched: the host may not answer now. */
function duplicates({ failover }: Status): Finding[] {
  return (failover?.routers ?? []).flatMap(({ interface: device, duplicates: { count, last } }) => {
    if (last === null || last.ageMillis > RECENT_MS) return [];
    const { address, mac, ageMillis } = last;
    const when = `${formatDuration(seconds(Math.round(ageMillis / 1_000)))} ago`;
    const seen = `${mac} claimed it ${when} while this node held it (${count === 1 ? 'once' : `${count} times`} in all)`;
    const fix = `find the host with that MAC address on the link of ${device} and take ${address} off it`;
    return [warning('address-duplicate', address, seen, fix)];
  });
}

function permanent({ group }: RouterFacts, facts: AddressFacts): Finding[] {
  const fixed = facts.held.filter((held) => held.permanent);
  if (fixed.length === 0)
    return [ok('address-permanent', facts.address, 'not configured on this host for good')];
  const devices = fixed.map((held) => held.interface);
  const on = devices.join(', ');
  if (group.priority === OWNER) {
    return [ok('address-permanent', facts.address, `is on ${on} for good: this node owns it (priority 255)`)];
  }
  const seen = `is on ${on} for good: it stays there when the peer is Active`;
  const remove = devices.map((device) => `ip addr del ${facts.address}/${facts.prefixLength} dev ${device}`);
  const fix = `${remove.join('; ')}; and take it out of the host's network configuration`;
  return [problem('address-permanent', facts.address, seen, fix)];
}

function answers(router: RouterFacts, facts: AddressFacts): Finding[] {
  const { address } = facts;
  if ('missing' in facts.answers) {
    return [skipped('address-taken', address, facts.answers.missing, 'sudo tandem doctor')];
  }
  const macs = facts.answers.value;
  const strangers = macs.filter((mac) => !router.routerMacs.includes(mac));
  const here = facts.held.length > 0;
  const where = `arping -D -I ${router.group.interface} ${address}`;
  const look = router.family === 4 ? where : `ndisc6 ${address} ${router.group.interface}`;
  if (strangers.length > 0) {
    const seen = `${strangers.join(', ')} answers for it and is not heard as a router of VRID ${router.group.vrid}`;
    const fix = `find that host (${look}) and take the address off it; if it is the peer, its advertisements are lost on the way here`;
    return [problem('address-taken', address, seen, fix)];
  }
  if (macs.length > 1 || (here && macs.length > 0)) {
    const holders = here ? ['this host', ...macs] : [...macs];
    const seen = `held by several hosts: ${holders.join(', ')}`;
    const fix =
      'tandem failover on both nodes: one must be Backup; ip addr del on a host that no router runs on';
    return [problem('address-taken', address, seen, fix)];
  }
  if (macs.length === 1) return [ok('address-taken', address, `held by the Active peer at ${macs[0] ?? ''}`)];
  if (here) return [ok('address-taken', address, 'held by this host alone')];
  return [unanswered(router, address)];
}

function unanswered(router: RouterFacts, address: string): Finding {
  const heard = 'value' in router.wire ? router.wire.value.heard : [];
  const peer = heard.find(({ vrid, priority }) => vrid === router.group.vrid && priority > 0);
  if (peer === undefined || !peer.addresses.includes(address)) {
    return ok('address-taken', address, 'no other host answers for it');
  }
  const seen = `${peer.source} advertises it as ${routerName(router)} and nobody answers for it`;
  const fix = `on ${peer.source}: ip addr show to ${address}; tandem doctor`;
  return warning('address-unanswered', address, seen, fix);
}
