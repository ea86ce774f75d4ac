// The contenders. Each serves, from the VIP: tcp/80 -> both backends' 8080, tcp/5201 -> the first one's 5201,
// udp/9000 -> both backends' 9000 (HAProxy has no UDP).
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BACKENDS, VIP } from './topology.mjs';

const [ONE, TWO] = BACKENDS;

function haproxy({ threads, tuned = false }) {
  return (dir, name) => {
    const path = join(dir, `${name}.cfg`);
    writeFileSync(
      path,
      `global
  maxconn 9900
  nbthread ${threads}
${tuned ? '  tune.bufsize 65536\n' : ''}defaults
  mode tcp
  timeout connect 5s
  timeout client 600s
  timeout server 600s
listen web
  bind ${VIP}:80 backlog 65535
  maxconn 9900
  balance roundrobin
  server s1 ${ONE}:8080
  server s2 ${TWO}:8080
listen bulk
  bind ${VIP}:5201
  server s1 ${ONE}:5201
`,
    );
    return `haproxy -db -f ${path}`;
  };
}

function nginx({ workers, tuned = false }) {
  return (dir, name) => {
    const path = join(dir, `${name}.conf`);
    writeFileSync(
      path,
      `load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off; user root; worker_processes ${workers}; pid ${dir}/${name}.pid; error_log ${dir}/${name}.err;
events { worker_connections 20000; }
stream {
  proxy_timeout 600s; proxy_connect_timeout 5s; tcp_nodelay on; ${tuned ? 'proxy_buffer_size 64k;' : ''}
  upstream web { server ${ONE}:8080; server ${TWO}:8080; }
  upstream echo { server ${ONE}:9000; server ${TWO}:9000; }
  server { listen ${VIP}:80 backlog=65535 reuseport; proxy_pass web; }
  server { listen ${VIP}:5201 reuseport; proxy_pass ${ONE}:5201; }
  server { listen ${VIP}:9000 udp reuseport; proxy_pass echo; proxy_timeout 60s; }
}
`,
    );
    return `nginx -c ${path}`;
  };
}

const tandem =
  (relay, workers = 1) =>
  (dir, name) => {
    const path = join(dir, `${name}.toml`);
    const backends = (...addresses) =>
      addresses.map((address) => `[[service.backend]]\naddress = "${address}"\n`).join('');
    writeFileSync(
      path,
      `[data_path]
relay = "${relay}"
workers = ${workers}
[[service]]
name = "web"
listen = ["${VIP}:80"]
schedule = "round-robin"
backlog = 65535
${backends(`${ONE}:8080`, `${TWO}:8080`)}
[[service]]
name = "bulk"
listen = ["${VIP}:5201"]
${backends(`${ONE}:5201`)}
[[service]]
name = "echo"
protocol = "udp"
listen = ["${VIP}:9000"]
schedule = "round-robin"
${backends(`${ONE}:9000`, `${TWO}:9000`)}
[admin]
socket = "${dir}/${name}.sock"
`,
    );
    const main = new URL('../../../dist/main.js', import.meta.url).pathname;
    // for a profile: BENCH_NODE_OPTIONS='--cpu-prof --cpu-prof-dir=/tmp/profiles'
    return `node ${process.env.BENCH_NODE_OPTIONS ?? ''} ${main} run --config ${path}`;
  };

/** `command(dir, name)` writes the configuration and returns what to run; null is no balancer at all. */
export const BALANCERS = {
  direct: { title: 'no balancer', command: null, udp: true },
  tandem: { title: 'Tandem, 1 worker', command: tandem('native'), udp: true },
  tandem2: { title: 'Tandem, 2 workers', command: tandem('native', 2), udp: true },
  tandemnode: { title: 'Tandem, 2 workers, node relay', command: tandem('node', 2), udp: true },
  haproxy: { title: 'HAProxy, 1 thread', command: haproxy({ threads: 1 }), udp: false },
  haproxy2: { title: 'HAProxy, 2 threads', command: haproxy({ threads: 2 }), udp: false },
  haproxy2t: {
    title: 'HAProxy, 2 threads, 64 KiB',
    command: haproxy({ threads: 2, tuned: true }),
    udp: false,
  },
  nginx: { title: 'nginx, 1 worker', command: nginx({ workers: 1 }), udp: true },
  nginx2: { title: 'nginx, 2 workers', command: nginx({ workers: 2 }), udp: true },
  nginx2t: { title: 'nginx, 2 workers, 64 KiB', command: nginx({ workers: 2, tuned: true }), udp: true },
};
