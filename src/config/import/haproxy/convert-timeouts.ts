import { type Duration, millis, seconds } from '../../../lib/duration.ts';
import type { TomlTable } from '../toml.ts';
import type { ProxySection } from './proxy.ts';
import { parseTime, span } from './time.ts';

const DAY = seconds(86_400);
const HOUR = seconds(3_600);

/** Of `timeout NAME`; 0 is without end in HAProxy. What is no time is told, and not taken. */
export function readTimeout(proxy: ProxySection, name: string): Duration | undefined {
  const statement = proxy.last(`timeout ${name}`);
  if (statement === undefined) return undefined;
  const time = parseTime(statement.words[2] ?? '');
  if (time === undefined) proxy.journal.remark(statement, 'missing', 'left out: not a time');
  if (time !== 0) return time;
  proxy.journal.remark(statement, 'changed', 'without end in HAProxy: as long as Tandem can wait');
  return DAY;
}

const larger = (a: Duration | undefined, b: Duration | undefined): Duration | undefined =>
  a === undefined || (b !== undefined && b > a) ? b : a;

/** [service.timeout] and [service.queue]. `limited`: some backend has max_connections. */
export function convertTimeouts(
  front: ProxySection,
  back: ProxySection,
  preface: Duration | undefined,
  limited: boolean,
  queueMax: number | undefined,
): TomlTable[] {
  const tunnel = readTimeout(back, 'tunnel');
  const [client, server] = [readTimeout(front, 'client'), readTimeout(back, 'server')];
  const idle = tunnel ?? larger(client, server);
  remarkIdle(front, back, { client, server, tunnel });
  const connect = readTimeout(back, 'connect');
  // without a time of its own for half-closed connections, HAProxy goes on with that for open ones
  const fin = larger(readTimeout(front, 'client-fin'), readTimeout(back, 'server-fin')) ?? idle;
  const queued = readTimeout(back, 'queue');
  const tables: TomlTable[] = [];
  const timeouts = {
    connect: connect === undefined ? undefined : span(connect, millis(1), seconds(300)),
    idle: idle === undefined ? undefined : span(idle, millis(100), DAY),
    fin: fin === undefined ? undefined : span(fin, millis(100), DAY),
    preface: preface === undefined ? undefined : span(preface, millis(10), seconds(60)),
  };
  if (Object.values(timeouts).some((value) => value !== undefined)) {
    tables.push({ header: '[service.timeout]', comments: [], values: timeouts });
  }
  const wait = queued ?? (limited ? connect : undefined);
  const queue = {
    max: limited ? queueMax : undefined,
    timeout: wait === undefined ? undefined : span(wait, millis(1), HOUR),
  };
  if (Object.values(queue).some((value) => value !== undefined)) {
    tables.push({ header: '[service.queue]', comments: [], values: queue });
  }
  return tables;
}

type Idle = Readonly<Record<'client' | 'server' | 'tunnel', Duration | undefined>>;

/** Which of the times holds; and that without any, Tandem has one all the same. */
function remarkIdle(front: ProxySection, back: ProxySection, { client, server, tunnel }: Idle): void {
  const lines = [
    { proxy: front, value: client, statement: front.last('timeout client') },
    { proxy: back, value: server, statement: back.last('timeout server') },
  ];
  if (client === undefined && server === undefined && tunnel === undefined) {
    front.journal.remark(
      front.head,
      'changed',
      'no timeout client or server: Tandem closes after 10m without a byte (`timeout.idle`)',
    );
  }
  for (const { proxy, value, statement } of lines) {
    if (statement === undefined || value === undefined) continue;
    if (tunnel !== undefined) proxy.journal.remark(statement, 'needless', 'timeout tunnel goes before it');
    else if (client === server)
      proxy.journal.remark(statement, 'carried', '`timeout.idle`, for both directions');
    else if (value === larger(client, server))
      proxy.journal.remark(statement, 'changed', '`timeout.idle`: the larger one holds for both directions');
    else
      proxy.journal.remark(
        statement,
        'changed',
        'the larger one of client and server holds for both directions',
      );
  }
}
