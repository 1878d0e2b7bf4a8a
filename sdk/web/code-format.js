// Codes as a whole: a description and a text, each made of the other, as `spec/discovery.md` says.
// `code.js` puts them to use in a browser.

import { decode, encode, SETUPS } from './code-bytes.js';
import { rebuild, reduce } from './code-sdp.js';
import { BYTES_MAX, CodeError, fromText, toText } from './code-text.js';

const ANSWER = 1;
const FULL = 2;
const TAG = 4;
/** The most bytes of a description that is kept in full. */
const SDP_MAX = 65536;

/**
 * @typedef {object} Code
 * @property {'offer' | 'answer'} type
 * @property {string} sdp
 * @property {number} tag names this code: a checksum
 * @property {number} [answers] in an answer, the tag of its offer
 */

/**
 * Makes a code of a description.
 * @param {{ type: string, sdp?: string }} description an offer or an answer, after its candidates were gathered
 * @param {number} [answers] for an answer, the tag of the offer
 * @returns {Promise<{ code: string, tag: number }>}
 */
export async function writeCode({ type, sdp = '' }, answers = 0) {
  const kind = type === 'answer' ? 'answer' : 'offer';
  const short = reduce(sdp, kind);
  const body = short ? encode(short) : await compress(sdp);
  const flags = (kind === 'answer' ? ANSWER : 0) | (short ? SETUPS.indexOf(short.setup) << 2 : FULL);
  if (kind === 'offer') return toText(flags, body);
  const inner = new Uint8Array(TAG + body.length);
  new DataView(inner.buffer).setUint32(0, answers);
  inner.set(body, TAG);
  return toText(flags, inner);
}

/**
 * Reads a code, or says in an error of what kind it is not.
 * @param {string} text whatever a person pasted or a camera saw
 * @param {{ type?: 'offer' | 'answer', answers?: number }} [wanted] which kind, and the tag of the offer that it has to answer
 * @returns {Promise<Code>}
 */
export async function readCode(text, { type, answers } = {}) {
  const { flags, inner, tag } = fromText(text);
  const found = flags & ANSWER ? 'answer' : 'offer';
  if (type && found !== type) throw new CodeError(type === 'offer' ? 'not_an_offer' : 'not_an_answer');
  if (found === 'offer') return { type: found, sdp: await read(flags, inner, tag), tag };
  if (inner.length < TAG) throw new CodeError('malformed', 'it ends too early');
  const to = new DataView(inner.buffer, inner.byteOffset).getUint32(0);
  if (answers !== undefined && to !== answers) throw new CodeError('other_offer');
  return { type: found, sdp: await read(flags, inner.subarray(TAG), tag), tag, answers: to };
}

/** @param {number} flags @param {Uint8Array} body @param {number} tag */
async function read(flags, body, tag) {
  if (flags & FULL) {
    if (flags & ~(FULL | ANSWER)) throw new CodeError('malformed', 'flags');
    return expand(body);
  }
  const setup = SETUPS[flags >> 2];
  if (!setup || (flags & ANSWER && setup === 'actpass')) throw new CodeError('malformed', 'setup role');
  return rebuild(decode(body, setup), tag);
}

/** @param {string} sdp */
async function compress(sdp) {
  const text = sdp.replace(/^a=end-of-candidates\r?\n/gm, '');
  const bytes = new TextEncoder().encode(text);
  if (!text.startsWith('v=0')) throw new CodeError('incomplete', 'no description');
  if (bytes.length > SDP_MAX) throw new CodeError('too_large');
  return through(new CompressionStream('deflate-raw'), bytes, BYTES_MAX, 'too_large');
}

/** @param {Uint8Array} bytes */
async function expand(bytes) {
  try {
    const plain = await through(new DecompressionStream('deflate-raw'), bytes, SDP_MAX, 'malformed');
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(plain);
    if (text.startsWith('v=0')) return text;
  } catch (cause) {
    throw cause instanceof CodeError ? cause : new CodeError('malformed', 'it cannot be unpacked');
  }
  throw new CodeError('malformed', 'no description');
}

/**
 * What comes out of a stream, as long as it stays within its bound.
 * @param {CompressionStream | DecompressionStream} stream
 * @param {Uint8Array} bytes
 * @param {number} max
 * @param {'too_large' | 'malformed'} beyond
 */
async function through(stream, bytes, max, beyond) {
  const writer = stream.writable.getWriter();
  // What goes wrong is told by the reading side as well.
  writer.write(Uint8Array.from(bytes)).catch(() => {});
  writer.close().catch(() => {});
  const reader = stream.readable.getReader();
  const out = new Uint8Array(max);
  for (let length = 0; ; ) {
    const { done, value } = await reader.read();
    if (done) return out.slice(0, length);
    if (length + value.length > max) {
      await reader.cancel();
      throw new CodeError(beyond);
    }
    out.set(value, length);
    length += value.length;
  }
}
