import type { BackendStatus } from '../admin/contract.ts';
import type { RuntimeState } from '../control-path/pool.ts';
import type { Clock, Timer } from '../lib/clock.ts';
import { millis, seconds } from '../lib/duration.ts';
import { EXIT, messageOf, TandemError } from '../lib/errors.ts';
import type { Emit } from '../model/event.ts';
import type { AdminState } from '../model/service.ts';
import {
  describeEntries,
  entriesOf,
  type KeptChange,
  type KeptState,
  lostBetween,
  sameState,
  withChange,
} from './runtime-state.ts';
import type { RuntimeStore } from './runtime-store.ts';
import type { Services } from './services.ts';

/** After a write that failed. */
const RETRY = seconds(10);
/** A disk that hangs must not keep an operator from what needs no disk. */
const PATIENCE = millis(2_000);

export interface OperatorChangesOptions {
  /** Null: there is no state file, and nothing can be kept. */
  readonly store: RuntimeStore | null;
  readonly services: Pick<Services, 'setState' | 'setWeight' | 'requireBackend' | 'kept'>;
  readonly clock: Clock;
  readonly emit: Emit;
}

/**
 * What operators set at run time, and which of it is kept in the state file.
 *
 * With `persist` it is on disk before it is in force: what cannot be kept is refused, and nothing has changed. Without, it is in
 * force at once, whatever the disk does; what was kept before is forgotten by it, and a file that cannot be written then
 * is tried again until it can.
 */
export class OperatorChanges {
  readonly #options: OperatorChangesOptions;
  /** To be kept. */
  #kept: KeptState = new Map();
  /** In the file. */
  #onDisk: KeptState = new Map();
  /** Why the file could not be used at the start: it is not to be written over. */
  #unusable: TandemError | null = null;
  /** Why the file does not have what is to be kept. */
  #fault: string | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #retry: Timer | null = null;
  #stopped = false;

  constructor(options: OperatorChangesOptions) {
    this.#options = options;
  }

  /** Reads the state file, before any service opens. A file that cannot be used is told, and is no reason not to start. */
  async load(): Promise<void> {
    const { store } = this.#options;
    if (store === null) return;
    try {
      const { state, setAside } = await store.load();
      this.#kept = state;
      this.#onDisk = state;
      if (setAside !== null) this.#tellSetAside(store.path, setAside);
    } catch (error) {
      if (!(error instanceof TandemError)) throw error;
      this.#unusable = error;
      this.#fault = messageOf(error);
      this.#tellUnsaved(
        store.path,
        `${messageOf(error)}: what was kept is not in force, and nothing can be kept`,
      );
    }
  }

  /** What is kept of a service that opens. */
  of(service: string): RuntimeState | undefined {
    return this.#kept.get(service);
  }

  /** After the start: says what is in force again, and drops the rest. */
  async restored(): Promise<void> {
    await this.settle();
    const entries = entriesOf(this.#kept);
    if (entries.length === 0) return;
    this.#options.emit({
      level: 'info',
      name: 'runtime.restored',
      message: `kept from before: ${describeEntries(entries)}`,
      fields: { entries: entries.length },
    });
  }

  /** After a reload: drops what is kept of backends that are no longer there. */
  async settle(): Promise<void> {
    const now = this.#options.services.kept();
    const lost = lostBetween(this.#kept, now);
    this.#kept = now;
    if (lost.length > 0) {
      this.#options.emit({
        level: 'warn',
        name: 'runtime.dropped',
        message: `no longer kept, for there is no such backend any more: ${describeEntries(lost)}`,
        fields: { entries: lost.length },
      });
    }
    await this.#forget();
  }

  /** @throws TandemError 'unknown-service', 'unknown-backend'; with `persist` also 'no-state-file', 'state-file' */
  setState(service: string, backend: string, state: AdminState, persist: boolean): Promise<BackendStatus> {
    const { services } = this.#options;
    // the file says "ready" by itself: there is nothing to keep
    const kept = persist && state !== 'ready' ? state : null;
    return this.#change({ service, backend, state: kept }, kept !== null, () =>
      services.setState(service, backend, state, persist),
    );
  }

  /** Null goes back to the configured weight. @throws TandemError as `setState`, and 'invalid-weight' */
  setWeight(
    service: string,
    backend: string,
    weight: number | null,
    persist: boolean,
  ): Promise<BackendStatus> {
    const { services } = this.#options;
    const kept = persist ? weight : null;
    return this.#change({ service, backend, weight: kept }, kept !== null, () =>
      services.setWeight(service, backend, weight, persist),
    );
  }

  status(): { readonly file: string | null; readonly kept: number; readonly fault: string | null } {
    const { store } = this.#options;
    return { file: store?.path ?? null, kept: entriesOf(this.#kept).length, fault: this.#fault };
  }

  /** Waits for what is being written, for a bounded time. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#retry?.cancel();
    this.#retry = null;
    await this.#forget();
  }

  async #change(change: KeptChange, keeps: boolean, apply: () => BackendStatus): Promise<BackendStatus> {
    if (!keeps) {
      const answer = apply();
      this.#kept = this.#options.services.kept();
      await this.#forget();
      return answer;
    }
    const store = this.#requireStore();
    return this.#inTurn(async () => {
      this.#options.services.requireBackend(change.service, change.backend);
      await this.#save(store, withChange(this.#kept, change));
      try {
        return apply();
      } finally {
        // a reload may have taken the backend away meanwhile
        this.#kept = this.#options.services.kept();
        await this.#write();
      }
    });
  }

  #requireStore(): RuntimeStore {
    const { store } = this.#options;
    if (this.#unusable !== null) throw this.#unusable;
    if (store !== null) return store;
    throw new TandemError('no-state-file', 'it cannot be kept: there is no state file', {
      hint: 'name one: [admin] state_file = "/var/lib/tandem/state.json", and restart; or leave out --persist',
      exitStatus: EXIT.usage,
    });
  }

  /** Takes what is no longer kept out of the file; does not wait for a disk that hangs. */
  async #forget(): Promise<void> {
    if (this.#options.store === null || sameState(this.#kept, this.#onDisk)) return;
    const { clock } = this.#options;
    const written = this.#inTurn(() => this.#write());
    await new Promise<void>((resolve) => {
      const timer = clock.timerAfter(PATIENCE, resolve);
      void written.then(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  /** One after the other: the store has one file. */
  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(act);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  /** Brings the file to what is to be kept; a failure is told once, and tried again. */
  async #write(): Promise<void> {
    const { store } = this.#options;
    if (store === null || this.#unusable !== null || sameState(this.#kept, this.#onDisk)) return;
    try {
      await this.#save(store, this.#kept);
    } catch (error) {
      const fault = messageOf(error);
      const consequence = 'after a restart what it has would be in force again';
      if (this.#fault !== fault) this.#tellUnsaved(store.path, `${fault}: ${consequence}`);
      this.#fault = fault;
      this.#tryLater();
    }
  }

  /** @throws TandemError 'state-file' */
  async #save(store: RuntimeStore, state: KeptState): Promise<void> {
    if (sameState(state, this.#onDisk)) return;
    await store.save(state);
    this.#onDisk = state;
    if (this.#fault === null) return;
    this.#fault = null;
    this.#options.emit({
      level: 'info',
      name: 'runtime.saved',
      message: `the state file ${store.path} is up to date again`,
      fields: { path: store.path },
    });
  }

  #tryLater(): void {
    if (this.#stopped) return;
    this.#retry ??= this.#options.clock.timerAfter(RETRY, () => {
      this.#retry = null;
      void this.#forget();
    });
  }

  #tellSetAside(file: string, { path, fault }: { path: string; fault: string }): void {
    this.#options.emit({
      level: 'warn',
      name: 'runtime.set-aside',
      message: `the state file ${file} cannot be used (${fault}): it is ${path} now, and nothing of it is in force`,
      fields: { file, path, fault },
    });
  }

  #tellUnsaved(path: string, message: string): void {
    this.#options.emit({ level: 'error', name: 'runtime.unsaved', message, fields: { path } });
  }
}
