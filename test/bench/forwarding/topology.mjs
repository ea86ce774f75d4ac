// The bench's network, all in namespaces of one machine:
//
//      client                    balancer                     backends
//   10.77.1.2 ---- front ---- 10.77.1.100 | 10.77.2.11 ---- back ---- 10.77.2.21, 10.77.2.22
//                    |                                                     |
//                    +------------------- 10.77.1.21, 10.77.1.22 ----------+   ("direct": no balancer)
//
// Backends: nginx answers 200 bytes on 8080, iperf3 on 5201 (the first one), a UDP echo on 9000.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Daemon, sh } from './shell.mjs';

export const NS = {
  client: 'tdb-client',
  balancer: 'tdb-lb',
  one: 'tdb-b1',
  two: 'tdb-b2',
  wire: 'tdb-wire',
};
export const VIP = '10.77.1.100';
export const BACKENDS = ['10.77.2.21', '10.77.2.22'];
const DIRECT = ['10.77.1.21', '10.77.1.22'];
export const DIRECT_BACKEND = DIRECT[0];

const SYSCTLS = [
  "net.ipv4.ip_local_port_range='1024 65535'",
  'net.ipv4.tcp_tw_reuse=1',
  'net.core.somaxconn=65535',
  'net.ipv4.tcp_max_syn_backlog=65535',
  'net.ipv4.conf.all.rp_filter=0',
  'net.ipv4.conf.default.rp_filter=0',
].join(' ');

export function tearDown() {
  for (const ns of Object.values(NS)) sh(`ip netns del ${ns}`, { mayFail: true });
}

function plug(ns, device, bridge, address) {
  const port = `${ns.slice(4)}-${device}`;
  return [
    `ip -n ${NS.wire} link add ${port} type veth peer name ${device} netns ${ns}`,
    `ip -n ${NS.wire} link set ${port} master ${bridge} up`,
    `ip -n ${ns} addr add ${address}/24 dev ${device}`,
    `ip -n ${ns} link set ${device} up`,
  ];
}

/**
 * Cubic is what Linux does unless told otherwise; a host with another default lets namespaces have that one and Reno alone. BBR
 * paces what it sends, by timers, on each of four legs that end on the same CPUs: it measures those.
 */
const CONGESTION_CONTROLS = ['cubic', 'reno'];

/** The congestion control of all that is measured here. */
export const congestionControl = () =>
  sh(`ip netns exec ${NS.balancer} sysctl -n net.ipv4.tcp_congestion_control`).trim();

function setCongestionControl(ns, names) {
  const tries = names.map(
    (name) => `ip netns exec ${ns} sysctl -qw net.ipv4.tcp_congestion_control=${name} 2>/dev/null`,
  );
  return tries.join(' || ');
}

/** @param congestion a name as in net.ipv4.tcp_available_congestion_control; undefined for the usual */
export function setUp(congestion) {
  tearDown();
  const steps = ['set -e'];
  for (const ns of Object.values(NS)) {
    steps.push(`ip netns add ${ns}`, `ip -n ${ns} link set lo up`);
    steps.push(`ip netns exec ${ns} sysctl -qw ${SYSCTLS}`);
    steps.push(setCongestionControl(ns, congestion === undefined ? CONGESTION_CONTROLS : [congestion]));
  }
  for (const bridge of ['front', 'back']) {
    steps.push(`ip -n ${NS.wire} link add ${bridge} type bridge forward_delay 0`);
    steps.push(`ip -n ${NS.wire} link set ${bridge} up`);
  }
  steps.push(...plug(NS.client, 'f0', 'front', '10.77.1.2'));
  steps.push(...plug(NS.balancer, 'f0', 'front', VIP), ...plug(NS.balancer, 'b0', 'back', '10.77.2.11'));
  for (const [i, ns] of [NS.one, NS.two].entries()) {
    steps.push(...plug(ns, 'f0', 'front', DIRECT[i]), ...plug(ns, 'b0', 'back', BACKENDS[i]));
  }
  sh(steps.join('\n'));
}

const nginxConfig = (dir, i) => `
daemon off; user root; worker_processes 1; pid ${dir}/backend${i}.pid; error_log ${dir}/backend${i}.err;
events { worker_connections 20000; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; client_header_timeout 600s;
  server { listen 8080 backlog=65535; location / { return 200 "${'x'.repeat(199)}\\n"; } }
}`;

export function startBackends(dir, udpEcho) {
  for (const [i, ns] of [NS.one, NS.two].entries()) {
    const config = join(dir, `backend${i}.conf`);
    writeFileSync(config, nginxConfig(dir, i));
    new Daemon(ns, `nginx -c ${config}`, { dir, name: `backend${i}` });
    new Daemon(ns, `${udpEcho} server 9000 ${BACKENDS[i]} ${DIRECT[i]}`, { dir, name: `echo${i}` });
  }
  new Daemon(NS.one, 'iperf3 -s', { dir, name: 'iperf3' });
}
