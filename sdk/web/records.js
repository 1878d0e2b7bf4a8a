// The records of `spec/relay.md`: many channels over one stream. Pure: bytes in, events out; bytes out when they are asked for.

import { WigwagError } from './errors.js';

/**
 * @typedef {{ type: 'open', pipe: Pipe }
 *   | { type: 'message', pipe: Pipe, data: string | ArrayBuffer }
 *   | { type: 'close', pipe: Pipe }} Told
 *
 * @typedef {object} Waiting
 * @property {number} kind of its last record
 * @property {Uint8Array} body
 * @property {number} at how much of it has gone
 */

const HEADER_BYTES = 5;
export const BODY_BYTES = 16_384;
export const MESSAGE_BYTES = 1_048_576;
const LABEL_BYTES = 256;
const CHANNELS_MAX = 256;
/** So many messages may be unfinished at a time, each in its own channel. */
const UNFINISHED_MAX = 8;
/** More than this does not wait for one who does not wait for room. */
const WAITING_BYTES = 16 * MESSAGE_BYTES;

const [OPEN, CLOSE, TEXT_PART, TEXT, BYTES_PART, BYTES] = [1, 2, 3, 4, 5, 6];

/** What a channel needs of the platform's data channels, over the stream. */
export class Pipe extends EventTarget {
  /** @param {string} label @param {string} protocol @param {() => void} wake there is something to send @param {boolean} [open] */
  constructor(label, protocol, wake, open = false) {
    super();
    this.label = label;
    this.readyState = open ? 'open' : 'connecting';
    this.protocol = protocol;
    this.binaryType = 'arraybuffer';
    this.bufferedAmount = 0;
    this.bufferedAmountLowThreshold = 0;
    /** @type {(() => void) | null} */
    this.onopen = null;
    /** @type {(() => void) | null} */
    this.onclose = null;
    /** @type {((event: { data: any }) => void) | null} */
    this.onmessage = null;
    /** @type {Waiting[]} @package */
    this.queue = [];
    /** What came of an unfinished message. @type {Uint8Array[]} @package */
    this.parts = [];
    /** Their bytes. @package */
    this.partBytes = 0;
    this.#wake = wake;
  }

  #wake;

  /** @param {string | ArrayBuffer | ArrayBufferView<ArrayBuffer>} frame */
  send(frame) {
    if (this.readyState !== 'open') throw new WigwagError('closed', 'This channel is not open.');
    const text = typeof frame === 'string';
    // A copy: the sender may go on to use its own.
    const body = text ? new TextEncoder().encode(frame) : bytesOf(frame).slice();
    if (body.length > MESSAGE_BYTES) throw new WigwagError('too_large', `One message may have ${MESSAGE_BYTES} bytes, and this one has ${body.length}.`);
    if (this.bufferedAmount + body.length > WAITING_BYTES) throw new WigwagError('queue_full', 'Too much waits to be sent on this channel.');
    this.put(text ? TEXT : BYTES, body);
  }

  close() {
    if (this.readyState === 'closed' || this.readyState === 'closing') return;
    this.put(CLOSE, new Uint8Array());
    this.readyState = 'closing';
  }

  /** @param {number} kind @param {Uint8Array} body @package */
  put(kind, body) {
    this.queue.push({ kind, body, at: 0 });
    this.bufferedAmount += body.length;
    this.#wake();
  }

  /** It is open. @package */
  opened() {
    if (this.readyState !== 'connecting') return;
    this.readyState = 'open';
    this.onopen?.();
  }

  /** It is over. @package */
  over() {
    if (this.readyState === 'closed') return;
    this.readyState = 'closed';
    this.queue = [];
    this.parts = [];
    this.bufferedAmount = 0;
    this.dispatchEvent(new Event('close'));
    this.onclose?.();
  }

  /** So much of what waits has gone. @param {number} bytes @package */
  gone(bytes) {
    const before = this.bufferedAmount;
    this.bufferedAmount -= bytes;
    const low = this.bufferedAmountLowThreshold;
    if (before > low && this.bufferedAmount <= low) this.dispatchEvent(new Event('bufferedamountlow'));
  }
}

export class Records {
  /** @param {{ hails: boolean, wake: () => void }} side */
  constructor({ hails, wake }) {
    this.#wake = wake;
    this.#number = hails ? 2 : 1;
    this.#hails = hails;
    this.main = new Pipe('wigwag', '', wake);
    this.#pipes = new Map([[0, this.main]]);
  }

  #wake;
  #hails;
  #number;
  /** @type {Map<number, Pipe>} */
  #pipes;
  /** The last number that the other opened. */
  #theirs = -1;
  /** What came of an unfinished record. */
  #rest = new Uint8Array();
  /** How many channels have an unfinished message. */
  #unfinished = 0;
  /** Who was served last. */
  #turn = 0;

  /** Opens a channel. @param {string} label @param {string} [protocol] @returns {Pipe} */
  open(label, protocol = '') {
    if (`${label}${protocol}`.includes('\0')) throw new WigwagError('bad_field', 'The label of a channel cannot hold a zero.');
    const name = new TextEncoder().encode(protocol ? `${label}\0${protocol}` : label);
    if (name.length > LABEL_BYTES) throw new WigwagError('too_large', `The label and the protocol of a channel may have ${LABEL_BYTES} bytes.`);
    if (this.#pipes.size > CHANNELS_MAX || this.#number > 0xffff) throw new WigwagError('queue_full', 'This connection has as many channels as it may.');
    const pipe = new Pipe(label, protocol, this.#wake);
    this.#pipes.set(this.#number, pipe);
    this.#number += 2;
    pipe.put(OPEN, name);
    // Whoever asked for it listens first.
    queueMicrotask(() => pipe.opened());
    return pipe;
  }

  /** All channels are over. */
  over() {
    for (const pipe of this.#pipes.values()) pipe.over();
    this.#pipes.clear();
  }

  /** The next record, of each channel in turn. @returns {Uint8Array | null} */
  pull() {
    const begun = [...this.#pipes.values()].filter(({ queue }) => queue[0]?.at).length;
    const waiting = [...this.#pipes].filter(([, { queue: [first] }]) => (
      first && (first.at > 0 || first.body.length <= BODY_BYTES || begun < UNFINISHED_MAX)
    ));
    const [number, pipe] = waiting.find(([each]) => each > this.#turn) ?? waiting[0] ?? [];
    const item = pipe?.queue[0];
    if (number === undefined || !pipe || !item) return null;
    this.#turn = number;
    const body = item.body.subarray(item.at, item.at + BODY_BYTES);
    item.at += body.length;
    const last = item.at >= item.body.length;
    const record = new Uint8Array(HEADER_BYTES + body.length);
    const view = new DataView(record.buffer);
    view.setUint8(0, last ? item.kind : item.kind - 1);
    view.setUint16(1, number);
    view.setUint16(3, body.length);
    record.set(body, HEADER_BYTES);
    if (last) pipe.queue.shift();
    pipe.gone(body.length);
    if (last && item.kind === CLOSE) this.#drop(number, pipe);
    return record;
  }

  /**
   * Takes what came of the other's stream. Throws where it breaks what was agreed.
   * @param {Uint8Array} bytes
   * @returns {Told[]}
   */
  take(bytes) {
    const all = this.#rest.length ? joined([this.#rest, bytes]) : bytes;
    const view = new DataView(all.buffer, all.byteOffset, all.byteLength);
    /** @type {Told[]} */
    const told = [];
    let at = 0;
    while (all.length - at >= HEADER_BYTES) {
      const length = view.getUint16(at + 3);
      if (length > BODY_BYTES) throw broken('a record is too long');
      const end = at + HEADER_BYTES + length;
      if (end > all.length) break;
      this.#record(view.getUint8(at), view.getUint16(at + 1), all.subarray(at + HEADER_BYTES, end), told);
      at = end;
    }
    this.#rest = all.slice(at);
    return told;
  }

  /** @param {number} kind @param {number} number @param {Uint8Array} body @param {Told[]} told */
  #record(kind, number, body, told) {
    if (kind === OPEN) return this.#opened(number, body, told);
    const pipe = this.#pipes.get(number);
    if (!pipe || kind < CLOSE || kind > BYTES) return undefined;
    if (kind === CLOSE) {
      if (number === 0) throw broken('the main channel cannot be closed');
      this.#drop(number, null);
      told.push({ type: 'close', pipe });
      return undefined;
    }
    if (pipe.partBytes + body.length > MESSAGE_BYTES) throw broken('a message is too large');
    if (kind === TEXT_PART || kind === BYTES_PART) {
      if (!body.length) throw broken('a part of a message is empty');
      if (!pipe.parts.length && (this.#unfinished += 1) > UNFINISHED_MAX) throw broken('too many messages are unfinished');
      pipe.parts.push(body.slice());
      pipe.partBytes += body.length;
      return undefined;
    }
    const whole = joined([...pipe.parts, body]);
    this.#finished(pipe);
    told.push({ type: 'message', pipe, data: kind === TEXT ? text(whole) : whole.buffer });
    return undefined;
  }

  /** @param {number} number @param {Uint8Array} label @param {Told[]} told */
  #opened(number, label, told) {
    const odd = number % 2 === 1;
    if (number === 0 || odd !== this.#hails || number <= this.#theirs || label.length > LABEL_BYTES) throw broken('a channel cannot be opened so');
    this.#theirs = number;
    if (this.#pipes.size > CHANNELS_MAX) throw broken('there are too many channels');
    const [name = '', ...protocol] = text(label).split('\0');
    const pipe = new Pipe(name, protocol.join('\0'), this.#wake, true);
    this.#pipes.set(number, pipe);
    told.push({ type: 'open', pipe });
  }

  /** Nothing of a message is kept any more. @param {Pipe} pipe */
  #finished(pipe) {
    if (pipe.parts.length) this.#unfinished -= 1;
    pipe.parts = [];
    pipe.partBytes = 0;
  }

  /** @param {number} number @param {Pipe | null} ended by us */
  #drop(number, ended) {
    const pipe = this.#pipes.get(number);
    if (pipe) this.#finished(pipe);
    this.#pipes.delete(number);
    // Not while somebody reads the list of channels.
    if (ended) queueMicrotask(() => ended.over());
  }
}

/** @param {ArrayBuffer | ArrayBufferView<ArrayBuffer>} data */
function bytesOf(data) {
  return data instanceof ArrayBuffer ? new Uint8Array(data) : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** @param {Uint8Array[]} pieces @returns {Uint8Array<ArrayBuffer>} */
function joined(pieces) {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** @param {Uint8Array} bytes */
function text(bytes) {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw broken('a text is not UTF-8');
  }
}

/** @param {string} what */
function broken(what) {
  return new WigwagError('failed', `The peer broke the rules of the stream: ${what}.`);
}
