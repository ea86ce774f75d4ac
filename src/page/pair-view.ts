import type { Status } from '../admin/contract.ts';
import { Chip } from './chip.ts';
import { el, type Part, Parts, setText } from './dom.ts';
import { type Fact, type NodeCard, peerCard, type RouterLine, selfCard } from './pair-model.ts';

/** Both nodes side by side. */
export class PairView {
  readonly #self: CardView;
  readonly #peer: CardView;

  constructor(root: HTMLElement) {
    this.#self = new CardView('This node');
    this.#peer = new CardView('Peer');
    root.append(this.#self.root, this.#peer.root);
  }

  update(status: Status, now: number): void {
    this.#self.update(selfCard(status, now));
    const peer = peerCard(status);
    this.#peer.root.hidden = peer === null;
    if (peer !== null) this.#peer.update(peer);
  }
}

class CardView {
  readonly root = el('article', { class: 'card node' });
  readonly #name = el('h3');
  readonly #role = new Chip();
  readonly #facts: Parts<Fact>;
  readonly #routers: Parts<RouterLine>;
  readonly #notes: Parts<Fact>;

  constructor(which: string) {
    const facts = el('dl', { class: 'facts' });
    const routers = el('ul', { class: 'routers' });
    const notes = el('dl', { class: 'facts notes' });
    const title = el('div', {}, el('p', { class: 'eyebrow' }, which), this.#name);
    this.root.append(el('div', { class: 'node-head' }, title, this.#role.root), facts, routers, notes);
    this.#facts = new Parts(facts, ({ label }) => label, factPart);
    this.#notes = new Parts(notes, ({ label }) => label, factPart);
    this.#routers = new Parts(routers, ({ key }) => key, routerPart);
  }

  update({ name, role, facts, routers, notes }: NodeCard): void {
    setText(this.#name, name);
    this.#role.update(role);
    this.#facts.update(facts);
    this.#routers.update(routers);
    this.#notes.update(notes);
  }
}

function factPart({ label }: Fact): Part<Fact> {
  const value = el('dd');
  return {
    root: el('div', {}, el('dt', {}, label), value),
    update(fact) {
      setText(value, fact.value);
      value.className = fact.tone === undefined ? '' : `tone-${fact.tone}`;
    },
  };
}

function routerPart(): Part<RouterLine> {
  const state = new Chip();
  const name = el('span', { class: 'router-name' });
  const addresses = el('p', { class: 'mono' });
  const why = el('p', { class: 'quiet' });
  return {
    root: el('li', {}, el('div', { class: 'router-head' }, name, state.root), addresses, why),
    update(line) {
      state.update(line.state);
      setText(name, line.name);
      setText(addresses, line.addresses);
      addresses.hidden = line.addresses === '';
      setText(why, line.why);
    },
  };
}
