// What is said to everybody, over the connections and not through the server: kept until each has confirmed it.

/**
 * @import { Crowd, Person } from './crowd.js'
 *
 * @typedef {object} Said something of ours
 * @property {number} id
 * @property {string} text
 * @property {Map<string, { name: string, got: boolean }>} to by the key of each person
 *
 * @typedef {object} TalkEars
 * @property {(person: Person, text: string) => void} heard
 * @property {(said: Said) => void} receipt
 */

export const TEXT_MAX = 4_000;
const KEPT_MAX = 200;

export class Talk {
  /** @param {TalkEars} ears */
  constructor(ears) {
    this.#ears = ears;
  }

  #ears;
  #last = 0;
  /** @type {Said[]} */
  #said = [];
  /** The last message of each that we took in: what comes again is not shown again. @type {Map<string, number>} */
  #heard = new Map();

  /** @param {Crowd} crowd @param {string} text */
  say(crowd, text) {
    // Numbers rise beyond a reload, too.
    this.#last = Math.max(this.#last + 1, Date.now());
    const to = new Map(crowd.people.map(({ key, name }) => [key, { name, got: false }]));
    const said = { id: this.#last, text: text.slice(0, TEXT_MAX), to };
    this.#said = [...this.#said, said].slice(-KEPT_MAX);
    for (const person of crowd.open) this.#send(person, said);
    return said;
  }

  /** Somebody can be talked to, for the first time or again. @param {Person} person */
  opened(person) {
    for (const said of this.#said) if (said.to.get(person.key)?.got === false) this.#send(person, said);
  }

  /** Whoever is gone is waited for no more. @param {Person} person */
  left(person) {
    this.#heard.delete(person.key);
    for (const said of this.#said) {
      if (said.to.get(person.key)?.got !== false) continue;
      said.to.delete(person.key);
      this.#ears.receipt(said);
    }
  }

  /** Takes what is ours to take, and says whether it was. @param {Person} person @param {any} data */
  take(person, data) {
    if (data?.t === 'said' && typeof data.text === 'string' && Number.isSafeInteger(data.id)) {
      person.connection?.send({ t: 'got', id: data.id }).catch(() => {
        // It comes again on the next connection, and is confirmed there.
      });
      if (data.id <= (this.#heard.get(person.key) ?? 0)) return true;
      this.#heard.set(person.key, data.id);
      this.#ears.heard(person, data.text.slice(0, TEXT_MAX));
      return true;
    }
    if (data?.t !== 'got') return false;
    const said = this.#said.find(({ id }) => id === data.id);
    const receiver = said?.to.get(person.key);
    if (!said || !receiver || receiver.got) return true;
    receiver.got = true;
    this.#ears.receipt(said);
    return true;
  }

  /** @param {Person} person @param {Said} said */
  #send({ connection }, { id, text }) {
    connection?.send({ t: 'said', id, text }).catch(() => {
      // Nobody confirmed it, so it goes again over the next connection.
    });
  }
}

/** What became of it, in words. @param {Said} said */
export function receiptOf({ to }) {
  const all = [...to.values()];
  const waiting = all.filter(({ got }) => !got).map(({ name }) => name);
  if (!all.length) return 'Nobody was here to hear it';
  if (!waiting.length) return all.length > 1 ? `Delivered to all ${all.length}` : 'Delivered';
  return `On its way to ${waiting.slice(0, 3).join(', ')}${waiting.length > 3 ? ' and others' : ''}`;
}
