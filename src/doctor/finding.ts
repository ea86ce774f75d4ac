/** Names of everything that the doctor looks at; docs/troubleshooting.md explains each of them. */
export const CODES = [
  // configuration and daemon
  'configuration',
  'daemon',
  'config-drift',
  'pair-drift',
  // the interface of a virtual router
  'interface',
  'link',
  'multicast-flag',
  'igmp-snooping',
  'mac-filter',
  'network-manager',
  // what the wire says
  'adverts',
  'vrid-clash',
  'address-list',
  'several-active',
  'priority',
  'interval',
  'version',
  'authentication',
  'checksum',
  'damaged',
  'ttl',
  'unicast-peer',
  // the virtual addresses
  'address-taken',
  'address-duplicate',
  'address-unanswered',
  'address-permanent',
  // the kernel
  'rp-filter',
  'arp-ignore',
  'arp-announce',
  'accept-dad',
  'nonlocal-bind',
  'kernel-version',
  'node-version',
  'clock',
  // what the daemon may do
  'realtime',
  'capabilities',
  'nftables',
  // room
  'descriptors',
  'backlog',
  'local-ports',
  'conntrack',
  // services
  'listener',
  'backends',
] as const;
export type Code = (typeof CODES)[number];

/** From worst to best; "skipped" is what could not be checked. */
export const SEVERITIES = ['problem', 'warning', 'skipped', 'ok'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** One thing that was looked at. */
export interface Finding {
  readonly code: Code;
  readonly severity: Severity;
  /** Group, interface, service or address that it is about; null for the host as a whole. */
  readonly subject: string | null;
  /** What was seen, or why it could not be seen. */
  readonly seen: string;
  /** A command or setting that puts it right; null when nothing is wrong. */
  readonly fix: string | null;
}

type Subject = string | null;

export const ok = (code: Code, subject: Subject, seen: string): Finding => ({
  code,
  severity: 'ok',
  subject,
  seen,
  fix: null,
});

export const warning = (code: Code, subject: Subject, seen: string, fix: string): Finding => ({
  code,
  severity: 'warning',
  subject,
  seen,
  fix,
});

export const problem = (code: Code, subject: Subject, seen: string, fix: string): Finding => ({
  code,
  severity: 'problem',
  subject,
  seen,
  fix,
});

/** @param fix what makes the check possible, where something does. */
export const skipped = (code: Code, subject: Subject, why: string, fix: string | null = null): Finding => ({
  code,
  severity: 'skipped',
  subject,
  seen: `not checked: ${why}`,
  fix,
});
