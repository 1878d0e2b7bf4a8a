// Session descriptions and what matters of them: `spec/discovery.md`, "from a description to a code" and back.

import {
  ALGORITHMS, CANDIDATES_MAX, FINGERPRINTS_MAX, FORM, HASH_BYTES, SETUPS, TRANSPORTS, TYPES, UUID, fits, isAddress, isIpv4,
} from './code-bytes.js';
import { CodeError } from './code-text.js';

/** @import { Candidate, Description } from './code-bytes.js' */

/** What a description without `max-message-size` means (RFC 8841). */
const MESSAGE_MAX = 65536;
/** By transport, then by type. */
const PREFERENCES = [[126, 100, 2], [90, 70, 1], [90, 70, 1]];

/**
 * What matters of a description.
 * @param {string} sdp
 * @param {'offer' | 'answer'} kind
 * @returns {Description | null} nothing, if there is more to it than a short body can hold
 */
export function reduce(sdp, kind) {
  const lines = sdp.split('\n').map((line) => line.replace(/\r$/, ''));
  for (const needed of ['ice-ufrag', 'ice-pwd', 'fingerprint', 'setup']) {
    if (!values(lines, needed).length) throw new CodeError('incomplete', `no ${needed}`);
  }
  const begin = lines.findIndex((line) => line.startsWith('m='));
  const session = lines.slice(0, begin);
  const section = lines.slice(begin);
  const all = (/** @type {string} */ name) => {
    const own = values(section, name);
    return own.length ? own : values(session, name);
  };
  const one = (/** @type {string} */ name) => all(name)[0] ?? '';
  const setup = SETUPS.find((known) => known === one('setup'));
  const messageMax = number(all('max-message-size')[0] ?? String(MESSAGE_MAX), 0xffffffff);
  const fingerprints = readFingerprints(all('fingerprint'));
  const short = section.filter((line) => line.startsWith('m=')).length === 1
    && /^m=application [1-9]\d* (UDP|TCP)\/DTLS\/SCTP webrtc-datachannel$/.test(section[0] ?? '')
    && one('mid') === '0' && one('sctp-port') === '5000' && values(session, 'group').join() === 'BUNDLE 0'
    && setup !== undefined && !(kind === 'answer' && setup === 'actpass')
    && messageMax !== undefined && fingerprints && fits(one('ice-ufrag'), one('ice-pwd'));
  if (!short) return null;
  const candidates = choose(values(section, 'candidate'));
  return { setup, ufrag: one('ice-ufrag'), pwd: one('ice-pwd'), messageMax, fingerprints, candidates };
}

/**
 * A description that any WebRTC stack takes.
 * @param {Description} description
 * @param {number} id
 * @returns {string}
 */
export function rebuild({ setup, ufrag, pwd, messageMax, fingerprints, candidates }, id) {
  const lines = [
    'v=0',
    `o=- ${id} 1 IN IP4 0.0.0.0`,
    's=-',
    't=0 0',
    'a=group:BUNDLE 0',
    'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
    'c=IN IP4 0.0.0.0',
    'a=mid:0',
    `a=ice-ufrag:${ufrag}`,
    `a=ice-pwd:${pwd}`,
    'a=ice-options:trickle',
    ...fingerprints.map(({ algorithm, hash }) => `a=fingerprint:${algorithm} ${hex(hash, ':').toUpperCase()}`),
    `a=setup:${setup}`,
    'a=sctp-port:5000',
    `a=max-message-size:${messageMax}`,
    ...candidates.map(candidateLine),
  ];
  return lines.map((line) => `${line}\r\n`).join('');
}

/**
 * The candidates of any description, as an ICE agent takes them, with the place of each.
 * @param {string} sdp
 * @returns {{ candidate: string, sdpMLineIndex: number }[]}
 */
export function candidatesOf(sdp) {
  const found = [];
  let index = -1;
  for (const line of sdp.split(/\r?\n/)) {
    if (line.startsWith('m=')) index += 1;
    if (line.startsWith('a=candidate:')) found.push({ candidate: line.slice(2), sdpMLineIndex: Math.max(index, 0) });
  }
  return found;
}

/** What stands behind `a=name:`, each time. @param {string[]} lines @param {string} name */
function values(lines, name) {
  const start = `a=${name}:`;
  return lines.filter((line) => line.startsWith(start)).map((line) => line.slice(start.length));
}

/** A number in digits. @param {string} text @param {number} max */
function number(text, max) {
  return /^\d{1,10}$/.test(text) && Number(text) <= max ? Number(text) : undefined;
}

/** @param {string[]} texts */
function readFingerprints(texts) {
  /** @type {Description['fingerprints']} */
  const found = [];
  for (const text of new Set(texts.map((each) => each.toLowerCase()))) {
    const [algorithm = '', hash = '', ...more] = text.split(' ');
    const length = HASH_BYTES[ALGORITHMS.indexOf(algorithm)];
    const parts = hash.split(':');
    if (more.length || parts.length !== length || !parts.every((part) => /^[0-9a-f]{2}$/.test(part))) return null;
    found.push({ algorithm, hash: Uint8Array.from(parts, (part) => Number.parseInt(part, 16)) });
  }
  return found.length <= FINGERPRINTS_MAX ? found : null;
}

/** The candidates that a code carries, best first. @param {string[]} texts */
function choose(texts) {
  /** @type {Map<string, Candidate & { priority: number }>} */
  const known = new Map();
  const ranked = texts.map(readCandidate).filter((each) => each !== null)
    .sort((a, b) => preference(b) - preference(a) || b.priority - a.priority);
  for (const each of ranked) {
    const key = [each.form, each.type, each.transport, each.port, ...each.address].join();
    if (!known.has(key)) known.set(key, each);
  }
  const left = TYPES.map((_, type) => [...known.values()].filter((each) => each.type === type));
  const chosen = new Set();
  while (chosen.size < Math.min(CANDIDATES_MAX, known.size)) {
    for (const list of left) {
      const best = list.shift();
      if (best && chosen.size < CANDIDATES_MAX) chosen.add(best);
    }
  }
  return [...known.values()].filter((each) => chosen.has(each)).map(({ priority: _, ...candidate }) => candidate);
}

/** @param {string} text @returns {(Candidate & { priority: number }) | null} */
function readCandidate(text) {
  const [, component, protocol = '', rank = '', host = '', at = '', typ, kind = '', ...more] = text.split(' ');
  const overTcp = protocol.toLowerCase() === 'tcp';
  const tcptype = more.includes('tcptype') ? (more[more.indexOf('tcptype') + 1] ?? '') : '';
  const transport = overTcp ? TRANSPORTS.indexOf(tcptype, 1) : 0;
  const type = TYPES.indexOf(kind);
  const [priority, port] = [number(rank, 0xffffffff), number(at, 65535)];
  const place = readAddress(host);
  const good = component === '1' && typ === 'typ' && (overTcp || protocol.toLowerCase() === 'udp') && transport >= 0 && type >= 0;
  if (!good || priority === undefined || !port || !place) return null;
  return { ...place, port, type, transport, priority };
}

/** @param {string} text @returns {{ form: number, address: Uint8Array } | null} */
function readAddress(text) {
  if (isIpv4(text)) return { form: FORM.ipv4, address: Uint8Array.from(text.split('.'), Number) };
  if (text.includes(':')) return readIpv6(text);
  if (UUID.test(text)) {
    const pairs = text.replace('.local', '').replaceAll('-', '').match(/../g) ?? [];
    return { form: FORM.uuid, address: Uint8Array.from(pairs, (pair) => Number.parseInt(pair, 16)) };
  }
  const address = Uint8Array.from(text, (sign) => Math.min(sign.charCodeAt(0), 255));
  return isAddress(FORM.name, address) ? { form: FORM.name, address } : null;
}

/** @param {string} text */
function readIpv6(text) {
  const plain = /^[0-9a-f:.]+$/i.test(text) ? inBrackets(text) : null;
  if (plain === null) return null;
  const [left = [], right] = plain.split('::').map((half) => (half ? half.split(':') : []));
  const groups = [...left, ...Array(right ? 8 - left.length - right.length : 0).fill('0'), ...(right ?? [])];
  const address = Uint8Array.from(groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255]));
  return isAddress(FORM.ipv6, address)
    ? { form: FORM.ipv6, address }
    : { form: FORM.ipv4, address: address.subarray(12) };
}

/** An IPv6 address as RFC 5952 writes it; every platform's URL does that. @param {string} text */
function inBrackets(text) {
  try {
    return new URL(`http://[${text}]`).hostname.slice(1, -1);
  } catch {
    return null;
  }
}

/** @param {Candidate} candidate @param {number} index */
function candidateLine({ form, address, port, type, transport }, index) {
  const priority = preference({ type, transport }) * 2 ** 24 + 256 * (65535 - index) + 255;
  const related = type === 0 ? '' : ` raddr ${form === FORM.ipv6 ? '::' : '0.0.0.0'} rport 0`;
  const tcp = transport === 0 ? '' : ` tcptype ${TRANSPORTS[transport]}`;
  const host = writeAddress(form, address);
  return `a=candidate:${index + 1} 1 ${transport ? 'tcp' : 'udp'} ${priority} ${host} ${port} typ ${TYPES[type]}${related}${tcp}`;
}

/** How a kind of candidate ranks among others. @param {{ type: number, transport: number }} candidate */
function preference({ type, transport }) {
  return PREFERENCES[transport]?.[type] ?? 0;
}

/** @param {number} form @param {Uint8Array} address */
function writeAddress(form, address) {
  if (form === FORM.ipv4) return address.join('.');
  if (form === FORM.name) return String.fromCharCode(...address);
  const digits = hex(address, '');
  if (form === FORM.uuid) return `${digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')}.local`;
  return inBrackets((digits.match(/.{4}/g) ?? []).join(':'));
}

/** @param {Uint8Array} bytes @param {string} between */
function hex(bytes, between) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(between);
}
