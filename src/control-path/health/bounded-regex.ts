import { type Context, createContext, Script } from 'node:vm';
import { messageOf } from '../../lib/errors.ts';

/** A pattern that backtracks for longer than this fails, instead of holding up the daemon. */
const BUDGET_MS = 100;

const TEST = new Script('new RegExp(source).test(text)');
let sandbox: (Context & { source: string; text: string }) | undefined;

/**
 * Matches under a time limit. The pattern is the operator's, but the text is the backend's: one that makes
 * the pattern backtrack for ever would hang the daemon, and only `vm` can interrupt a match.
 * @returns whether it matches, or in words why that cannot be said
 */
export function matches(source: string, text: string): boolean | string {
  sandbox ??= Object.assign(createContext({}, { name: 'health-regex' }), { source: '', text: '' });
  Object.assign(sandbox, { source, text });
  try {
    return TEST.runInContext(sandbox, { timeout: BUDGET_MS }) === true;
  } catch (error) {
    // not errnoOf: an error out of another realm is no instance of this one's Error
    const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
    return code === 'ERR_SCRIPT_EXECUTION_TIMEOUT' ? `took longer than ${BUDGET_MS}ms` : messageOf(error);
  } finally {
    sandbox.text = '';
  }
}
