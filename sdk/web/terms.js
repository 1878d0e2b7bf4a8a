// What goes into the machine and what comes out of it, and how long it waits for what.

/**
 * @typedef {Record<string, any> & { type: string }} Frame
 *
 * @typedef {object} Server
 * @property {string} url of its WebSocket
 * @property {string} [name] what it calls itself, where that is not the host of the URL
 *
 * @typedef {object} Hello
 * @property {string} [namespace]
 * @property {string} [id] a name; left out, the key's own id
 * @property {string} [device]
 *
 * @typedef {object} Status
 * @property {'idle' | 'connecting' | 'open' | 'waiting' | 'stopped'} state
 * @property {string} [server] the URL in use
 * @property {number} [until] when the next try is due
 * @property {number} [code] why the last socket closed, or why this client stopped
 * @property {string} [why] the same as a word
 *
 * @typedef {{ type: 'open' }
 *   | { type: 'close' }
 *   | { type: 'text', socket: number, text: string }
 *   | { type: 'lost', socket: number, code?: number, reason?: string }
 *   | { type: 'proved', socket: number, key: string, signature: string }
 *   | { type: 'request', id: unknown, frame: Frame, again?: boolean, quiet?: boolean }
 *   | { type: 'forget', id: unknown }
 *   | { type: 'stand', key: string, frame: Frame }
 *   | { type: 'unstand', key: string }
 *   | { type: 'device', device: string }
 *   | { type: 'nudge' }
 *   | { type: 'check' }
 *   | { type: 'tick' }} Input
 *
 * @typedef {{ type: 'connect', socket: number, url: string }
 *   | { type: 'disconnect', socket: number }
 *   | { type: 'send', socket: number, text: string }
 *   | { type: 'prove', socket: number, server: string, nonce: string }
 *   | { type: 'status', status: Status }
 *   | { type: 'welcome', frame: Frame, lost: boolean }
 *   | { type: 'answer', id: unknown, frame: Frame }
 *   | { type: 'given', id: unknown, reason: string }
 *   | { type: 'event', frame: Frame }
 *   | { type: 'fault', code: number, message: string }} Output
 */

/** Spans in milliseconds; a test may change them. */
export const TIMES = Object.freeze({
  /** How long to wait for `challenge` and for `welcome`. */
  handshake: 10_000,
  /** When a server that has not said `challenge` yet gets company from the next one. */
  hedge: 700,
  /** The ends of the range in which the first wait of a back-off is chosen: double it for each try. */
  backoff: 500,
  backoffMax: 30_000,
  /** A socket that held for this long was a good one: the back-off begins anew. */
  good: 10_000,
  /** How long to hear nothing before asking whether the server is there. */
  quiet: 45_000,
  /** How long to wait for the answer to that. */
  check: 4_000,
  /** How often a client that had to use another server looks whether a better one is back; half of it is chosen at random. */
  home: 60_000,
});

/** How long two peers have to come together, where the app does not say. */
export const CONNECT_MS = 20_000;
