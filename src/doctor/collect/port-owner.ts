import type { Protocol } from '../../model/service.ts';
import type { Files } from './files.ts';

/** State of a listening TCP socket, and of an unconnected UDP one, in /proc/net. */
const OPEN = { tcp: '0A', udp: '07' } as const;
/** A host can have millions of descriptors; then the name of the program is not worth the search. */
const MAX_LINKS = 50_000;

/** "nginx (pid 1234)" for who has the port open; null when that cannot be seen (it takes root). */
export function ownerOfPort(files: Files, protocol: Protocol, port: number): string | null {
  const inodes = new Set(
    [`/proc/net/${protocol}`, `/proc/net/${protocol}6`].flatMap((path) =>
      inodesOf(files.read(path) ?? '', port, OPEN[protocol]),
    ),
  );
  if (inodes.size === 0) return null;
  const pid = holderOf(files, inodes);
  if (pid === null) return null;
  const name = files.read(`/proc/${pid}/comm`)?.trim();
  return name === undefined ? `pid ${pid}` : `${name} (pid ${pid})`;
}

/** Columns of /proc/net/tcp: sl, local, remote, state, queues, timer, retransmits, uid, timeout, inode. */
export function inodesOf(table: string, port: number, state: string): string[] {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return table.split('\n').flatMap((line) => {
    const columns = line.trim().split(/\s+/);
    const [, local = '', , found = '', , , , , , inode = ''] = columns;
    return local.endsWith(wanted) && found === state ? [inode] : [];
  });
}

function holderOf(files: Files, inodes: ReadonlySet<string>): string | null {
  const wanted = new Set([...inodes].map((inode) => `socket:[${inode}]`));
  let left = MAX_LINKS;
  for (const pid of files.list('/proc').filter((name) => /^\d+$/.test(name))) {
    for (const fd of files.list(`/proc/${pid}/fd`)) {
      if (left-- === 0) return null;
      if (wanted.has(files.link(`/proc/${pid}/fd/${fd}`) ?? '')) return pid;
    }
  }
  return null;
}
