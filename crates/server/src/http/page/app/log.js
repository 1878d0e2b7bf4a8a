// The conversation as it is seen: what was said, what happened, and files among it.

import { byId, make, say } from './dom.js';
import { hue } from './names.js';
import { receiptOf } from './talk.js';

/**
 * @import { Person } from './crowd.js'
 * @import { Said } from './talk.js'
 */

/** Older entries make room. */
const ENTRIES_MAX = 400;

/** So near to its end the log follows what is new. */
const NEAR_PX = 120;

export class Log {
  constructor() {
    let top = 0;
    this.#box.onscroll = () => {
      const { scrollTop } = this.#box;
      // Only who scrolls back leaves the end: what grows below does not.
      this.#near = this.#atEnd || (this.#near && scrollTop >= top);
      top = scrollTop;
    };
    this.#sizes.observe(this.#box);
  }

  #box = byId('log');
  /** @type {Map<number, HTMLElement>} */
  #receipts = new Map();
  #last = '';
  #sizes = new ResizeObserver(() => this.follow());
  /** Whether its end was in sight when something was last added. */
  #near = true;

  /** Something happened. @param {string} text */
  note(text) {
    this.#last = '';
    this.#add(make('p', { className: 'note' }, text));
  }

  /** Somebody said something. @param {Person} person @param {string} text */
  heard(person, text) {
    this.#add(this.#bubble(person, make('p', { className: 'text' }, ...linked(text))));
  }

  /** We did. @param {Said} said */
  said(said) {
    const receipt = make('p', { className: 'receipt' }, receiptOf(said));
    this.#receipts.set(said.id, receipt);
    const bubble = this.#bubble(null, make('p', { className: 'text' }, ...linked(said.text)));
    bubble.append(receipt);
    this.#add(bubble, true);
  }

  /** @param {Said} said */
  receipt(said) {
    const receipt = this.#receipts.get(said.id);
    if (receipt) say(receipt, receiptOf(said));
  }

  /** A file of theirs, or of ours. @param {Person | null} person @param {HTMLElement} card */
  file(person, card) {
    const bubble = this.#bubble(person, card);
    bubble.classList.add('with-file');
    this.#add(bubble, !person);
  }

  get #atEnd() {
    return this.#box.scrollHeight - this.#box.scrollTop - this.#box.clientHeight < NEAR_PX;
  }

  /** Nothing is shown any more. */
  end() {
    this.#sizes.disconnect();
    this.clear();
  }

  clear() {
    this.#box.replaceChildren();
    this.#receipts.clear();
    this.#last = '';
  }

  /** @param {Person | null} person `null` for us @param {HTMLElement} content */
  #bubble(person, content) {
    const by = person?.key ?? 'us';
    const follows = this.#last === by;
    this.#last = by;
    const time = make('time', {}, new Date().toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }));
    const who = make('p', { className: follows ? 'by quiet' : `by${person ? ` ink-${hue(person.id)}` : ''}` }, person?.name ?? 'You', ' ', time);
    return make('div', { className: `said ${person ? 'theirs' : 'mine'}${follows ? ' follows' : ''}` }, who, content);
  }

  /** @param {HTMLElement} entry @param {boolean} [ours] what we did ourselves is always shown */
  #add(entry, ours = false) {
    const box = this.#box;
    this.#near ||= ours;
    box.append(entry);
    while (box.childElementCount > ENTRIES_MAX) box.firstElementChild?.remove();
    for (const [id, receipt] of this.#receipts) if (!box.contains(receipt)) this.#receipts.delete(id);
    this.follow();
  }

  /** What grew in the log stays in sight, for those who look at its end. */
  follow() {
    if (this.#near) this.#box.scrollTop = this.#box.scrollHeight;
  }
}

/** A text with its addresses as links. @param {string} text */
function linked(text) {
  return text.split(/(https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]])/).map((part, at) => (
    at % 2 ? make('a', { href: part, target: '_blank', rel: 'noopener noreferrer' }, part) : part
  ));
}
