// What is done to the Active node `a`. `strike` injects, `heal` ends it where it can end; `watch(advert)` says for how
// long the client is watched after either, all in ms: at least until everything that a contender does by its timers
// has happened, at most while the address is dead.
import { killAll, killTogether, pidsIn } from './host.mjs';

/** Three intervals and a Skew_Time, and then some. */
const takeover = (advert) => 4.2 * advert;
const watch = (more) => (advert) => {
  const least = takeover(advert) + more;
  return { least, most: least + 8_000 };
};

/** Everything on the node: the contender, the echo, whatever else it started. */
const everything = (cell) => pidsIn(cell.ns.a);

export const FAULTS = {
  none: {
    title: 'nothing happens',
    prepare: () => null,
    strike: () => undefined,
    watch: watch(1_000),
  },
  stop: {
    title: 'graceful stop (SIGTERM)',
    prepare: (cell) => cell.nodes.a,
    strike: (node) => node.stop(),
    watch: watch(1_000),
  },
  'crash-advertiser': {
    title: 'kill -9 of the process that advertises',
    what: { tandem: 'the agent', keepalived: 'the VRRP child' },
    prepare: (cell) => cell.nodes.a.processes(),
    strike: ({ advertiser }) => killAll([advertiser], 'SIGKILL'),
    watch: watch(3_000),
  },
  'crash-parent': {
    title: 'kill -9 of its parent',
    what: { tandem: 'the supervisor, with the data path', keepalived: 'the parent' },
    prepare: (cell) => cell.nodes.a.processes(),
    strike: ({ parent }) => killAll([parent], 'SIGKILL'),
    watch: watch(3_000),
  },
  'crash-both': {
    title: 'kill -9 of both at once',
    prepare: (cell) => cell.nodes.a.processes(),
    strike: ({ advertiser, parent }) => killTogether([advertiser, parent]),
    watch: watch(3_000),
  },
  'crash-node': {
    title: 'kill -9 of every process on the node, the service too',
    prepare: everything,
    strike: killTogether,
    watch: watch(3_000),
  },
  'hang-advertiser': {
    title: 'SIGSTOP of the process that advertises',
    healed: '... and SIGCONT',
    prepare: (cell) => cell.nodes.a.processes(),
    strike: ({ advertiser }) => killAll([advertiser], 'SIGSTOP'),
    heal: (_, { advertiser }) => killAll([advertiser], 'SIGCONT'),
    watch: watch(3_500),
  },
  'hang-node': {
    title: 'SIGSTOP of every process on the node, the service too',
    healed: '... and SIGCONT',
    prepare: everything,
    strike: (pids) => killAll(pids, 'SIGSTOP'),
    heal: (_, pids) => killAll(pids, 'SIGCONT'),
    watch: watch(3_000),
  },
  partition: {
    title: 'silent host: cut off from the client and the peer, without a word',
    healed: '... and the partition heals',
    prepare: (cell) => cell,
    strike: (cell) => cell.silence('a'),
    heal: (cell) => cell.unsilence(),
    watch: watch(1_500),
  },
  'link-down': {
    title: 'link down',
    healed: '... and up again',
    prepare: (cell) => cell,
    strike: (cell) => cell.cable('a', 'down'),
    heal: (cell) => cell.cable('a', 'up'),
    watch: watch(1_500),
  },
  handover: {
    title: 'planned handover, 50 live TCP connections',
    connections: true,
    prepare: (cell) => cell.nodes.a,
    strike: (node) => node.handOver(),
    watch: watch(2_500),
  },
};
