// Which key belongs to which id: the hash of itself, or the one that was seen first.

import { WigwagError } from './errors.js';
import { keyId } from './keys.js';
import { idForm } from './verify.js';

/**
 * @import { Keep } from './keep.js'
 *
 * How sure it is that a key belongs to an id. `key`: the id is the key's hash. `pinned`: the key was there before, or was told beforehand. `first`: it is
 * the first key seen with this name. `guest`: the id says nothing.
 * @typedef {'key' | 'pinned' | 'first' | 'guest'} Verified
 */

/** The keys that belong to ids, kept for one namespace. */
export class Trust {
  /** @param {SubtleCrypto} subtle @param {Keep} keep @param {() => string} namespace */
  constructor(subtle, keep, namespace) {
    this.#subtle = subtle;
    this.#keep = keep;
    this.#namespace = namespace;
  }

  #subtle;
  #keep;
  #namespace;

  /**
   * How sure it is that `key` is the one of `id`; throws where it is not.
   * @param {string} id
   * @param {string} key
   * @param {string} [expected] a key that came by another way
   * @returns {Promise<Verified>}
   */
  async check(id, key, expected) {
    const form = idForm(id);
    if (expected !== undefined && expected !== key) throw mismatch(id);
    if (form === 'key') {
      if ((await keyId(this.#subtle, key)) !== id) throw mismatch(id);
      return 'key';
    }
    if (form === 'guest') return expected === undefined ? 'guest' : 'pinned';
    const name = this.#name(id);
    const known = await this.#keep.read(name);
    if (known === undefined && expected === undefined) return (await this.#keep.claim(name, key)) === key ? 'first' : 'pinned';
    if (known === undefined) await this.#keep.write(name, key);
    else if (known !== key) throw mismatch(id);
    return 'pinned';
  }

  /** Whether it is sure already that `key` is the one of `id`: nothing is pinned by asking. @param {string} id @param {string} key */
  async holds(id, key) {
    return idForm(id) === 'key' ? (await keyId(this.#subtle, key)) === id : (await this.known(id)) === key;
  }

  /** The key that is known for a name. @param {string} id @returns {Promise<string | undefined>} */
  known(id) {
    return this.#keep.read(this.#name(id));
  }

  /** Takes this key for the name's from now on. @param {string} id @param {string} key */
  pin(id, key) {
    return this.#keep.write(this.#name(id), key);
  }

  /** @param {string} id */
  #name(id) {
    return `pin ${this.#namespace()} ${id}`;
  }
}

/** @param {string} id */
function mismatch(id) {
  return new WigwagError('key_mismatch', `Somebody answered for ${id} with another key than the one that belongs to it.`);
}
