/** The command line of a bench: what is wrong with it is told in one line, with what would be right. */
import { parseArgs } from 'node:util';

const USAGE = 64;

/**
 * @param options as `parseArgs` takes them; all get `helpers`, the folder of what scripts/bench compiled
 * @param read makes of the words what the bench wants, and throws where one is wrong
 */
export function commandLine(options, read) {
  try {
    const { values } = parseArgs({ options: { helpers: { type: 'string' }, ...options } });
    return { ...values, ...read(values) };
  } catch (error) {
    console.error(`scripts/bench: ${error.message}`);
    process.exit(USAGE);
  }
}

/** @param text what stands behind the option; `step` 0 takes any fraction */
export function number(option, text, { from, to, step = 1 }) {
  const value = Number(text);
  const fits = text.trim() !== '' && value >= from && value <= to && (step === 0 || value % step === 0);
  if (fits) return value;
  const kind = step === 0 ? 'a number' : step === 1 ? 'a whole number' : `a multiple of ${step}`;
  throw new Error(`--${option} ${text}: it takes ${kind} from ${from} to ${to}`);
}

/** Words with commas between them, each one that is known. */
export function words(option, text, known) {
  const wanted = text.split(',');
  const unknown = wanted.find((word) => !known.includes(word));
  if (unknown !== undefined)
    throw new Error(`--${option}: there is no "${unknown}", but ${known.join(', ')}`);
  return wanted;
}
