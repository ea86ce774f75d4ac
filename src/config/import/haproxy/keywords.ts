/**
 * Every keyword of HAProxy 2.6 and what becomes of it. The converter, the report, the tests and
 * docs/coming-from-haproxy.md follow this table: a feature that arrives edits its row.
 */
import { type Fate, type KeywordRow, KeywordTable } from '../keyword-table.ts';

type Row = readonly [
  contexts: string,
  /** What the keywords begin with: "option", "timeout"; empty for those of one word. */
  family: string,
  keywords: string,
  fate: Fate,
  did: string,
  becomes: string,
];

const NOT_TLS =
  'Tandem passes TLS through and does not end it: let the servers do that, or a proxy behind Tandem';
const HTTP = 'means nothing in `mode tcp`; a proxy in `mode http` is left out as a whole';
const TUNING = 'nothing to do: Tandem has its own memory and event loop';
const LUA = 'Tandem runs no code of others in its data path';
const UNIT = 'the unit file says it (`User=`, `Group=`, `LimitNOFILE=`)';
const NAMES = 'Tandem does not resolve names: write the address';
const WATCH = 'nothing to do: `tandem events`, `tandem status` and `/metrics` tell';
const KEEPALIVE = "the kernel's values (sysctl net.ipv4.tcp_keepalive_time, _intvl, _probes)";
const LOGS =
  'Tandem logs to standard error, for journald, and writes no line for each connection; `/metrics` counts them';
const NO_STATS = '`tandem status`, `[admin] listen` for the status page, `[metrics]` for Prometheus';
const NO_CONTENT = 'Tandem looks at the TLS server name alone';

// biome-ignore format: a table reads best with one row a line
const ROWS: readonly Row[] = [
  // sections
  ['', '', 'global', 'carried', 'settings of the process', '`[limits]`, `[data_path]`, `[node]`'],
  ['', '', 'defaults', 'carried', 'settings that proxies inherit', 'written out in each `[[service]]`'],
  ['', '', 'frontend listen', 'carried', 'where clients connect', '`[[service]]`'],
  ['', '', 'backend', 'carried', 'servers', '`[[service.backend]]` of each service that leads there'],
  ['', '', 'peers', 'needless', 'shares stick tables between nodes', 'nothing to do: source-hash and maglev choose alike on both nodes; limits count on each node'],
  ['', '', 'resolvers', 'missing', 'resolves names of servers while it runs', NAMES],
  ['', '', 'mailers', 'missing', 'e-mails alerts', 'alert on `/metrics` with Prometheus, or follow `tandem events --follow --json`'],
  ['', '', 'userlist', 'needless', 'users of HTTP authentication', HTTP],
  ['', '', 'cache http-errors fcgi-app', 'needless', 'parts of HTTP', HTTP],
  ['', '', 'program', 'missing', 'runs another program beside it', 'a unit of its own'],
  ['', '', 'ring', 'needless', 'buffers logs', LOGS],
  ['', '', 'log-forward', 'missing', 'forwards syslog', 'a `[[service]]` with `protocol = "udp"` balances datagrams; it does not rewrite them'],
  ['', '', 'crt-store', 'needless', 'certificates (HAProxy 3.0)', NOT_TLS],
  ['', '', 'traces', 'needless', 'debugging (HAProxy 3.1)', 'nothing to do'],

  // global: what Tandem has
  ['global', '', 'maxconn', 'carried', 'connections at once', '`[limits] max_connections`'],
  ['global', '', 'nbthread', 'carried', 'threads', '`[data_path] workers`'],
  ['global', '', 'node', 'carried', "this machine's name", '`[node] name`'],
  ['global', '', 'spread-checks', 'carried', 'spreads the checks in time', '`health.jitter`'],
  ['global', '', 'hard-stop-after', 'carried', 'how long a stop waits for connections', '`drain_timeout`'],
  ['global', '', 'setenv presetenv unsetenv resetenv', 'carried', 'variables of the file', 'written out where they are used'],
  ['global', '', 'external-check insecure-fork-wanted', 'carried', 'allows checks that are programs', 'nothing to say: an `exec` check is allowed'],
  // global: what is not needed
  ['global', '', 'daemon master-worker mworker-max-reloads pidfile quiet zero-warning', 'needless', 'how it runs', 'nothing to do: systemd runs `tandem run`'],
  ['global', '', 'user group uid gid chroot ulimit-n fd-hard-limit strict-limits insecure-setuid-wanted set-dumpable', 'needless', 'privileges and limits of the process', UNIT],
  ['global', '', 'cpu-map numa-cpu-mapping thread-group thread-groups nbproc', 'needless', 'where threads run', '`CPUAffinity=` in the unit; `[data_path] workers`'],
  ['global', '', 'description localpeer unix-bind default-path expose-experimental-directives set-var set-var-fmt cluster-secret', 'needless', 'housekeeping', 'nothing to do'],
  ['global', '', 'log log-tag log-send-hostname', 'changed', 'where logs go', LOGS],
  ['global', 'stats', 'socket', 'changed', 'the control socket', '`[admin] socket`, for the command `tandem`; it does not speak the protocol of HAProxy'],
  ['global', 'stats', 'timeout maxconn bind-process', 'needless', 'details of the control socket', 'nothing to do'],
  ['global', '', 'grace close-spread-time', 'needless', 'a stop in steps', 'nothing to do: `drain_timeout` bounds it; `tandem failover handover` moves the addresses first'],
  ['global', '', 'busy-polling max-spread-checks maxpipes no-memory-trimming noepoll noevports nogetaddrinfo nokqueue nopoll noreuseport nosplice profiling.tasks profiling.memory', 'needless', 'tuning', TUNING],
  ['global', '', 'tune.buffers.limit tune.buffers.reserve tune.bufsize tune.comp.maxlevel tune.fail-alloc tune.fd.edge-triggered tune.h2.header-table-size tune.h2.initial-window-size tune.h2.max-concurrent-streams tune.h2.max-frame-size tune.http.cookielen tune.http.logurilen tune.http.maxhdr tune.idle-pool.shared tune.idletimer tune.listener.multi-queue tune.lua.forced-yield tune.lua.maxmem tune.lua.service-timeout tune.lua.session-timeout tune.lua.task-timeout tune.maxaccept tune.maxpollevents tune.maxrewrite tune.pattern.cache-size tune.peers.max-updates-at-once tune.pipesize tune.pool-high-fd-ratio tune.pool-low-fd-ratio tune.quic.frontend.conn-tx-buffers.limit tune.quic.frontend.max-idle-timeout tune.quic.frontend.max-streams-bidi tune.quic.retry-threshold tune.rcvbuf.client tune.rcvbuf.server tune.recv_enough tune.runqueue-depth tune.sched.low-latency tune.sndbuf.client tune.sndbuf.server tune.vars.check-max-size tune.vars.global-max-size tune.vars.proc-max-size tune.vars.reqres-max-size tune.vars.sess-max-size tune.vars.txn-max-size tune.zlib.memlevel tune.zlib.windowsize', 'needless', 'tuning', TUNING],
  ['global', '', 'tune.ssl.cachesize tune.ssl.capture-buffer-size tune.ssl.capture-cipherlist-size tune.ssl.default-dh-param tune.ssl.force-private-cache tune.ssl.hard-maxrecord tune.ssl.keylog tune.ssl.lifetime tune.ssl.maxrecord tune.ssl.ssl-ctx-cache-size', 'needless', 'tuning of TLS', NOT_TLS],
  ['global', '', 'ca-base crt-base issuers-chain-path ssl-default-bind-ciphers ssl-default-bind-ciphersuites ssl-default-bind-curves ssl-default-bind-options ssl-default-server-ciphers ssl-default-server-ciphersuites ssl-default-server-options ssl-dh-param-file ssl-engine ssl-load-extra-del-ext ssl-load-extra-files ssl-mode-async ssl-propquery ssl-provider ssl-provider-path ssl-server-verify ssl-skip-self-issued-ca maxsslconn maxsslrate', 'needless', 'TLS', NOT_TLS],
  ['global', '', 'h1-accept-payload-with-any-method h1-case-adjust h1-case-adjust-file h2-workaround-bogus-websocket-clients httpclient.resolvers.id httpclient.resolvers.prefer httpclient.ssl.ca-file httpclient.ssl.verify maxcompcpuusage maxcomprate maxzlibmem 51degrees-cache-size 51degrees-data-file 51degrees-property-name-list 51degrees-property-separator deviceatlas-json-file deviceatlas-log-level deviceatlas-properties-cookie deviceatlas-separator wurfl-cache-size wurfl-data-file wurfl-information-list wurfl-information-list-separator wurfl-patch-file', 'needless', 'parts of HTTP', HTTP],
  ['global', '', 'server-state-base server-state-file', 'changed', 'keeps what was set at run time', '`tandem backends ... --persist` keeps it, also over restarts (`[admin] state_file`)'],
  // global: what is lost
  ['global', '', 'maxconnrate maxsessrate', 'missing', 'new connections a second, of the process', '`rate` of each service'],
  ['global', '', 'lua-load lua-load-per-thread lua-prepend-path', 'missing', 'Lua', LUA],
  ['global', '', 'pp2-never-send-local', 'needless', 'LOCAL headers of checks', 'nothing to do: `health.send_proxy` says it'],

  // proxies: clients
  ['proxy', '', 'mode', 'carried', 'tcp or http', '`protocol = "tcp"`; a proxy in `mode http` is left out as a whole'],
  ['proxy', '', 'bind', 'carried', 'where it listens', '`listen`'],
  ['proxy', '', 'default_backend', 'carried', 'where clients go', 'the backends of the service'],
  ['proxy', '', 'use_backend', 'carried', 'where some clients go', '`[[service.sni]]` for conditions on `req.ssl_sni`, and maps by it; others cannot be carried over'],
  ['proxy', '', 'acl', 'carried', 'a condition with a name', 'written out where it is used'],
  ['proxy', '', 'maxconn', 'carried', 'connections at once', '`max_connections`'],
  ['proxy', '', 'backlog', 'carried', 'connections that the kernel holds', '`backlog`'],
  ['proxy', 'rate-limit', 'sessions', 'changed', 'new connections a second', '`rate`; what is above it is refused, not left waiting'],
  ['proxy', '', 'disabled enabled', 'carried', 'turns the proxy off', 'a service that is off is left out'],
  ['proxy', 'timeout', 'client server', 'changed', 'no byte from the client, or the server', '`timeout.idle`, one for both directions: the larger one'],
  ['proxy', 'timeout', 'tunnel', 'carried', 'no byte in either direction', '`timeout.idle`, before `timeout client` and `timeout server`'],
  ['proxy', 'timeout', 'client-fin server-fin', 'carried', 'after one side has closed', '`timeout.fin`, one for both: the larger one'],
  ['proxy', 'timeout', 'connect', 'carried', 'to a server', '`timeout.connect`, at most 5m'],
  ['proxy', 'timeout', 'queue', 'carried', 'in the queue', '`queue.timeout`, at most 1h'],
  ['proxy', 'timeout', 'check', 'carried', 'for the answer to a check', '`health.timeout`, with the time to connect'],
  ['proxy', 'timeout', 'http-keep-alive http-request tarpit', 'needless', 'times of HTTP', HTTP],
  ['proxy', '', 'clitimeout contimeout srvtimeout', 'missing', 'removed in HAProxy 2.1', 'write `timeout client`, `timeout connect` and `timeout server`'],
  ['proxy', 'tcp-request', 'inspect-delay', 'carried', 'waits for the first bytes', '`timeout.preface`, where server names are looked at'],
  ['proxy', 'tcp-request connection', 'accept reject expect-proxy track-sc0 track-sc1 track-sc2 silent-drop', 'carried', 'decides on new connections', '`allow`, `deny`, `source_limit`, `proxy_protocol.trusted` for conditions on `src` and its counters; others cannot be carried over'],
  ['proxy', 'tcp-request session', 'accept reject track-sc0 track-sc1 track-sc2 silent-drop', 'carried', 'decides on new sessions', 'as `tcp-request connection`'],
  ['proxy', 'tcp-request content', 'accept reject track-sc0 track-sc1 track-sc2 silent-drop', 'carried', 'decides by the first bytes', 'as `tcp-request connection`; waiting for a ClientHello is what `[[service.sni]]` does'],
  ['proxy', 'tcp-request', 'connection session content', 'missing', 'other actions on connections', NO_CONTENT],
  ['proxy', 'tcp-response', 'content inspect-delay', 'missing', 'decides by the first bytes of a server', NO_CONTENT],
  ['proxy', '', 'stick-table', 'carried', 'what is remembered of clients', 'nothing to say: affinity and limits need no table'],
  ['proxy', 'stick', 'on match store-request', 'changed', 'keeps a client on its server', '`schedule = "source-hash"` for `src`: for as long as the backend is there, not for a time'],
  ['proxy', 'stick', 'store-response', 'missing', 'remembers what servers answer', NO_CONTENT],

  // proxies: servers
  ['proxy', 'balance', 'roundrobin', 'carried', 'the scheduler', '`schedule = "round-robin"`; the default where nothing is said'],
  ['proxy', 'balance', 'static-rr', 'carried', 'the scheduler', '`schedule = "round-robin"`'],
  ['proxy', 'balance', 'leastconn', 'carried', 'the scheduler', '`schedule = "least-connections"`'],
  ['proxy', 'balance', 'first', 'carried', 'the scheduler', '`schedule = "first"`'],
  ['proxy', 'balance', 'source', 'carried', 'the scheduler', '`schedule = "source-hash"`; `"maglev"` with `hash-type consistent`'],
  ['proxy', 'balance', 'random', 'carried', 'the scheduler', '`schedule = "random-two"`'],
  ['proxy', 'balance', 'hash', 'carried', 'the scheduler', '`schedule = "source-hash"` or `"maglev"` for `src`, `"maglev"` with `hash_key = "server-name"` for `req.ssl_sni`; others cannot be carried over'],
  ['proxy', 'balance', 'uri url_param hdr rdp-cookie', 'missing', 'the scheduler', `\`schedule = "least-connections"\`: ${NO_CONTENT}`],
  ['proxy', '', 'hash-type', 'carried', 'how a hash chooses', '`schedule = "maglev"` for `consistent`, `"source-hash"` for `map-based`'],
  ['proxy', '', 'hash-balance-factor', 'carried', 'bounded load', '`schedule.balance_factor`'],
  ['proxy', '', 'server', 'carried', 'a server', '`[[service.backend]]`'],
  ['proxy', '', 'default-server', 'carried', 'options of the servers below', 'written out'],
  ['proxy', '', 'server-template', 'missing', 'servers by DNS', `${NAMES}, one \`[[service.backend]]\` for each`],
  ['proxy', '', 'retries', 'carried', 'further attempts to connect', '`retries`'],
  ['proxy', 'option', 'redispatch', 'carried', 'may a retry go to another server', '`redispatch`; Tandem then chooses anew at every retry'],
  ['proxy', 'option', 'allbackups', 'carried', 'uses all backup servers at once', '`backup` of each; without it HAProxy uses the first alone'],
  ['proxy', '', 'source', 'carried', 'where connections to servers leave from', '`source`'],
  ['proxy', 'option', 'clitcpka srvtcpka tcpka', 'carried', 'keep-alive of TCP', '`keep_alive`, on by default for both sides'],
  ['proxy', '', 'clitcpka-cnt clitcpka-idle clitcpka-intvl srvtcpka-cnt srvtcpka-idle srvtcpka-intvl', 'changed', 'times of keep-alive', KEEPALIVE],
  ['proxy', '', 'fullconn', 'changed', 'where `minconn` ends', '`max_connections` of a backend does not change with the load'],
  ['proxy', '', 'dispatch', 'carried', 'one server without a name', '`[[service.backend]]`'],
  ['proxy', '', 'transparent', 'missing', "connects to the client's destination", 'list the servers'],
  ['proxy', 'option', 'transparent', 'missing', "connects to the client's destination", 'list the servers'],
  ['proxy', '', 'use-server', 'missing', 'a server for some clients', 'a service of its own, with `[[service.sni]]` where a server name decides'],

  // proxies: checks
  ['proxy', 'option', 'httpchk', 'carried', 'checks over HTTP', '`health.type = "http"`, `method`, `path`; HTTP/1.1'],
  ['proxy', 'http-check', 'send', 'carried', 'what is asked', '`health.method`, `path`, `host`; no other headers and no body'],
  ['proxy', 'http-check', 'expect', 'carried', 'what is a good answer', '`health.expect_status`, `expect_body`, `expect_regex`; without it 200 to 399'],
  ['proxy', 'http-check', 'connect', 'carried', 'how the check connects', '`health.port`, `tls`, `send_proxy`; one request'],
  ['proxy', 'http-check', 'comment send-state', 'needless', 'details of checks', 'nothing to do'],
  ['proxy', 'http-check', 'disable-on-404', 'missing', 'an answer 404 drains the server', '`tandem backends drain`, or an agent (`agent_check`)'],
  ['proxy', 'http-check', 'set-var set-var-fmt unset-var', 'missing', 'variables of checks', 'use an `exec` check'],
  ['proxy', 'option', 'tcp-check', 'carried', 'checks by connecting', '`health.type = "tcp"`'],
  ['proxy', 'tcp-check', 'connect', 'carried', 'how the check connects', '`health.port`, `tls`, `host`, `send_proxy`; one connection'],
  ['proxy', 'tcp-check', 'comment', 'needless', 'details of checks', 'nothing to do'],
  ['proxy', 'tcp-check', 'send send-lf send-binary send-binary-lf expect', 'carried', 'speaks with the server', '`health.exchange`'],
  ['proxy', 'tcp-check', 'set-var set-var-fmt unset-var', 'missing', 'variables of checks', 'use an `exec` check'],
  ['proxy', 'option', 'ldap-check mysql-check pgsql-check redis-check smtpchk', 'carried', 'speaks the protocol of the server', 'written out as `health.exchange`'],
  ['proxy', 'option', 'ssl-hello-chk', 'changed', 'begins with TLS', '`health.tls`: a whole handshake'],
  ['proxy', 'option', 'spop-check', 'changed', 'speaks the protocol of the server', '`health.type = "tcp"`: connects only; use an `exec` check for more'],
  ['proxy', 'option', 'external-check', 'carried', 'checks with a program', '`health.type = "exec"`'],
  ['proxy', 'external-check', 'command', 'changed', 'the program', "`health.command`, with HAProxy's four arguments; its variables `HAPROXY_...` are not set"],
  ['proxy', 'external-check', 'path', 'changed', 'PATH of the program', 'the PATH of the daemon'],
  ['proxy', 'option', 'log-health-checks', 'needless', 'logs changes of state', WATCH],

  // proxies: what is not needed
  ['proxy', 'option', 'splice-auto splice-request splice-response tcp-smart-accept tcp-smart-connect contstats socket-stats idle-close-on-response abortonclose', 'needless', 'how it moves bytes and counts', 'nothing to do: the native relay does what is best; a client that has gone leaves the queue'],
  ['proxy', 'option', 'dontlognull dontlog-normal log-separate-errors logasap', 'needless', 'details of logs', LOGS],
  ['proxy', '', 'id description bind-process log-tag max-session-srv-conns', 'needless', 'housekeeping', 'nothing to do'],
  ['proxy', 'option', 'persist prefer-last-server', 'needless', 'persistence by cookie', HTTP],
  ['proxy', 'persist', 'rdp-cookie', 'missing', 'keeps a client on its server by its RDP cookie', '`schedule = "source-hash"` keeps it by its address'],
  ['proxy', '', 'force-persist ignore-persist cookie dynamic-cookie-key appsession', 'needless', 'persistence by cookie', HTTP],
  ['proxy', '', 'http-request http-response http-after-response http-error http-reuse http-send-name-header redirect retry-on compression errorfile errorfiles errorloc errorloc302 errorloc303 capture declare monitor-uri max-keep-alive-queue unique-id-format unique-id-header use-fcgi-app', 'needless', 'parts of HTTP', HTTP],
  ['proxy', 'option', 'accept-invalid-http-request accept-invalid-http-response checkcache disable-h2-upgrade forwardfor h1-case-adjust-bogus-client h1-case-adjust-bogus-server http-buffer-request http-ignore-probes http-keep-alive http-no-delay http-pretend-keepalive http-restrict-req-hdr-names http-server-close http-use-proxy-header httpclose originalto httplog httpslog', 'needless', 'parts of HTTP', HTTP],
  ['proxy', '', 'server-state-file-name load-server-state-from-file', 'changed', 'keeps what was set at run time', '`tandem backends ... --persist` keeps it, also over restarts (`[admin] state_file`)'],
  ['proxy', '', 'log log-format log-format-sd error-log-format', 'changed', 'where logs go', LOGS],
  ['proxy', 'option', 'tcplog', 'changed', 'a line for each connection', LOGS],
  // proxies: what is lost
  ['proxy', 'stats', 'admin auth enable hide-version http-request realm refresh scope show-desc show-legends show-modules show-node uri', 'changed', 'the statistics page', NO_STATS],
  ['proxy', 'email-alert', 'from level mailers myhostname to', 'missing', 'e-mails alerts', 'alert on `/metrics` with Prometheus, or follow `tandem events --follow --json`'],
  ['proxy', 'option', 'nolinger', 'missing', 'resets instead of closing', 'Tandem passes on what each side does'],
  ['proxy', 'option', 'independent-streams', 'missing', 'bytes sent do not count as activity', '`timeout.idle` counts both directions'],
  ['proxy', '', 'filter', 'missing', 'filters (SPOE, compression, traces)', LUA],
  ['proxy', 'monitor', 'fail', 'needless', 'parts of HTTP', HTTP],

  // bind
  ['bind', '', 'accept-proxy', 'changed', 'every client begins with a PROXY header', '`proxy_protocol.accept`; Tandem wants to know from whom (`trusted`)'],
  ['bind', '', 'backlog', 'carried', 'connections that the kernel holds', '`backlog`'],
  ['bind', '', 'maxconn', 'carried', 'connections at once', '`max_connections`, where it is the only bind line'],
  ['bind', '', 'v4v6 v6only', 'carried', 'clients of both families', 'two addresses to listen on: `[::]` alone takes IPv6 alone'],
  ['bind', '', 'defer-accept tfo mss tcp-ut', 'missing', 'options of TCP', 'the kernel decides'],
  ['bind', '', 'interface', 'missing', 'takes clients from one interface', "listen on the interface's address, or filter in the firewall"],
  ['bind', '', 'transparent', 'missing', 'listens on addresses of others', 'sysctl net.ipv4.ip_nonlocal_bind, or let `[failover]` hold them'],
  ['bind', '', 'namespace', 'missing', 'listens in a network namespace', 'run Tandem inside it: `ip netns exec`, or `NetworkNamespacePath=` in its unit'],
  ['bind', '', 'accept-netscaler-cip', 'missing', 'every client begins with a NetScaler header', 'Tandem reads the PROXY protocol'],
  ['bind', '', 'name id nice process thread shards severity-output level expose-fd user group uid gid mode', 'needless', 'housekeeping', 'nothing to do'],
  ['bind', '', 'ssl', 'missing', 'ends TLS', NOT_TLS],
  ['bind', '', 'allow-0rtt alpn ca-file ca-ignore-err ca-sign-file ca-sign-pass ca-verify-file ciphers ciphersuites crl-file crt crt-ignore-err crt-list curves ecdhe force-sslv3 force-tlsv10 force-tlsv11 force-tlsv12 force-tlsv13 generate-certificates no-ca-names no-sslv3 no-tls-tickets no-tlsv10 no-tlsv11 no-tlsv12 no-tlsv13 npn prefer-client-ciphers ssl-max-ver ssl-min-ver strict-sni tls-ticket-keys verify', 'needless', 'details of TLS', NOT_TLS],
  ['bind', '', 'proto quic-cc-algo quic-force-retry', 'needless', 'parts of HTTP', HTTP],

  // server
  ['server', '', 'weight', 'carried', 'share of new clients', '`weight`'],
  ['server', '', 'maxconn', 'carried', 'connections at once', '`max_connections`; then clients wait in the queue or go elsewhere'],
  ['server', '', 'maxqueue', 'changed', 'how many may wait for it', '`queue.max`, one queue for all backends'],
  ['server', '', 'minconn', 'changed', 'connections at once with little load', '`max_connections` does not change with the load'],
  ['server', '', 'backup no-backup', 'carried', 'used when no other is left', '`backup`'],
  ['server', '', 'disabled', 'changed', 'starts in maintenance', '`weight = 0`: `tandem backends weight` lets it serve'],
  ['server', '', 'enabled', 'carried', 'does not start in maintenance', 'nothing to say'],
  ['server', '', 'check no-check', 'carried', 'is checked', '`[service.health]`, for all backends of a service'],
  ['server', '', 'inter', 'carried', 'between checks', '`health.interval`'],
  ['server', '', 'fastinter', 'carried', 'between checks while in doubt', '`health.fast_interval`, at most `interval`'],
  ['server', '', 'downinter', 'changed', 'between checks while down', '`health.interval`'],
  ['server', '', 'rise', 'carried', 'successes until it is up', '`health.rise`'],
  ['server', '', 'fall', 'carried', 'failures until it is down', '`health.fall`'],
  ['server', '', 'port', 'carried', 'checks another port', '`health.port`'],
  ['server', '', 'addr', 'missing', 'checks another address', 'the check goes to the backend; use an `exec` check'],
  ['server', '', 'check-ssl no-check-ssl', 'carried', 'checks over TLS', '`health.tls`'],
  ['server', '', 'check-sni', 'carried', 'the server name of a check over TLS', '`health.host`'],
  ['server', '', 'check-send-proxy no-check-send-proxy', 'carried', 'checks begin with a PROXY header', '`health.send_proxy`'],
  ['server', '', 'check-alpn check-proto check-via-socks4', 'missing', 'other ways to check', 'use an `exec` check'],
  ['server', '', 'verify', 'carried', "checks the server's certificate", '`health.tls_verify`'],
  ['server', '', 'track', 'changed', 'takes the state of another server', 'checked by itself, as that one is, on its port'],
  ['server', '', 'observe', 'changed', 'watches real connections', '`[service.passive]` of Tandem, always on: `failures`'],
  ['server', '', 'error-limit', 'carried', 'failures of real connections in a row', '`passive.failures`'],
  ['server', '', 'on-error', 'changed', 'what such failures do', '`[service.passive]` takes the backend out for a time'],
  ['server', '', 'on-marked-down', 'carried', 'ends connections when it goes down', '`on_down = "close"`'],
  ['server', '', 'on-marked-up', 'missing', 'ends connections of backups when it comes up', '`tandem backends drain` the backup'],
  ['server', '', 'agent-check no-agent-check', 'carried', 'an agent says how it is', '`agent_check`'],
  ['server', '', 'agent-port', 'carried', 'where the agent listens', '`agent_check.port`'],
  ['server', '', 'agent-addr', 'carried', 'where the agent listens', '`agent_check.address`'],
  ['server', '', 'agent-inter', 'carried', 'between questions', '`agent_check.interval`'],
  ['server', '', 'agent-send', 'carried', 'what is said to it', '`agent_check.send`'],
  ['server', '', 'slowstart', 'carried', 'grows into its weight after a recovery', '`slow_start`'],
  ['server', '', 'send-proxy', 'carried', 'begins with a PROXY header', '`proxy_protocol.send = "v1"`'],
  ['server', '', 'send-proxy-v2', 'carried', 'begins with a PROXY header', '`proxy_protocol.send = "v2"`'],
  ['server', '', 'send-proxy-v2-ssl send-proxy-v2-ssl-cn', 'changed', 'begins with a PROXY header', '`proxy_protocol.send = "v2"`; Tandem knows nothing of the TLS in it'],
  ['server', '', 'no-send-proxy no-send-proxy-v2 no-send-proxy-v2-ssl no-send-proxy-v2-ssl-cn', 'carried', 'takes an option of default-server back', 'written out'],
  ['server', '', 'proxy-v2-options', 'changed', 'what the header tells', 'TLVs that came with the client are passed on, no others'],
  ['server', '', 'source usesrc', 'carried', 'where connections leave from', '`source`, of the service'],
  ['server', '', 'interface', 'missing', 'the interface that they leave through', 'routing decides'],
  ['server', '', 'namespace socks4', 'missing', 'other ways to connect', 'routing decides'],
  ['server', '', 'tcp-ut tfo no-tfo', 'missing', 'options of TCP', 'the kernel decides'],
  ['server', '', 'ssl', 'missing', 'speaks TLS with the server', 'Tandem passes bytes through: the server is left out'],
  ['server', '', 'no-ssl', 'carried', 'takes an option of default-server back', 'written out'],
  ['server', '', 'allow-0rtt alpn ca-file ciphers ciphersuites crl-file crt force-sslv3 force-tlsv10 force-tlsv11 force-tlsv12 force-tlsv13 no-ssl-reuse no-sslv3 no-tls-tickets no-tlsv10 no-tlsv11 no-tlsv12 no-tlsv13 npn sni ssl-max-ver ssl-min-ver ssl-reuse tls-tickets verifyhost no-verifyhost', 'needless', 'details of TLS', NOT_TLS],
  ['server', '', 'resolvers resolve-prefer resolve-opts resolve-net init-addr', 'needless', 'how its name is resolved', 'means nothing to an address; a server with a name is left out'],
  ['server', '', 'cookie redir max-reuse pool-low-conn pool-max-conn pool-purge-delay proto ws stick', 'needless', 'parts of HTTP', HTTP],
  ['server', '', 'non-stick', 'changed', 'no client is kept on it', 'source-hash spreads clients over all backends'],
  ['server', '', 'id log-proto', 'needless', 'housekeeping', 'nothing to do'],

  // sections that are left out as a whole
  ['peers', '', 'peer server bind default-bind default-server table log disabled enabled shards', 'needless', 'the other nodes', 'nothing to do'],
  ['resolvers', '', 'nameserver parse-resolv-conf resolve_retries accepted_payload_size', 'missing', 'name servers', NAMES],
  ['resolvers', '', 'timeout hold', 'missing', 'times of DNS', NAMES],
  ['mailers', '', 'mailer', 'missing', 'a mail server', 'alert on `/metrics`'],
  ['mailers', 'timeout', 'mail', 'missing', 'times of mail', 'alert on `/metrics`'],
  ['userlist', '', 'user group', 'needless', 'users of HTTP authentication', HTTP],
  ['cache', '', 'total-max-size max-object-size max-age max-secondary-entries process-vary', 'needless', 'parts of HTTP', HTTP],
  ['http-errors', '', 'errorfile', 'needless', 'parts of HTTP', HTTP],
  ['fcgi-app', '', 'acl docroot index log-stderr pass-header path-info set-param', 'needless', 'parts of HTTP', HTTP],
  ['fcgi-app', 'option', 'get-values keep-conn max-reqs mpxs-conns', 'needless', 'parts of HTTP', HTTP],
  ['program', '', 'command user group', 'missing', 'the program', 'a unit of its own'],
  ['program', 'option', 'start-on-reload', 'missing', 'the program', 'a unit of its own'],
  ['ring', '', 'description format maxlen size backing-file server', 'needless', 'buffers logs', LOGS],
  ['ring', 'timeout', 'connect server', 'needless', 'buffers logs', LOGS],
  ['log-forward', '', 'bind dgram-bind backlog maxconn log', 'missing', 'forwards syslog', 'a `[[service]]` with `protocol = "udp"`'],
  ['log-forward', 'timeout', 'client', 'missing', 'forwards syslog', 'a `[[service]]` with `protocol = "udp"`'],
];

const words = (text: string): string[] => text.split(' ');

export const KEYWORDS = new KeywordTable(
  ROWS.map(
    ([contexts, family, keywords, fate, did, becomes]): KeywordRow => ({
      contexts: contexts.split(' '),
      keywords: words(keywords).map((word) => (family === '' ? word : `${family} ${word}`)),
      fate,
      did,
      becomes,
      opens: undefined,
    }),
  ),
);
