import type { FailoverHistory } from '../admin/contract.ts';
import { storedToken } from './token.ts';

/** What the daemon answered when it did not do what was asked. */
export class Refusal extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

interface ErrorBody {
  readonly error?: { readonly code: string; readonly message: string; readonly hint?: string };
}

function authorization(): Record<string, string> {
  const token = storedToken();
  return token === null ? {} : { authorization: `Bearer ${token}` };
}

async function answerOf<T>(response: Response): Promise<T> {
  const body: T & ErrorBody = await response.json();
  if (response.ok) return body;
  const { code = 'unknown', message = `HTTP ${response.status}`, hint } = body.error ?? {};
  throw new Refusal(code, hint === undefined ? message : `${message} (${hint})`);
}

/** @throws Refusal, or TypeError when the daemon cannot be reached */
export async function post<T>(path: string, body: unknown = {}): Promise<T> {
  const headers = { 'content-type': 'application/json', ...authorization() };
  return answerOf(await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) }));
}

export async function failoverHistory(): Promise<FailoverHistory> {
  return answerOf(await fetch('v1/failover/history', { headers: authorization(), cache: 'no-store' }));
}

export function backendPath(service: string, backend: string, what: 'state' | 'weight'): string {
  return `v1/services/${encodeURIComponent(service)}/backends/${encodeURIComponent(backend)}/${what}`;
}
