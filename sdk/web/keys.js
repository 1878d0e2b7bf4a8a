// Keys, ids and signatures with WebCrypto: Ed25519, and ECDSA P-256 where a platform has nothing better. What others' are worth is told by `verify.js`.

import { WigwagError } from './errors.js';

/** A kind of key that this SDK makes. @typedef {'ed25519' | 'p256'} KeyKind */

/** @type {Record<KeyKind, { make: any, sign: any, bytes: number, signature: number }>} */
export const KINDS = {
  ed25519: { make: { name: 'Ed25519' }, sign: { name: 'Ed25519' }, bytes: 32, signature: 64 },
  p256: { make: { name: 'ECDSA', namedCurve: 'P-256' }, sign: { name: 'ECDSA', hash: 'SHA-256' }, bytes: 33, signature: 64 },
};

/**
 * A new pair of keys. The private one cannot be taken out of the platform unless `extractable`.
 * @param {SubtleCrypto} subtle
 * @param {{ kind?: KeyKind, extractable?: boolean }} [options]
 * @returns {Promise<{ kind: KeyKind, pair: CryptoKeyPair }>}
 */
export async function makeKeys(subtle, { kind, extractable = false } = {}) {
  const kinds = kind ? [kind] : /** @type {KeyKind[]} */ (['ed25519', 'p256']);
  let cause;
  for (const each of kinds) {
    try {
      const pair = /** @type {CryptoKeyPair} */ (await subtle.generateKey(KINDS[each].make, extractable, ['sign', 'verify']));
      return { kind: each, pair };
    } catch (error) {
      cause = error;
    }
  }
  throw new WigwagError('unsupported', 'This platform can make no key to sign with.', { cause });
}

/**
 * The text of a public key.
 * @param {SubtleCrypto} subtle
 * @param {CryptoKey} key
 */
export async function keyText(subtle, key) {
  const raw = new Uint8Array(await subtle.exportKey('raw', key));
  if (key.algorithm.name === 'Ed25519') return `ed25519:${base64url(raw)}`;
  // WebCrypto gives both coordinates; the text has the first and the sign of the second.
  const compressed = raw.slice(0, 33);
  compressed[0] = 2 + ((raw[64] ?? 0) & 1);
  return `p256:${base64url(compressed)}`;
}

/**
 * The id that belongs to a key.
 * @param {SubtleCrypto} subtle
 * @param {string} text of the public key
 */
export async function keyId(subtle, text) {
  const hash = new Uint8Array(await subtle.digest('SHA-256', utf8(text)));
  return base32(hash.subarray(0, 20));
}

/**
 * @param {SubtleCrypto} subtle
 * @param {CryptoKey} key private
 * @param {string} text
 */
export async function signText(subtle, key, text) {
  const { sign } = key.algorithm.name === 'Ed25519' ? KINDS.ed25519 : KINDS.p256;
  return base64url(new Uint8Array(await subtle.sign(sign, key, utf8(text))));
}

/** @param {Uint8Array} bytes */
export function base64url(bytes) {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

/**
 * The bytes, or `null` where the text is not exactly what {@link base64url} writes.
 * @param {string} text
 * @returns {Uint8Array<ArrayBuffer> | null}
 */
export function unbase64url(text) {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) return null;
  try {
    const bytes = Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0));
    return base64url(bytes) === text ? bytes : null;
  } catch {
    return null;
  }
}

/** @param {string} text @returns {Uint8Array<ArrayBuffer>} */
export function utf8(text) {
  return /** @type {Uint8Array<ArrayBuffer>} */ (new TextEncoder().encode(text));
}

/** @param {Uint8Array} bytes */
function base32(bytes) {
  let text = '';
  let held = 0;
  let bits = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += 'abcdefghijklmnopqrstuvwxyz234567'[(held >> bits) & 31];
    }
    held &= (1 << bits) - 1;
  }
  return text;
}
