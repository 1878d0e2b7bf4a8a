// Others' keys, ids and signatures: whether they are what they say. Strict, so that there is one answer everywhere.

import { WigwagError } from './errors.js';
import { KINDS, unbase64url, utf8 } from './keys.js';

/** @import { KeyKind } from './keys.js' */

/**
 * Reads the text of a public key; throws where it is none.
 * @param {SubtleCrypto} subtle
 * @param {string} text
 * @returns {Promise<{ kind: KeyKind, key: CryptoKey }>}
 */
export async function parseKey(subtle, text) {
  const [, name, rest] = /^(ed25519|p256):([A-Za-z0-9_-]+)$/.exec(text) ?? [];
  const kind = /** @type {KeyKind | undefined} */ (name);
  const bytes = rest === undefined ? null : unbase64url(rest);
  if (!kind || bytes?.length !== KINDS[kind].bytes) throw new WigwagError('bad_key', 'This is no public key.');
  const raw = kind === 'p256' ? decompress(bytes) : bytes;
  try {
    return { kind, key: await subtle.importKey('raw', raw, KINDS[kind].make, true, ['verify']) };
  } catch (cause) {
    throw new WigwagError('bad_key', 'This is no public key.', { cause });
  }
}

/**
 * Whether `signature` is `key`'s over `text`. Whatever is wrong with any of them, the answer is no.
 * @param {SubtleCrypto} subtle
 * @param {string} key text of the public key
 * @param {string} text
 * @param {unknown} signature
 */
export async function verifyText(subtle, key, text, signature) {
  const bytes = typeof signature === 'string' ? unbase64url(signature) : null;
  if (bytes?.length !== 64) return false;
  try {
    const { kind, key: parsed } = await parseKey(subtle, key);
    if (kind === 'ed25519' && !strict(unbase64url(key.slice(8)), bytes)) return false;
    return await subtle.verify(KINDS[kind].sign, parsed, bytes, utf8(text));
  } catch {
    return false;
  }
}

/** The form of an id: a key's hash, a name, a guest's, or one of another protocol. @param {string} id */
export function idForm(id) {
  if (/^[a-z2-7]{32}$/.test(id)) return 'key';
  if (/^~[a-z2-7]{20}$/.test(id)) return 'guest';
  const [, local, domain] = /^([a-z0-9._+-]{1,64})@([a-z0-9.-]+)$/.exec(id) ?? [];
  const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
  return local && domain?.split('.').every((part) => label.test(part)) && id.length <= 128 ? 'name' : 'foreign';
}

const ED_P = 2n ** 255n - 19n;
const ED_L = 2n ** 252n + 27742317777372353535851937790883648493n;

/** The y-coordinates of the points of small order, by which one signature could fit many texts. */
const ED_SMALL = new Set([
  0n, 1n, ED_P - 1n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n,
]);

/**
 * Whether an Ed25519 key and signature have the one encoding that the strict check asks for.
 * @param {Uint8Array | null} key
 * @param {Uint8Array} signature
 */
function strict(key, signature) {
  if (!key) return false;
  const canonical = (/** @type {Uint8Array} */ point) => {
    const y = little(point) & (2n ** 255n - 1n);
    return y < ED_P && !ED_SMALL.has(y);
  };
  return canonical(key) && canonical(signature.subarray(0, 32)) && little(signature.subarray(32)) < ED_L;
}

/** @param {Uint8Array} bytes */
function little(bytes) {
  return bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

const P = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;

/**
 * The point with both coordinates: platforms differ in whether they read the short form.
 * @param {Uint8Array} compressed
 * @returns {Uint8Array<ArrayBuffer>}
 */
function decompress(compressed) {
  const [sign] = compressed;
  const x = compressed.subarray(1).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  const square = (((x * x - 3n) % P + P) * x + B) % P;
  let y = power(square, (P + 1n) / 4n);
  if ((sign !== 2 && sign !== 3) || x >= P || (y * y) % P !== square) throw new WigwagError('bad_key', 'This is no point of the curve.');
  if (Number(y & 1n) !== sign - 2) y = P - y;
  const point = new Uint8Array(65);
  point[0] = 4;
  point.set(compressed.subarray(1), 1);
  for (let at = 64; at > 32; at -= 1) {
    point[at] = Number(y & 255n);
    y >>= 8n;
  }
  return point;
}

/** `base` to the power of `exponent`, by the prime of P-256. @param {bigint} base @param {bigint} exponent */
function power(base, exponent) {
  let result = 1n;
  for (let b = base, e = exponent; e > 0n; e >>= 1n, b = (b * b) % P) if (e & 1n) result = (result * b) % P;
  return result;
}
