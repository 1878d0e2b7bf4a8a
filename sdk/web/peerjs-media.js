// PeerJS's `MediaConnection`: a call, with a stream each way. Nothing is sent before it is answered.

import { BaseConnection } from './peerjs-base.js';
import { ConnectionType } from './peerjs-events.js';

/**
 * @import { BaseConnectionEvents, Provider } from './peerjs-base.js'
 * @import { BaseConnectionErrorType } from './peerjs-events.js'
 * @import { Link, Word } from './peerjs-link.js'
 *
 * @typedef {BaseConnectionEvents<BaseConnectionErrorType> & {
 *   stream: (stream: MediaStream) => void,
 *   willCloseOnRemote: () => void,
 * }} MediaConnectionEvents
 *
 * @typedef {object} CallOption
 * @property {any} [metadata] anything that JSON can hold
 * @property {Function} [sdpTransform] has no effect here
 *
 * @typedef {object} AnswerOption
 * @property {Function} [sdpTransform] has no effect here
 */

/** @extends {BaseConnection<MediaConnectionEvents>} */
export class MediaConnection extends BaseConnection {
  /**
   * @param {string} peer
   * @param {Provider} provider
   * @param {{ metadata?: any, connectionId?: string }} options
   * @param {{ stream?: MediaStream, theirs?: string, tracks?: number }} media ours, where we call; the name of theirs and what is in it, where they do
   * @package
   */
  constructor(peer, provider, options, { stream, theirs, tracks = 1 }) {
    super(peer, provider, options, 'mc_');
    this.label = this.connectionId;
    this.#local = stream ?? null;
    this.#theirs = theirs ?? null;
    this.#calls = theirs === undefined;
    this.#waits = theirs !== undefined && tracks > 0;
  }

  #calls;
  /** Whether ours goes out with the answer to theirs. Two descriptions that cross each other are more than some pairs of browsers can sort out. */
  #waits;
  /** @type {MediaStream | null} */
  #local;
  /** @type {MediaStream | null} */
  #remote = null;
  /** @type {string | null} */
  #theirs;
  /** @type {ReturnType<Link['carry']> | null} */
  #carried = null;

  get type() {
    return ConnectionType.Media;
  }

  /** @returns {MediaStream} */
  get localStream() {
    return /** @type {MediaStream} */ (this.#local);
  }

  /** @returns {MediaStream} */
  get remoteStream() {
    return /** @type {MediaStream} */ (this.#remote);
  }

  /** Takes the call, and sends a stream if there is one. @param {MediaStream} [stream] @param {AnswerOption} [_options] */
  answer(stream, _options) {
    const link = this.link;
    if (this.#calls || this.open || this.ended || !link) return;
    this._open = true;
    this.#local = stream ?? null;
    this.#carried = stream ? link.carry(stream) : null;
    this.#listen(link);
    link.tell({ peerjs: 'answer', id: this.connectionId, stream: this.#carried?.name ?? null }).catch(() => {
      // The link is gone, which is told by `close`.
    });
    if (!this.#waits) this.#send();
    this.emit('willCloseOnRemote');
  }

  /** Ends the call on both sides, also before it was answered. */
  close() {
    if (this.ended) return;
    this.link?.tell({ peerjs: 'end', id: this.connectionId }).catch(() => {
      // The link is gone, and the call with it.
    });
    this.finish(this.open);
  }

  /** @override @param {Link} link @package */
  async begun(link) {
    this.#carried = link.carry(/** @type {MediaStream} */ (this.#local));
    await link.tell({ peerjs: 'call', id: this.connectionId, metadata: this.metadata, stream: this.#carried.name, tracks: this.#carried.tracks });
  }

  /** @override @param {Word} word @package */
  hear(word) {
    const link = this.link;
    if (word.peerjs !== 'answer') return super.hear(word);
    if (!this.#calls || this.open || !link) return undefined;
    this._open = true;
    this.#theirs = typeof word.stream === 'string' ? word.stream : null;
    this.#listen(link);
    this.#send();
    this.emit('willCloseOnRemote');
    return undefined;
  }

  /** @override @param {boolean} told @package */
  finish(told) {
    if (this.ended) return;
    this.#carried?.stop();
    if (this.#theirs !== null) this.link?.forget(this.#theirs);
    this.#local = this.#remote = null;
    super.finish(told);
  }

  #send() {
    try {
      this.#carried?.send();
    } catch (error) {
      // Sound and picture take a direct path, which there is none of while the server relays.
      this.emitError('negotiation-failed', /** @type {Error} */ (error));
      this.close();
    }
  }

  /** @param {Link} link */
  #listen(link) {
    if (this.#theirs === null) return;
    link.expect(this.#theirs, (stream) => {
      if (this.ended) return;
      if (this.#waits) this.#send();
      if (this.ended) return;
      this.#remote = stream;
      this.emit('stream', stream);
    });
  }
}
