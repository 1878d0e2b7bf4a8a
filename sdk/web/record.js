// `spec/finding.md`: what a peer says of itself where no server vouches for it, signed and with an end.

import { base64url, utf8 } from './keys.js';
import { verifyText } from './verify.js';

/**
 * @import { Identity } from './identity.js'
 *
 * @typedef {object} PeerRecord
 * @property {1} v
 * @property {string} [namespace]
 * @property {string} id
 * @property {string} [device]
 * @property {string} key
 * @property {number} made
 * @property {number} until
 * @property {any} [where] in the words of the finder
 * @property {string} signature
 */

/** No record lasts longer. */
const LONGEST_MS = 7 * 86_400_000;

/** Clocks may differ by so much. */
const AHEAD_MS = 300_000;

/**
 * @param {SubtleCrypto} subtle
 * @param {Identity} identity
 * @param {{ namespace?: string, id: string, device?: string, made: number, until: number, where?: any }} content
 * @returns {Promise<PeerRecord>}
 */
export async function makeRecord(subtle, identity, { namespace, id, device, made, until, where }) {
  const sent = where === undefined ? undefined : JSON.parse(JSON.stringify(where));
  const record = { v: /** @type {const} */ (1), namespace: namespace || undefined, id, device: device || undefined, key: identity.key, made, until, where: sent };
  return { ...record, signature: await identity.sign(await statement(subtle, record)) };
}

/**
 * Whether this is a record of that id, good at this time. To whom its key belongs is another question.
 * @param {SubtleCrypto} subtle
 * @param {any} record
 * @param {{ namespace: string, id: string, now: number }} wanted
 * @returns {Promise<boolean>}
 */
export async function isGood(subtle, record, wanted) {
  const { v, namespace = '', id, device = '', key, made, until, signature } = Object(record);
  if (v !== 1 || namespace !== wanted.namespace || id !== wanted.id || typeof device !== 'string' || typeof key !== 'string') return false;
  if (device.includes('\n') || !Number.isSafeInteger(made) || !Number.isSafeInteger(until)) return false;
  if (until <= made || until - made > LONGEST_MS || wanted.now >= until || wanted.now < made - AHEAD_MS) return false;
  return verifyText(subtle, key, await statement(subtle, record), signature);
}

/** @param {SubtleCrypto} subtle @param {Omit<PeerRecord, 'signature'>} record */
async function statement(subtle, { namespace = '', id, device = '', key, made, until, where }) {
  const hash = where === undefined ? '' : base64url(new Uint8Array(await subtle.digest('SHA-256', utf8(JSON.stringify(where)))));
  return ['wigwag.1 record', namespace, id, device, key, made, until, hash].join('\n');
}
