import type { Status, StreamHello } from '../admin/contract.ts';
import type { TandemEvent } from '../model/event.ts';
import { Actions } from './actions.ts';
import { failoverHistory } from './api.ts';
import { Chip } from './chip.ts';
import { Connection, type Link } from './connection.ts';
import { byId, setAttribute, setText } from './dom.ts';
import { EventsView } from './events-view.ts';
import { formatAge, formatByteRate, formatCount, formatNumber, formatRate } from './format.ts';
import { LimitsView } from './limits-view.ts';
import { roleOf } from './pair-model.ts';
import { PairView } from './pair-view.ts';
import { ServicesView } from './services-view.ts';
import { Sparkline } from './sparkline.ts';
import { TimelineView } from './timeline-view.ts';
import { storedToken } from './token.ts';
import { Traffic } from './traffic.ts';

/** How long a message about an action stays. */
const TOAST_MS = 8_000;
/** Warnings are spoken at most this often. */
const SPEAK_MS = 3_000;
/** The history comes from the agent with its heartbeats: a moment after the event. */
const HISTORY_DELAY_MS = 700;

/** The page: what the stream says goes to the parts, and the buttons to the dialogs. */
class Page {
  readonly #traffic = new Traffic();
  readonly #actions = new Actions({
    say: (text, tone) => this.#say(text, tone),
    unlocked: () => this.#connection.restart(),
  });
  readonly #connection = new Connection({
    link: (link) => this.#link(link),
    hello: (hello) => this.#hello(hello),
    status: (at, status) => this.#status(at, status),
    event: (event) => this.#event(event),
  });
  readonly #pair = new PairView(byId('pair-cards'));
  readonly #services = new ServicesView(byId('service-list'), this.#actions, this.#traffic);
  readonly #limits = new LimitsView(byId('limit-list'));
  readonly #timeline = new TimelineView(byId('timeline-list'));
  readonly #events = new EventsView(byId('event-list'));
  readonly #role = new Chip();
  readonly #live = new Chip();
  readonly #tiles = [
    new Sparkline('Connections', formatCount),
    new Sparkline('New connections', formatRate),
    new Sparkline('From clients', formatByteRate),
    new Sparkline('To clients', formatByteRate),
  ] as const;
  #access: StreamHello['access'] = 'token';
  #epoch = '';
  #current: { at: number; status: Status } | null = null;
  #link_: Link = { state: 'connecting' };
  #spokenAt = 0;
  #historyTimer: number | undefined;

  start(): void {
    byId('role').append(this.#role.root);
    byId('live').append(this.#live.root);
    byId('totals').append(...this.#tiles.map(({ root }) => root));
    byId('reload').addEventListener('click', () => this.#actions.reload());
    byId('handover').addEventListener('click', () => this.#move('handover'));
    byId('takeover').addEventListener('click', () => this.#move('takeover'));
    byId('token-button').addEventListener('click', () => this.#actions.token());
    byId('retry').addEventListener('click', () => this.#connection.restart());
    byId('unlock').addEventListener('click', () => this.#actions.token());
    document.addEventListener('visibilitychange', () => this.#draw());
    window.setInterval(() => this.#banner(), 1_000);
    this.#connection.restart();
  }

  #move(command: 'handover' | 'takeover'): void {
    const failover = this.#current?.status.failover ?? null;
    const groups = [...new Set(failover?.routers.map(({ group }) => group))];
    this.#actions.move(command, groups, failover?.peer != null);
  }

  #link(link: Link): void {
    this.#link_ = link;
    this.#live.update(
      link.state === 'live'
        ? { word: 'live', icon: 'check', tone: 'ok' }
        : link.state === 'connecting'
          ? { word: 'connecting', icon: 'dots', tone: 'info' }
          : { word: 'not live', icon: 'cross', tone: 'bad' },
    );
    document.body.classList.toggle('stale', link.state === 'lost');
    byId('locked').hidden = link.state !== 'locked';
    if (link.state === 'locked') {
      setText(byId('locked-why'), link.why);
      byId('content').hidden = true;
    }
    this.#banner();
  }

  #banner(): void {
    const link = this.#link_;
    const banner = byId('banner');
    banner.hidden = link.state !== 'lost';
    if (link.state !== 'lost') return;
    const seconds = Math.max(0, Math.ceil((link.retryAt - Date.now()) / 1_000));
    setText(byId('banner-why'), `Connection lost: ${link.why}. What follows is not live.`);
    setText(byId('banner-when'), `Trying again in ${seconds} s.`);
  }

  #hello({ epoch, access }: StreamHello): void {
    if (this.#epoch !== epoch) this.#events.clear();
    this.#epoch = epoch;
    this.#access = access;
    this.#actions.authorised = access === 'open';
    const locked = access === 'off';
    for (const id of ['reload', 'handover', 'takeover', 'token-button'])
      setAttribute(byId(id), 'disabled', locked ? '' : null);
    byId('read-only').hidden = !locked;
    setText(byId('token-button'), storedToken() === null ? 'Enter token' : 'Forget token');
    this.#askHistory(0);
  }

  #status(at: number, status: Status): void {
    this.#current = { at, status };
    this.#traffic.observe(at, status);
    this.#draw();
  }

  #event(event: TandemEvent): void {
    this.#events.add(event);
    if (event.name === 'failover.transition' || event.name === 'failover.drill')
      this.#askHistory(HISTORY_DELAY_MS);
    const recent = Date.now() - this.#spokenAt > SPEAK_MS;
    if (event.level === 'info' || !recent || this.#current === null) return;
    this.#spokenAt = Date.now();
    setText(byId('spoken'), event.message);
  }

  #askHistory(delay: number): void {
    window.clearTimeout(this.#historyTimer);
    this.#historyTimer = window.setTimeout(() => {
      failoverHistory().then(
        (history) => {
          this.#timeline.history = history;
          this.#draw();
        },
        // the stream tells that the daemon has gone
        () => undefined,
      );
    }, delay);
  }

  /** Nobody looks at a hidden tab: what it missed is drawn when it is shown. */
  #draw(): void {
    if (document.hidden || this.#current === null) return;
    const { at, status } = this.#current;
    byId('content').hidden = false;
    this.#header(status);
    this.#totals(at, status);
    this.#pair.update(status, at);
    this.#services.update(status.services, at, this.#access === 'off');
    this.#limits.update(status.limits);
    this.#timeline.update(at);
    this.#events.update();
  }

  #header(status: Status): void {
    const role = roleOf(status.failover);
    document.title = `${status.node}: ${role.word} – Tandem`;
    setText(byId('node'), status.node);
    setText(byId('about'), `Tandem ${status.version} · up ${formatAge(status.uptimeSeconds * 1_000)}`);
    this.#role.update(role);
    const alone = status.failover === null;
    for (const id of ['handover', 'takeover', 'pair', 'timeline']) byId(id).hidden = alone;
  }

  #totals(at: number, status: Status): void {
    const { connections, accepts, bytesIn, bytesOut } = this.#traffic.all;
    const [now, fresh, received, sent] = this.#tiles;
    now.update([{ label: '', hue: 'a', series: connections }], at);
    fresh.update([{ label: '', hue: 'a', series: accepts.rates }], at);
    received.update([{ label: '', hue: 'a', series: bytesIn.rates }], at);
    sent.update([{ label: '', hue: 'b', series: bytesOut.rates }], at);
    const backends = status.services.flatMap((service) => service.backends);
    const eligible = backends.filter((backend) => backend.eligible).length;
    setText(
      byId('summary'),
      `${formatNumber(status.services.length, 'service')}, ${formatCount(eligible)} of ${formatNumber(backends.length, 'backend')} take clients`,
    );
  }

  #say(text: string, tone: 'ok' | 'bad'): void {
    const toast = byId('toast');
    toast.className = `toast tone-${tone}`;
    setText(toast, text);
    toast.hidden = false;
    window.setTimeout(() => {
      if (toast.textContent === text) toast.hidden = true;
    }, TOAST_MS);
  }
}

new Page().start();
