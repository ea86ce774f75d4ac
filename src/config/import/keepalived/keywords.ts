/**
 * Every keyword of keepalived 2.2 and what becomes of it. The converter, the report, the tests and
 * docs/coming-from-keepalived.md follow this table: a feature that arrives edits its row.
 */

/**
 * `carried`: the same in Tandem. `changed`: carried over, with a difference worth knowing. `needless`: not
 * carried over, and nothing is lost. `missing`: not carried over, and the pair behaves otherwise without it.
 */
export type Fate = 'carried' | 'changed' | 'needless' | 'missing';

export interface KeywordRow {
  /** The blocks in which it stands; '' is the top of the file. */
  readonly contexts: readonly string[];
  readonly keywords: readonly string[];
  readonly fate: Fate;
  /** What it does in keepalived. */
  readonly did: string;
  /** Where it is in Tandem's file, or what to do instead. */
  readonly becomes: string;
  /** What its block holds: a context of this table, or a list of items. Undefined when it has no block. */
  readonly opens: string | undefined;
}

type Row = readonly [
  contexts: string,
  keywords: string,
  fate: Fate,
  did: string,
  becomes: string,
  opens?: string,
];

/** In a block of items, lines are data. */
export const ITEMS = 'items';

const CHECKS = 'TCP_CHECK HTTP_GET SSL_GET SMTP_CHECK DNS_CHECK MISC_CHECK PING_CHECK UDP_CHECK';
const CONNECTING = 'TCP_CHECK HTTP_GET SSL_GET SMTP_CHECK DNS_CHECK PING_CHECK UDP_CHECK';
const SERVERS = 'virtual_server real_server';
const TRACKERS = 'vrrp_instance vrrp_sync_group';
const LATER = 'not yet supported';
const ONE_PROCESS = 'nothing to do: Tandem schedules its own processes ([failover] realtime_priority)';
const NETWORKD = 'configure it with the system (systemd-networkd, ifupdown)';

// biome-ignore format: a table reads best with one row a line
const ROWS: readonly Row[] = [
  // the top of the file
  ['', 'global_defs', 'carried', 'settings for everything', '`[failover]`, `[node]`', 'global_defs'],
  ['', 'vrrp_instance', 'carried', 'a virtual router', '`[[failover.group]]`', 'vrrp_instance'],
  ['', 'virtual_server', 'changed', 'an IPVS service', '`[[service]]`; Tandem is a proxy: backends see its address, and replies come back through it', 'virtual_server'],
  ['', 'virtual_server_group', 'carried', 'addresses that share servers', '`listen` of the services', ITEMS],
  ['', 'vrrp_sync_group', 'carried', 'instances that move together', '`sync` of its groups', 'vrrp_sync_group'],
  ['', 'vrrp_script', 'carried', 'a program that lowers or raises the priority', '`[[failover.track]]`, `type = "script"`', 'vrrp_script'],
  ['', 'vrrp_track_process', 'carried', 'a process whose absence lowers the priority', '`[[failover.track]]`, `type = "process"`; looked at once a second', 'vrrp_track_process'],
  ['', 'track_file vrrp_track_file', 'carried', 'a file whose number changes the priority', '`[[failover.track]]`, `type = "file"`; looked at five times a second', 'track_file'],
  ['', 'track_group', 'missing', 'instances that watch static addresses and routes', `${NETWORKD}; Tandem watches the virtual addresses alone`, 'track_group'],
  ['', 'static_ipaddress', 'missing', 'addresses that stay on the host', NETWORKD, ITEMS],
  ['', 'static_routes', 'missing', 'routes that stay on the host', NETWORKD, ITEMS],
  ['', 'static_rules', 'missing', 'policy rules that stay on the host', NETWORKD, ITEMS],
  ['', 'bfd_instance', 'missing', 'a BFD session', 'use FRR for BFD; a shorter `advertise_interval` (from 10ms) detects a dead peer as fast', 'bfd_instance'],
  ['', 'garp_group', 'carried', 'gratuitous ARPs spaced over interfaces', '`announce.interval` and `announce.pace` of the groups on them', 'garp_group'],
  ['', 'interface_up_down_delays', 'carried', 'debounces the link', '`rise` and `fall` of the interfaces that are tracked; a group without its own link gives up at once', ITEMS],
  ['', 'linkbeat_interfaces', 'needless', 'polls the link', 'nothing to do: the kernel tells (netlink)', ITEMS],
  ['', 'linkbeat_use_polling', 'needless', 'polls the link', 'nothing to do: the kernel tells (netlink)'],
  ['', 'SSL', 'missing', 'certificate for SSL_GET', 'health checks show no client certificate; use an `exec` check', 'SSL'],
  ['', 'net_namespace net_namespace_ipvs', 'missing', 'runs in a network namespace', 'run Tandem inside it: `ip netns exec`, or `NetworkNamespacePath=` in its unit'],
  ['', 'namespace_with_ipsets', 'needless', 'ipsets of old kernels', 'nothing to do'],
  ['', 'instance', 'needless', 'a name for pid files', 'nothing to do: there are no pid files; `[admin] socket` tells daemons apart'],
  ['', 'use_pid_dir', 'needless', 'where pid files are', 'nothing to do: there are no pid files'],
  ['', 'child_wait_time', 'needless', 'time for children to end', '`drain_timeout` bounds the stop'],

  // global_defs: what Tandem has
  ['global_defs', 'router_id', 'carried', "this machine's name", '`[node] name`'],
  ['global_defs', 'vrrp_version', 'carried', 'the default version', '`version` of each group'],
  ['global_defs', 'vrrp_rt_priority', 'carried', 'real-time priority of VRRP', '`[failover] realtime_priority`'],
  ['global_defs', 'default_interface', 'carried', 'where addresses without an interface go', '`interface` of groups that name none'],
  ['global_defs', 'vrrp_garp_master_repeat', 'carried', 'gratuitous ARPs on becoming master', '`announce.repeat`'],
  ['global_defs', 'vrrp_garp_interval', 'carried', 'time between gratuitous ARPs', '`announce.interval` (at least 1ms) and `announce.pace`'],
  ['global_defs', 'vrrp_gna_interval', 'carried', 'time between neighbour advertisements', '`announce.interval` (at least 1ms) and `announce.pace` of IPv6 groups'],
  ['global_defs', 'vrrp_garp_master_refresh', 'carried', 'gratuitous ARPs again while master', '`announce.refresh`'],
  ['global_defs', 'vrrp_min_garp', 'carried', 'one gratuitous ARP and no more', '`announce.repeat = 1`, `announce.delay` and `announce.refresh` are 0'],
  ['global_defs', 'vrrp_garp_master_delay', 'carried', 'gratuitous ARPs again after becoming master', '`announce.delay`'],
  ['global_defs', 'vrrp_garp_master_refresh_repeat', 'carried', 'how many at each refresh', '`announce.refresh_repeat`'],
  ['global_defs', 'vrrp_garp_lower_prio_repeat', 'carried', 'gratuitous ARPs after a conflict', '`announce.conflict_repeat`, at least 1'],
  ['global_defs', 'vrrp_garp_lower_prio_delay', 'carried', 'the same again later', '`announce.conflict_delay`'],
  ['global_defs', 'vrrp_startup_delay', 'carried', 'waits after the start', '`[failover] startup_delay`'],
  ['global_defs', 'lvs_timeouts', 'carried', 'time-outs of IPVS connections', '`[service.timeout]`: `idle` (tcp), `fin` (tcpfin), `session` (udp)'],
  // global_defs: what is not needed
  ['global_defs', 'vrrp_garp_extra_if', 'needless', 'gratuitous ARPs on further interfaces', 'nothing to do: each address is announced where it is held'],
  ['global_defs', 'vrrp_lower_prio_no_advert vrrp_higher_prio_send_advert', 'needless', 'what a master answers to another', 'nothing to do: Tandem follows RFC 9568, and announces again after a conflict'],
  ['global_defs', 'vrrp_check_unicast_src', 'needless', 'takes unicast from its peers alone', 'nothing to do: Tandem always checks'],
  ['global_defs', 'vrrp_skip_check_adv_addr', 'needless', 'skips comparing the addresses', 'nothing to do'],
  ['global_defs', 'vrrp_strict', 'carried', 'refuses what the RFC does not know', '`accept = false` where it means that; else Tandem follows RFC 9568'],
  ['global_defs', 'process_names process_name vrrp_process_name checker_process_name bfd_process_name', 'needless', 'names of the processes', 'nothing to do'],
  ['global_defs', 'max_auto_priority min_auto_priority_delay vrrp_priority checker_priority bfd_priority vrrp_no_swap checker_no_swap bfd_no_swap vrrp_cpu_affinity checker_cpu_affinity bfd_cpu_affinity checker_rt_priority bfd_rt_priority vrrp_rlimit_rttime checker_rlimit_rttime bfd_rlimit_rttime', 'needless', 'scheduling of the processes', ONE_PROCESS],
  ['global_defs', 'vrrp_netlink_cmd_rcv_bufs vrrp_netlink_cmd_rcv_bufs_force vrrp_netlink_monitor_rcv_bufs vrrp_netlink_monitor_rcv_bufs_force lvs_netlink_cmd_rcv_bufs lvs_netlink_cmd_rcv_bufs_force lvs_netlink_monitor_rcv_bufs lvs_netlink_monitor_rcv_bufs_force process_monitor_rcv_bufs process_monitor_rcv_bufs_force vrrp_rx_bufs_policy vrrp_rx_bufs_multiplier', 'needless', 'sizes of socket buffers', 'nothing to do'],
  ['global_defs', 'lvs_flush lvs_flush_on_stop', 'needless', 'empties the IPVS table', 'nothing to do: Tandem has no IPVS table; run `ipvsadm --clear` once'],
  ['global_defs', 'nftables nftables_priority nftables_counters nftables_ifindex nftables_ipvs nftables_ipvs_priority nftables_ipvs_start_fwmark vrrp_iptables vrrp_ipsets disable_local_igmp', 'needless', 'firewall rules of its own', 'nothing to do: Tandem needs none'],
  ['global_defs', 'tmp_config_directory config_save_dir umask random_seed include_check data_use_instance', 'needless', 'housekeeping', 'nothing to do'],
  ['global_defs', 'reload_check_config reload_file', 'needless', 'reloads with care', 'nothing to do: `tandem reload` checks first, and changes nothing when the file is wrong'],
  ['global_defs', 'log_unknown_vrids checker_log_all_failures', 'needless', 'logs more', '`[node] log_level = "debug"`, `tandem events`, `/metrics`'],
  ['global_defs', 'script_user', 'changed', 'whom scripts run as', '`User=` in the unit: every program runs as the daemon does'],
  ['global_defs', 'enable_script_security', 'needless', 'no scripts that others may write', 'nothing to do: run the daemon as a user of its own (`User=` in the unit)'],
  ['global_defs', 'vmac_prefix vmac_addr_prefix', 'needless', 'names of virtual MAC interfaces', 'nothing to do: there are none'],
  ['global_defs', 'dynamic_interfaces', 'needless', 'interfaces may come and go', 'nothing to do: Tandem waits for the link; an interface that is missing at the start is an error'],
  ['global_defs', 'no_email_faults no_checker_emails rs_init_notifies fifo_write_vrrp_states_on_reload', 'needless', 'details of alerts', 'nothing to do'],
  // global_defs: what is lost
  ['global_defs', 'notification_email', 'missing', 'e-mails alerts', 'alert on `/metrics` with Prometheus, or follow `tandem events --follow --json`', ITEMS],
  ['global_defs', 'notification_email_from smtp_server smtp_helo_name smtp_connect_timeout smtp_alert smtp_alert_vrrp smtp_alert_checker', 'missing', 'e-mails alerts', 'alert on `/metrics` with Prometheus, or follow `tandem events --follow --json`'],
  ['global_defs', 'notify_fifo notify_fifo_script vrrp_notify_fifo vrrp_notify_fifo_script lvs_notify_fifo lvs_notify_fifo_script vrrp_notify_priority_changes', 'missing', 'tells programs about changes', 'read `tandem events --follow --json`'],
  ['global_defs', 'snmp_socket enable_snmp_vrrp enable_snmp_checker enable_snmp_rfc enable_snmp_rfcv2 enable_snmp_rfcv3 enable_traps', 'missing', 'SNMP', 'scrape `/metrics` (`[metrics]`)'],
  ['global_defs', 'enable_dbus dbus_service_name', 'missing', 'D-Bus', 'use the admin socket: `tandem status --json`'],
  ['global_defs', 'vrrp_mcast_group4 vrrp_mcast_group6', 'missing', 'another multicast group', 'Tandem uses 224.0.0.18 and ff02::12, as the RFC says; or use `unicast`'],
  ['global_defs', 'vrrp_down_timer_adverts', 'missing', 'adverts missed until takeover', 'three, as the RFC says; change `advertise_interval`'],
  ['global_defs', 'startup_script startup_script_timeout shutdown_script shutdown_script_timeout', 'missing', 'runs a program at start and stop', 'use `ExecStartPre=` and `ExecStopPost=` in the unit'],
  ['global_defs', 'lvs_sync_daemon', 'missing', 'shares the IPVS connection table', 'Tandem shares no connections; use `tandem failover handover` for planned work'],
  ['global_defs', 'reload_time_file reload_repeat', 'missing', 'reloads at a set time', 'run `tandem reload` from a timer (systemd, cron)'],

  // vrrp_instance
  ['vrrp_instance', 'virtual_router_id', 'carried', 'the VRID', '`vrid`'],
  ['vrrp_instance', 'interface', 'carried', 'where VRRP is spoken', '`interface`'],
  ['vrrp_instance', 'priority', 'carried', 'the higher one is active', '`priority`'],
  ['vrrp_instance', 'advert_int', 'carried', 'seconds between advertisements', '`advertise_interval`'],
  ['vrrp_instance', 'version', 'carried', 'the VRRP version', '`version`'],
  ['vrrp_instance', 'nopreempt', 'carried', 'stays backup while another is master', '`preempt = false`'],
  ['vrrp_instance', 'preempt_delay', 'carried', 'waits before it takes over', '`preempt_delay`'],
  ['vrrp_instance', 'preempt', 'needless', 'takes over (the default)', 'nothing to do: the default here as well'],
  ['vrrp_instance', 'state', 'needless', 'the state to begin with', 'nothing to do: the priority decides'],
  ['vrrp_instance', 'virtual_ipaddress', 'carried', 'the virtual addresses', '`addresses`', ITEMS],
  ['vrrp_instance', 'virtual_ipaddress_excluded', 'carried', 'addresses that move along unadvertised', '`excluded_addresses`', ITEMS],
  ['vrrp_instance', 'unicast_peer', 'carried', 'the other nodes, instead of multicast', '`unicast.peers`', ITEMS],
  ['vrrp_instance', 'unicast_src_ip', 'carried', "this node's address for unicast", '`unicast.source`'],
  ['vrrp_instance', 'mcast_src_ip', 'carried', "this node's address for VRRP", '`unicast.source`; multicast leaves from the primary address of the interface'],
  ['vrrp_instance', 'authentication', 'carried', 'a password (version 2)', '`auth_pass`', 'authentication'],
  ['authentication', 'auth_type', 'carried', 'PASS or AH', '`auth_pass`; AH is not supported'],
  ['authentication', 'auth_pass', 'carried', 'the password', '`auth_pass`, version 2 only: it protects nothing'],
  ['vrrp_instance', 'garp_master_repeat', 'carried', 'gratuitous ARPs on becoming master', '`announce.repeat`'],
  ['vrrp_instance', 'garp_master_refresh', 'carried', 'gratuitous ARPs again while master', '`announce.refresh`'],
  ['vrrp_instance', 'garp_master_delay', 'carried', 'gratuitous ARPs again after becoming master', '`announce.delay`'],
  ['vrrp_instance', 'garp_master_refresh_repeat', 'carried', 'how many at each refresh', '`announce.refresh_repeat`'],
  ['vrrp_instance', 'garp_lower_prio_repeat', 'carried', 'gratuitous ARPs after a conflict', '`announce.conflict_repeat`, at least 1'],
  ['vrrp_instance', 'garp_lower_prio_delay', 'carried', 'the same again later', '`announce.conflict_delay`'],
  ['vrrp_instance', 'garp_extra_if', 'needless', 'gratuitous ARPs on further interfaces', 'nothing to do: each address is announced where it is held'],
  ['vrrp_instance', 'lower_prio_no_advert higher_prio_send_advert', 'needless', 'what a master answers to another', 'nothing to do: Tandem follows RFC 9568, and announces again after a conflict'],
  ['vrrp_instance', 'check_unicast_src', 'needless', 'takes unicast from its peers alone', 'nothing to do: Tandem always checks'],
  ['vrrp_instance', 'unicast_fault_no_peer', 'needless', 'no multicast without peers', 'nothing to do: `unicast` without peers is an error'],
  ['vrrp_instance', 'skip_check_adv_addr', 'needless', 'skips comparing the addresses', 'nothing to do'],
  ['vrrp_instance', 'strict_mode', 'carried', 'refuses what the RFC does not know', '`accept = false` where it means that; else Tandem follows RFC 9568'],
  ['vrrp_instance', 'accept', 'needless', 'takes traffic for its addresses (the default)', 'nothing to do: a balancer must'],
  ['vrrp_instance', 'native_ipv6', 'needless', 'IPv6', 'nothing to do: the addresses tell'],
  ['vrrp_instance', 'debug kernel_rx_buf_size linkbeat_use_polling', 'needless', 'housekeeping', 'nothing to do'],
  ['vrrp_instance', 'promote_secondaries', 'needless', 'keeps other addresses of the subnet', 'nothing to do: Tandem puts its addresses back when they vanish'],
  ['vrrp_instance', 'no_accept', 'carried', 'drops traffic for its addresses', '`accept = false`'],
  ['vrrp_instance', 'use_vmac', 'carried', 'the virtual MAC of the RFC', '`virtual_mac`'],
  ['vrrp_instance', 'vmac_xmit_base', 'changed', 'speaks VRRP on the interface itself', 'advertisements leave through the interface itself too, but from the virtual MAC address (unicast: from its own)'],
  ['vrrp_instance', 'use_vmac_addr', 'missing', 'virtual MACs for addresses on other interfaces', 'those addresses have the MAC of their interface'],
  ['vrrp_instance', 'use_ipvlan', 'missing', 'addresses on an ipvlan interface', LATER],
  ['vrrp_instance', 'vrf', 'missing', 'runs in a VRF', 'run Tandem inside it: `ip vrf exec`'],
  ['vrrp_instance', 'dont_track_primary', 'missing', 'stays master without the link', 'Tandem gives up an address whose interface has no link'],
  ['vrrp_instance', 'track_src_ip', 'missing', 'gives up when the source address goes', LATER],
  ['vrrp_instance', 'mcast_dst_ip', 'missing', 'another multicast group', 'Tandem uses 224.0.0.18 and ff02::12, as the RFC says; or use `unicast`'],
  ['vrrp_instance', 'unicast_ttl', 'missing', 'TTL of unicast advertisements', 'always 255'],
  ['vrrp_instance', 'old_unicast_checksum', 'missing', 'the checksum of keepalived before 1.3.7', 'update the peer; Tandem accepts the styles of RFC 5798 and RFC 9568 (`checksum`)'],
  ['vrrp_instance', 'down_timer_adverts', 'missing', 'adverts missed until takeover', 'three, as the RFC says; change `advertise_interval`'],
  [TRACKERS, 'track_interface', 'carried', 'further links that must be up', '`track` of the group, and a `[[failover.track]]`, `type = "interface"`; looked at ten times a second', ITEMS],
  [TRACKERS, 'track_script', 'carried', 'a program that lowers or raises the priority', '`track` of the group; a `weight` of its own makes a tracker of its own, `reverse` is `invert`', ITEMS],
  [TRACKERS, 'track_process', 'carried', 'a process whose absence lowers the priority', '`track` of the group', ITEMS],
  [TRACKERS, 'track_file', 'carried', 'a file whose number changes the priority', '`track` of the group; a product of -254 or less is priority 1, where keepalived makes it a fault', ITEMS],
  [TRACKERS, 'track_bfd', 'missing', 'a BFD session that must be up', LATER, ITEMS],
  [TRACKERS, 'notify_master', 'changed', 'runs a program on becoming master', '`active` of `[failover.group.notify]`; one program at a time for the whole node, killed after a minute (`timeout`)'],
  [TRACKERS, 'notify_backup', 'changed', 'runs a program on becoming backup', '`backup` of `[failover.group.notify]`; one program at a time for the whole node, killed after a minute (`timeout`)'],
  [TRACKERS, 'notify_fault', 'changed', 'runs a program on a fault', '`fault` of `[failover.group.notify]`; one program at a time for the whole node, killed after a minute (`timeout`)'],
  [TRACKERS, 'notify_stop', 'changed', 'runs a program at the stop', '`stopped` of `[failover.group.notify]`, for a minute at most, where keepalived gives it a second'],
  [TRACKERS, 'notify', 'changed', 'runs a program at every change', '`active`, `backup`, `fault` and `stopped` of `[failover.group.notify]`, with the same four arguments; its priority is that before the change'],
  [TRACKERS, 'notify_deleted', 'missing', 'runs a program when a reload drops the instance', '`stopped` of `[failover.group.notify]` is run then'],
  [TRACKERS, 'notify_priority_changes', 'missing', 'tells of changes of the priority', 'read `tandem events --follow --json`'],
  ['vrrp_instance', 'notify_master_rx_lower_pri', 'missing', 'runs a program at a conflict', `${LATER}; read \`tandem events --follow --json\``],
  [TRACKERS, 'smtp_alert', 'missing', 'e-mails alerts', 'alert on `/metrics` with Prometheus, or follow `tandem events --follow --json`'],
  ['vrrp_instance', 'virtual_routes', 'carried', 'routes that move along', '`routes`', ITEMS],
  ['vrrp_instance', 'virtual_rules', 'missing', 'policy rules that move along', LATER, ITEMS],
  ['address', 'dev', 'carried', 'the interface of one address', '`interface` of that address'],
  ['address', 'label brd broadcast scope home -nodad mngtmpaddr noprefixroute autojoin preferred_lft no_track', 'needless', 'how the address is added', 'nothing to do: Tandem adds its addresses with a lease, without a label, and watches them'],
  ['address', 'peer use_vmac', 'missing', 'a point-to-point address, or one with a virtual MAC', LATER],
  ['peer', 'min_ttl max_ttl', 'missing', 'TTLs that are accepted from a peer', 'filter in the firewall'],

  // vrrp_sync_group and the trackers
  ['vrrp_sync_group', 'group', 'carried', 'the instances', '`sync`', ITEMS],
  ['track_group', 'group', 'missing', 'the instances', `${NETWORKD}; Tandem watches the virtual addresses alone`, ITEMS],
  ['vrrp_sync_group', 'global_tracking sync_group_tracking_weight', 'changed', 'lets weights of members count', 'groups of one `sync` share their trackers and weights'],
  ['vrrp_script', 'script', 'carried', 'the program', '`command`: words divided as keepalived does, no shell'],
  ['vrrp_script', 'interval', 'carried', 'seconds between runs', '`interval`, from the end of a run to the next'],
  ['vrrp_script', 'timeout', 'carried', 'seconds for a run', '`timeout`'],
  ['vrrp_script', 'weight', 'carried', 'what it adds', '`weight`; `reverse` is `invert` with the sign turned'],
  ['vrrp_script', 'rise', 'carried', 'successes until it counts as up', '`rise`'],
  ['vrrp_script', 'fall', 'carried', 'failures until it counts as down', '`fall`'],
  ['vrrp_script', 'user', 'changed', 'whom it runs as', "the daemon's user (`User=` in the unit): see that this user may run it"],
  ['vrrp_script', 'init_fail', 'changed', 'down until it has succeeded', 'the first look decides, and until then nothing becomes active (with weight 0)'],
  ['vrrp_track_process', 'process', 'carried', 'its name, or its command line', '`process`'],
  ['vrrp_track_process', 'param_match full_command', 'carried', 'compares the command line', '`match = "command"` for a whole one; where a beginning is enough, pgrep is asked'],
  ['vrrp_track_process', 'weight', 'carried', 'what it adds', '`weight`; `reverse` is `invert` with the sign turned'],
  ['vrrp_track_process', 'quorum', 'carried', 'that many must run', '`count`'],
  ['vrrp_track_process', 'quorum_max', 'carried', 'no more may run', '`invert` where it is 0'],
  ['vrrp_track_process', 'fork_delay terminate_delay delay', 'carried', 'seconds until it counts', '`rise` and `fall`, with one look a second'],
  ['track_file', 'file', 'carried', 'the file', '`path`'],
  ['track_file', 'weight', 'carried', 'what its number is multiplied with', '`weight`; `reverse` turns the sign'],
  ['track_file', 'init_file', 'carried', 'writes the file at the start', 'a file that is not there counts as 0'],
  ['bfd_instance', 'neighbor_ip neighbour_ip source_ip min_rx min_tx idle_tx multiplier passive ttl hoplimit max_hops weight vrrp checker', 'missing', 'the session', LATER],
  ['garp_group', 'garp_interval', 'carried', 'between gratuitous ARPs', '`announce.interval` and `announce.pace` of IPv4 groups'],
  ['garp_group', 'gna_interval', 'carried', 'between neighbour advertisements', '`announce.interval` and `announce.pace` of IPv6 groups'],
  ['garp_group', 'interface', 'carried', 'the interface', 'the groups on it'],
  ['garp_group', 'interfaces', 'changed', 'the interfaces', 'the groups on them, each by itself', ITEMS],
  ['SSL', 'password ca certificate key', 'missing', 'the certificate and its key', 'use an `exec` check'],

  // virtual_server, real_server
  ['virtual_server', 'lvs_sched lb_algo', 'carried', 'the scheduler', '`schedule`'],
  ['virtual_server', 'protocol', 'carried', 'TCP, UDP or SCTP', '`protocol`; SCTP is not supported, and without the keyword it is UDP'],
  ['virtual_server', 'persistence_timeout', 'changed', 'keeps a client on its server for a time', '`schedule = "source-hash"`: a client keeps its backend for as long as the backend is there'],
  ['virtual_server', 'persistence_granularity', 'missing', 'keeps networks together', 'source-hash and maglev take the whole address'],
  ['virtual_server', 'persistence_engine', 'missing', 'persistence by SIP call', 'Tandem does not look into the traffic'],
  ['virtual_server', 'sorry_server', 'carried', 'serves when nobody else does', 'a backend with `backup = true`'],
  ['virtual_server', 'sorry_server_inhibit', 'needless', 'keeps its connections', 'nothing to do: `on_down = "keep"` is the default'],
  ['virtual_server', 'sh-port mh-port flag-2', 'changed', 'hashes the port as well', '`schedule = { algorithm = "maglev", hash_key = "tuple" }`'],
  ['virtual_server', 'sh-fallback mh-fallback flag-1 flag-3', 'needless', 'another server instead of a dead one', 'nothing to do: dead backends are never picked'],
  ['virtual_server', 'ops', 'missing', 'each datagram by itself', 'datagrams of a client go to one backend; `timeout.session` bounds it'],
  ['virtual_server', 'quorum', 'missing', 'weight that must be alive', 'the backups serve when nobody else is left (`none_eligible`)'],
  ['virtual_server', 'hysteresis', 'missing', 'damps the quorum', 'use `rise` and `fall`'],
  ['virtual_server', 'quorum_up quorum_down', 'missing', 'runs a program', 'read `tandem events --follow --json`'],
  ['virtual_server', 'ha_suspend', 'needless', 'no checks on the standby', 'nothing to do: the standby checks too, so that it is ready'],
  ['virtual_server', 'ip_family', 'needless', 'family of a firewall mark', 'nothing to do'],
  ['virtual_server', 'omega', 'needless', 'notifies at the stop', 'nothing to do'],
  ['virtual_server', 'real_server', 'carried', 'a server', '`[[service.backend]]`', 'real_server'],
  ['virtual_server', 'lvs_method lb_kind', 'changed', 'NAT, DR or TUN', 'Tandem is a proxy: take the address off the servers (`lo`, arp_ignore, tunnels), and let them listen on their own'],
  ['real_server', 'lvs_method', 'changed', 'NAT, DR or TUN', 'Tandem is a proxy: take the address off the servers (`lo`, arp_ignore, tunnels), and let them listen on their own'],
  ['virtual_server', 'sorry_server_lvs_method', 'changed', 'NAT, DR or TUN', 'Tandem is a proxy: take the address off the servers (`lo`, arp_ignore, tunnels), and let them listen on their own'],
  [SERVERS, 'virtualhost', 'carried', 'the Host header of checks', '`health.host`'],
  [SERVERS, 'inhibit_on_failure', 'needless', 'keeps connections of a failed server', 'nothing to do: `on_down = "keep"` is the default'],
  [SERVERS, 'snmp_name', 'needless', 'a name in SNMP', 'nothing to do'],
  [SERVERS, 'smtp_alert', 'missing', 'e-mails alerts', 'alert on `/metrics` with Prometheus, or follow `tandem events --follow --json`'],
  ['real_server', 'weight', 'carried', 'share of new clients', '`weight`, at most 256'],
  ['real_server', 'uthreshold', 'carried', 'connections at most', '`max_connections`; then clients wait in the queue or go elsewhere'],
  ['real_server', 'lthreshold', 'needless', 'when a full server takes clients again', 'nothing to do: as soon as it has room'],
  ['real_server', 'notify_up notify_down', 'missing', 'runs a program', 'read `tandem events --follow --json`'],

  // checks
  [`${SERVERS} ${CHECKS}`, 'delay_loop', 'carried', 'between checks', '`health.interval`'],
  [`${SERVERS} ${CHECKS}`, 'retry', 'carried', 'further attempts before a server is down', '`health.fall`, one more'],
  [`${SERVERS} ${CHECKS}`, 'delay_before_retry', 'carried', 'between such attempts', '`health.fast_interval`'],
  [`${SERVERS} ${CONNECTING}`, 'connect_timeout', 'carried', 'time-out of a check', '`health.timeout`'],
  [`${SERVERS} ${CHECKS}`, 'warmup', 'needless', 'spreads the first checks', 'nothing to do: `health.jitter` spreads them all'],
  [`${SERVERS} ${CHECKS}`, 'alpha', 'carried', 'down until checked', '`health.initial = "checking"`; without it `"up"`, until the first check'],
  ['real_server', 'TCP_CHECK', 'carried', 'connects', '`type = "tcp"`', 'TCP_CHECK'],
  ['real_server', 'HTTP_GET', 'carried', 'asks over HTTP', '`type = "http"`', 'HTTP_GET'],
  ['real_server', 'SSL_GET', 'carried', 'asks over HTTPS', '`type = "http"`, `tls = true`, `tls_verify = false`', 'SSL_GET'],
  ['real_server', 'DNS_CHECK', 'carried', 'asks a name server', '`type = "dns"`', 'DNS_CHECK'],
  ['real_server', 'MISC_CHECK', 'carried', 'runs a program', '`type = "exec"`', 'MISC_CHECK'],
  ['real_server', 'UDP_CHECK', 'carried', 'sends a datagram', '`type = "udp"`; without `require_reply` there is no check: ICMP unreachable is a passive failure', 'UDP_CHECK'],
  ['real_server', 'SMTP_CHECK', 'changed', 'greets a mail server', '`type = "tcp"`: connects only; use an `exec` check for more', 'SMTP_CHECK'],
  ['real_server', 'PING_CHECK', 'missing', 'pings', 'use a check of the service itself', 'PING_CHECK'],
  ['real_server', 'BFD_CHECK', 'missing', 'a BFD session', 'use a check of the service itself', 'BFD_CHECK'],
  ['real_server', 'FILE_CHECK', 'missing', 'a file whose number changes the weight', '`tandem backends weight`', 'FILE_CHECK'],
  [CONNECTING, 'connect_port', 'carried', 'checks another port', '`health.port`'],
  [CONNECTING, 'connect_ip', 'missing', 'checks another address', 'the check goes to the backend; use an `exec` check'],
  [CONNECTING, 'bindto bind_if bind_port fwmark', 'missing', 'where a check leaves from', 'the kernel chooses'],
  [CONNECTING, 'log_all_failures', 'needless', 'logs more', '`[node] log_level = "debug"`'],
  ['HTTP_GET SSL_GET', 'nb_get_retry', 'carried', 'further attempts before a server is down', '`health.fall`, one more'],
  ['HTTP_GET SSL_GET', 'virtualhost', 'carried', 'the Host header', '`health.host`'],
  ['HTTP_GET SSL_GET', 'http_protocol fast_recovery', 'needless', 'details of HTTP', 'nothing to do: HTTP/1.1'],
  ['SSL_GET', 'enable_sni', 'carried', 'the name in the TLS greeting', '`health.host`'],
  ['HTTP_GET SSL_GET', 'url', 'carried', 'what is asked for', '`health.path`; one for each service', 'url'],
  ['url', 'path', 'carried', 'the path', '`health.path`'],
  ['url', 'status_code', 'carried', 'accepted statuses', '`health.expect_status`; a range becomes its registered statuses'],
  ['url', 'virtualhost', 'carried', 'the Host header', '`health.host`'],
  ['url', 'regex', 'carried', 'what the body matches', '`health.expect_regex`'],
  ['url', 'regex_no_match', 'carried', 'what the body must not match', '`health.expect_regex`, turned round'],
  ['url', 'digest', 'missing', 'the hash of the body', '`health.expect_body`, `expect_regex` or `expect_json`'],
  ['url', 'regex_options', 'missing', 'options of PCRE', 'write the options into a JavaScript expression'],
  ['url', 'regex_min_offset regex_max_offset', 'missing', 'where the match may be', '`health.expect_regex` looks at the whole body'],
  ['url', 'regex_stack', 'needless', 'memory of PCRE', 'nothing to do'],
  ['SMTP_CHECK', 'helo_name', 'missing', 'the greeting', 'use an `exec` check'],
  ['SMTP_CHECK', 'host', 'missing', 'further hosts (deprecated)', 'use an `exec` check', ITEMS],
  ['DNS_CHECK', 'type', 'carried', 'the record type', '`health.record_type`; CNAME and MX become SOA'],
  ['DNS_CHECK', 'name', 'carried', 'the name', '`health.query`'],
  ['MISC_CHECK', 'misc_path', 'carried', 'the program', "`health.command`; the backend's address is in `$TANDEM_BACKEND_ADDRESS`"],
  ['MISC_CHECK', 'misc_timeout', 'carried', 'its time-out', '`health.timeout`'],
  ['MISC_CHECK', 'misc_dynamic', 'missing', 'the exit status is the weight', '`tandem backends weight`; exit status 0 alone is healthy'],
  ['MISC_CHECK', 'user', 'changed', 'whom it runs as', "the daemon's user (`User=` in the unit): see that this user may run it"],
  ['UDP_CHECK', 'payload', 'carried', 'what is sent', '`health.send`'],
  ['UDP_CHECK', 'require_reply', 'carried', 'what the reply begins with', '`health.expect`'],
  ['UDP_CHECK', 'min_reply_length max_reply_length', 'missing', 'the length of the reply', '`health.expect` compares how it begins'],
  ['BFD_CHECK', 'name', 'missing', 'the session', 'use a check of the service itself'],
  ['FILE_CHECK', 'track_file dynamic weight', 'missing', 'the file and how it counts', '`tandem backends weight`'],
];

const words = (text: string): string[] => text.split(' ');

export const KEYWORDS: readonly KeywordRow[] = ROWS.map(
  ([contexts, keywords, fate, did, becomes, opens]): KeywordRow => ({
    contexts: words(contexts),
    keywords: words(keywords),
    fate,
    did,
    becomes,
    opens,
  }),
);

const index = new Map<string, KeywordRow>();
for (const row of KEYWORDS) {
  for (const context of row.contexts) {
    for (const keyword of row.keywords) index.set(`${context} ${keyword}`, row);
  }
}

/** The row of a keyword in a block, or undefined for one that is not known there. */
export function rowOf(context: string, keyword: string): KeywordRow | undefined {
  return index.get(`${context} ${keyword}`);
}

/** Blocks in which a keyword is known: where one that stands in the wrong place belongs. */
export function contextsOf(keyword: string): string[] {
  return KEYWORDS.filter((row) => row.keywords.includes(keyword)).flatMap((row) => row.contexts);
}
