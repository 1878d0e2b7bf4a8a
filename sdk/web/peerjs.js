// PeerJS's API on this SDK: an app changes its import, and its connections are sealed, mended and resumed like everybody's. What differs is in `docs/guide/from-peerjs.md`.

import { Wigwag } from './client.js';
import { WigwagError } from './errors.js';
import { defaultKeep } from './keep.js';
import { DataConnection, isSerialization } from './peerjs-data.js';
import { EventEmitter, PeerError } from './peerjs-events.js';
import { claim, identityOf, isKeyId, resolve, validateId } from './peerjs-ids.js';
import { Link } from './peerjs-link.js';
import { MediaConnection } from './peerjs-media.js';
import { configured, serversOf } from './peerjs-platform.js';

/**
 * @import { ClientOptions } from './client.js'
 * @import { Connection, Peer as Caller } from './connection.js'
 * @import { Surroundings } from './line.js'
 * @import { Status } from './terms.js'
 * @import { BaseConnection, Provider } from './peerjs-base.js'
 * @import { PeerErrorType } from './peerjs-events.js'
 * @import { Line, Word } from './peerjs-link.js'
 * @import { Room } from './room.js'
 *
 * @typedef {object} PeerJSOption
 * @property {string} [host] of the server; left out, the one that the SDK finds by itself. `/` is the page's own
 * @property {number} [port]
 * @property {string} [path] in front of `/v1`
 * @property {boolean} [secure] left out, as the page is
 * @property {string} [key] the app's own world, a namespace; `peerjs` is the server's default one
 * @property {any} [config] for `RTCPeerConnection`; goes over what the server says
 * @property {number} [debug] 1: errors on the console, 2: warnings too
 * @property {(level: number, ...values: any[]) => void} [logFunction]
 * @property {string} [token] has no effect here
 * @property {number} [pingInterval] has no effect here
 * @property {ReferrerPolicy} [referrerPolicy] has no effect here
 *
 * @typedef {PeerJSOption & Pick<ClientOptions, 'servers' | 'keep' | 'RTCPeerConnection'> & Surroundings} PeerOptions
 *
 * @typedef {{
 *   open: (id: string) => void,
 *   connection: (connection: DataConnection) => void,
 *   call: (connection: MediaConnection) => void,
 *   close: () => void,
 *   disconnected: (id: string) => void,
 *   error: (error: PeerError<PeerErrorType>) => void,
 * }} PeerEvents
 *
 * A link under way: who it leads to, once that is known, and how to call it off.
 * @typedef {{ promise: Promise<Link>, resolve: (link: Link) => void, reject: (error: Error) => void, call: AbortController, to: { id: string, device?: string } | null }} Dial
 */

/** How long to wait before looking again for a peer that is not here: it may be about to come. */
const WAITS_MS = [2_000, 3_000];

/** What a peer says that takes no more connections. */
const AWAY = 'This peer is disconnected.';

/** Who in this page has an id of its choice, each id with its server: the second of two gets none. @type {Map<string, Peer>} */
const here = new Map();

/** @extends {EventEmitter<PeerEvents>} */
export class Peer extends EventEmitter {
  /**
   * @param {string | PeerOptions} [id] what others call this peer; left out, the id of a new key
   * @param {PeerOptions} [options]
   */
  constructor(id, options) {
    super();
    const given = (typeof id === 'object' ? id : options) ?? {};
    this.options = { debug: 0, ...given };
    const wanted = typeof id === 'object' || id === undefined || id === null || id === '' ? undefined : String(id);
    this.#id = wanted;
    this.#provider = {
      peer: this,
      dial: (connection) => this.#dial(connection.peer),
      removed: (connection) => this.#removed(connection),
      failed: (connection, error) => this.#failed(connection, error),
    };
    // Whoever made the peer may listen first.
    setTimeout(() => void this.#start(wanted).catch((error) => this.#abort('server-error', error)), 0);
  }

  /** @type {string | undefined} */
  #id;
  /** @type {Provider} */
  #provider;
  /** @type {Wigwag | null} */
  #client = null;
  /** Resolves with the client as soon as there is one. @type {{ promise: Promise<Wigwag>, resolve: (client: Wigwag) => void, reject: (error: Error) => void }} */
  #started = deferred();
  /** @type {Room | null} */
  #claim = null;
  /** Counts claims: an older one that is still under way is of no use. */
  #claims = 0;
  #place = '';
  #open = false;
  #opened = false;
  #lost = false;
  #left = false;
  #destroyed = false;
  /** @type {Map<string, BaseConnection<any>[]>} */
  #connections = new Map();
  /** @type {Set<Link>} */
  #links = new Set();
  /** @type {Map<string, Dial>} */
  #dialling = new Map();
  /** Faults that were told. @type {Set<string>} */
  #told = new Set();

  /** What others call this peer; for a peer that asked for no id, there from `open` on. @returns {string} */
  get id() {
    return /** @type {string} */ (this.#id);
  }

  get open() {
    return this.#open;
  }

  get disconnected() {
    return this.#left || this.#lost || this.#destroyed;
  }

  get destroyed() {
    return this.#destroyed;
  }

  /** All connections, by the id of their other end. @returns {Record<string, (DataConnection | MediaConnection)[]>} */
  get connections() {
    return /** @type {any} */ (Object.fromEntries([...this.#connections].map(([id, list]) => [id, [...list]])));
  }

  /** Connects to a peer; the connection may be used when it says `open`. @param {string} peer @param {PeerConnectOption} [options] @returns {DataConnection} */
  connect(peer, options = {}) {
    const refused = /** @type {any} */ (undefined);
    if (!this.#may()) return refused;
    if (!isSerialization(options.serialization ?? 'default')) throw new TypeError(`There is no serialization called ${options.serialization} here.`);
    const connection = new DataConnection(String(peer), this.#provider, options);
    this.#added(connection);
    void connection.begin();
    return connection;
  }

  /** Calls a peer. @param {string} peer @param {MediaStream} stream @param {CallOption} [options] @returns {MediaConnection} */
  call(peer, stream, options = {}) {
    const refused = /** @type {any} */ (undefined);
    if (!this.#may()) return refused;
    if (!stream) {
      this.#log(1, 'A call needs a stream, for instance of getUserMedia.');
      return refused;
    }
    const connection = new MediaConnection(String(peer), this.#provider, options, { stream });
    this.#added(connection);
    void connection.begin();
    return connection;
  }

  /** @param {string} peer @param {string} connectionId @returns {DataConnection | MediaConnection | null} */
  getConnection(peer, connectionId) {
    return /** @type {any} */ (this.#connections.get(peer)?.find((connection) => connection.connectionId === connectionId) ?? null);
  }

  /** Takes and makes no more connections, and gives the id up. Those that are there stay. */
  disconnect() {
    if (this.#left || this.#destroyed) return;
    const silent = this.#lost;
    this.#left = true;
    this.#open = false;
    this.#release();
    if (!silent) this.emit('disconnected', this.id);
  }

  /** Undoes `disconnect`, under the same id; after a loss, tries now instead of at the next turn. */
  reconnect() {
    if (this.#destroyed) throw new Error('This peer cannot reconnect: it was destroyed.');
    if (this.#left) {
      this.#left = false;
      if (this.#client?.status.state === 'open') void this.#enter();
      else this.#lost = true;
    }
    this.#client?.nudge();
  }

  /** Ends all connections, and this peer for good. */
  destroy() {
    if (this.#destroyed) return;
    this.disconnect();
    this.#destroyed = true;
    for (const { call } of this.#dialling.values()) call.abort();
    this.#started.reject(new WigwagError('closed', 'This peer was destroyed.'));
    for (const connection of [...this.#connections.values()].flat()) connection.finish(connection.open);
    this.#client?.close();
    this.emit('close');
  }

  /** Cannot be had: no server tells who is here. It ends in an `error`. @param {(ids: any[]) => void} [_take] never called */
  listAllPeers(_take) {
    this.#error('server-error', 'Who is here is told to nobody. Peers that want to find each other join a room: `Wigwag.join`.');
  }

  /** @param {string | undefined} wanted */
  async #start(wanted) {
    if (this.#destroyed) return;
    const { options } = this;
    const RTC = options.RTCPeerConnection ?? globalThis.RTCPeerConnection;
    if (!RTC || !globalThis.crypto?.subtle) return this.#abort('browser-incompatible', 'There is no WebRTC or no WebCrypto here; both need a page that came over HTTPS or from localhost.');
    if (wanted !== undefined && !validateId(wanted)) {
      return this.#abort('invalid-id', `The id ${wanted} cannot be: letters and digits, in words that single blanks, underscores or hyphens set apart.`);
    }
    const { key, keep = defaultKeep() } = options;
    const servers = serversOf(options);
    const namespace = key === undefined || key === 'peerjs' ? undefined : key;
    if (wanted !== undefined) this.#place = JSON.stringify([servers, namespace, wanted]);
    if (!this.#reserve()) return this.#abort('unavailable-id', `The id ${wanted} is taken, by another peer of this page.`);
    const identity = await identityOf(wanted, keep);
    if (this.#destroyed) return;
    if (!identity) return this.#abort('unavailable-id', `The id ${wanted} belongs to a key that is not in this browser.`);
    this.#id = wanted ?? identity.id;
    const client = await Wigwag.start({
      ...options, servers, namespace, keep, identity, RTCPeerConnection: configured(RTC, options.config), accept: (caller) => this.#accept(caller),
    });
    if (this.#destroyed) return client.close();
    this.#client = client;
    client.on('status', ({ status }) => this.#status(status));
    client.on('fault', ({ message }) => {
      // The same again at each try would be noise.
      if (!this.#told.has(message) && this.#told.size < 8) this.#error('server-error', message);
      this.#told.add(message);
    });
    client.on('connection', ({ connection }) => this.#called(connection));
    this.#started.resolve(client);
    this.#status(client.status);
  }

  /** @param {Status} status */
  #status({ state, why = 'stopped', code }) {
    if (this.#destroyed) return;
    if (state === 'open') {
      this.#lost = false;
      if (!this.#left) void this.#enter();
    } else if (state === 'stopped') {
      const type = code === 4206 ? 'invalid-key' : code === 4300 ? 'unavailable-id' : 'server-error';
      this.#abort(type, new WigwagError(why, `The server lets this peer go: ${why}.`, { code }));
    } else if (state === 'waiting' && !this.#lost && !this.#left) {
      this.#lost = true;
      this.#open = false;
      this.#error('network', 'There is no server now. This peer goes on trying.');
      this.emit('disconnected', this.id);
    }
  }

  /** We are with the server: the id is taken, if it is not ours still. */
  async #enter() {
    const client = /** @type {Wigwag} */ (this.#client);
    const number = (this.#claims += 1);
    if (this.#claim?.open && !this.#claim.mine) {
      // A copied tab has what was ours.
      const lost = this.#claim;
      this.#claim = null;
      await lost.leave().catch(() => {});
    }
    if (!this.#claim?.open && this.#place) {
      try {
        if (!this.#reserve()) throw new WigwagError('taken', `The id ${this.id} is taken, by another peer of this page.`);
        const room = await claim(client, this.id);
        if (number !== this.#claims || this.#left || this.#destroyed) return void room?.leave();
        this.#claim = room;
        room?.on('host', ({ mine }) => mine || this.#ousted());
        room?.on('closed', ({ why }) => why === 'left' || why === 'closed' || this.#ousted());
      } catch (error) {
        const { reason } = /** @type {WigwagError} */ (error);
        if (number !== this.#claims || this.#destroyed || reason === 'closed') return;
        this.#abort(reason === 'taken' || reason === 'room_full' ? 'unavailable-id' : 'server-error', /** @type {Error} */ (error));
        return;
      }
    }
    if (this.#left || this.#destroyed || client.status.state !== 'open') return;
    this.#open = this.#opened = true;
    this.emit('open', this.id);
  }

  /** Another peer has our id: after a time without a server. */
  #ousted() {
    if (this.#claim) this.#abort('unavailable-id', `The id ${this.id} was taken by another peer while this one was away.`);
  }

  /** What cannot be mended ends a peer that never was open, and disconnects one that was. @param {PeerErrorType} type @param {string | Error} error */
  #abort(type, error) {
    if (this.#destroyed) return;
    this.#error(type, error);
    if (this.#opened) this.disconnect();
    else this.destroy();
  }

  /** Whether no other peer of this page has our id. */
  #reserve() {
    if (!this.#place || (here.get(this.#place) ?? this) !== this) return !this.#place;
    here.set(this.#place, this);
    return true;
  }

  /** Gives the id up. */
  #release() {
    const room = this.#claim;
    this.#claim = null;
    this.#claims += 1;
    room?.leave().catch(() => {
      // Without a server the claim ends with the session.
    });
    if (here.get(this.#place) === this) here.delete(this.#place);
  }

  /** @param {Caller} caller */
  async #accept({ id, device, meta }) {
    const called = meta?.peerjs;
    if (typeof called !== 'string') return 'This peer speaks with others of wigwag/peerjs only.';
    if (this.#left || this.#destroyed) return AWAY;
    if (called === id) return true;
    // A word is believed when whoever holds it is the one that calls.
    const holder = await resolve(/** @type {Wigwag} */ (this.#client), called).catch(() => null);
    return (!isKeyId(called) && holder?.id === id && holder.device === device) || `${called} is somebody else.`;
  }

  /** @param {string} remote @returns {Promise<Link>} that is listened to on both sides */
  async #dial(remote) {
    const known = [...this.#links].find((link) => link.remote === remote && link.open);
    const link = known ?? (await (this.#dialling.get(remote) ?? this.#begin(remote)).promise);
    await link.ready;
    return link;
  }

  /** @param {string} remote */
  #begin(remote) {
    /** @type {Dial} */
    const dial = { ...deferred(), call: new AbortController(), to: null };
    this.#dialling.set(remote, dial);
    this.#connect(remote, dial).then(dial.resolve, dial.reject).finally(() => this.#dialling.delete(remote));
    return dial;
  }

  /** @param {string} remote @param {Dial} dial */
  async #connect(remote, dial) {
    const client = await this.#started.promise;
    for (const wait of [...WAITS_MS, null]) {
      try {
        if (remote === this.id) throw new WigwagError('not_found', `${remote} is this peer itself.`);
        dial.to = await resolve(client, remote);
        const { id, device } = dial.to;
        const connection = await client.connect(id, { device, signal: dial.call.signal, meta: { peerjs: this.id } });
        return this.#link(connection, remote);
      } catch (error) {
        if (wait === null || !isAbsent(error)) throw error;
        await pause(wait, dial.call.signal);
      }
    }
    throw new WigwagError('not_found', `Nobody is called ${remote} here.`);
  }

  /** A peer connected to us. If we are about to connect to it, this is what we wanted, and it may never hear our own call. @param {Connection} connection */
  #called(connection) {
    const { id, device, meta } = connection.peer;
    const link = this.#link(connection, meta.peerjs);
    for (const dial of this.#dialling.values()) {
      if (dial.to?.id !== id || (dial.to.device !== undefined && dial.to.device !== device)) continue;
      dial.resolve(link);
      dial.call.abort();
    }
  }

  /** @param {Connection} connection @param {string} remote */
  #link(connection, remote) {
    const link = new Link(connection, remote, (word, from) => this.#incoming(word, from), (gone) => this.#links.delete(gone));
    this.#links.add(link);
    return link;
  }

  /** @param {Word} word @param {Link} link @returns {Line | null} */
  #incoming(word, link) {
    const { id: connectionId } = word;
    if (this.#left || this.#destroyed || this.getConnection(link.remote, connectionId)) return null;
    if (word.peerjs === 'call') {
      const { metadata, stream, tracks } = word;
      const call = new MediaConnection(link.remote, this.#provider, { metadata, connectionId }, { theirs: String(stream), tracks });
      this.#added(call);
      call.ride(link);
      this.emit('call', call);
      return call;
    }
    if (word.peerjs !== 'data' || !isSerialization(word.serialization)) return null;
    const { label, metadata, serialization, reliable } = word;
    const data = new DataConnection(link.remote, this.#provider, { label: String(label), metadata, serialization, reliable: reliable !== false, connectionId });
    this.#added(data);
    data.ride(link);
    this.emit('connection', data);
    return data;
  }

  /** @param {BaseConnection<any>} connection */
  #added(connection) {
    this.#connections.set(connection.peer, [...(this.#connections.get(connection.peer) ?? []), connection]);
  }

  /** @param {BaseConnection<any>} connection */
  #removed(connection) {
    const left = (this.#connections.get(connection.peer) ?? []).filter((each) => each !== connection);
    if (left.length) this.#connections.set(connection.peer, left);
    else this.#connections.delete(connection.peer);
  }

  /** @param {BaseConnection<any>} connection @param {unknown} cause */
  #failed(connection, cause) {
    if (this.#destroyed) return;
    const error = cause instanceof WigwagError ? cause : new WigwagError('failed', `${cause instanceof Error ? cause.message : cause}`, { cause });
    const { reason, at, code } = error;
    if (isAbsent(error)) this.#error('peer-unavailable', new WigwagError(reason, `There is nobody to connect to under the id ${connection.peer}`, { cause: error }));
    else if (reason === 'unsupported') this.#error('browser-incompatible', error);
    else if (reason === 'failed') this.#error('webrtc', error);
    else if (reason === 'closed' || reason === 'offline' || at === 'server') this.#error('network', error);
    else if (code !== undefined) this.#error('server-error', error);
    else connection.emitError('negotiation-failed', error);
  }

  /** Whether connections may be made. */
  #may() {
    if (!this.#left && !this.#destroyed) return true;
    this.#error('disconnected', 'This peer makes no connections: it was disconnected. `reconnect` undoes that, unless it was destroyed.');
    return false;
  }

  /** @param {PeerErrorType} type @param {string | Error} error */
  #error(type, error) {
    const told = new PeerError(type, error);
    this.#log(1, told);
    this.emit('error', told);
  }

  /** @param {number} level @param {any} value */
  #log(level, value) {
    const { debug = 0, logFunction } = this.options;
    if (debug < level) return;
    if (logFunction) logFunction(level, value);
    else console.error('wigwag/peerjs:', value);
  }
}

export { DataConnection } from './peerjs-data.js';
export { BaseConnectionErrorType, ConnectionType, DataConnectionErrorType, PeerError, PeerErrorType, SerializationType } from './peerjs-events.js';
export { MediaConnection } from './peerjs-media.js';
export { util } from './peerjs-platform.js';
export default Peer;

/**
 * @typedef {import('./peerjs-data.js').PeerConnectOption} PeerConnectOption
 * @typedef {import('./peerjs-media.js').CallOption} CallOption
 * @typedef {import('./peerjs-media.js').AnswerOption} AnswerOption
 */

/** @param {unknown} error */
function isAbsent(error) {
  if (!(error instanceof WigwagError)) return false;
  return error.reason === 'not_found' || error.reason === 'absent' || (error.reason === 'refused' && error.message === AWAY);
}

/** @param {number} ms @param {AbortSignal} signal @returns {Promise<void>} */
function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(new WigwagError('closed', 'This peer was destroyed.'));
    }, { once: true });
  });
}

/** @returns {{ promise: Promise<any>, resolve: (value: any) => void, reject: (error: Error) => void }} */
function deferred() {
  /** @type {any} */
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  // Nobody has to wait for it.
  made.promise.catch(() => {});
  return made;
}
