import type { RouterStatus, Status } from '../../admin/contract.ts';
import { formatAge, formatBytes, formatCount } from '../output.ts';
import type { Model, Tone } from './model.ts';
import { fitted, type Glyphs, type Line, lineWidth, type Span, spread } from './spans.ts';

export interface HeaderView {
  readonly width: number;
  readonly glyphs: Glyphs;
  /** Said at the right of the first line: "every 1s", "PAUSED". */
  readonly note: Span;
}

/** Node, failover, totals, meters. */
export function headerLines(model: Model, view: HeaderView): Line[] {
  const { status, at } = model;
  const title: Line = [
    { text: status.node, bold: true },
    { text: `  tandem ${status.version}, pid ${status.pid}, up ${formatAge(status.uptimeSeconds * 1_000)}` },
  ];
  const clock = `  ${new Date(at).toISOString().slice(11, 19)}Z`;
  return [
    spread(title, [view.note, { text: clock }], view.width),
    ...failoverLines(status, at),
    totalsLine(model),
    workersLine(status),
    ...meterLines(model, view),
  ];
}

const STATE_TONE = { Active: 'good', Backup: 'accent', Initialize: 'warn' } as const;
/** More routers than this are counted. */
const MAX_ROUTERS = 4;

function failoverLines({ failover }: Status, at: number): Line[] {
  if (failover === null) return [[label('failover'), { text: 'none configured', tone: 'dim' }]];
  const well = failover.agent === 'running' && !failover.stale;
  const routers = failover.routers
    .slice(0, MAX_ROUTERS)
    .flatMap((router, i): Span[] => [...(i === 0 ? [] : [{ text: ', ' }]), ...routerSpans(router, at)]);
  const more = failover.routers.length - MAX_ROUTERS;
  const line: Span[] = [
    label('failover'),
    ...(well
      ? []
      : [
          {
            text: `agent ${failover.agent}, heard ${formatAge(failover.ageMillis)} ago  `,
            tone: 'bad' as const,
          },
        ]),
    ...routers,
    ...(more > 0 ? [{ text: `, ${more} more` }] : []),
    ...(failover.routers.length === 0 ? [{ text: 'no virtual router', tone: 'dim' as const }] : []),
    ...(failover.fit
      ? []
      : [{ text: `  unfit: ${failover.unfitReason ?? 'unknown'}`, tone: 'bad' as const }]),
    ...peerSpans(failover.routers),
  ];
  const { pair } = failover;
  return [
    line,
    ...(pair === null || pair.peer === null ? [] : [pairLine(pair)]),
    ...failover.drains.map(({ group, role, connections, endsInMillis }): Line => {
      const what =
        role === 'taker'
          ? 'old connections are sent on to the peer'
          : `${connections ?? '?'} old connections are still here`;
      return [
        label('drain'),
        { text: `${group}: ${what}, over in ${formatAge(endsInMillis)} at the latest` },
      ];
    }),
  ];
}

function routerSpans(router: RouterStatus, at: number): Span[] {
  const odd = router.holdsAddresses !== (router.state === 'Active');
  return [
    { text: `${router.group}/v${router.family} ` },
    { text: router.state, tone: STATE_TONE[router.state], bold: true },
    { text: ` ${formatAge(at - router.since)}` },
    ...(odd
      ? [{ text: router.holdsAddresses ? ' HOLDS ADDRESSES' : ' HOLDS NO ADDRESS', tone: 'bad' as const }]
      : []),
  ];
}

function peerSpans(routers: readonly RouterStatus[]): Span[] {
  const peer = routers.find((router) => router.peer !== null)?.peer;
  if (routers.length === 0) return [];
  if (peer === undefined || peer === null) return [{ text: '  no peer heard', tone: 'dim' }];
  return [
    { text: `  peer ${peer.address} prio ${peer.priority}, ${formatAge(peer.ageMillis)} ago`, tone: 'dim' },
  ];
}

type Pair = NonNullable<NonNullable<Status['failover']>['pair']>;

/** The other node as it says of itself. */
function pairLine({ peer, ageMillis, reachable, drift }: Pair): Line {
  const states = [...new Set(peer?.routers.map(({ state }) => state) ?? [])].join(', ');
  return [
    label('pair'),
    { text: `${peer?.name ?? 'peer'} ${states}, tandem ${peer?.version ?? '?'}` },
    ...(reachable ? [] : [{ text: `, not reached for ${formatAge(ageMillis ?? 0)}`, tone: 'bad' as const }]),
    ...(drift === null || drift.length === 0
      ? []
      : [{ text: `, not configured alike: ${drift.join(', ')}`, tone: 'warn' as const }]),
  ];
}

const label = (text: string): Span => ({ text: text.padEnd(10), tone: 'accent' });

export const perSecond = (rate: number | undefined): string =>
  rate === undefined ? '-' : formatCount(rate < 10 ? Number(rate.toFixed(1)) : Math.round(rate));

export const bytesPerSecond = (rate: number | undefined): string =>
  rate === undefined ? '-' : formatBytes(Math.round(rate));

function totalsLine({ totals: { connections, queued, rates } }: Model): Line {
  const failed = rates?.failed ?? 0;
  return [
    label('clients'),
    { text: formatCount(connections), bold: true },
    { text: `  new ${perSecond(rates?.opened)}/s  in ${bytesPerSecond(rates?.in)}/s` },
    { text: `  out ${bytesPerSecond(rates?.out)}/s  ` },
    tinted(`queued ${formatCount(queued)}`, queued > 0 ? 'warn' : undefined),
    { text: '  ' },
    tinted(`refused ${perSecond(rates?.failed)}/s`, failed > 0 ? 'warn' : undefined),
  ];
}

const tinted = (text: string, tone: Tone | undefined): Span =>
  tone === undefined ? { text } : { text, tone };

/** Seconds; fitness calls it a concern from here on. */
const LATE = 0.25;
const WORKER_TONE = { running: 'good', stalled: 'bad', dead: 'bad' } as const;

function workersLine({ workers, relay }: Status): Line {
  const running = workers.filter(({ state }) => state === 'running').length;
  const odd = workers.filter(
    ({ state, loopLagSeconds, restarts }) => state !== 'running' || loopLagSeconds > LATE || restarts > 0,
  );
  const spans = odd
    .slice(0, 4)
    .flatMap(({ worker, state, loopLagSeconds, restarts }): Span[] => [
      { text: `, ${worker} ` },
      { text: state, tone: WORKER_TONE[state] },
      ...(loopLagSeconds > LATE ? [tinted(` ${loopLagSeconds.toFixed(2)}s late`, 'warn')] : []),
      ...(restarts > 0 ? [tinted(` replaced ${restarts}x`, 'warn')] : []),
    ]);
  const lag = Math.max(0, ...workers.map(({ loopLagSeconds }) => loopLagSeconds));
  return [
    label('workers'),
    tinted(`${running} of ${workers.length} running`, running < workers.length ? 'bad' : undefined),
    { text: `, ${relay} relay, loop ${formatAge(lag * 1_000)} late at most` },
    ...spans,
  ];
}

/** Limits beside each other; those that nobody uses are left out. */
function meterLines(model: Model, { width, glyphs }: HeaderView): Line[] {
  const used = model.limits.filter(({ used: n }) => n > 0);
  const perLine = Math.max(1, Math.floor(width / 39));
  const columns = Math.floor(width / perLine);
  const shown = used.slice(0, perLine);
  if (shown.length === 0) return [];
  return [shown.flatMap((limit) => meter(limit, columns - 2, glyphs))];
}

function meter(limit: Model['limits'][number], width: number, glyphs: Glyphs): Span[] {
  const { name, subject, used, max, ratio } = limit;
  const what = name.replace(/-connections$/, ' conns');
  const caption = fitted(subject === null ? what : `${what} ${subject}`, Math.floor(width * 0.6), glyphs);
  const inside = width - caption.length - 3;
  const figures = ` ${formatCount(used)}/${formatCount(max)}`;
  const room = Math.max(0, inside - figures.length);
  const filled = Math.min(room, Math.max(1, Math.round(ratio * room)));
  const tone: Tone = ratio >= 1 ? 'bad' : ratio >= 0.8 ? 'warn' : 'good';
  const spans: Span[] = [
    { text: caption, tone: 'accent' },
    { text: ' [' },
    { text: glyphs.fill.repeat(filled), tone },
    { text: glyphs.rest.repeat(room - filled) },
    { text: figures, tone: 'dim' },
    { text: ']' },
  ];
  return [...spans, { text: ' '.repeat(Math.max(0, width + 2 - lineWidth(spans))) }];
}
