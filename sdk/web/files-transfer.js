// What both sides of a transfer are: something with a channel that counts, speaks, and ends once.

import { Emitter } from './events.js';
import { CLOSE_MS, ended } from './files-rules.js';

/**
 * @import { Channel } from './channel.js'
 * @import { WigwagError } from './errors.js'
 * @import { Ending } from './files-rules.js'
 *
 * @typedef {'preparing' | 'waiting' | 'offered' | 'moving' | 'done' | 'ended'} TransferState
 */

/**
 * @template Result
 * @template {{ type: string }} Event
 * @extends {Emitter<Event>}
 */
export class Transfer extends Emitter {
  constructor() {
    super();
    /** Everything that was wanted arrived. @type {Promise<Result>} */
    this.done = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.done.catch(() => {
      // Whoever listens to events need not wait for this as well.
    });
  }

  name = '';
  files = 0;
  bytes = 0;
  /** So many bytes are with the receiver. */
  moved = 0;
  kept = 0;
  skipped = 0;
  /** @type {TransferState} */
  state = 'waiting';
  /** Why it ended, where not everything arrived. @type {WigwagError | null} */
  error = null;

  /** @type {{ resolve: (result: Result) => void, reject: (error: WigwagError) => void }} */
  #settle = { resolve: () => {}, reject: () => {} };
  /** @type {Channel | null} */
  #channel = null;

  /** Whether nothing more will happen. */
  get finished() {
    return this.state === 'done' || this.state === 'ended';
  }

  /** Ends it: the receiver keeps what it has of it, to go on from. */
  cancel() {
    this.end('cancelled');
  }

  /** Speaks on this from now on. @param {Channel} channel @param {(said: unknown) => void} hear @protected */
  speak(channel, hear) {
    this.#channel = channel;
    channel.on('message', ({ data }) => {
      if (!this.finished) hear(data);
    });
    channel.on('closed', () => this.end('closed', true));
  }

  /** @param {import('./channel.js').Message} word @returns {Promise<void>} @protected */
  tell(word) {
    return /** @type {Channel} */ (this.#channel).send(word);
  }

  /** The same, where nobody waits for it. @param {object} word @protected */
  say(word) {
    if (!this.#channel?.open) return;
    this.tell(word).catch(() => {
      // That the channel is gone is heard by itself.
    });
  }

  /** @param {number} bytes more that are with the receiver @protected */
  count(bytes) {
    if (!bytes) return;
    this.moved += bytes;
    this.#emit({ type: 'progress', moved: this.moved, bytes: this.bytes });
  }

  /** It is over, and well. @param {Result} result @protected */
  finish(result) {
    this.state = 'done';
    this.#settle.resolve(result);
    this.#emit({ type: 'done' });
    this.over();
  }

  /** @param {Ending} reason @param {boolean} [heard] that the other side ended it @param {WigwagError} [error] @protected */
  end(reason, heard = false, error = ended(reason, heard)) {
    if (this.finished) return;
    const known = this.state !== 'waiting';
    this.state = 'ended';
    this.error = error;
    const rest = this.stopped(reason);
    if (heard) this.hangUp();
    else {
      this.say({ type: 'no', reason });
      this.hangUpLater();
    }
    if (rest) void rest.then(() => this.#settle.reject(error));
    else this.#settle.reject(error);
    if (known) this.#emit({ type: 'ended', error });
    this.over();
  }

  /** What a side has to do when it ends; `done` waits for it. @param {Ending} _reason @returns {Promise<void> | null} @protected */
  stopped(_reason) {
    return null;
  }

  /** @protected */
  hangUp() {
    this.#channel?.close();
  }

  /** Whoever hears the last word closes the channel; who said it does so where the other does not. @protected */
  hangUpLater() {
    const channel = this.#channel;
    if (!channel) return;
    const patience = setTimeout(() => channel.close(), CLOSE_MS);
    channel.on('closed', () => clearTimeout(patience));
  }

  /** @param {object} event one of those that both sides tell */
  #emit(event) {
    this.emit(/** @type {any} */ (event));
  }
}
