/** What is broken, what is to come of it, and how it is mended. All of it happens to lb-a, which is Active before. */

const A = 'lb-a';
const B = 'lb-b';

// the supervisor is what systemd started, the agent its child
const SUPERVISOR = 'systemctl show --property MainPID --value tandem';
const AGENT = `pgrep --parent "$(${SUPERVISOR})" --full failover/agent`;

const START = 'sudo systemctl start tandem';

/**
 * @typedef {object} Fault
 * @property {string} name
 * @property {string} what for people
 * @property {string[]} takers who holds the address, in order, from before the fault until it is over
 * @property {string[]} [off] who is switched off by it
 * @property {'kept' | 'any'} connections what is to become of established TCP connections
 * @property {(pair: import('./pair.mjs').Pair) => Promise<unknown>} inject
 * @property {(pair: import('./pair.mjs').Pair) => Promise<unknown>} mend also when `inject` failed; may be repeated
 */

/** @type {Fault[]} */
export const FAULTS = [
  {
    name: 'stop',
    what: 'systemctl stop tandem',
    takers: [A, B],
    connections: 'any',
    inject: (pair) => pair.command(A, 'sudo systemctl stop tandem'),
    mend: (pair) => pair.command(A, START),
  },
  {
    name: 'kill-agent',
    what: 'kill -9 of the failover agent; its supervisor starts another, which takes the address back',
    takers: [A, B, A],
    connections: 'any',
    inject: (pair) => pair.command(A, `sudo kill -9 $(${AGENT})`),
    mend: async () => undefined,
  },
  {
    name: 'kill-supervisor',
    what: 'kill -9 of the supervisor; systemd starts the daemon again, which takes the address back',
    takers: [A, B, A],
    connections: 'any',
    inject: (pair) => pair.command(A, `sudo kill -9 $(${SUPERVISOR})`),
    mend: async () => undefined,
  },
  {
    name: 'kill-both',
    what: 'kill -9 of both at once: nobody says goodbye, the kernel ends the lease; systemd starts the daemon again',
    takers: [A, B, A],
    connections: 'any',
    inject: (pair) => pair.command(A, 'sudo systemctl kill --kill-who all --signal KILL tandem'),
    mend: async () => undefined,
  },
  {
    name: 'power-off',
    what: 'the machine is switched off in the hypervisor',
    takers: [A, B],
    connections: 'any',
    off: [A],
    inject: (pair) => pair.powerOff(A),
    mend: (pair) => pair.powerOn(A),
  },
  {
    name: 'link-cut',
    what: 'the cable to the network of the address is pulled in the hypervisor',
    takers: [A, B],
    connections: 'any',
    inject: (pair) => pair.link(A, false),
    mend: (pair) => pair.link(A, true),
  },
  {
    name: 'handover',
    what: 'tandem failover handover: planned, with live connections',
    takers: [A, B],
    connections: 'kept',
    inject: (pair) => pair.command(A, 'sudo tandem failover handover --require-peer'),
    mend: (pair) => pair.retake(A),
  },
];
