// Which way the bytes of a connection take, told whenever it is another one.

/**
 * @import { Clock } from './line.js'
 *
 * @typedef {'direct' | 'turn' | 'relayed'} Way `direct`, through a TURN server, or through the signaling server itself
 *
 * @typedef {object} Walker what is needed of a connection
 * @property {string} state
 * @property {() => Promise<{ path: Way | null }>} stats
 * @property {(type: 'state' | 'path', run: () => void) => () => void} on
 */

/** A way can become another one without a word, so it is looked at this often. */
const LOOK_MS = 5_000;

/**
 * Tells the way of a connection, now and at each change. Returns the way to stop that.
 * @param {Walker} connection
 * @param {(way: Way | null) => void} tell
 * @param {Pick<Clock, 'setTimeout' | 'clearTimeout'>} [clock]
 * @returns {() => void}
 */
export function followWay(connection, tell, clock = PLATFORM) {
  /** @type {any} */
  let timer = null;
  /** @type {Way | null | undefined} */
  let known;
  let stopped = false;
  let looks = 0;
  const look = async () => {
    clock.clearTimeout(timer);
    const ours = (looks += 1);
    const way = connection.state === 'open' ? await connection.stats().then(({ path }) => path, () => null) : null;
    // A look that took long is worth less than the one that overtook it.
    if (stopped || ours !== looks) return;
    if (way !== known) tell((known = way));
    if (!stopped && connection.state === 'open') timer = clock.setTimeout(look, LOOK_MS);
  };
  const leaves = [connection.on('state', () => void look()), connection.on('path', () => void look())];
  void look();
  return () => {
    stopped = true;
    clock.clearTimeout(timer);
    for (const leave of leaves) leave();
  };
}

const PLATFORM = {
  setTimeout: (/** @type {() => void} */ run, /** @type {number} */ ms) => {
    const timer = setTimeout(run, ms);
    // Looking alone keeps no program alive.
    if (typeof timer === 'object') /** @type {any} */ (timer).unref?.();
    return timer;
  },
  clearTimeout: (/** @type {any} */ timer) => clearTimeout(timer),
};
