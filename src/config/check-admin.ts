import { formatEndpoint, isLoopback } from '../lib/ip.ts';
import type { Environment } from './environment.ts';
import { type Finding, fault, warning } from './finding.ts';
import type { FileSchema } from './schema.ts';
import { quote } from './values.ts';
import { virtualAddresses } from './virtual.ts';

/** sun_path of unix(7) has 108 bytes, the last of them NUL. */
const MAX_SOCKET_PATH = 107;

/** [admin]: the socket's path, and what its HTTP listener needs where others can reach it. */
export function checkAdmin(file: FileSchema): Finding[] {
  return [...checkSocket(file), ...checkListen(file), ...checkIdle(file), ...checkSharedSecret(file)];
}

function checkSocket({ admin }: FileSchema): Finding[] {
  const length = Buffer.byteLength(admin.socket);
  if (length <= MAX_SOCKET_PATH) return [];
  const hint = `write at most ${MAX_SOCKET_PATH} bytes, such as "/run/tandem/admin.sock"`;
  return [fault(['admin', 'socket'], `is ${length} bytes long: too long for a unix socket`, hint)];
}

function checkListen(file: FileSchema): Finding[] {
  const { listen, token_file: token, tls } = file.admin;
  if (listen === undefined) return [];
  const at = ['admin', 'listen'];
  const { text } = listen.address;
  if (virtualAddresses(file).has(text)) {
    const message = `${text} is a virtual address: it moves between the nodes`;
    return [fault(at, message, "write this node's own address")];
  }
  if (isLoopback(listen.address)) return [];
  const where = `${formatEndpoint(listen)} is not a loopback address`;
  const local = `listen on "127.0.0.1:${listen.port}"`;
  return [
    ...(token === undefined
      ? [fault(at, `${where}, and there is no token`, `add token_file, or ${local}`)]
      : []),
    ...(tls === undefined
      ? [fault(at, `${where}, and there is no TLS`, `add [admin.tls] with certificate and key, or ${local}`)]
      : []),
  ];
}

/** Without a listener nothing reads them. */
function checkIdle({ admin }: FileSchema): Finding[] {
  if (admin.listen !== undefined) return [];
  const hint = 'add listen = "127.0.0.1:9465", or remove it';
  return (['token_file', 'tls'] as const)
    .filter((key) => admin[key] !== undefined)
    .map((key) => ({
      ...warning(['admin', key], 'has no effect: [admin] has no listen', hint),
      at: 'key' as const,
    }));
}

/** Whoever has the token would have the peer's trust as well. */
function checkSharedSecret({ admin, failover }: FileSchema): Finding[] {
  const path = admin.token_file;
  if (path === undefined || path !== failover?.peer?.secret_file) return [];
  const message = `${quote(path)} is the secret of [failover.peer]: whoever has the token could be the peer`;
  return [fault(['admin', 'token_file'], message, 'write another one: openssl rand -hex 32')];
}

/** The state file is written over, and what is none of it is moved away: it must be nothing that is needed. */
export function checkStateFile(file: FileSchema, configPath: string): Finding[] {
  const { state_file: path, socket, token_file: token, tls } = file.admin;
  const others: Readonly<Record<string, string | undefined>> = {
    'the configuration': configPath,
    socket,
    token_file: token,
    'the certificate of [admin.tls]': tls?.certificate,
    'the key of [admin.tls]': tls?.key,
    'the secret of [failover.peer]': file.failover?.peer?.secret_file,
  };
  const taken = Object.entries(others).find(([, other]) => path !== undefined && other === path);
  if (path === undefined || taken === undefined) return [];
  const hint = 'write a file of its own, such as "/var/lib/tandem/state.json"';
  return [fault(['admin', 'state_file'], `${quote(path)} is ${taken[0]} as well`, hint)];
}

/** The files of the HTTP listener. The daemon may run as another user: what this one may not read proves nothing. */
export function checkAdminFiles({ admin }: FileSchema, environment: Environment): Finding[] {
  const { listen, token_file: token, tls } = admin;
  if (listen === undefined) return [];
  const findings: Finding[] = [];
  const bad = token === undefined ? undefined : environment.tokenFault(token);
  if (token !== undefined && bad !== undefined) {
    const report = bad.denied ? warning : fault;
    findings.push(report(['admin', 'token_file'], `${quote(token)} ${bad.fault}`, bad.hint));
  }
  const broken = tls === undefined ? undefined : environment.tlsFault(tls.certificate, tls.key);
  if (tls !== undefined && broken !== undefined) {
    const report = broken.denied ? warning : fault;
    const at = ['admin', 'tls', broken.file];
    findings.push(report(at, `${quote(tls[broken.file])} ${broken.fault}`, broken.hint));
  }
  return findings;
}
