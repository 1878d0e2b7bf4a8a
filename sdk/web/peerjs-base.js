// What connections for data and calls have in common.

import { WigwagError } from './errors.js';
import { EventEmitter, PeerError } from './peerjs-events.js';

/**
 * @import { Peer } from './peerjs.js'
 * @import { BaseConnectionErrorType, ConnectionType } from './peerjs-events.js'
 * @import { Link, Word } from './peerjs-link.js'
 *
 * @typedef {object} Provider What connections need of their peer.
 * @property {Peer} peer
 * @property {(connection: any) => Promise<Link>} dial
 * @property {(connection: any) => void} removed
 * @property {(connection: any, error: unknown) => void} failed tells why a link could not be had
 */

/**
 * @template {string} ErrorType
 * @typedef {{
 *   close: () => void,
 *   error: (error: PeerError<ErrorType>) => void,
 *   iceStateChanged: (state: RTCIceConnectionState) => void,
 * }} BaseConnectionEvents
 */

/**
 * @template {BaseConnectionEvents<any>} Events
 * @extends {EventEmitter<Events>}
 */
export class BaseConnection extends EventEmitter {
  /** @param {string} peer @param {Provider} provider @param {{ connectionId?: string, metadata?: any }} options @param {string} prefix @package */
  constructor(peer, provider, options, prefix) {
    super();
    /** What the peer is called. @readonly */
    this.peer = peer;
    /** What the caller passed along. @readonly @type {any} */
    this.metadata = options.metadata;
    /** @readonly */
    this.options = options;
    this.connectionId = options.connectionId ?? `${prefix}${crypto.randomUUID()}`;
    this.provider = provider.peer;
    this.house = provider;
    /** All connections with one peer share it; there from `open` on. @type {RTCPeerConnection} */
    this.peerConnection = /** @type {any} */ (null);
    /** There from `open` on. @type {RTCDataChannel} */
    this.dataChannel = /** @type {any} */ (null);
    /** @type {Link | null} @package */
    this.link = null;
    /** @package */
    this.ended = false;
    /** @protected */
    this._open = false;
  }

  /** Whether we made it, and whether that was tried again. */
  #begins = false;
  #again = false;

  get open() {
    return this._open;
  }

  /** Has a link and uses it, if it is wanted still by then. @package */
  async begin() {
    /** @type {Link | null} */
    let link = null;
    this.#begins = true;
    try {
      link = await this.house.dial(this);
      if (this.ended) return;
      this.ride(link);
      await this.begun(link);
    } catch (error) {
      if (this.ended || (link && this.link !== link)) return;
      if (link && !link.open) return this.cut(null);
      this.house.failed(this, error);
      this.finish(false);
    }
  }

  /** The link is there. @param {Link} _link @returns {Promise<void>} @package */
  async begun(_link) {}

  /** @param {Link} link @package */
  ride(link) {
    this.link = link;
    this.peerConnection = link.raw;
    link.add(/** @type {any} */ (this));
  }

  /** @param {Word} word @package */
  hear(word) {
    if (word.peerjs === 'away' && this.#begins && !this._open) {
      this.house.failed(this, new WigwagError('absent', `${this.peer} takes no connections now.`));
      this.finish(false);
    } else if (word.peerjs === 'end' || word.peerjs === 'away') {
      this.finish(true);
    }
  }

  /** @param {RTCIceConnectionState} state @package */
  ice(state) {
    /** @type {EventEmitter<any>} */ (this).emit('iceStateChanged', state);
  }

  /** The link is gone. @param {WigwagError | null} error @package */
  cut(error) {
    if (!error && this.#begins && !this._open && !this.#again) {
      // Its other end let it go in the moment in which we took it: another one will do.
      this.#again = true;
      this.link = null;
      return void this.begin();
    }
    if (error) this.emitError('negotiation-failed', error);
    return this.finish(true);
  }

  /** It is over. @param {boolean} told whether the app hears `close` @package */
  finish(told) {
    if (this.ended) return;
    this.ended = true;
    this._open = false;
    this.link?.remove(/** @type {any} */ (this));
    this.house.removed(this);
    if (told) /** @type {EventEmitter<any>} */ (this).emit('close');
  }

  /** @param {string} type @param {string | Error} error @package */
  emitError(type, error) {
    /** @type {EventEmitter<any>} */ (this).emit('error', new PeerError(type, error));
  }
}
