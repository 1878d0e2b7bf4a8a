// What both sides of a transfer keep to (`spec/files.md`): numbers, words, paths, and the chain that makes sure of what crossed.

import { WigwagError } from './errors.js';

/**
 * @typedef {{ name: string, files: number, bytes: number }} Offer
 *
 * @typedef {object} FileWord what is said of a file before it comes
 * @property {number} n
 * @property {string} path
 * @property {number} size
 * @property {number} [modified] milliseconds since 1970
 * @property {boolean} [executable]
 */

export const LABEL = 'wigwag.files';
export const PIECE_BYTES = 65_536;
export const WINDOW_BYTES = 4_194_304;
export const GOT_BYTES = 524_288;
export const FOLDERS_MAX = 100_000;

/** So many files are announced without being kept or skipped. */
export const ANNOUNCED_MAX = 256;

const NAME_MAX = 255;
const PATH_BYTES = 4_096;
const PARTS_MAX = 32;
const PART_BYTES = 255;

/** Who hears the last word closes the channel; who waits for that in vain closes it after so long. */
export const CLOSE_MS = 5_000;

/** @typedef {'declined' | 'cancelled' | 'too_large' | 'disk' | 'changed' | 'bad_path' | 'broken' | 'closed'} Ending */

/** What an end means, said to the person on the side that did not choose it. @type {Record<Ending, string>} */
const HEARD = {
  declined: 'The other side said no.',
  cancelled: 'The other side ended it.',
  too_large: 'The other side cannot keep so much: send less at once.',
  disk: 'The other side could not write it: its disk may be full.',
  changed: 'A file changed while it was sent, or cannot be read any more: send it again.',
  bad_path: 'The other side does not take a name or a path among them.',
  broken: 'What arrived was not what was sent: try again.',
  closed: 'The connection ended before everything was there: offered again, it goes on where it stopped.',
};

/** The same on the side that ended it. @type {Record<Ending, string>} */
const SAID = {
  ...HEARD,
  declined: 'Declined.',
  cancelled: 'Cancelled.',
  too_large: 'This is more than can be kept here: choose a folder for it, or ask for less at once.',
  disk: 'It could not be written: the disk may be full.',
  bad_path: 'A path of the sender’s leads out of the folder, or is none.',
  broken: 'The sender did not keep to the rules, or something was damaged on the way: try again.',
};

/** @param {Ending} reason @param {boolean} [heard] whether the other side ended it @param {unknown} [cause] */
export function ended(reason, heard = false, cause) {
  return new WigwagError(reason, (heard ? HEARD : SAID)[reason], { cause });
}

/** Why the other side says that it ends; what is not known counts as `cancelled`. @param {unknown} reason @returns {Ending} */
export function endingOf(reason) {
  return typeof reason === 'string' && Object.hasOwn(HEARD, reason) && reason !== 'closed' ? /** @type {Ending} */ (reason) : 'cancelled';
}

/** Whether an error is one of the SDK's: a page may have loaded two copies of it. @param {unknown} error @returns {error is WigwagError} */
export function isOurs(error) {
  return error instanceof Error && typeof (/** @type {any} */ (error).reason) === 'string';
}

/** Thrown where the other side did not keep to the page. */
export function broken() {
  return ended('broken');
}

/**
 * What one side says, read; `null` for what is not known.
 * @typedef {{ type: 'no', reason: Ending } | { type: 'done' }} FromBoth
 * @typedef {({ type: 'offer' } & Offer) | { type: 'folder', n: number, path: string } | ({ type: 'file' } & FileWord)
 *   | { type: 'bytes', n: number, from: number } | { type: 'end', n: number, hash: Uint8Array } | FromBoth} FromSender
 * @typedef {{ type: 'accept' } | { type: 'take', n: number, from: number, hash: Uint8Array } | { type: 'skip', n: number }
 *   | { type: 'got', bytes: number } | { type: 'kept', n: number } | FromBoth} FromReceiver
 */

/** @param {unknown} said @returns {FromSender | null} */
export function fromSender(said) {
  const { type, ...word } = wordOf(said);
  switch (type) {
    case 'offer':
      return { type, ...offerOf(word) };
    case 'folder':
      return { type, n: whole(word.n), path: pathOf(word.path) };
    case 'file':
      return { type, ...fileOf(word) };
    case 'bytes':
      return { type, n: whole(word.n), from: whole(word.from) };
    case 'end':
      return { type, n: whole(word.n), hash: hashOf(word.hash) };
    default:
      return fromBoth(type, word);
  }
}

/** @param {unknown} said @returns {FromReceiver | null} */
export function fromReceiver(said) {
  const { type, ...word } = wordOf(said);
  switch (type) {
    case 'accept':
      return { type };
    case 'take':
      return { type, n: whole(word.n), from: whole(word.from), hash: word.from ? hashOf(word.hash) : chainStart() };
    case 'skip':
    case 'kept':
      return { type, n: whole(word.n) };
    case 'got':
      return { type, bytes: whole(word.bytes) };
    default:
      return fromBoth(type, word);
  }
}

/** @param {string} type @param {Record<string, unknown>} word @returns {FromBoth | null} */
function fromBoth(type, { reason }) {
  if (type === 'done') return { type };
  if (type !== 'no') return null;
  if (typeof reason !== 'string') throw broken();
  return { type, reason: endingOf(reason) };
}

/** @param {unknown} said @returns {{ type: string } & Record<string, unknown>} */
function wordOf(said) {
  const word = /** @type {any} */ (said);
  if (typeof word !== 'object' || typeof word?.type !== 'string') throw broken();
  return word;
}

/** @param {unknown} value */
function whole(value) {
  if (!Number.isSafeInteger(value) || Number(value) < 0) throw broken();
  return Number(value);
}

/** A hash as its bytes. @param {unknown} value @returns {Uint8Array} */
function hashOf(value) {
  if (typeof value !== 'string' || !/^[0-9a-f]{64}$/.test(value)) throw broken();
  return Uint8Array.from({ length: 32 }, (_, at) => Number.parseInt(value.slice(at * 2, at * 2 + 2), 16));
}

/** @param {Record<string, unknown>} word @returns {Offer} */
function offerOf({ v, name, files, bytes }) {
  if (v !== 1 || typeof name !== 'string' || [...name].length > NAME_MAX) throw broken();
  return { name, files: whole(files), bytes: whole(bytes) };
}

/** @param {Record<string, unknown>} word @returns {FileWord} */
function fileOf({ n, path, size, modified, executable }) {
  if (executable !== undefined && typeof executable !== 'boolean') throw broken();
  const word = { n: whole(n), path: pathOf(path), size: whole(size) };
  return { ...word, ...(modified !== undefined && { modified: whole(modified) }), ...(executable && { executable }) };
}

/** @param {unknown} value */
function pathOf(value) {
  if (typeof value !== 'string') throw broken();
  if (!isPath(value)) throw ended('bad_path');
  return value;
}

/** Whether a path is one that may be sent. @param {string} path */
export function isPath(path) {
  // The length in letters first: what is far too long is not looked at any further.
  if (path.length > PATH_BYTES || bytesOf(path) > PATH_BYTES) return false;
  const parts = path.split('/');
  return parts.length <= PARTS_MAX && parts.every(isPart);
}

/** @param {string} part */
function isPart(part) {
  // Control characters, the backslash, and halves of characters, which no UTF-8 has.
  if (/[\p{Cc}\p{Cs}\\]/u.test(part)) return false;
  return part !== '' && part !== '.' && part !== '..' && bytesOf(part) <= PART_BYTES;
}

/** @param {string} text */
function bytesOf(text) {
  return new TextEncoder().encode(text).length;
}

/** A name for an offer: one short line. @param {string} text */
export function nameOf(text) {
  return [...text.replace(/[\p{Cc}\p{Cs}]/gu, '')].slice(0, NAME_MAX).join('') || 'files';
}

/** The chain over no piece. */
export function chainStart() {
  return new Uint8Array(32);
}

/** The chain with one piece more. @param {Uint8Array} hash @param {Uint8Array} piece */
export async function chain(hash, piece) {
  const both = new Uint8Array(hash.length + piece.length);
  both.set(hash);
  both.set(piece, hash.length);
  return new Uint8Array(await crypto.subtle.digest('SHA-256', both));
}

/** So much is read at once. */
const READ_BYTES = 16 * PIECE_BYTES;

/**
 * The pieces of a file from a byte on. The next ones are read while these are used.
 * @param {Blob} blob
 * @param {number} from
 * @param {number} to
 */
export async function* piecesOf(blob, from, to) {
  const read = (/** @type {number} */ at) => {
    const bytes = blob.slice(at, Math.min(at + READ_BYTES, to)).arrayBuffer();
    // Whoever stops using them is not told that they could not be read.
    bytes.catch(() => {});
    return bytes;
  };
  let next = from < to ? read(from) : null;
  for (let at = from; next; at += READ_BYTES) {
    const bytes = new Uint8Array(await next);
    if (bytes.length !== Math.min(READ_BYTES, to - at)) throw ended('changed');
    next = at + READ_BYTES < to ? read(at + READ_BYTES) : null;
    for (let part = 0; part < bytes.length; part += PIECE_BYTES) yield bytes.subarray(part, part + PIECE_BYTES);
  }
}

/** The chain over the first bytes of a file. @param {Blob} blob @param {number} bytes */
export async function chainOf(blob, bytes) {
  let hash = chainStart();
  for await (const piece of piecesOf(blob, 0, bytes)) hash = await chain(hash, piece);
  return hash;
}

/** How much of what is there can be gone on from. @param {number} there @param {number} size of the whole file */
export function usable(there, size) {
  if (there === size) return size;
  return there > size ? 0 : there - (there % PIECE_BYTES);
}

/** @param {Uint8Array} bytes */
export function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
