// `spec/secret-rooms.md`: a room's name and key out of a secret that the server never sees, and boxes that it cannot open.

import { WigwagError } from './errors.js';
import { base64url, unbase64url, utf8 } from './keys.js';

/**
 * What a box is for: it opens as nothing else.
 * @typedef {'say' | 'me' | 'state' | 'meta'} What
 *
 * @typedef {object} Box
 * @property {1} v
 * @property {string} nonce
 * @property {string} box
 *
 * @typedef {{ id: string, device: string }} Sender
 */

/** Shorter ones are too easily guessed. */
const SECRET_MIN = 16;

/** @type {Sender} */
export const NOBODY = { id: '', device: '' };

/** What comes of a secret. */
export class Secret {
  /**
   * @param {SubtleCrypto} subtle
   * @param {string} secret
   * @param {string} [title]
   */
  static async make(subtle, secret, title = '') {
    if ([...secret].length < SECRET_MIN) {
      throw new WigwagError('bad_field', `A secret has at least ${SECRET_MIN} characters, so that nobody guesses it: \`roomSecret()\` makes one.`);
    }
    const base = await subtle.importKey('raw', utf8(secret), 'HKDF', false, ['deriveBits', 'deriveKey']);
    const way = (/** @type {string} */ what) => ({ name: 'HKDF', hash: 'SHA-256', salt: utf8('wigwag.1 secret room'), info: utf8(`${what}\n${title}`) });
    const name = await subtle.deriveBits(way('name'), base, 256);
    const key = await subtle.deriveKey(way('key'), base, { name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
    return new Secret(subtle, base64url(new Uint8Array(name)), key);
  }

  /** @param {SubtleCrypto} subtle @param {string} name of the room on the server @param {CryptoKey} key */
  constructor(subtle, name, key) {
    this.#subtle = subtle;
    this.name = name;
    this.#key = key;
  }

  #subtle;
  #key;

  /**
   * @param {What} what
   * @param {Sender} sender
   * @param {any} content
   * @param {Uint8Array<ArrayBuffer>} [nonce] only the vectors choose one
   * @returns {Promise<Box>}
   */
  async seal(what, sender, content, nonce = crypto.getRandomValues(new Uint8Array(12))) {
    const box = await this.#subtle.encrypt(this.#parameters(what, sender, nonce), this.#key, utf8(JSON.stringify(content)));
    return { v: 1, nonce: base64url(nonce), box: base64url(new Uint8Array(box)) };
  }

  /**
   * What is in the box; `undefined` where it does not open as this.
   * @param {What} what
   * @param {Sender} sender
   * @param {unknown} sealed
   * @returns {Promise<any>}
   */
  async open(what, sender, sealed) {
    const { v, nonce, box } = Object(sealed);
    const [iv, bytes] = [nonce, box].map((text) => (typeof text === 'string' ? unbase64url(text) : null));
    if (v !== 1 || iv?.length !== 12 || !bytes) return undefined;
    try {
      const text = await this.#subtle.decrypt(this.#parameters(what, sender, iv), this.#key, bytes);
      return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text));
    } catch {
      return undefined;
    }
  }

  /** @param {What} what @param {Sender} sender @param {Uint8Array<ArrayBuffer>} iv */
  #parameters(what, { id, device }, iv) {
    return { name: 'AES-GCM', iv, additionalData: utf8(['wigwag.1 box', this.name, what, id, device].join('\n')) };
  }
}
