// A code of a few words that two people say to each other, and the secret of the room in which they meet (`spec/files.md`).

import { WigwagError } from './errors.js';
import { base64url, utf8 } from './keys.js';
import { WORDS } from './words.js';

/** A program takes no fewer. */
const WORDS_MIN = 4;
const WORDS_MAX = 32;

const ROUNDS = 600_000;
const SALT = 'wigwag.1 word code';

/** The title of the room in which people meet for files. */
export const TITLE = 'files';

const KNOWN = new Set(WORDS);

/** What is wrong with a code that a person typed. */
export class WordCodeError extends WigwagError {
  /** @param {'bad_word' | 'too_short' | 'too_long'} reason @param {string} message @param {{ word?: string, suggestion?: string }} [more] */
  constructor(reason, message, { word, suggestion } = {}) {
    super(reason, message);
    this.name = 'WordCodeError';
    /** The word that is not in the list. @type {string | undefined} */
    this.word = word;
    /** The word of the list that is most like it. @type {string | undefined} */
    this.suggestion = suggestion;
  }
}

export class WordCode {
  /** A new one, by chance. @param {number} [count] of words */
  static make(count = WORDS_MIN) {
    if (!(count >= WORDS_MIN && count <= WORDS_MAX)) throw new WigwagError('bad_field', `A code has ${WORDS_MIN} to ${WORDS_MAX} words.`);
    // There are 2¹¹ words, so that the lower bits of a number are fair.
    const dice = crypto.getRandomValues(new Uint16Array(count));
    return new WordCode(Array.from(dice, (number) => String(WORDS[number % WORDS.length])));
  }

  /** The code that a person typed, however the words stand apart. Throws a `WordCodeError` that says which word is none. @param {string} text */
  static read(text) {
    const words = wordsIn(text);
    for (const word of words) {
      if (KNOWN.has(word)) continue;
      const suggestion = likest(word);
      throw new WordCodeError('bad_word', `“${word}” is no word of a code${suggestion ? `: is it “${suggestion}”?` : '.'}`, { word, suggestion });
    }
    if (words.length < WORDS_MIN) throw new WordCodeError('too_short', `A code has ${WORDS_MIN} words at least, and these are ${words.length}.`);
    if (words.length > WORDS_MAX) throw new WordCodeError('too_long', `A code has ${WORDS_MAX} words at most.`);
    return new WordCode(words);
  }

  /** Whether a text is meant as such a code, right or with a mistake in it; a room's join code has fewer parts. @param {string} text */
  static isLike(text) {
    return wordsIn(text).length > 2 && !/\d/.test(text);
  }

  /** @param {string[]} words of the list */
  constructor(words) {
    this.#words = words;
  }

  #words;

  get words() {
    return [...this.#words];
  }

  /** The normal form: the words joined by `-`. */
  get text() {
    return this.#words.join('-');
  }

  toString() {
    return this.text;
  }

  /** The secret of the room in which people meet. It takes a moment: whoever tries codes pays for each. */
  async secret() {
    const password = await crypto.subtle.importKey('raw', utf8(this.text), 'PBKDF2', false, ['deriveBits']);
    const way = { name: 'PBKDF2', hash: 'SHA-256', salt: utf8(SALT), iterations: ROUNDS };
    return base64url(new Uint8Array(await crypto.subtle.deriveBits(way, password, 256)));
  }
}

/** @param {string} text */
function wordsIn(text) {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase()).split(/[^a-z]+/).filter(Boolean).slice(0, WORDS_MAX + 1);
}

/** The word of the list that is most like this; none where none is like it. @param {string} word */
function likest(word) {
  const asked = word.slice(0, 12);
  let [best, least] = ['', 3];
  for (const each of WORDS) {
    // Who types the beginning means the whole.
    const far = asked.length >= 3 && each.startsWith(asked) ? 1.5 : distance(asked, each);
    if (far < least) [best, least] = [each, far];
  }
  return best || undefined;
}

/** How many letters have to be put in, taken out, changed, or swapped with the next. @param {string} from @param {string} to */
function distance(from, to) {
  if (Math.abs(from.length - to.length) > 2) return 3;
  const rows = [Array.from({ length: to.length + 1 }, (_, at) => at)];
  for (let at = 1; at <= from.length; at += 1) {
    const row = [at];
    const [above = [], before] = [rows[at - 1], rows[at - 2]];
    for (let into = 1; into <= to.length; into += 1) {
      const same = from[at - 1] === to[into - 1];
      let least = Math.min(Number(above[into]) + 1, Number(row[into - 1]) + 1, Number(above[into - 1]) + (same ? 0 : 1));
      if (before && from[at - 1] === to[into - 2] && from[at - 2] === to[into - 1]) least = Math.min(least, Number(before[into - 2]) + 1);
      row.push(least);
    }
    rows.push(row);
  }
  return Number(rows.at(-1)?.at(-1));
}
