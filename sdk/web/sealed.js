// `spec/sealed.md`: how two peers agree on a secret that the server does not know, and what they lock with it.

import { base64url, unbase64url, utf8 } from './keys.js';
import { verifyText } from './verify.js';

/**
 * @import { Identity } from './identity.js'
 *
 * Who speaks with whom.
 * @typedef {object} Pair
 * @property {string} namespace
 * @property {string} from
 * @property {string} device the sender's
 * @property {string} to
 * @property {string} [toDevice] the receiver's
 *
 * @typedef {object} Half One side's part of a call.
 * @property {string} call
 * @property {string} key
 * @property {string} share
 * @property {any} [meta]
 * @property {string} statement
 *
 * @typedef {{ v: 1, call: string, i: number, box: string }} Sealed
 *
 * @typedef {object} Content
 * @property {RTCSessionDescriptionInit} [description]
 * @property {(RTCIceCandidateInit | null)[]} [candidates]
 * @property {number} [relay] 1: we agree to the relay
 * @property {string} [bye]
 */

const CURVE = { name: 'ECDH', namedCurve: 'P-256' };
const REASON_BYTES = 256;

/** Half of a secret, made for one call. @param {SubtleCrypto} subtle */
export async function makeShare(subtle) {
  const { privateKey, publicKey } = /** @type {CryptoKeyPair} */ (await subtle.generateKey(CURVE, false, ['deriveBits']));
  return { secret: privateKey, share: base64url(new Uint8Array(await subtle.exportKey('raw', publicKey))) };
}

/** A name for a call. */
export function makeCall() {
  return base64url(crypto.getRandomValues(new Uint8Array(16)));
}

/**
 * The data of a `hail`, with what has to be remembered of it.
 * @param {SubtleCrypto} subtle
 * @param {Identity} identity
 * @param {Pair} pair
 * @param {{ call: string, share: string, meta?: any }} half
 */
export async function makeHail(subtle, identity, pair, { call, share, meta }) {
  const statement = await hailStatement(subtle, pair, { call, key: identity.key, share, meta });
  return { data: { v: 1, call, key: identity.key, share, meta, signature: await identity.sign(statement) }, statement };
}

/**
 * Reads a hail; `null` where it is not one that `key` signed.
 * @param {SubtleCrypto} subtle
 * @param {Pair} pair
 * @param {any} data
 * @returns {Promise<Half | null>}
 */
export async function readHail(subtle, pair, data) {
  if (!isHalf(data)) return null;
  const { call, key, share, meta } = data;
  const statement = await hailStatement(subtle, pair, { call, key, share, meta });
  return (await verifyText(subtle, key, statement, data.signature)) ? { call, key, share, meta, statement } : null;
}

/**
 * @param {SubtleCrypto} subtle
 * @param {Identity} identity
 * @param {Pair} pair
 * @param {string} share
 * @param {Half} hail that is answered
 */
export async function makeHeed(subtle, identity, pair, share, hail) {
  const statement = await answerStatement(subtle, 'heed', pair, hail.call, identity.key, share, hail.statement);
  return { data: { v: 1, call: hail.call, key: identity.key, share, signature: await identity.sign(statement) }, statement };
}

/**
 * @param {SubtleCrypto} subtle
 * @param {Pair} pair
 * @param {any} data
 * @param {{ call: string, statement: string }} hail that it should answer
 * @returns {Promise<Half | null>}
 */
export async function readHeed(subtle, pair, data, hail) {
  if (!isHalf(data) || data.call !== hail.call) return null;
  const { call, key, share } = data;
  const statement = await answerStatement(subtle, 'heed', pair, call, key, share, hail.statement);
  return (await verifyText(subtle, key, statement, data.signature)) ? { call, key, share, statement } : null;
}

/**
 * @param {SubtleCrypto} subtle
 * @param {Identity} identity
 * @param {Pair} pair
 * @param {Half} hail
 * @param {string} [reason]
 */
export async function makeDecline(subtle, identity, pair, hail, reason = '') {
  const statement = await answerStatement(subtle, 'decline', pair, hail.call, identity.key, reason, hail.statement);
  return { v: 1, call: hail.call, key: identity.key, reason: reason || undefined, signature: await identity.sign(statement) };
}

/**
 * @param {SubtleCrypto} subtle
 * @param {Pair} pair
 * @param {any} data
 * @param {{ call: string, statement: string }} hail
 * @returns {Promise<{ key: string, reason: string } | null>}
 */
export async function readDecline(subtle, pair, data, hail) {
  const { v, call, key, reason = '', signature } = Object(data);
  if (v !== 1 || call !== hail.call || typeof key !== 'string' || typeof reason !== 'string') return null;
  if (reason.includes('\n') || utf8(reason).length > REASON_BYTES) return null;
  const statement = await answerStatement(subtle, 'decline', pair, call, key, reason, hail.statement);
  return (await verifyText(subtle, key, statement, signature)) ? { key, reason } : null;
}

/** What two peers lock with their secret. */
export class Seal {
  /**
   * @param {SubtleCrypto} subtle
   * @param {{ hails: boolean, secret: CryptoKey, hail: Half, heed: Half }} call `hails`: whether we hailed; `secret` belongs to our share
   * @returns {Promise<Seal | null>} `null` where the other's share is no point
   */
  static async make(subtle, { hails, secret, hail, heed }) {
    try {
      const raw = /** @type {Uint8Array<ArrayBuffer>} */ (unbase64url((hails ? heed : hail).share));
      const point = await subtle.importKey('raw', raw, CURVE, false, []);
      const bits = await subtle.deriveBits({ name: 'ECDH', public: point }, secret, 256);
      const base = await subtle.importKey('raw', bits, 'HKDF', false, ['deriveKey']);
      const salt = await subtle.digest('SHA-256', utf8(`${hail.statement}\n${heed.statement}`));
      const derive = (/** @type {string} */ what) => subtle.deriveKey(
        { name: 'HKDF', hash: 'SHA-256', salt, info: utf8(`wigwag.1 ${what}`) }, base,
        { name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt'],
      );
      const [mine, theirs] = hails ? ['hailer', 'heeder'] : ['heeder', 'hailer'];
      const boxes = new Boxes(subtle, `${hail.call} relay`, await derive(`relay ${mine}`), await derive(`relay ${theirs}`));
      return new Seal(subtle, hail.call, await derive(`seal ${mine}`), await derive(`seal ${theirs}`), boxes);
    } catch {
      return null;
    }
  }

  /** @param {SubtleCrypto} subtle @param {string} call @param {CryptoKey} mine @param {CryptoKey} theirs @param {Boxes} relay */
  constructor(subtle, call, mine, theirs, relay) {
    this.call = call;
    this.#boxes = new Boxes(subtle, call, mine, theirs);
    this.#relay = relay;
  }

  #boxes;
  #relay;

  /** @param {Content} content @returns {Promise<Sealed>} */
  async seal(content) {
    return { v: 1, call: this.call, ...(await this.#boxes.seal(utf8(JSON.stringify(content)))) };
  }

  /** What is in the box, `null` where it does not open or came before. @param {any} data @returns {Promise<Content | null>} */
  async open(data) {
    const bytes = data?.call === this.call ? await this.#boxes.open(data) : null;
    try {
      const content = bytes && JSON.parse(new TextDecoder().decode(bytes));
      return typeof content === 'object' ? content : null;
    } catch {
      return null;
    }
  }

  /** The same for what is relayed, which is bytes. @param {Uint8Array<ArrayBuffer>} bytes @returns {Promise<Sealed>} */
  async sealBytes(bytes) {
    return { v: 1, call: this.call, ...(await this.#relay.seal(bytes)) };
  }

  /** @param {any} data @returns {Promise<Uint8Array | null>} */
  async openBytes(data) {
    return data?.call === this.call ? this.#relay.open(data) : null;
  }
}

/** Boxes of one direction each, counted, and none taken twice. */
class Boxes {
  /** @param {SubtleCrypto} subtle @param {string} name that every box is bound to @param {CryptoKey} mine @param {CryptoKey} theirs */
  constructor(subtle, name, mine, theirs) {
    this.#subtle = subtle;
    this.#name = name;
    this.#mine = mine;
    this.#theirs = theirs;
  }

  #subtle;
  #name;
  #mine;
  #theirs;
  #sent = 0;
  #taken = 0;

  /** @param {Uint8Array<ArrayBuffer>} bytes */
  async seal(bytes) {
    const i = (this.#sent += 1);
    const box = await this.#subtle.encrypt(this.#parameters(i), this.#mine, bytes);
    return { i, box: base64url(new Uint8Array(box)) };
  }

  /** @param {any} data @returns {Promise<Uint8Array | null>} */
  async open({ v, i, box }) {
    const bytes = typeof box === 'string' ? unbase64url(box) : null;
    if (v !== 1 || !Number.isSafeInteger(i) || i <= this.#taken || !bytes) return null;
    try {
      const open = await this.#subtle.decrypt(this.#parameters(i), this.#theirs, /** @type {Uint8Array<ArrayBuffer>} */ (bytes));
      if (i <= this.#taken) return null;
      this.#taken = i;
      return new Uint8Array(open);
    } catch {
      return null;
    }
  }

  /** @param {number} i */
  #parameters(i) {
    const iv = new Uint8Array(12);
    new DataView(iv.buffer).setBigUint64(4, BigInt(i));
    return { name: 'AES-GCM', iv, additionalData: utf8(`${this.#name} ${i}`) };
  }
}

/** @param {any} data @returns {data is { call: string, key: string, share: string, meta?: any, signature: unknown }} */
function isHalf(data) {
  const { v, call, key, share } = Object(data);
  const ok = v === 1 && typeof call === 'string' && typeof key === 'string' && typeof share === 'string';
  return ok && unbase64url(call)?.length === 16 && unbase64url(share)?.length === 65;
}

/**
 * @param {SubtleCrypto} subtle
 * @param {Pair} pair
 * @param {{ call: string, key: string, share: string, meta?: any }} half
 */
async function hailStatement(subtle, { namespace, from, device, to }, { call, key, share, meta }) {
  const hash = meta === undefined ? '' : await sha256(subtle, JSON.stringify(meta));
  return ['wigwag.1 hail', namespace, from, device, to, call, key, share, hash].join('\n');
}

/**
 * @param {SubtleCrypto} subtle
 * @param {'heed' | 'decline'} kind
 * @param {Pair} pair
 * @param {string} call
 * @param {string} key
 * @param {string} own the share, or the reason
 * @param {string} hail its statement
 */
async function answerStatement(subtle, kind, { namespace, from, device, to, toDevice = '' }, call, key, own, hail) {
  return [`wigwag.1 ${kind}`, namespace, from, device, to, toDevice, call, key, own, await sha256(subtle, hail)].join('\n');
}

/** @param {SubtleCrypto} subtle @param {string} text */
async function sha256(subtle, text) {
  return base64url(new Uint8Array(await subtle.digest('SHA-256', utf8(text))));
}
