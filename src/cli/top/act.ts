import type { AdminClient } from '../../admin/client.ts';
import { messageOf, TandemError } from '../../lib/errors.ts';
import { asker } from '../commands/asker.ts';
import { formatCount, printable } from '../output.ts';
import type { Action, Message } from './ui.ts';

/** Does what a key asked for, and says what came of it. A refusal is a message, not the end. */
export async function perform(client: AdminClient, action: Action): Promise<Message> {
  try {
    return printable(await attempt(client, action));
  } catch (error) {
    if (!(error instanceof TandemError)) throw error;
    const hint = error.hint === undefined ? '' : ` (${error.hint})`;
    return { text: printable(`${messageOf(error)}${hint}`), tone: 'bad' };
  }
}

async function attempt(client: AdminClient, action: Action): Promise<Message> {
  if (action.type === 'handover') {
    const { ok, message } = await client.failoverCommand({ command: 'handover', by: asker() });
    return { text: message, tone: ok ? 'good' : 'bad' };
  }
  const { service, backends } = action;
  const said: string[] = [];
  for (const backend of backends) {
    const now =
      action.type === 'state'
        ? await client.setState(service, backend, { state: action.state })
        : await client.setWeight(service, backend, { weight: action.weight });
    said.push(
      `${service}/${now.id}: ${now.admin}, ${now.health}, weight ${now.weight}, ${formatCount(now.connections)} connections`,
    );
  }
  const [only = ''] = said;
  if (said.length === 1) return { text: only, tone: 'good' };
  const what = action.type === 'state' ? action.state : `weight ${action.weight ?? 'as configured'}`;
  return { text: `${service}: ${said.length} backends, ${what}`, tone: 'good' };
}
