// A channel of a connection: texts, bytes and JSON, in order, with backpressure.

import { Emitter } from './events.js';
import { WigwagError } from './errors.js';
import { MESSAGE_BYTES as STREAM_BYTES } from './records.js';

/**
 * @typedef {string | ArrayBuffer | ArrayBufferView<ArrayBuffer> | object | number | boolean | null} Message
 * @typedef {{ type: 'message', data: any } | { type: 'open' } | { type: 'closed' }} ChannelEvent
 */

/** So much may wait in the platform before a sender waits too. */
const HIGH_BYTES = 1024 * 1024;
const LOW_BYTES = 256 * 1024;

/** What a platform takes that does not say. */
const MESSAGE_BYTES = 65_536;

/** @extends {Emitter<ChannelEvent>} */
export class Channel extends Emitter {
  /**
   * @param {RTCDataChannel} raw
   * @param {() => number | undefined} largest how large a message may be
   * @param {{ plain?: boolean, later?: boolean }} [how] `plain`: messages stand as they are; `later`: whoever gets this channel listens first
   */
  constructor(raw, largest, { plain = false, later = false } = {}) {
    super();
    this.raw = raw;
    this.#plain = plain;
    this.#largest = largest;
    raw.binaryType = 'arraybuffer';
    raw.bufferedAmountLowThreshold = LOW_BYTES;
    raw.onopen = () => this.emit({ type: 'open' });
    raw.onclose = () => {
      this.emit({ type: 'closed' });
      this.over();
    };
    const listen = () => void (raw.onmessage = ({ data }) => this.#take(data));
    if (later) setTimeout(listen);
    else listen();
  }

  #largest;
  #plain;
  /** @type {Promise<void>} */
  #turn = Promise.resolve();

  get label() {
    return this.raw.label;
  }

  get open() {
    return this.raw.readyState === 'open';
  }

  /** Bytes that wait to be sent. */
  get waiting() {
    return this.raw.bufferedAmount;
  }

  /**
   * Sends a text, bytes, or anything that JSON can hold. Resolves when there is room for more: whoever waits for it never fills the memory.
   * @param {Message} message
   * @returns {Promise<void>}
   */
  send(message) {
    const frame = encode(message, this.#plain);
    const bytes = typeof frame === 'string' ? frame.length * 3 : frame.byteLength;
    const most = this.#largest() || MESSAGE_BYTES;
    const size = bytes > most && typeof frame === 'string' ? new TextEncoder().encode(frame).length : bytes;
    if (size > most) return Promise.reject(new WigwagError('too_large', `One message may have ${most} bytes, and this one has ${size}.`));
    const sent = this.#turn.then(() => this.#put(frame));
    this.#turn = sent.catch(() => {});
    return sent;
  }

  close() {
    this.raw.close();
  }

  /** @param {string | ArrayBuffer | ArrayBufferView<ArrayBuffer>} frame */
  async #put(frame) {
    if (!this.open) throw new WigwagError('closed', 'This channel is not open.');
    this.raw.send(/** @type {any} */ (frame));
    if (this.raw.bufferedAmount <= HIGH_BYTES) return;
    await new Promise((resolve) => {
      const done = () => {
        this.raw.removeEventListener('bufferedamountlow', done);
        this.raw.removeEventListener('close', done);
        resolve(undefined);
      };
      this.raw.addEventListener('bufferedamountlow', done);
      this.raw.addEventListener('close', done);
    });
  }

  /** @param {any} frame */
  #take(frame) {
    if (typeof frame !== 'string' || this.#plain) return this.emit({ type: 'message', data: frame });
    if (frame[0] === 't') return this.emit({ type: 'message', data: frame.slice(1) });
    if (frame[0] !== 'j') return undefined;
    let data;
    try {
      data = JSON.parse(frame.slice(1));
    } catch {
      // What is no JSON was not sent by this SDK.
      return undefined;
    }
    return this.emit({ type: 'message', data });
  }
}

/** A channel over the stream, which stands in for one of the platform's. @param {import('./records.js').Pipe} pipe */
export function overStream(pipe) {
  return new Channel(/** @type {any} */ (pipe), () => STREAM_BYTES);
}

/** A letter in front tells a text from JSON. @param {Message} message @param {boolean} plain without the letter @returns {string | ArrayBuffer | ArrayBufferView<ArrayBuffer>} */
function encode(message, plain) {
  if (typeof message === 'string') return plain ? message : `t${message}`;
  if (message instanceof ArrayBuffer || ArrayBuffer.isView(message)) return /** @type {ArrayBuffer} */ (message);
  const text = JSON.stringify(message);
  if (text === undefined) throw new WigwagError('bad_field', 'This cannot be sent: it is neither text, nor bytes, nor JSON.');
  return plain ? text : `j${text}`;
}
