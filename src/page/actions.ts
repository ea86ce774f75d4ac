import type { BackendStatus, CommandResult, ReloadResult } from '../admin/contract.ts';
import { backendPath, post, Refusal } from './api.ts';
import { el } from './dom.ts';
import { formatNumber } from './format.ts';
import { forgetToken, storedToken, storeToken } from './token.ts';

/** Every change goes through one dialog: what it will do, with which settings, and the token. */

interface Action {
  readonly title: string;
  readonly explanation: string;
  readonly confirm: string;
  readonly danger?: boolean;
  readonly fields?: readonly HTMLElement[];
  /** @returns what was done, for the message */
  readonly run: () => Promise<string>;
}

export interface ActionsOptions {
  /** Says something to the user. */
  readonly say: (text: string, tone: 'ok' | 'bad') => void;
  /** There is a token that was right: the stream may use it. */
  readonly unlocked: () => void;
}

export class Actions {
  readonly #options: ActionsOptions;
  readonly #dialog: HTMLDialogElement;
  /** Does the stream itself run with the token? */
  authorised = false;

  constructor(options: ActionsOptions) {
    this.#options = options;
    this.#dialog = el('dialog', { class: 'dialog', 'aria-labelledby': 'dialog-title' });
    document.body.append(this.#dialog);
  }

  drain(service: string, backend: BackendStatus): void {
    this.#state(service, backend, 'draining', {
      title: `Drain ${service}/${backend.id}?`,
      explanation: `It gets no new clients; what it has (${formatNumber(backend.connections, 'connection')}) goes on until it ends.`,
      confirm: 'Drain',
    });
  }

  ready(service: string, backend: BackendStatus): void {
    this.#state(service, backend, 'ready', {
      title: `Make ${service}/${backend.id} ready?`,
      explanation: 'It gets clients again as soon as its checks pass.',
      confirm: 'Make ready',
    });
  }

  maintain(service: string, backend: BackendStatus): void {
    this.#state(service, backend, 'maintenance', {
      title: `Put ${service}/${backend.id} into maintenance?`,
      explanation: 'It gets no new clients; with on_down = "close" those that it has are cut off.',
      confirm: 'Maintenance',
      danger: true,
    });
  }

  #state(
    service: string,
    backend: BackendStatus,
    state: BackendStatus['admin'],
    words: Pick<Action, 'title' | 'explanation' | 'confirm' | 'danger'>,
  ): void {
    const keep = checkbox('persist', 'Keep over reloads and restarts', false);
    this.#ask({
      ...words,
      fields: [keep.label],
      async run() {
        const path = backendPath(service, backend.id, 'state');
        const after = await post<BackendStatus>(path, { state, persist: keep.input.checked });
        return `${service}/${backend.id} is ${after.admin}`;
      },
    });
  }

  weigh(service: string, backend: BackendStatus): void {
    const attributes = {
      type: 'number',
      min: '0',
      max: '256',
      step: '1',
      id: 'weight',
      inputmode: 'numeric',
    };
    const input = el('input', { ...attributes, placeholder: 'as configured', value: String(backend.weight) });
    const label = el(
      'label',
      { class: 'field', for: 'weight' },
      'Weight, 0 to 256; empty: as configured',
      input,
    );
    const keep = checkbox('persist', 'Keep over reloads and restarts', false);
    this.#ask({
      title: `Weight of ${service}/${backend.id}`,
      explanation: 'Its share of new clients beside the other backends. 0 takes it out of the schedule.',
      confirm: 'Set weight',
      fields: [label, keep.label],
      async run() {
        if (!input.checkValidity()) throw new Refusal('bad-request', 'write a whole number from 0 to 256');
        const weight = input.value === '' ? null : Number(input.value);
        const path = backendPath(service, backend.id, 'weight');
        const after = await post<BackendStatus>(path, { weight, persist: keep.input.checked });
        return `${service}/${backend.id} has weight ${after.weight}`;
      },
    });
  }

  reload(): void {
    this.#ask({
      title: 'Reload the configuration?',
      explanation:
        'The file is read again and what differs is applied. A file with an error changes nothing.',
      confirm: 'Reload',
      async run() {
        const { changes } = await post<ReloadResult>('v1/reload');
        return changes.length === 0 ? 'Reloaded: nothing differs' : `Reloaded: ${changes.join('; ')}`;
      },
    });
  }

  /**
   * @param groups the failover groups that there are
   * @param planned whether the nodes can agree about it: [failover.peer]
   */
  move(command: 'handover' | 'takeover', groups: readonly string[], planned: boolean): void {
    const select = el('select', { id: 'group' }, el('option', { value: '' }, 'every group'));
    for (const group of groups) select.append(el('option', { value: group }, group));
    const which = el('label', { class: 'field', for: 'group' }, 'Which', select);
    const handover = command === 'handover';
    // a handover asks the peer anyhow, where one is configured
    const askPeer = checkbox(
      'ask-peer',
      'Have the peer hand over, without losing connections',
      planned && !handover,
    );
    this.#ask({
      title: handover ? 'Hand over to the peer?' : 'Take over from the peer?',
      explanation: handover
        ? 'The peer becomes Active for the virtual addresses, and this node Backup.'
        : 'This node becomes Active for the virtual addresses.',
      confirm: handover ? 'Hand over' : 'Take over',
      danger: true,
      fields: [...(groups.length > 1 ? [which] : []), ...(planned && !handover ? [askPeer.label] : [])],
      async run() {
        const body = {
          command: askPeer.input.checked ? 'retake' : command,
          by: 'the status page',
          ...(select.value === '' ? {} : { group: select.value }),
        };
        const { ok, message } = await post<CommandResult>('v1/failover/command', body);
        if (!ok) throw new Refusal('refused', message);
        return message;
      },
    });
  }

  /** Asks for the token alone, for an address that shows nothing without, or forgets it. */
  token(): void {
    if (storedToken() !== null) {
      forgetToken();
      this.authorised = false;
      this.#options.say('The token is forgotten.', 'ok');
      this.#options.unlocked();
      return;
    }
    this.#ask({
      title: 'Enter the token',
      explanation:
        'What is in the file of [admin] token_file. This tab keeps it until it is closed; it is never a cookie.',
      confirm: 'Use token',
      run: async () => 'Checking the token ...',
    });
  }

  #ask(action: Action): void {
    const title = el('h2', { id: 'dialog-title' }, action.title);
    const token = el('input', { type: 'password', id: 'token', autocomplete: 'off', spellcheck: 'false' });
    const field = el('label', { class: 'field', for: 'token' }, 'Token', token);
    const fault = el('p', { class: 'fault', role: 'alert' });
    const cancel = el('button', { type: 'button', class: 'button' }, 'Cancel');
    const kind = action.danger === true ? 'danger' : 'primary';
    const confirm = el('button', { type: 'submit', class: `button ${kind}`, id: 'confirm' }, action.confirm);
    const needed = storedToken() === null;
    const form = el('form', { novalidate: '' }, title, el('p', {}, action.explanation));
    form.append(...(action.fields ?? []), ...(needed ? [field] : []), fault);
    form.append(el('div', { class: 'dialog-buttons' }, cancel, confirm));
    cancel.addEventListener('click', () => this.#dialog.close());
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#submit(action, { token, field, fault, confirm, form });
    });
    this.#dialog.replaceChildren(form);
    this.#dialog.showModal();
    (needed ? token : confirm).focus();
  }

  async #submit(
    action: Action,
    parts: {
      token: HTMLInputElement;
      field: HTMLElement;
      fault: HTMLElement;
      confirm: HTMLButtonElement;
      form: HTMLElement;
    },
  ): Promise<void> {
    const { token, field, fault, confirm } = parts;
    const given = token.value.trim();
    const needed = storedToken() === null;
    if (needed && given === '') {
      fault.textContent = 'The token is needed.';
      token.focus();
      return;
    }
    if (needed) storeToken(given);
    confirm.disabled = true;
    fault.textContent = '';
    try {
      this.#options.say(await action.run(), 'ok');
      this.#dialog.close();
      if (!this.authorised) this.#options.unlocked();
    } catch (error) {
      fault.textContent = error instanceof Error ? error.message : String(error);
      if (isAboutToken(error)) {
        forgetToken();
        if (!field.isConnected) fault.before(field);
        token.value = '';
        token.focus();
      }
    } finally {
      confirm.disabled = false;
    }
  }
}

const isAboutToken = (error: unknown): boolean =>
  error instanceof Refusal && ['no-token', 'wrong-token', 'throttled'].includes(error.code);

function checkbox(
  id: string,
  text: string,
  checked: boolean,
): { label: HTMLElement; input: HTMLInputElement } {
  const input = el('input', { type: 'checkbox', id });
  input.checked = checked;
  return { label: el('label', { class: 'check', for: id }, input, text), input };
}
