// What there is to be seen of a client and a connection, as one word for programs and as a sentence for people.

/**
 * @import { ConnectionState } from './connection.js'
 * @import { Way } from './path.js'
 * @import { Status } from './terms.js'
 *
 * @typedef {'offline' | 'connecting' | 'online' | 'connected' | Way | 'mending' | 'closed'} Shown
 *   `online`: a server and no connection; `connected`: a connection of which the way is not known yet; `closed`: it has ended
 *
 * @typedef {object} Words
 * @property {Record<Shown, string>} states
 * @property {Record<string, string>} finders
 * @property {(finder: string) => string} other for a finder of an app's own
 *
 * @typedef {object} Sight what there is to be seen
 * @property {Status['state']} [server]
 * @property {ConnectionState} [connection]
 * @property {Way | null} [way]
 * @property {string | null} [finder]
 */

/** @type {Words} */
export const ENGLISH = {
  states: {
    offline: 'Offline',
    connecting: 'Connecting',
    online: 'Online',
    connected: 'Connected',
    direct: 'Connected directly',
    turn: 'Connected, using a TURN relay',
    relayed: 'Connected, using server relay',
    mending: 'Connection lost, looking for another way',
    closed: 'Disconnected',
  },
  finders: {
    server: 'found by the server',
    code: 'found by a join code',
    lan: 'found in this network',
    dht: 'found in the DHT',
    friends: 'found through friends',
  },
  other: (finder) => `found by ${finder}`,
};

/** What is to be shown. @param {Sight} sight @returns {Shown} */
export function stateOf({ server, connection, way }) {
  if (connection === 'open') return way ?? 'connected';
  if (connection) return connection;
  if (server === 'open') return 'online';
  return server === 'connecting' || server === 'waiting' ? 'connecting' : 'offline';
}

/** The same in words. @param {Sight} sight @param {Words} [words] */
export function say(sight, words = ENGLISH) {
  const { finder, connection } = sight;
  const state = words.states[stateOf(sight)];
  if (!finder || (connection !== 'open' && connection !== 'mending')) return state;
  return `${state}, ${Object.hasOwn(words.finders, finder) ? words.finders[finder] : words.other(finder)}`;
}
