// The configuration of the soak, in the variants that its reloads go through.
export const SERVICE = '10.78.0.1';
export const [TCP_PORT, UDP_PORT, EXTRA_PORT] = [7_000, 7_001, 7_002];
export const BACKENDS = ['127.0.1.1', '127.0.1.2', '127.0.1.3'];
export const [BACKEND_TCP, BACKEND_UDP] = [7_100, 7_101];

/** @param variant what differs: weights, limits, backends, and whether a second service is there */
export function configOf({ weights, queue, extra, without }, socket, relay) {
  const list = (port) =>
    BACKENDS.map((address, i) =>
      i === without ? '' : `[[service.backend]]\naddress = "${address}:${port}"\nweight = ${weights[i]}\n`,
    ).join('');
  const service = (name, listen, lines, port) =>
    `[[service]]\nname = "${name}"\nlisten = ["${SERVICE}:${listen}"]\n${lines}${list(port)}`;
  const health = '[service.health]\ntype = "tcp"\ninterval = "500ms"\nfall = 2\n';
  return [
    'drain_timeout = "3s"\n[node]\nname = "soak"\n',
    relay === null ? '' : `[data_path]\nrelay = "${relay}"\n`,
    `[admin]\nsocket = "${socket}"\n`,
    service(
      'tcp',
      TCP_PORT,
      `max_connections = 500\n[service.queue]\nmax = ${queue}\n[service.timeout]\nconnect = "1s"\nidle = "20s"\n${health}`,
      BACKEND_TCP,
    ),
    service(
      'udp',
      UDP_PORT,
      'protocol = "udp"\nmax_connections = 200\n[service.timeout]\nsession = "2s"\n',
      BACKEND_UDP,
    ),
    extra ? service('extra', EXTRA_PORT, health, BACKEND_TCP) : '',
  ].join('\n');
}

export const PLAIN = { weights: [1, 1, 1], queue: 100, extra: false, without: -1 };

export function variant(random) {
  return {
    weights: BACKENDS.map(() => 1 + random.below(4)),
    queue: random.of([10, 100]),
    extra: random.below(2) === 0,
    without: random.below(4) - 1,
  };
}
