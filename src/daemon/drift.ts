import { statSync } from 'node:fs';
import type {
  BackendStatus,
  Change,
  DiffResult,
  RuntimeDifference,
  ServiceStatus,
} from '../admin/contract.ts';
import { ConfigError, type Problem, wholeFile } from '../config/errors.ts';
import { describeFile, describeRestart, type WrittenFile } from '../config/file-diff.ts';
import { loadFile } from '../config/load.ts';
import { formatPath, type KeyPath } from '../config/positions.ts';
import { fileStamp } from '../config/read-file.ts';
import { messageOf } from '../lib/errors.ts';

/** The configurations that the daemon runs with. */
export interface InForce {
  readonly running: WrittenFile;
  /** What was taken at the start, for what a reload does not apply. */
  readonly started: WrittenFile;
  /** The same for the failover agent, which a reload may have started later. */
  readonly agentStarted: WrittenFile;
}

type Reading = { readonly file: WrittenFile } | { readonly problems: readonly Problem[] };

/**
 * Compares what runs with the file on disk. Whoever asks often costs little: the file is read again only when it is another one
 * than that in force and than last time, and compared again only then.
 */
export class Drift {
  /** Before a file is read, which may take long. */
  readonly #announce: () => void;
  #last: { readonly stamp: string; readonly reading: Reading } | null = null;
  #compared: { readonly inForce: InForce; readonly file: WrittenFile; readonly changes: Change[] } | null =
    null;

  constructor(announce: () => void) {
    this.#announce = announce;
  }

  compare(
    inForce: InForce,
    services: readonly ServiceStatus[],
  ): Pick<DiffResult, 'runtime' | 'changes' | 'problems'> {
    const reading = this.#read(inForce.running);
    if ('problems' in reading) {
      const runtime = runtimeDifferences(services, inForce.running);
      return { runtime, changes: [], problems: [...reading.problems] };
    }
    const { file } = reading;
    return {
      runtime: runtimeDifferences(services, file),
      changes: this.#changes(inForce, file),
      problems: [],
    };
  }

  #changes(inForce: InForce, file: WrittenFile): Change[] {
    const last = this.#compared;
    if (last !== null && last.file === file && sameFiles(last.inForce, inForce)) return last.changes;
    const { running, started, agentStarted } = inForce;
    const ofAgent = (key: string): boolean => key.startsWith('failover.');
    const changes = [
      ...(running === file ? [] : describeFile(running, file)),
      ...describeRestart(started, file, (key) => !ofAgent(key)),
      ...describeRestart(agentStarted, file, ofAgent),
    ];
    this.#compared = { inForce, file, changes };
    return changes;
  }

  #read(running: WrittenFile): Reading {
    const { path } = running.config;
    const stamp = fileStamp(path);
    if (stamp !== null && stamp === running.stamp) return { file: running };
    if (this.#last !== null && stamp !== null && this.#last.stamp === stamp) return this.#last.reading;
    this.#announce();
    const reading = read(path);
    this.#last = stamp === null ? null : { stamp, reading };
    return reading;
  }
}

const sameFiles = (one: InForce, other: InForce): boolean =>
  one.running === other.running && one.started === other.started && one.agentStarted === other.agentStarted;

/** As a reload would: what the host lacks is no reason to refuse it. */
function read(path: string): Reading {
  try {
    // a pipe has been read to its end at the start, and would wait for somebody to write
    if (statSync(path, { throwIfNoEntry: false })?.isFIFO() === true) {
      return { problems: [wholeFile(path, 'is a pipe: what it had cannot be read again')] };
    }
    return { file: loadFile(path, { hostFaults: 'warning' }) };
  } catch (error) {
    if (error instanceof ConfigError) return { problems: error.problems };
    return { problems: [wholeFile(path, messageOf(error))] };
  }
}

/** What operators have set that is not as the file has it. */
function runtimeDifferences(services: readonly ServiceStatus[], file: WrittenFile): RuntimeDifference[] {
  return services.flatMap((service) => {
    const { name, protocol } = service;
    const index = file.config.services.findIndex((one) => one.name === name && one.protocol === protocol);
    const backends = new Map(
      file.config.services[index]?.backends.map((spec, at) => [spec.id, { spec, at }]),
    );
    return service.backends.flatMap((backend) => {
      const known = backends.get(backend.id);
      const path = known === undefined ? null : ['service', index, 'backend', known.at];
      return differencesOf(name, backend, known?.spec.weight ?? null, (key) => placeOf(file, path, key));
    });
  });
}

type Place = Pick<RuntimeDifference, 'key' | 'line'>;

/** @param weight the file's; null when the backend is not in it */
function differencesOf(
  service: string,
  backend: BackendStatus,
  weight: number | null,
  place: (key: string | null) => Place,
): RuntimeDifference[] {
  const of = { service, backend: backend.id };
  const kept = (setting: RuntimeDifference['setting']): boolean => backend.persisted.includes(setting);
  const found: RuntimeDifference[] = [];
  if (backend.admin !== 'ready') {
    const file = weight === null ? null : 'ready';
    found.push({
      ...of,
      setting: 'state',
      running: backend.admin,
      file,
      persisted: kept('state'),
      ...place(null),
    });
  }
  const set = backend.weight !== backend.configuredWeight || kept('weight');
  if (set && backend.weight !== weight) {
    const [running, persisted] = [backend.weight, kept('weight')];
    found.push({ ...of, setting: 'weight', running, file: weight, persisted, ...place('weight') });
  }
  return found;
}

/** A key of a backend, or the backend itself, and the line where it is or would be. */
function placeOf({ positions }: WrittenFile, path: KeyPath | null, key: string | null): Place {
  if (path === null) return { key: null, line: null };
  const whole = key === null ? path : [...path, key];
  return { key: formatPath(whole), line: positions.locate(whole, 'key').line };
}
