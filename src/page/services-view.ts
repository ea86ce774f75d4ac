import type { BackendStatus, Status } from '../admin/contract.ts';
import type { Actions } from './actions.ts';
import { markOf, notesOf, saidOf, shownBackends } from './backend-marks.ts';
import { Chip } from './chip.ts';
import { el, type Part, Parts, setAttribute, setText } from './dom.ts';
import { formatAge, formatByteRate, formatBytes, formatCount, formatRate, formatTotal } from './format.ts';
import { Bar } from './limits-view.ts';
import { Sparkline } from './sparkline.ts';
import type { Traffic } from './traffic.ts';

type Service = Status['services'][number];

/** More services than these begin closed, and a service shows so many backends at first. */
const OPEN_SERVICES = 20;
const SHOWN_BACKENDS = 40;

const COLUMNS = [
  'Backend',
  'State',
  'Connections',
  'Weight',
  'Total',
  'Errors',
  'In',
  'Out',
  'Last check',
  'Actions',
];
const NUMBERS: ReadonlySet<string> = new Set(['Weight', 'Total', 'Errors', 'In', 'Out']);

/** Each service with its traffic and its backends. */
export class ServicesView {
  readonly #parts: Parts<Service>;
  readonly #actions: Actions;
  readonly #traffic: Traffic;
  #now = 0;
  #count = 0;
  #locked = false;

  constructor(root: HTMLElement, actions: Actions, traffic: Traffic) {
    this.#actions = actions;
    this.#traffic = traffic;
    this.#parts = new Parts(
      root,
      ({ name }) => name,
      (service) => this.#create(service),
    );
  }

  /** @param locked nothing can be changed here */
  update(services: readonly Service[], now: number, locked: boolean): void {
    this.#now = now;
    this.#count = services.length;
    this.#locked = locked;
    this.#parts.update(services);
  }

  #create({ name }: Service): Part<Service> {
    const state = new Chip();
    const where = el('span', { class: 'mono quiet' });
    const numbers = el('p', { class: 'numbers' });
    const refused = el('p', { class: 'numbers tone-warn' });
    const accepts = new Sparkline('New connections', formatRate);
    const bytes = new Sparkline('Bytes', formatByteRate);
    const body = el('div', { role: 'rowgroup' });
    const rows = new Parts<BackendStatus>(
      body,
      ({ id }) => id,
      () => this.#row(name),
    );
    const more = el('button', { type: 'button', class: 'button small more' });
    let all = false;
    const details = el(
      'details',
      { class: 'card service', ...(this.#count <= OPEN_SERVICES ? { open: '' } : {}) },
      el('summary', {}, el('h3', {}, name), state.root, where),
      numbers,
      refused,
      el('div', { class: 'charts' }, accepts.root, bytes.root),
      el('div', { class: 'table', role: 'table', 'aria-label': `Backends of ${name}` }, header(), body),
      more,
    );
    let last: Service | undefined;
    const update = (service: Service): void => {
      last = service;
      state.update(serviceMark(service));
      setText(where, `${service.protocol.toUpperCase()} ${service.listen.join(', ')} · ${service.schedule}`);
      setText(numbers, numbersOf(service));
      setText(refused, refusedOf(service));
      refused.hidden = refused.textContent === '';
      if (!details.open) return;
      const { accepts: accepted, bytesIn, bytesOut } = this.#traffic.of(name);
      accepts.update([{ label: '', hue: 'a', series: accepted.rates }], this.#now);
      const lines = [
        { label: 'in', hue: 'a', series: bytesIn.rates },
        { label: 'out', hue: 'b', series: bytesOut.rates },
      ] as const;
      bytes.update(lines, this.#now);
      const { length } = service.backends;
      rows.update(shownBackends(service.backends, all ? length : SHOWN_BACKENDS));
      more.hidden = length <= SHOWN_BACKENDS;
      setText(more, all ? 'Show fewer' : `Show all ${formatCount(length)} backends`);
    };
    const again = (): void => {
      if (last !== undefined) update(last);
    };
    more.addEventListener('click', () => {
      all = !all;
      again();
    });
    details.addEventListener('toggle', again);
    return { root: details, update };
  }

  #row(service: string): Part<BackendStatus> {
    const state = new Chip();
    const since = el('span', { class: 'quiet' });
    const name = el('strong');
    const address = el('span', { class: 'mono quiet' });
    const bar = new Bar();
    const cells = new Map(COLUMNS.map((column) => [column, cellOf(column)]));
    const put = (column: string, ...children: Node[]): void => cells.get(column)?.append(...children);
    put('Backend', name, address);
    put('State', state.root, since);
    put('Connections', bar.root);
    let current: BackendStatus | undefined;
    const act = (run: (backend: BackendStatus) => void) => (): void => {
      if (current !== undefined) run(current);
    };
    const toggle = el('button', { type: 'button', class: 'button small' });
    const maintain = el('button', { type: 'button', class: 'button small' }, 'Maintenance');
    const weigh = el('button', { type: 'button', class: 'button small' }, 'Weight');
    const actions = this.#actions;
    toggle.addEventListener(
      'click',
      act((b) => (b.admin === 'ready' ? actions.drain(service, b) : actions.ready(service, b))),
    );
    maintain.addEventListener(
      'click',
      act((b) => actions.maintain(service, b)),
    );
    weigh.addEventListener(
      'click',
      act((b) => actions.weigh(service, b)),
    );
    put('Actions', el('div', { class: 'buttons' }, toggle, maintain, weigh));
    const set = (column: string, text: string): void => setText(cells.get(column) ?? el('td'), text);
    return {
      root: el('div', { role: 'row', class: 'row' }, ...cells.values()),
      update: (backend) => {
        current = backend;
        const full = `${service}/${backend.id}`;
        state.update(markOf(backend));
        setText(since, [...notesOf(backend), formatAge(backend.stateAgeMillis)].join(', '));
        setText(name, backend.id);
        setText(address, backend.id === backend.address ? '' : backend.address);
        bar.update(backend.connections, backend.maxConnections, `Connections of ${full}`);
        set('Weight', weightOf(backend));
        set('Total', formatTotal(backend.connects));
        set('Errors', formatTotal(backend.connectErrors));
        cells.get('Errors')?.classList.toggle('tone-warn', backend.connectErrors > 0);
        set('In', formatBytes(backend.bytesIn));
        set('Out', formatBytes(backend.bytesOut));
        set('Last check', saidOf(backend));
        setText(toggle, backend.admin === 'ready' ? 'Drain' : 'Make ready');
        maintain.hidden = backend.admin === 'maintenance';
        for (const button of [toggle, maintain, weigh]) {
          button.disabled = this.#locked;
          setAttribute(button, 'aria-label', `${button.textContent} ${full}`);
        }
      },
    };
  }
}

function header(): HTMLElement {
  const cells = COLUMNS.map((column) => {
    const kind = NUMBERS.has(column) ? 'cell number' : 'cell';
    return el('div', { role: 'columnheader', class: kind }, column);
  });
  return el('div', { role: 'rowgroup', class: 'head' }, el('div', { role: 'row', class: 'row' }, ...cells));
}

function cellOf(column: string): HTMLElement {
  const kind = `cell cell-${column.toLowerCase().replace(' ', '-')}${NUMBERS.has(column) ? ' number' : ''}`;
  return el('div', { role: 'cell', class: kind, 'data-label': column });
}

const weightOf = ({ weight, effectiveWeight }: BackendStatus): string =>
  weight === effectiveWeight ? String(weight) : `${Number(effectiveWeight.toFixed(1))} of ${weight}`;

function serviceMark({ backends }: Service): ReturnType<typeof markOf> {
  const eligible = backends.filter((backend) => backend.eligible).length;
  const word = `${formatCount(eligible)} of ${formatCount(backends.length)} eligible`;
  if (eligible === 0) return { word, icon: 'cross', tone: 'bad' };
  const troubled = backends.some((backend) => ['bad', 'warn'].includes(markOf(backend).tone));
  return troubled ? { word, icon: 'alert', tone: 'warn' } : { word, icon: 'check', tone: 'ok' };
}

function numbersOf(service: Service): string {
  const ceiling = service.maxConnections === null ? '' : ` of ${formatCount(service.maxConnections)}`;
  const kind = service.protocol === 'tcp' ? 'connections' : 'sessions';
  return [
    `${formatCount(service.connections)}${ceiling} ${kind}`,
    ...(service.queued > 0 ? [`${formatCount(service.queued)} queued`] : []),
    `${formatTotal(service.accepted)} accepted`,
    `${formatBytes(service.bytesIn)} in`,
    `${formatBytes(service.bytesOut)} out`,
  ].join(' · ');
}

function refusedOf({ refused }: Service): string {
  const reasons = Object.entries(refused).map(([reason, count]) => `${reason} ${formatCount(count)}`);
  return reasons.length === 0 ? '' : `Refused: ${reasons.join(', ')}`;
}
