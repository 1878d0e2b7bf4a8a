// What a client does about a code of `spec/codes.md` or of WebSocket itself: the range decides, and nothing else.

/**
 * `retry`: connect again with back-off. `slow`: the same, slower. `prove`: not with the same proof.
 * `stop`: not by itself. `mend`: a fault of this program; come back, and say so where a developer sees it.
 * @typedef {'retry' | 'slow' | 'prove' | 'stop' | 'mend'} Advice
 */

/**
 * What to do after a socket closed with `code`, or after a hello was refused with it. 0 stands for no code.
 * @param {number} code
 * @returns {Advice}
 */
export function advice(code) {
  if (code >= 4100 && code < 4200) return 'slow';
  if (code >= 4200 && code < 4300) return 'prove';
  if (code === 1000 || (code >= 4300 && code < 4400)) return 'stop';
  if ([1002, 1003, 1007, 1009].includes(code) || (code >= 4400 && code < 4500)) return 'mend';
  return 'retry';
}

/** Where a socket's loss has no better name. */
export const LOST = 'lost';

/** The codes that a program may meet as the reason for a close or a refused hello. @type {Readonly<Record<number, string>>} */
const NAMES = Object.freeze({
  1000: 'ended',
  1006: LOST,
  4000: 'restarting',
  4001: 'overloaded',
  4002: 'slow_reader',
  4003: 'idle',
  4004: 'hello_late',
  4204: 'key_replaced',
  4300: 'superseded',
  4301: 'removed',
  4302: 'banned',
  4303: 'version_unsupported',
  4304: 'origin_refused',
});

/**
 * A code's name, for people.
 * @param {number} code
 * @param {string} [reason] what the close frame said
 */
export function codeName(code, reason) {
  return reason || NAMES[code] || (code ? `code ${code}` : LOST);
}
