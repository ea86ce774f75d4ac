import { type Duration, formatDuration, micros } from '../lib/duration.ts';
import { activeDownInterval, type IntervalInput, skewTime } from './intervals.ts';
import { basePriority, effectivePriority, OWNER_PRIORITY, type Router } from './router.ts';

/** Sentences for people: what would change the state of this router. */
export function outlook(router: Router): string[] {
  switch (router.state) {
    case 'Initialize':
      return [initialize(router)];
    case 'Backup':
      return backup(router);
    case 'Active':
      return router.parting ? ['will stop when another router has the addresses'] : active(router);
  }
}

function initialize(router: Router): string {
  const { started, linkUp, fit } = router;
  const next = basePriority(router) === OWNER_PRIORITY ? 'Active' : 'Backup';
  const waits = [
    ...(started ? [] : ['the agent lets it take part']),
    ...(linkUp ? [] : ['the link is up']),
    ...(fit ? [] : ['this node is fit to serve']),
  ];
  return `would become ${next} when ${waits.length === 0 ? 'the agent lets it' : waits.join(' and ')}`;
}

function backup(router: Router): string[] {
  const { peer, settings, yielded, expiryCause } = router;
  const own = basePriority(router);
  const { down, skew } = waits(router);
  if (expiryCause === 'peer-priority-zero') return [`will become Active ${skew} after the resignation`];
  const silent =
    peer === null
      ? `would become Active after ${down} without an advertisement`
      : `would become Active ${down} after its last advertisement, or ${skew} after it resigns`;
  if (peer === null || !settings.preempt || yielded) return [silent, byTakeover];
  if (peer.priority < own) return ['will preempt it'];
  return [silent, `would preempt it at a priority below ${own}`, byTakeover];
}

const byTakeover = 'would become Active by "tandem failover takeover"';

function active(router: Router): string[] {
  const own = effectivePriority(router);
  const better = `would become Backup when another router advertises a priority above ${own}`;
  const equal = `, or ${own} from an address above ${router.settings.source.text}`;
  return [
    own < OWNER_PRIORITY ? better + equal : `would become Backup only for another owner (priority 255)`,
    'would resign when the link goes down or this node is not fit to serve',
    ...(own < OWNER_PRIORITY ? ['would hand over by "tandem failover handover"'] : []),
  ];
}

/** Active_Down_Interval and Skew_Time as they are now, in words. */
function waits(router: Router): { down: string; skew: string } {
  const { settings, activeInterval } = router;
  const { version } = settings;
  const input: IntervalInput = { version, priority: basePriority(router), activeInterval };
  return { down: inWords(activeDownInterval(input)), skew: inWords(skewTime(input)) };
}

/** To a tenth of a millisecond. */
export function inWords(duration: Duration): string {
  return formatDuration(micros(Math.round(duration / 100) * 100));
}
