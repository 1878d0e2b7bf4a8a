// PeerJS's `DataConnection`: a channel of its own, in order, for values of every kind and size.

import { BaseConnection } from './peerjs-base.js';
import { ConnectionType } from './peerjs-events.js';
import { Joiner, MESSAGE_BYTES_MAX, pack, parts, unpack } from './peerjs-pack.js';

/**
 * @import { Channel } from './channel.js'
 * @import { BaseConnectionEvents, Provider } from './peerjs-base.js'
 * @import { BaseConnectionErrorType, DataConnectionErrorType } from './peerjs-events.js'
 * @import { Link, Word } from './peerjs-link.js'
 *
 * @typedef {BaseConnectionEvents<DataConnectionErrorType | BaseConnectionErrorType> & {
 *   data: (data: unknown) => void,
 *   open: () => void,
 * }} DataConnectionEvents
 *
 * @typedef {object} PeerConnectOption
 * @property {string} [label]
 * @property {any} [metadata] anything that JSON can hold
 * @property {string} [serialization] `binary` (the default), `json` or `raw`
 * @property {boolean} [reliable] `false`: messages may overtake each other
 */

/** Messages that come before the app listens to `data` are kept up to this. */
const HELD_BYTES = 1024 * 1024;

const KNOWN = ['default', 'binary', 'binary-utf8', 'json', 'raw'];

/** Whether there is a serialization of that name. @param {string} name */
export function isSerialization(name) {
  return KNOWN.includes(name);
}

/** @extends {BaseConnection<DataConnectionEvents>} */
export class DataConnection extends BaseConnection {
  /** @param {string} peer @param {Provider} provider @param {PeerConnectOption & { connectionId?: string }} options @package */
  constructor(peer, provider, options) {
    super(peer, provider, options, 'dc_');
    this.label = options.label ?? this.connectionId;
    /** @readonly */
    this.reliable = options.reliable !== false;
    /** @readonly */
    this.serialization = !options.serialization || options.serialization === 'default' ? 'binary' : options.serialization;
  }

  /** @type {Channel | null} */
  #channel = null;
  /** What came before it was open. @type {unknown[]} */
  #early = [];
  /** Whether the other side has the connection too. */
  #taken = true;
  #joiner = new Joiner();
  #numbers = 0;
  /** What arrived before anybody listened. @type {unknown[]} */
  #held = [];
  #heldBytes = 0;
  #sending = Promise.resolve();
  #waiting = 0;

  get type() {
    return ConnectionType.Data;
  }

  /** How many messages wait to be handed to the platform. */
  get bufferSize() {
    return this.#waiting;
  }

  /**
   * Sends a value. Resolves when there is room for the next one; what goes wrong is told by `error`. Throws what cannot be sent.
   * @param {any} data
   * @returns {Promise<void>}
   */
  send(data) {
    if (!this.open) {
      this.emitError('not-open-yet', 'This connection is not open: wait for its `open` event before sending.');
      return Promise.resolve();
    }
    const message = this.#encode(data);
    // What becomes of it is seen when its turn comes.
    if (message instanceof Promise) message.catch(() => {});
    this.#waiting += 1;
    this.#sending = this.#sending.then(() => this.#put(message)).finally(() => {
      this.#waiting -= 1;
    });
    return this.#sending;
  }

  /** Ends it on both sides; with `flush`, after everything was sent. @param {{ flush?: boolean }} [options] */
  close(options) {
    if (options?.flush) return void this.#sending.then(() => this.close());
    return this.finish(this.open);
  }

  /** @override @param {Link} link @package */
  async begun(link) {
    const { label, metadata, serialization, reliable, connectionId: id } = this;
    const telling = link.tell({ peerjs: 'data', id, label, metadata, serialization, reliable });
    this.#channel = null;
    this.#taken = false;
    this.attach(link.channel(this, label, reliable), []);
    await telling;
  }

  /** @param {Channel} channel @param {ArrayBuffer[]} early @package */
  attach(channel, early) {
    if (this.ended || this.#channel) return channel.close();
    this.#channel = channel;
    this.dataChannel = channel.raw;
    this.#early.push(...early);
    channel.on('message', ({ data }) => (this._open ? this.#take(data) : this.#early.push(data)));
    // With a link goes its channel, and there may be another of each.
    channel.on('closed', () => this.#channel === channel && this.link?.open && this.finish(true));
    channel.on('open', () => this.#ready());
    // Whoever hears of the connection may listen to it first.
    if (channel.open) setTimeout(() => this.#ready(), 0);
    return undefined;
  }

  /** @override @param {Word} word @package */
  hear(word) {
    if (word.peerjs !== 'answer') return super.hear(word);
    this.#taken = true;
    return this.#ready();
  }

  #ready() {
    if (this.ended || this._open || !this.#taken || !this.#channel?.open) return;
    this._open = true;
    this.emit('open');
    for (const each of this.#early.splice(0)) this.#take(each);
  }

  /** @override @param {boolean} told @package */
  finish(told) {
    if (this.ended) return;
    const link = this.link;
    super.finish(told);
    if (this.#channel) link?.letGo(this.#channel);
  }

  /** @param {any} data @returns {Uint8Array | Promise<Uint8Array>} */
  #encode(data) {
    if (this.serialization !== 'json') return pack(data);
    const text = JSON.stringify(data);
    if (text === undefined) throw new TypeError('This cannot be sent as JSON.');
    return new TextEncoder().encode(text);
  }

  /** @param {Uint8Array | Promise<Uint8Array>} encoded */
  async #put(encoded) {
    try {
      const message = encoded instanceof Uint8Array ? encoded : await encoded;
      if (message.byteLength > MESSAGE_BYTES_MAX) {
        return this.emitError('message-too-big', `One message may have ${MESSAGE_BYTES_MAX} bytes, and this one has ${message.byteLength}.`);
      }
      const number = (this.#numbers += 1);
      for (const part of parts(message, number)) {
        if (this.ended) return undefined;
        await this.#channel?.send(part);
      }
    } catch (error) {
      if (!this.ended) this.emitError('connection-closed', /** @type {Error} */ (error));
    }
    return undefined;
  }

  /** @param {unknown} frame */
  #take(frame) {
    try {
      if (!(frame instanceof ArrayBuffer)) throw new TypeError('This is no part of a message.');
      const message = this.#joiner.take(frame);
      if (!message) return;
      const value = this.serialization === 'json' ? JSON.parse(new TextDecoder().decode(message)) : unpack(message);
      if (this.listenerCount('data')) return void this.emit('data', value);
      this.#heldBytes += message.byteLength;
      if (this.#heldBytes <= HELD_BYTES) this.#held.push(value);
    } catch (error) {
      // Not from this facade, or by one who means no good.
      this.emitError('connection-closed', /** @type {Error} */ (error));
      this.close();
    }
  }

  /** @override @param {keyof DataConnectionEvents} event @protected */
  heard(event) {
    if (event !== 'data' || !this.#held.length) return;
    // After whoever is listening now has finished what it is doing.
    queueMicrotask(() => {
      for (const value of this.#held.splice(0)) this.emit('data', value);
      this.#heldBytes = 0;
    });
  }
}
