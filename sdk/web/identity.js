// Who a program is: a pair of keys, and what it signs with them.

import { WigwagError } from './errors.js';
import { defaultKeep } from './keep.js';
import { base64url, keyId, keyText, makeKeys, signText, unbase64url } from './keys.js';

/**
 * @import { Keep } from './keep.js'
 * @import { KeyKind } from './keys.js'
 */

/** A key that can sign, with the id that belongs to it. */
export class Identity {
  /**
   * @param {SubtleCrypto} subtle
   * @param {CryptoKeyPair} pair
   * @param {string} key text of the public key
   * @param {string} id
   */
  constructor(subtle, pair, key, id) {
    /** The public key as text. @readonly */
    this.key = key;
    /** What this key is called: a hash that anybody can check. @readonly */
    this.id = id;
    this.#subtle = subtle;
    this.#pair = pair;
  }

  #subtle;
  #pair;

  /**
   * The identity of this program on this device: made the first time, and kept in the browser, where nobody can copy the key.
   * @param {{ name?: string, keep?: Keep, subtle?: SubtleCrypto, kind?: KeyKind }} [options] `name` tells several identities apart
   */
  static async kept({ name = 'identity', keep = defaultKeep(), subtle = crypto.subtle, kind } = {}) {
    const found = await keep.read(name);
    if (found) return Identity.of(found, { subtle });
    const { pair } = await makeKeys(subtle, { kind });
    return Identity.of(await keep.claim(name, pair), { subtle });
  }

  /**
   * A new identity that is gone when the program ends, unless it is exported.
   * @param {{ kind?: KeyKind, extractable?: boolean, subtle?: SubtleCrypto }} [options]
   */
  static async make({ kind, extractable = false, subtle = crypto.subtle } = {}) {
    return Identity.of((await makeKeys(subtle, { kind, extractable })).pair, { subtle });
  }

  /**
   * The identity of a pair of keys that the app has.
   * @param {CryptoKeyPair} pair
   * @param {{ subtle?: SubtleCrypto }} [options]
   */
  static async of(pair, { subtle = crypto.subtle } = {}) {
    const text = await keyText(subtle, pair.publicKey);
    return new Identity(subtle, pair, text, await keyId(subtle, text));
  }

  /**
   * What {@link Identity.export} wrote.
   * @param {string} text
   * @param {{ extractable?: boolean, subtle?: SubtleCrypto }} [options]
   */
  static async import(text, { extractable = false, subtle = crypto.subtle } = {}) {
    const [, name, secret, shown] = /^wigwag-secret:(ed25519|p256):([\w-]+):([\w-]+)$/.exec(text) ?? [];
    const [pkcs8, spki] = [unbase64url(secret ?? ''), unbase64url(shown ?? '')];
    if (!name || !pkcs8 || !spki) throw new WigwagError('bad_key', 'This is no exported identity.');
    const algorithm = name === 'ed25519' ? { name: 'Ed25519' } : { name: 'ECDSA', namedCurve: 'P-256' };
    try {
      const privateKey = await subtle.importKey('pkcs8', pkcs8, algorithm, extractable, ['sign']);
      const publicKey = await subtle.importKey('spki', spki, algorithm, true, ['verify']);
      return await Identity.of({ privateKey, publicKey }, { subtle });
    } catch (cause) {
      throw new WigwagError('bad_key', 'This is no exported identity.', { cause });
    }
  }

  /** The secret, as text to be kept like a password. Only for identities that were made to be `extractable`. */
  async export() {
    const [pkcs8, spki] = await Promise.all([
      this.#subtle.exportKey('pkcs8', this.#pair.privateKey), this.#subtle.exportKey('spki', this.#pair.publicKey),
    ]);
    return `wigwag-secret:${this.key.split(':')[0]}:${base64url(new Uint8Array(pkcs8))}:${base64url(new Uint8Array(spki))}`;
  }

  /** @param {string} text */
  sign(text) {
    return signText(this.#subtle, this.#pair.privateKey, text);
  }
}

/**
 * What a hello's signature is over.
 * @param {{ server: string, nonce: string, namespace?: string, id: string, device?: string, key: string }} hello
 */
export function helloStatement({ server, nonce, namespace = '', id, device = '', key }) {
  return ['wigwag.1 hello', server, nonce, namespace, id, device, key].join('\n');
}

/**
 * What the signature of a change of a name's keys is over.
 * @param {{ server: string, nonce: string, namespace?: string, name: string, op: string, key: string }} change
 */
export function nameStatement({ server, nonce, namespace = '', name, op, key }) {
  return ['wigwag.1 name', server, nonce, namespace, name, op, key].join('\n');
}
