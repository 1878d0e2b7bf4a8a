// A set of names that the server is asked about by the hundred: watched ids, topics. It is asked for again by a fresh session.

/** @import { Line } from './line.js' */

/** The server takes so many names in one request. */
const MOST = 256;

export class Standing {
  /**
   * @param {Line} line
   * @param {string} add the request that adds names
   * @param {string} remove the one that takes them away
   * @param {string} field in which the names stand
   */
  constructor(line, add, remove, field) {
    this.#line = line;
    this.#add = add;
    this.#remove = remove;
    this.#field = field;
  }

  #line;
  #add;
  #remove;
  #field;
  /** @type {Set<string>} */
  #names = new Set();
  /** Names of which the answer is still to come. @type {Set<Set<string>>} */
  #asked = new Set();
  #kept = 0;

  /** @param {string[]} names */
  async add(names) {
    const wanted = new Set(names);
    this.#asked.add(wanted);
    try {
      await this.#ask(this.#add, names);
      for (const name of wanted) this.#names.add(name);
    } finally {
      this.#asked.delete(wanted);
    }
    this.#stand();
  }

  /** @param {string[]} names */
  async remove(names) {
    // What is on its way is not wanted any more either.
    for (const set of [this.#names, ...this.#asked]) names.forEach((name) => set.delete(name));
    this.#stand();
    await this.#ask(this.#remove, names);
  }

  /** @param {string} type @param {string[]} names */
  async #ask(type, names) {
    const asked = chunks(names).map((some) => this.#line.ask({ type, [this.#field]: some }, { again: true }));
    await Promise.all(asked);
  }

  #stand() {
    const all = chunks([...this.#names]);
    all.forEach((some, at) => this.#line.stand(`${this.#add} ${at}`, { type: this.#add, [this.#field]: some }));
    for (let at = all.length; at < this.#kept; at += 1) this.#line.stand(`${this.#add} ${at}`, null);
    this.#kept = all.length;
  }
}

/** @param {string[]} names */
function chunks(names) {
  return Array.from({ length: Math.ceil(names.length / MOST) }, (_, at) => names.slice(at * MOST, (at + 1) * MOST));
}
