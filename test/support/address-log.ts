/** When addresses come and go on a host, as the kernel tells it: `ip monitor`, with wall-clock times. */
import { eventually, type Host, type HostProcess } from './netns.ts';

export interface AddressChange {
  /** Wall clock, milliseconds. */
  readonly at: number;
  readonly address: string;
  readonly gone: boolean;
}

// [2026-11-25T22:42:22.730754] Deleted 1: lo    inet 10.9.9.9/32 scope global ...
const LINE = /^\[([^\]]+)\] (Deleted )?\d+: \S+\s+inet6? ([^/ ]+)/;

export class AddressLog {
  readonly #monitor: HostProcess;

  private constructor(monitor: HostProcess) {
    this.#monitor = monitor;
  }

  static async start(host: Host): Promise<AddressLog> {
    const monitor = host.spawn('addresses', ['stdbuf', '-oL', 'ip', '-ts', '-o', 'monitor', 'address']);
    const log = new AddressLog(monitor);
    // it says nothing when it has begun to listen
    await eventually(`the monitor on ${host.name} listens`, async () => {
      host.ip('addr', 'add', '127.9.9.9/32', 'dev', 'lo');
      await new Promise((resolve) => setTimeout(resolve, 20));
      host.ip('addr', 'del', '127.9.9.9/32', 'dev', 'lo');
      return log.changes(0).length > 0;
    });
    return log;
  }

  /** Since then; refreshes of what is there are in it as well. */
  changes(since: number): AddressChange[] {
    return this.#monitor
      .log()
      .split('\n')
      .flatMap((line) => {
        const [, time, gone, address] = LINE.exec(line) ?? [];
        if (time === undefined || address === undefined) return [];
        const at = new Date(time).getTime() + fraction(time);
        return at >= since ? [{ at, address, gone: gone !== undefined }] : [];
      });
  }

  /** When the address was put there first, or taken away first, since then; null when it was not. */
  first(address: string, gone: boolean, since: number): number | null {
    return (
      this.changes(since).find((change) => change.address === address && change.gone === gone)?.at ?? null
    );
  }
}

/** What Date forgets of "...22.730754": 0.754 ms. */
const fraction = (time: string): number => Number(`0.${/\.\d{3}(\d+)/.exec(time)?.[1] ?? '0'}`);
