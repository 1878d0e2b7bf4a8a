// Offer and answer codes as text: `spec/discovery.md`, "the text" and the frame of "the bytes".
// What the bytes between header and checksum mean is the matter of `code-bytes.js`.

import { WigwagError } from './errors.js';

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const PREFIX = 'WW';

/** The version that is written and read here. */
export const VERSION = 1;
/** The most bytes of a code, header and checksum among them. */
export const BYTES_MAX = 16384;

const HEADER = 3;
const CHECKSUM = 4;

/** What a person is told, by reason. */
const MESSAGES = {
  not_a_code: 'This is not a code. A code begins with "WW".',
  damaged: 'There is a mistake in this code. Please copy or scan it again.',
  cut_short: 'The end of this code is missing. Please copy all of it.',
  overlong: 'There is more than the code. Please copy just the code, and once.',
  unknown_version: 'This code was made by another version of the program. Please update the older one.',
  not_an_offer: 'This code is an answer. The code that begins a connection is wanted here.',
  not_an_answer: 'This code begins a connection. The answer that the other side makes of it is wanted here.',
  other_offer: 'This answer belongs to another code than the one shown here. Please use the code and its answer together.',
  malformed: 'This code arrived as it was made, and was made wrongly.',
  incomplete: 'The description lacks what a connection needs.',
  too_large: 'The description is too large for a code.',
};

/** @typedef {keyof typeof MESSAGES} CodeReason */

/** Why a text is not the code that is wanted, or a description cannot become one; `message` is for a person. */
export class CodeError extends WigwagError {
  /**
   * @param {CodeReason} reason as in `spec/discovery.md`
   * @param {string} [detail] for developers, added to the message
   */
  constructor(reason, detail) {
    super(reason, detail === undefined ? MESSAGES[reason] : `${MESSAGES[reason]} (${detail})`);
    this.name = 'CodeError';
  }
}

/**
 * The code of a first byte's low half and of all that stands between the length and the checksum.
 * @param {number} flags
 * @param {Uint8Array} inner
 * @returns {{ code: string, tag: number }} with the checksum, by which an answer names its offer
 */
export function toText(flags, inner) {
  const length = HEADER + inner.length + CHECKSUM;
  if (length > BYTES_MAX) throw new CodeError('too_large');
  const bytes = new Uint8Array(length);
  bytes.set([(VERSION << 4) | flags, length >> 8, length & 255]);
  bytes.set(inner, HEADER);
  const tag = crc32(bytes.subarray(0, length - CHECKSUM));
  new DataView(bytes.buffer).setUint32(length - CHECKSUM, tag);
  return { code: PREFIX + base32(bytes), tag };
}

/**
 * The same backwards, from whatever a person pasted.
 * @param {string} text
 * @returns {{ flags: number, inner: Uint8Array, tag: number }}
 */
export function fromText(text) {
  const bare = text.replace(/^[^]*[#/=?:]/, '').replace(/[-\t-\r \xa0\xad\u200b-\u200f\u2028\u2029\u2060\ufeff]/g, '');
  if (!/^ww/i.test(bare)) throw new CodeError('not_a_code');
  const values = [];
  for (const sign of bare.slice(PREFIX.length)) values.push(value(sign));
  const bytes = new Uint8Array(Math.floor((values.length * 5) / 8));
  const rest = pour(values, 5, bytes, 8);
  if (bytes.length < HEADER) throw new CodeError('cut_short');
  const view = new DataView(bytes.buffer);
  const length = view.getUint16(1);
  const characters = Math.ceil((length * 8) / 5);
  if (values.length < characters) throw new CodeError('cut_short');
  if (values.length > characters) throw new CodeError('overlong');
  if (length < HEADER + CHECKSUM || length > BYTES_MAX || rest) throw new CodeError('damaged');
  const tag = view.getUint32(length - CHECKSUM);
  if (crc32(bytes.subarray(0, length - CHECKSUM)) !== tag) throw new CodeError('damaged');
  const first = view.getUint8(0);
  if (first >> 4 !== VERSION) throw new CodeError('unknown_version');
  return { flags: first & 15, inner: bytes.subarray(HEADER, length - CHECKSUM), tag };
}

/**
 * Pours numbers of `from` bits each into numbers of `to` bits each.
 * @param {ArrayLike<number>} values
 * @param {number} from
 * @param {{ length: number, [index: number]: number }} into filled as far as it goes
 * @param {number} to
 * @returns {number} what is left over, as a number
 */
export function pour(values, from, into, to) {
  let [held, bits, at] = [0, 0, 0];
  for (let index = 0; index < values.length; index += 1) {
    held = (held << from) | (values[index] ?? 0);
    bits += from;
    while (bits >= to && at < into.length) {
      bits -= to;
      into[at] = held >> bits;
      at += 1;
      held &= (1 << bits) - 1;
    }
  }
  if (at < into.length) into[at] = held << (to - bits);
  return held;
}

/** @param {Uint8Array} bytes */
function base32(bytes) {
  const values = new Uint8Array(Math.ceil((bytes.length * 8) / 5));
  pour(bytes, 8, values, 5);
  let text = '';
  for (const each of values) text += ALPHABET[each];
  return text;
}

/** @param {string} sign */
function value(sign) {
  const at = ALPHABET.indexOf(/[a-z]/.test(sign) ? sign.toUpperCase() : sign);
  if (at >= 0) return at;
  if (/[IiLl]/.test(sign)) return 1;
  if (/[Oo]/.test(sign)) return 0;
  throw new CodeError('damaged');
}

/** CRC-32 as in Ethernet and zip. @param {Uint8Array} bytes */
function crc32(bytes) {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
