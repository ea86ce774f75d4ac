import type { Status } from '../admin/contract.ts';
import { RateSeries, Series } from './series.ts';

/** The quantities of a service, or of all of them. */
export interface TrafficSeries {
  readonly connections: Series;
  readonly accepts: RateSeries;
  readonly bytesIn: RateSeries;
  readonly bytesOut: RateSeries;
}

type Totals = Pick<Status['services'][number], 'connections' | 'accepted' | 'bytesIn' | 'bytesOut'>;

const emptySeries = (): TrafficSeries => ({
  connections: new Series(),
  accepts: new RateSeries(),
  bytesIn: new RateSeries(),
  bytesOut: new RateSeries(),
});

function push(series: TrafficSeries, at: number, totals: Totals): void {
  series.connections.push(at, totals.connections);
  series.accepts.push(at, totals.accepted);
  series.bytesIn.push(at, totals.bytesIn);
  series.bytesOut.push(at, totals.bytesOut);
}

/** The last minutes of every service that there is. Pure. */
export class Traffic {
  #all = emptySeries();
  #services = new Map<string, TrafficSeries>();
  #pid: number | null = null;

  get all(): TrafficSeries {
    return this.#all;
  }

  of(service: string): TrafficSeries {
    return this.#services.get(service) ?? emptySeries();
  }

  /** @param at wall-clock milliseconds of the daemon */
  observe(at: number, status: Status): void {
    if (this.#pid !== status.pid) this.#forget();
    this.#pid = status.pid;
    const next = new Map<string, TrafficSeries>();
    for (const service of status.services) {
      const series = this.#services.get(service.name) ?? emptySeries();
      push(series, at, service);
      next.set(service.name, series);
    }
    this.#services = next;
    push(this.#all, at, sumOf(status.services));
  }

  /** Another daemon counts from zero. */
  #forget(): void {
    this.#all = emptySeries();
    this.#services = new Map();
  }
}

function sumOf(services: Status['services']): Totals {
  const sum = { connections: 0, accepted: 0, bytesIn: 0, bytesOut: 0 };
  for (const service of services) {
    sum.connections += service.connections;
    sum.accepted += service.accepted;
    sum.bytesIn += service.bytesIn;
    sum.bytesOut += service.bytesOut;
  }
  return sum;
}
