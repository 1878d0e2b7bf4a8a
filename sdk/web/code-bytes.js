// The short body of a code: `spec/discovery.md`, "the body, short". Bytes in, a description out, and back.
// How a description becomes lines of SDP is the matter of `code-sdp.js`.

import { CodeError, pour } from './code-text.js';

/** @typedef {'actpass' | 'active' | 'passive'} Setup */

/**
 * What matters of a description with one data channel section.
 * @typedef {object} Description
 * @property {Setup} setup
 * @property {string} ufrag
 * @property {string} pwd
 * @property {number} messageMax
 * @property {{ algorithm: string, hash: Uint8Array }[]} fingerprints
 * @property {Candidate[]} candidates best first
 */

/**
 * @typedef {object} Candidate
 * @property {number} form which kind of address: see FORM
 * @property {Uint8Array} address as it stands in the code
 * @property {number} port
 * @property {number} type an index into TYPES
 * @property {number} transport an index into TRANSPORTS
 */

/** @type {Setup[]} */
export const SETUPS = ['actpass', 'active', 'passive'];
export const FORM = { ipv4: 0, ipv6: 1, uuid: 2, name: 3 };
export const TYPES = ['host', 'srflx', 'relay'];
export const TRANSPORTS = ['udp', 'passive', 'so'];
export const CANDIDATES_MAX = 16;
export const FINGERPRINTS_MAX = 4;
export const NAME_MAX = 253;
export const ALGORITHMS = ['sha-256', 'sha-384', 'sha-512'];
/** Bytes of a hash of each algorithm. */
export const HASH_BYTES = [32, 48, 64];

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const HEX = '0123456789abcdef';
const UFRAG_MIN = 4;
const PWD_MIN = 22;
const CREDENTIAL_MAX = 127;
const MORE = 128;

/** A name of 32 hexadecimal digits that stands in a code as a UUID. */
export const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.local$/;

/** Whether a ufrag and a pwd can stand in a short body. @param {string} ufrag @param {string} pwd */
export function fits(ufrag, pwd) {
  const good = (/** @type {string} */ text, /** @type {number} */ min) =>
    text.length >= min && text.length <= CREDENTIAL_MAX && /^[A-Za-z0-9+/]*$/.test(text);
  return good(ufrag, UFRAG_MIN) && good(pwd, PWD_MIN);
}

/**
 * The short body of a good description.
 * @param {Description} description
 * @returns {Uint8Array}
 */
export function encode({ ufrag, pwd, messageMax, fingerprints, candidates }) {
  /** @type {number[]} */
  const out = [];
  putCredential(out, ufrag);
  putCredential(out, pwd);
  let size = messageMax;
  for (; size >= MORE; size = Math.floor(size / MORE)) out.push((size % MORE) | MORE);
  out.push(size);
  fingerprints.forEach(({ algorithm, hash }, index) => {
    const more = index + 1 < fingerprints.length ? MORE : 0;
    out.push((ALGORITHMS.indexOf(algorithm) + 1) | more, ...hash);
  });
  out.push(candidates.length);
  for (const { form, address, port, type, transport } of candidates) {
    out.push(form | (type << 2) | (transport << 4));
    if (form === FORM.name) out.push(address.length);
    out.push(...address, port >> 8, port & 255);
  }
  return Uint8Array.from(out);
}

/**
 * Reads a short body, and over what a later version may have added.
 * @param {Uint8Array} bytes
 * @param {Setup} setup
 * @returns {Description}
 */
export function decode(bytes, setup) {
  let at = 0;
  const take = (/** @type {number} */ count) => {
    if (at + count > bytes.length) throw new CodeError('malformed', 'it ends too early');
    at += count;
    return bytes.subarray(at - count, at);
  };
  const byte = () => take(1)[0] ?? 0;
  const ufrag = credential(byte, take);
  const pwd = credential(byte, take);
  if (!fits(ufrag, pwd)) throw new CodeError('malformed', 'ufrag or pwd');
  let messageMax = 0;
  for (let [unit, more] = [1, true]; more; unit *= MORE) {
    const part = byte();
    messageMax += (part % MORE) * unit;
    more = part >= MORE;
    if (messageMax > 0xffffffff || unit > 0xffffffff) throw new CodeError('malformed', 'largest message');
  }
  const fingerprints = [];
  for (let more = true; more; ) {
    const head = byte();
    more = head >= MORE;
    const index = (head % MORE) - 1;
    const [algorithm, length] = [ALGORITHMS[index], HASH_BYTES[index]];
    if (algorithm === undefined || length === undefined || fingerprints.length === FINGERPRINTS_MAX) {
      throw new CodeError('malformed', 'fingerprint');
    }
    fingerprints.push({ algorithm, hash: take(length) });
  }
  const count = byte();
  if (count > CANDIDATES_MAX) throw new CodeError('malformed', 'too many candidates');
  const candidates = Array.from({ length: count }, () => candidate(byte, take));
  const description = { setup, ufrag, pwd, messageMax, fingerprints, candidates };
  // There is one way to write anything: whatever else was written is a fault.
  const again = encode(description);
  if (again.length !== at || again.some((each, index) => each !== bytes[index])) {
    throw new CodeError('malformed', 'not written in the one way');
  }
  return description;
}

/** @param {number[]} out @param {string} text */
function putCredential(out, text) {
  const [bits, digits] = isHex(text) ? [4, HEX] : [6, BASE64];
  const packed = new Uint8Array(Math.ceil((text.length * bits) / 8));
  pour([...text].map((sign) => digits.indexOf(sign)), bits, packed, 8);
  out.push(text.length | (bits === 4 ? MORE : 0), ...packed);
}

/** @param {() => number} byte @param {(count: number) => Uint8Array} take */
function credential(byte, take) {
  const head = byte();
  const [bits, digits] = head >= MORE ? [4, HEX] : [6, BASE64];
  const values = new Uint8Array(head % MORE);
  pour(take(Math.ceil((values.length * bits) / 8)), 8, values, bits);
  return Array.from(values, (value) => digits[value]).join('');
}

/** @param {string} text */
function isHex(text) {
  return /^[0-9a-f]*$/.test(text);
}

/** @param {() => number} byte @param {(count: number) => Uint8Array} take @returns {Candidate} */
function candidate(byte, take) {
  const head = byte();
  const [form, type, transport] = [head & 3, (head >> 2) & 3, (head >> 4) & 3];
  if (head >> 6 || type >= TYPES.length || transport >= TRANSPORTS.length) throw new CodeError('malformed', 'candidate');
  const address = take(form === FORM.ipv4 ? 4 : form === FORM.name ? byte() : 16);
  const [high = 0, low = 0] = take(2);
  const port = high * 256 + low;
  if (!port || !isAddress(form, address)) throw new CodeError('malformed', 'candidate');
  return { form, address, port, type, transport };
}

/** Whether these bytes are what the form says and no other form fits better. @param {number} form @param {Uint8Array} bytes */
export function isAddress(form, bytes) {
  if (form === FORM.ipv6) return !(bytes.subarray(0, 10).every((each) => each === 0) && bytes[10] === 255 && bytes[11] === 255);
  if (form !== FORM.name) return true;
  const name = String.fromCharCode(...bytes);
  return name.length > 0 && name.length <= NAME_MAX && /^[A-Za-z0-9.-]*$/.test(name) && !UUID.test(name) && !isIpv4(name);
}

/** Whether a text is an IPv4 address in its one form. @param {string} text */
export function isIpv4(text) {
  const part = '(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
  return new RegExp(`^${part}(\\.${part}){3}$`).test(text);
}
