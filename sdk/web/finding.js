// `spec/finding.md`: several finders, tried all at once or one after the other, as a pure machine. It has no clock and asks nobody.

/**
 * @typedef {'race' | 'ladder'} Order
 *
 * @typedef {object} Runner
 * @property {string} name
 * @property {number} [ms] its own time
 *
 * @typedef {object} Tried
 * @property {string} finder
 * @property {string} reason
 *
 * @typedef {{ type: 'start' }
 *   | { type: 'won', finder: string }
 *   | { type: 'lost', finder: string, reason: string }
 *   | { type: 'tick' }
 *   | { type: 'abort' }} RaceInput
 *
 * @typedef {{ type: 'begin', finder: string, ms: number }
 *   | { type: 'cancel', finder: string }
 *   | { type: 'won', finder: string }
 *   | { type: 'lost', tried: Tried[] }} RaceOutput
 *
 * @typedef {{ name: string, ms: number, state: 'waiting' | 'running' | 'out', until: number, reason: string }} Entry
 */

/** Who was asked in time may answer so much later. */
const GRACE_MS = 250;

export class Race {
  /** @param {{ finders: Runner[], order?: Order, deadline: number }} search names come once; `deadline` is a span */
  constructor({ finders, order = 'race', deadline }) {
    this.#order = order;
    this.#span = deadline;
    this.#entries = finders.map(({ name, ms = Infinity }) => ({ name, ms, state: 'waiting', until: Infinity, reason: 'not_asked' }));
  }

  #order;
  #span;
  /** @type {Entry[]} */
  #entries;
  #end = Infinity;
  #over = false;
  /** @type {RaceOutput[]} */
  #outputs = [];

  /** When to come back. */
  get deadline() {
    return this.#over ? Infinity : Math.min(this.#end + GRACE_MS, ...this.#running().map(({ until }) => until));
  }

  /** @param {number} now @param {RaceInput} input @returns {RaceOutput[]} */
  handle(now, input) {
    if (!this.#over) this.#take(now, input);
    if (!this.#over && this.#end !== Infinity) this.#due(now);
    return this.#outputs.splice(0);
  }

  /** @param {number} now @param {RaceInput} input */
  #take(now, input) {
    if (input.type === 'start') {
      this.#end = now + this.#span;
      if (this.#order === 'ladder') this.#next(now, true);
      else for (const entry of this.#entries) this.#begin(now, entry, this.#span);
      this.#settle();
    } else if (input.type === 'abort') {
      this.#leave();
      this.#over = true;
    } else if (input.type !== 'tick') {
      const entry = this.#running().find(({ name }) => name === input.finder);
      if (!entry) return;
      entry.state = 'out';
      if (input.type === 'won') return this.#win(entry);
      entry.reason = input.reason;
      if (this.#order === 'ladder') this.#next(now);
      this.#settle();
    }
  }

  /** @param {number} now */
  #due(now) {
    if (now >= this.#end + GRACE_MS) {
      for (const entry of this.#running()) entry.reason = 'timeout';
      this.#leave();
      return this.#lose();
    }
    for (const entry of this.#running()) {
      if (entry.until > now) continue;
      entry.state = 'out';
      entry.reason = 'timeout';
      this.#outputs.push({ type: 'cancel', finder: entry.name });
      if (this.#order === 'ladder') this.#next(now);
    }
    this.#settle();
  }

  /** The next of a ladder. @param {number} now @param {boolean} [first] */
  #next(now, first = false) {
    const waiting = this.#waiting();
    const [entry] = waiting;
    if (entry && (first || now < this.#end)) this.#begin(now, entry, Math.floor((this.#end - now) / waiting.length));
  }

  /** @param {number} now @param {Entry} entry @param {number} share what it has without a time of its own */
  #begin(now, entry, share) {
    const ms = Math.min(entry.ms === Infinity ? share : entry.ms, this.#end - now);
    entry.state = 'running';
    entry.until = now + ms + GRACE_MS;
    this.#outputs.push({ type: 'begin', finder: entry.name, ms });
  }

  /** @param {Entry} entry */
  #win(entry) {
    this.#leave();
    this.#over = true;
    this.#outputs.push({ type: 'won', finder: entry.name });
  }

  #leave() {
    for (const entry of this.#running()) {
      entry.state = 'out';
      this.#outputs.push({ type: 'cancel', finder: entry.name });
    }
  }

  /** Over, if none runs and none will. */
  #settle() {
    if (!this.#running().length) this.#lose();
  }

  #lose() {
    this.#over = true;
    this.#outputs.push({ type: 'lost', tried: this.#entries.map(({ name, reason }) => ({ finder: name, reason })) });
  }

  #running() {
    return this.#entries.filter(({ state }) => state === 'running');
  }

  #waiting() {
    return this.#entries.filter(({ state }) => state === 'waiting');
  }
}
