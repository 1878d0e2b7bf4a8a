// The network as one observable value: the server's status, the peers that an app wants, and what waits for those that are away.
// It owns no socket and decides nothing about trust: the client does. It keeps nothing on disk.

import { WigwagError, asError } from './errors.js';
import { Emitter } from './events.js';
import { followWay } from './path.js';

/**
 * @import { Wigwag } from './client.js'
 * @import { Message } from './channel.js'
 * @import { ConnectOptions } from './calls.js'
 * @import { Connection } from './connection.js'
 * @import { Clock } from './line.js'
 * @import { Way } from './path.js'
 * @import { Status } from './terms.js'
 *
 * @typedef {'away' | 'connecting' | 'open' | 'mending' | 'failed'} PeerState `failed`: nothing more is tried until somebody asks, `error` says why
 *
 * @typedef {object} StorePeer
 * @property {string} id
 * @property {PeerState} state
 * @property {Way | null} path
 * @property {number} queued messages that wait for it
 * @property {WigwagError | null} error why the last try failed
 * @property {Date | null} lastSeen
 *
 * @typedef {object} Network
 * @property {Status} status
 * @property {readonly StorePeer[]} peers in the order in which they came
 *
 * @typedef {object} StoreOptions
 * @property {number} [queue] how many messages may wait for one peer
 * @property {'all' | 'known'} [incoming] whether whoever connects becomes a peer, or only those that were added
 * @property {Omit<ConnectOptions, 'signal'>} [connect] how to connect
 * @property {Pick<Clock, 'setTimeout' | 'clearTimeout'>} [clock]
 * @property {() => number} [random]
 *
 * @typedef {{ type: 'message', from: string, device: string, data: any }} StoreEvent
 *
 * @typedef {object} Waiting
 * @property {Message} message
 * @property {() => void} done
 * @property {(error: WigwagError) => void} fail
 *
 * @typedef {object} Entry
 * @property {string} id
 * @property {number} wanted how often it was added
 * @property {boolean} here whether the server sees it
 * @property {AbortController | null} dialing
 * @property {any} timer of the next try
 * @property {number} tries
 * @property {boolean} failed
 * @property {WigwagError | null} error
 * @property {Date | null} lastSeen
 * @property {Map<Connection, () => void>} connections the newest last, with the way to let go of each
 * @property {Way | null} path
 * @property {Waiting[]} queue
 * @property {boolean} draining
 */

const QUEUE_MAX = 256;

/** The first wait between two tries is under this, each next under twice as much, and none above the second. */
const WAIT_MS = 1_000;
const WAIT_MAX_MS = 60_000;

/** Trying again helps against none of these. */
const FINAL = new Set(['refused', 'key_mismatch', 'unsupported', 'closed', 'bad_field']);

/** The value follows the contract of Svelte's stores; `message` events tell what peers say. @extends {Emitter<StoreEvent>} */
export class NetworkStore extends Emitter {
  /**
   * @param {Pick<Wigwag, 'on' | 'connect' | 'watch' | 'unwatch' | 'status'>} client stays the app's: closing the store does not close it
   * @param {StoreOptions} [options]
   */
  constructor(client, { queue = QUEUE_MAX, incoming = 'all', connect, clock, random = Math.random } = {}) {
    super();
    this.#client = client;
    this.#most = queue;
    this.#connect = connect;
    this.#clock = clock ?? globalThis;
    this.#looking = clock;
    this.#random = random;
    this.#value = Object.freeze({ status: client.status, peers: Object.freeze([]) });
    this.#stops = [
      client.on('status', () => this.#changed()),
      client.on('presence', ({ id, state, lastSeen }) => this.#presence(id, state === 'here', lastSeen)),
      client.on('connection', ({ connection }) => {
        const { id } = connection.peer;
        if (incoming === 'all' || this.#entries.has(id)) this.#take(this.#entry(id), connection);
      }),
    ];
  }

  #client;
  #most;
  #connect;
  #clock;
  #looking;
  #random;
  /** @type {Network} */
  #value;
  #stops;
  /** @type {Map<string, Entry>} */
  #entries = new Map();
  /** Whose presence the server tells. @type {Map<string, Entry>} */
  #watched = new Map();
  /** @type {Set<string>} */
  #attending = new Set();
  /** @type {Set<{ run: (value: Network) => void }>} */
  #runs = new Set();
  #open = true;

  /** The value as it is now: another object after each change, and never changed itself. */
  get value() {
    return this.#value;
  }

  /** Calls `run` now and at each change. Returns the way to stop that. @param {(value: Network) => void} run @returns {() => void} */
  subscribe(run) {
    const each = { run };
    this.#runs.add(each);
    run(this.#value);
    return () => void this.#runs.delete(each);
  }

  /** One peer as it is now. @param {string} id */
  peer(id) {
    return this.#value.peers.find((peer) => peer.id === id);
  }

  /**
   * Keeps a connection to this peer whenever it is here. Returns the way to let go; who was added twice stays until let go twice.
   * @param {string} id
   * @returns {() => void}
   */
  add(id) {
    if (!this.#open) throw closed();
    const entry = this.#entry(id);
    entry.wanted += 1;
    if (entry.wanted === 1) void this.#attend(id);
    this.#changed();
    let gone = false;
    return () => {
      if (gone || this.#entries.get(id) !== entry) return;
      gone = true;
      entry.wanted -= 1;
      if (!entry.wanted) this.#drop(entry, 'removed');
      this.#changed();
    };
  }

  /** Tries a peer again now: after a person has settled what was in the way. @param {string} id */
  retry(id) {
    const entry = this.#entries.get(id);
    if (!entry) return;
    Object.assign(entry, { here: true, tries: 0, failed: false, error: null });
    if (entry.wanted) void this.#attend(id);
    this.#dial(entry);
    this.#changed();
  }

  /**
   * Sends to a peer, or keeps the message until it is there: in order, as many as the queue holds. Resolves when it was handed to an open
   * connection, which is not yet a receipt. Rejects where it cannot be sent at all, or was called off.
   * @param {string} id one that was added, or has connected
   * @param {Message} message
   * @param {{ signal?: AbortSignal }} [options]
   * @returns {Promise<void>}
   */
  send(id, message, { signal } = {}) {
    const entry = this.#entries.get(id);
    if (!this.#open) return Promise.reject(closed());
    if (!entry) return Promise.reject(new WigwagError('not_found', `${id} is no peer of this store: add it first.`));
    if (entry.queue.length >= this.#most) return Promise.reject(new WigwagError('queue_full', `${this.#most} messages wait for ${id} already.`));
    if (signal?.aborted) return Promise.reject(calledOff(signal));
    return new Promise((resolve, reject) => {
      const abort = () => {
        const at = entry.queue.indexOf(waiting);
        // The first one may be on its way already: then it is too late.
        if (at < 0 || (at === 0 && entry.draining)) return;
        entry.queue.splice(at, 1);
        this.#changed();
        reject(calledOff(signal));
      };
      const end = () => signal?.removeEventListener('abort', abort);
      const waiting = { message, done: () => (end(), resolve()), fail: (/** @type {WigwagError} */ error) => (end(), reject(error)) };
      signal?.addEventListener('abort', abort, { once: true });
      entry.queue.push(waiting);
      void this.#drain(entry);
      this.#changed();
    });
  }

  /** Lets go of all peers; what waits for them fails with `closed`. */
  close() {
    if (!this.#open) return;
    this.#open = false;
    for (const stop of this.#stops) stop();
    for (const entry of [...this.#entries.values()]) this.#drop(entry, 'closed');
    this.#changed();
    this.#runs.clear();
    this.over();
  }

  /** @param {string} id @returns {Entry} */
  #entry(id) {
    const known = this.#entries.get(id);
    if (known) return known;
    /** @type {Entry} */
    const entry = {
      id, wanted: 0, here: false, dialing: null, timer: null, tries: 0, failed: false, error: null, lastSeen: null, connections: new Map(), path: null,
      queue: [], draining: false,
    };
    this.#entries.set(id, entry);
    return entry;
  }

  /** Asks the server for presence, or no longer: one request after the other, so that the last wish is the one that holds. @param {string} id */
  async #attend(id) {
    if (this.#attending.has(id)) return;
    this.#attending.add(id);
    const wish = () => (this.#entries.get(id)?.wanted ? this.#entries.get(id) : undefined);
    try {
      for (let entry = wish(); entry !== this.#watched.get(id); entry = wish()) {
        if (entry) {
          await this.#client.watch(id);
          this.#watched.set(id, entry);
        } else {
          this.#watched.delete(id);
          await this.#client.unwatch(id);
        }
      }
    } catch (error) {
      const entry = wish();
      if (entry && this.#watched.get(id) !== entry) Object.assign(entry, { failed: true, error: asError(error) });
      this.#changed();
    } finally {
      this.#attending.delete(id);
    }
  }

  /** @param {string} id @param {boolean} here @param {Date | undefined} lastSeen */
  #presence(id, here, lastSeen) {
    const entry = this.#entries.get(id);
    if (!entry) return;
    Object.assign(entry, { here, lastSeen: lastSeen ?? entry.lastSeen });
    if (here) {
      entry.tries = 0;
      // Whoever comes anew may be of another mind; a wrong key stays wrong until a person has looked at it.
      if (entry.error?.reason === 'refused') entry.failed = false;
      this.#dial(entry);
    }
    this.#changed();
  }

  /** @param {Entry} entry */
  #dial(entry) {
    this.#clock.clearTimeout(entry.timer);
    entry.timer = null;
    if (!this.#open || !entry.wanted || !entry.here || entry.failed || entry.dialing || entry.connections.size) return;
    const dialing = new AbortController();
    entry.dialing = dialing;
    this.#client.connect(entry.id, { ...this.#connect, signal: dialing.signal }).then((connection) => {
      if (entry.dialing !== dialing) return connection.close('closed');
      entry.dialing = null;
      this.#take(entry, connection);
      return undefined;
    }, (error) => {
      if (entry.dialing !== dialing) return;
      entry.dialing = null;
      this.#missed(entry, asError(error));
    });
  }

  /** There is no connection, or no more. @param {Entry} entry @param {WigwagError | null} error */
  #missed(entry, error) {
    entry.error = error;
    if (error?.reason === 'absent' || error?.reason === 'not_found') Object.assign(entry, { here: false, lastSeen: error.lastSeen ?? entry.lastSeen });
    entry.failed = FINAL.has(error?.reason ?? '');
    if (entry.here && !entry.failed && entry.wanted) {
      const wait = this.#random() * Math.min(WAIT_MAX_MS, WAIT_MS * 2 ** entry.tries);
      entry.tries += 1;
      entry.timer = this.#clock.setTimeout(() => {
        this.#dial(entry);
        this.#changed();
      }, wait);
    }
    this.#changed();
  }

  /** @param {Entry} entry @param {Connection} connection */
  #take(entry, connection) {
    if (entry.connections.has(connection)) return;
    if (connection.state === 'closed') return this.#lost(entry, null);
    const { id, device } = connection.peer;
    const stops = [
      connection.on('message', ({ data }) => this.emit({ type: 'message', from: id, device, data })),
      connection.on('state', ({ state }) => {
        if (state === 'open') void this.#drain(entry);
        this.#changed();
      }),
      connection.on('closed', ({ error }) => {
        entry.connections.get(connection)?.();
        entry.connections.delete(connection);
        this.#lost(entry, error);
      }),
      followWay(connection, (path) => {
        if (current(entry) !== connection) return;
        entry.path = path;
        this.#changed();
      }, this.#looking),
    ];
    entry.connections.set(connection, () => stops.forEach((stop) => stop()));
    Object.assign(entry, { tries: 0, failed: false, error: null, path: null });
    this.#clock.clearTimeout(entry.timer);
    void this.#drain(entry);
    this.#changed();
    return undefined;
  }

  /** @param {Entry} entry @param {WigwagError | null} error */
  #lost(entry, error) {
    if (entry.connections.size) return this.#changed();
    entry.path = null;
    // Who came by itself and is gone is no peer any more.
    if (!entry.wanted) this.#drop(entry, 'closed');
    else return this.#missed(entry, error);
    return this.#changed();
  }

  /** Hands over what waits, one after the other. @param {Entry} entry */
  async #drain(entry) {
    if (entry.draining) return;
    entry.draining = true;
    for (let first = entry.queue[0]; first; first = entry.queue[0]) {
      const connection = current(entry);
      if (connection?.state !== 'open') break;
      try {
        await connection.send(first.message);
        first.done();
      } catch (error) {
        const reason = asError(error);
        if (reason.reason === 'closed') break;
        first.fail(reason);
      }
      // The entry may have been dropped meanwhile, and its queue emptied.
      if (entry.queue[0] === first) entry.queue.shift();
      this.#changed();
    }
    entry.draining = false;
  }

  /** @param {Entry} entry @param {string} why */
  #drop(entry, why) {
    this.#entries.delete(entry.id);
    this.#clock.clearTimeout(entry.timer);
    const { dialing } = entry;
    entry.dialing = null;
    dialing?.abort();
    void this.#attend(entry.id);
    for (const [connection, stop] of entry.connections) {
      stop();
      connection.close(why);
    }
    entry.connections.clear();
    for (const { fail } of entry.queue.splice(0)) fail(new WigwagError('closed', `${entry.id} is no peer any more, and this had not been sent.`));
  }

  #changed() {
    this.#value = Object.freeze({ status: this.#client.status, peers: Object.freeze([...this.#entries.values()].map(shown)) });
    for (const { run } of [...this.#runs]) {
      try {
        run(this.#value);
      } catch (error) {
        queueMicrotask(() => { throw error; });
      }
    }
  }
}

/** The connection to use: the newest open one. @param {Entry} entry */
function current({ connections }) {
  const all = [...connections.keys()];
  return all.findLast(({ state }) => state === 'open') ?? all.at(-1);
}

/** @param {Entry} entry @returns {StorePeer} */
function shown(entry) {
  const { id, path, queue, error, lastSeen, failed, here } = entry;
  const connection = current(entry);
  /** @type {PeerState} */
  let state = here ? 'connecting' : 'away';
  if (connection && connection.state !== 'closed') state = connection.state;
  else if (failed) state = 'failed';
  return Object.freeze({ id, state, path: state === 'open' ? path : null, queued: queue.length, error, lastSeen });
}

function closed() {
  return new WigwagError('closed', 'This store is closed.');
}

/** @param {AbortSignal | undefined} signal */
function calledOff(signal) {
  return new WigwagError('aborted', 'The message was called off.', { cause: signal?.reason });
}
