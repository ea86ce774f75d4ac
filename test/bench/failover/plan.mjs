// Which runs there are, which of them go on at once, and how long that takes.
import { FAULTS } from './faults.mjs';

/** Before the fault: processes start, an election, everything is quiet. Measured on two CPUs. */
const START_MS = 1_200;
const QUIET_MS = 700;
const TEAR_DOWN_MS = 500;
const CONNECT_MS = 2_500;

/**
 * How many pairs of nodes are measured at once. Long intervals are waited for, not computed: then runs share the
 * machine, always both contenders alike. At 10 ms a few ms of somebody else's work decide, so each run is alone.
 */
export function parallelOf(advert) {
  return advert >= 100 ? 4 : 1;
}

/**
 * Batches of runs, one after the other. Contenders alternate: which one is first changes with every repetition. What is
 * measured at once is mostly the same fault, so that nobody waits for another; what is alone goes round the faults.
 * @returns `[[{ contender, fault, advert, rep }, ...], ...]`
 */
export function batches({ runs, faults, adverts, contenders }) {
  const reps = Array.from({ length: runs }, (_, rep) => rep);
  const both = (advert, rep, fault) => {
    const order = rep % 2 === 0 ? contenders : [...contenders].reverse();
    return order.map((contender) => ({ contender, fault, advert, rep }));
  };
  return grouped(
    adverts.flatMap((advert) =>
      parallelOf(advert) > 1
        ? faults.flatMap((fault) => reps.flatMap((rep) => both(advert, rep, fault)))
        : reps.flatMap((rep) => faults.flatMap((fault) => both(advert, rep, fault))),
    ),
  );
}

/** Only runs of one interval go on at once. */
export function grouped(queue) {
  const adverts = [...new Set(queue.map(({ advert }) => advert))];
  return adverts.flatMap((advert) =>
    chunks(
      queue.filter((work) => work.advert === advert),
      parallelOf(advert),
    ),
  );
}

/** An echo to which nothing happened was silent for so long that the figure may be the machine's. */
export const isDisturbed = ({ advert, noise }) => noise > Math.max(10, 0.05 * advert);

function chunks(queue, size) {
  const made = [];
  for (let i = 0; i < queue.length; i += size) made.push(queue.slice(i, i + size));
  return made;
}

export const quiet = () => QUIET_MS;

/** What one batch takes, in ms: about, if no address stays dead. */
export function estimate(batch) {
  const longest = Math.max(
    ...batch.map(({ fault, advert }) => {
      const { heal, watch, connections } = FAULTS[fault];
      const halves = heal === undefined ? 1 : 2;
      return halves * (watch(advert).least + 600) + 4.5 * advert + (connections ? CONNECT_MS : 0);
    }),
  );
  return START_MS * (0.5 + 0.5 * batch.length) + QUIET_MS + longest + TEAR_DOWN_MS;
}
