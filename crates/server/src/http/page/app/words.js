// Files to and from somebody who was told a few words, here or at a command line: `wigwag send` and `wigwag receive`.

import { button, byId, copy, flash, make, say } from './dom.js';
import { leftWords } from './files.js';
import { tidyName } from './names.js';
import { Arriving, fileHead, leavingRow, tidyFile } from './parcels.js';
import { explain } from './trouble.js';

/** @import { FilesSdk, Meeting, Source, Wigwag, WordCode } from './types.js' */

/** So many meetings at once. */
const CARDS_MAX = 8;

export class Words {
  /**
   * @param {FilesSdk} sdk
   * @param {() => Promise<Wigwag>} open a client of its own for each meeting: whoever hears the words need not know who else is here
   * @param {() => string} name our own
   */
  constructor(sdk, open, name) {
    this.#sdk = sdk;
    this.#open = open;
    this.#name = name;
    for (const [button_, field] of [['words-pick', 'words-files'], ['words-pick-folder', 'words-folder']]) {
      /** @type {HTMLInputElement} */
      const input = byId(String(field));
      byId(String(button_)).addEventListener('click', () => input.click());
      input.addEventListener('change', () => {
        const files = [...(input.files ?? [])];
        input.value = '';
        if (files.length) void this.send(files);
      });
    }
  }

  #sdk;
  #open;
  #name;
  #wanted = false;
  /** @type {Set<Meet>} */
  #cards = new Set();

  /** @param {boolean} wanted whether the view has a place for what goes on here */
  show(wanted) {
    this.#wanted = wanted;
    byId('by-words').hidden = !wanted || !this.#cards.size;
  }

  /** @param {Source} source */
  async send(source) {
    const parcel = await this.#sdk.gather(source);
    const card = this.#card();
    if (!card) return;
    if (parcel.left.length) card.tell(leftWords(parcel.left));
    if (!parcel.entries.length) return card.fail({ message: 'There is nothing among this that could be sent.' });
    const code = this.#sdk.WordCode.make();
    const { name, files, bytes } = parcel;
    card.element.prepend(fileHead(tidyFile(name), bytes, files));
    card.told(code);
    card.focus();
    await card.meet(code, { offer: { name, files, bytes } }, 'Waiting for whoever hears these words', ({ connection, name: whom }) => {
      const person = tidyName(whom, 'the other side');
      const sending = this.#sdk.sendFiles(connection, parcel);
      card.transfer(leavingRow(`To ${person}`, person, sending), sending.done);
    });
  }

  /** Meets whoever has these words. Throws where they are none. @param {string} text */
  async receive(text) {
    const code = this.#sdk.WordCode.read(text);
    const card = this.#card();
    if (!card) throw new Error('There are enough meetings by words for now: end one of them first.');
    card.element.prepend(make('p', { className: 'told' }, make('strong', {}, code.words.join(' '))));
    card.focus();
    void card.meet(code, {}, 'Looking for whoever has these words', ({ connection, name }) => {
      card.tell(`${tidyName(name, 'Somebody')} is here.`);
      this.#sdk.receiveFiles(connection, (receiving) => {
        const arriving = new Arriving(this.#sdk, receiving, { grown: () => {}, gone: () => card.forget(), asks: true });
        card.transfer(arriving.element, receiving.done, () => arriving.forget());
      });
    });
  }

  /** The page goes. */
  end() {
    for (const card of this.#cards) card.close();
  }

  #card() {
    if (this.#cards.size >= CARDS_MAX) return null;
    const card = new Meet(this.#sdk, this.#open, this.#name, () => {
      this.#cards.delete(card);
      this.show(this.#wanted);
    });
    this.#cards.add(card);
    byId('by-words-list').append(card.element);
    this.show(this.#wanted);
    return card;
  }
}

/** One meeting, and what is handed over in it. */
class Meet {
  /** @param {FilesSdk} sdk @param {() => Promise<Wigwag>} open @param {() => string} name @param {() => void} gone */
  constructor(sdk, open, name, gone) {
    this.#sdk = sdk;
    this.#open = open;
    this.#name = name;
    this.#gone = gone;
    this.element = make('div', { className: 'file' }, this.#words, this.#acts);
  }

  #sdk;
  #open;
  #name;
  #gone;
  #words = make('p', { className: 'waiting', role: 'status' });
  #acts = make('div', { className: 'row' }, button('Cancel', () => this.forget(), { more: 'this meeting' }));
  #abort = new AbortController();
  /** @type {Wigwag | null} */
  #client = null;
  #forget = () => {};
  /** @type {HTMLElement | null} */
  #told = null;
  #moving = false;
  #ended = false;

  focus() {
    byId('by-words-title').focus({ preventScroll: true });
    this.element.scrollIntoView({ block: 'nearest' });
  }

  /** Shows the words, large for eyes and with blanks for ears, until they were heard. @param {WordCode} code */
  told(code) {
    this.#told = make('div', {},
      make('p', { className: 'label' }, 'Say these words to whoever is to get it:'),
      make('p', { className: 'code' }, code.words.join(' ')),
      make('p', { className: 'hint' }, 'They write them on this page, or on a command line: ', make('code', {}, commandFor(code))));
    this.#words.before(this.#told);
    const copied = button('Copy words', async () => {
      if (await copy(code.text)) flash(copied, 'Copied');
    });
    this.#acts.prepend(copied);
  }

  /** @param {string} text */
  tell(text) {
    say(this.#words, text);
  }

  /** @param {{ code?: number, reason?: string, message?: string }} error */
  fail(error) {
    const { title, text } = explain(error);
    this.tell(`${title}. ${text}`);
    this.#over();
  }

  /** @param {WordCode} code @param {{ offer?: { name: string, files: number, bytes: number } }} what @param {string} waiting @param {(meeting: Meeting) => void} met */
  async meet(code, what, waiting, met) {
    this.#words.replaceChildren(make('span', { className: 'pulse', 'aria-hidden': 'true' }), waiting);
    try {
      const client = await this.#open();
      this.#client = client;
      if (this.#abort.signal.aborted) return client.close();
      const meeting = await this.#sdk.meetByWords(client, code, { ...what, name: this.#name(), signal: this.#abort.signal });
      this.tell('');
      met(meeting);
      meeting.connection.on('state', ({ state }) => this.tell(state === 'mending' && !this.#ended ? 'Interrupted: looking for another way to them…' : ''));
      meeting.connection.on('closed', () => {
        if (this.#moving || this.#ended) return;
        this.tell('The other side left.');
        this.#over();
      });
    } catch (error) {
      if (!this.#abort.signal.aborted) this.fail(/** @type {any} */ (error));
    }
    return undefined;
  }

  /** The files are on their way, or offered. @param {HTMLElement} element @param {Promise<unknown>} done @param {() => void} [forget] */
  transfer(element, done, forget = () => {}) {
    this.#moving = true;
    this.#forget = forget;
    this.#told?.remove();
    this.tell('');
    this.#acts.before(element);
    this.#acts.hidden = true;
    const over = () => this.#over();
    done.then(over, over);
  }

  /** What is seen of it goes too. */
  forget() {
    this.close();
    this.#forget();
    const had = byId('by-words').contains(document.activeElement);
    this.element.remove();
    this.#gone();
    if (had) byId('meet').focus();
  }

  close() {
    this.#abort.abort();
    this.#client?.close();
  }

  #over() {
    this.#ended = true;
    // What was said last has to arrive before the connection goes.
    setTimeout(() => this.#client?.close(), 1_000);
    this.#acts.hidden = false;
    this.#acts.replaceChildren(button('Close', () => this.forget(), { more: 'this meeting' }));
  }
}

/** What to type on a machine that has the program; it asks a server of its own unless it is told which. @param {WordCode} code */
function commandFor(code) {
  const own = document.querySelector('meta[name="wigwag-own"]')?.getAttribute('content');
  const server = (own || new URL('.', location.href).href).replace(/\/$/, '');
  return `wigwag receive ${code.text}${server === 'http://localhost:8080' ? '' : ` --server ${server}`}`;
}
