// Values of PeerJS's `binary` as bytes, and large messages in parts. What comes out is what PeerJS hands over: bytes of every kind as an `ArrayBuffer`,
// `undefined` as `null`, a `Date` as its text.

/** What a value begins with. */
const TAG = Object.freeze({ null: 0, false: 1, true: 2, double: 3, natural: 4, negative: 5, text: 6, list: 7, object: 8, bytes: 9 });

/** Values are not nested deeper. */
const DEPTH_MAX = 256;

/** A part is sent as one message of the channel, which every platform takes. */
const PART_BYTES = 32_768;

/** Messages are not larger, and not more of them are put together at the same time. */
export const MESSAGE_BYTES_MAX = 512 * 1024 * 1024;
const MESSAGES_MAX = 16;

const HEAD_BYTES = 13;
const WHOLE = 0;
const PART = 1;

/**
 * A value as bytes; a promise of them where there are blobs in it. Throws where it holds what cannot be sent.
 * @param {unknown} value
 * @returns {Uint8Array | Promise<Uint8Array>}
 */
export function pack(value) {
  const packer = new Packer();
  packer.put(value, 0);
  return packer.finish();
}

/** The value that was packed. Throws where it is none. @param {Uint8Array} bytes @returns {unknown} */
export function unpack(bytes) {
  const reader = new Reader(bytes);
  const value = reader.take(0);
  if (reader.left) throw new TypeError('This message has more bytes than its value.');
  return value;
}

/** A message as what the channel sends. @param {Uint8Array} message @param {number} number tells the messages of a channel apart */
export function* parts(message, number) {
  if (message.byteLength < PART_BYTES) {
    yield joined([Uint8Array.of(WHOLE), message]);
    return;
  }
  const room = PART_BYTES - HEAD_BYTES;
  const count = Math.ceil(message.byteLength / room);
  for (let index = 0; index < count; index += 1) {
    const head = new DataView(new ArrayBuffer(HEAD_BYTES));
    head.setUint8(0, PART);
    [number >>> 0, index, count].forEach((each, at) => head.setUint32(1 + at * 4, each));
    yield joined([new Uint8Array(head.buffer), message.subarray(index * room, (index + 1) * room)]);
  }
}

/** Puts parts together, in whatever order they come. */
export class Joiner {
  /** @type {Map<number, { count: number, parts: Map<number, Uint8Array> }>} */
  #open = new Map();
  #bytes = 0;

  /** The message that this part completes, if it does. Throws where it cannot be a part. @param {ArrayBuffer} data @returns {Uint8Array | null} */
  take(data) {
    const frame = new Uint8Array(data);
    if (frame[0] === WHOLE) return frame.subarray(1);
    if (frame[0] !== PART || frame.byteLength <= HEAD_BYTES) throw new TypeError('This is no part of a message.');
    const head = new DataView(data);
    const [number, index, count] = [head.getUint32(1), head.getUint32(5), head.getUint32(9)];
    const known = this.#open.get(number) ?? { count, parts: new Map() };
    if (index >= count || known.count !== count || known.parts.has(index)) throw new TypeError('This part does not fit its message.');
    this.#bytes += frame.byteLength - HEAD_BYTES;
    if (this.#bytes > MESSAGE_BYTES_MAX || (!known.parts.size && this.#open.size >= MESSAGES_MAX)) throw new RangeError('More is arriving than may be kept.');
    this.#open.set(number, known);
    known.parts.set(index, frame.subarray(HEAD_BYTES));
    if (known.parts.size < count) return null;
    this.#open.delete(number);
    const whole = joined(Array.from({ length: count }, (_, at) => /** @type {Uint8Array} */ (known.parts.get(at))));
    this.#bytes -= whole.byteLength;
    return whole;
  }
}

class Packer {
  /** @type {(Uint8Array | Blob)[]} */
  #pieces = [];
  #writer = new TextEncoder();

  /** @param {unknown} value @param {number} depth */
  put(value, depth) {
    if (depth > DEPTH_MAX) throw new TypeError('This cannot be sent: it is nested too deep, or in itself.');
    if (value === undefined || value === null) this.#tag(TAG.null);
    else if (typeof value === 'boolean') this.#tag(value ? TAG.true : TAG.false);
    else if (typeof value === 'number') this.#number(value);
    else if (typeof value === 'string') this.#sized(TAG.text, this.#writer.encode(value));
    else if (typeof value === 'object') this.#object(value, depth);
    else throw new TypeError(`This cannot be sent: a ${typeof value}.`);
  }

  /** @returns {Uint8Array | Promise<Uint8Array>} */
  finish() {
    if (!this.#pieces.some((piece) => piece instanceof Blob)) return joined(/** @type {Uint8Array[]} */ (this.#pieces));
    // The app may go on writing to its bytes while blobs are read.
    const waiting = this.#pieces.map((piece) => (piece instanceof Uint8Array ? piece.slice() : piece.arrayBuffer().then((buffer) => new Uint8Array(buffer))));
    return Promise.all(waiting).then(joined);
  }

  /** @param {object} value @param {number} depth */
  #object(value, depth) {
    if (Array.isArray(value)) {
      this.#tag(TAG.list, value.length);
      for (const each of value) this.put(each, depth + 1);
    } else if (value instanceof ArrayBuffer) {
      this.#sized(TAG.bytes, new Uint8Array(value));
    } else if (ArrayBuffer.isView(value)) {
      this.#sized(TAG.bytes, new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    } else if (value instanceof Blob) {
      this.#tag(TAG.bytes, value.size);
      this.#pieces.push(value);
    } else if (value instanceof Date) {
      this.put(value.toString(), depth);
    } else if (/\[native code\]\s*\}$/.test(String(value.constructor)) && value.constructor.name !== 'Object') {
      throw new TypeError(`This cannot be sent: a ${value.constructor.name}.`);
    } else {
      const fields = Object.entries(value);
      this.#tag(TAG.object, fields.length);
      for (const [key, each] of fields) {
        this.#sized(null, this.#writer.encode(key));
        this.put(each, depth + 1);
      }
    }
  }

  /** @param {number} value */
  #number(value) {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) return void this.#tag(value < 0 ? TAG.negative : TAG.natural, Math.abs(value));
    const bytes = new DataView(new ArrayBuffer(9));
    bytes.setUint8(0, TAG.double);
    bytes.setFloat64(1, value);
    this.#pieces.push(new Uint8Array(bytes.buffer));
  }

  /** @param {number | null} tag @param {Uint8Array} bytes */
  #sized(tag, bytes) {
    this.#tag(tag, bytes.byteLength);
    this.#pieces.push(bytes);
  }

  /** @param {number | null} tag @param {number} [size] seven bits to a byte, the lowest first */
  #tag(tag, size) {
    const bytes = tag === null ? [] : [tag];
    if (size !== undefined) {
      let rest = size;
      for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
      bytes.push(rest);
    }
    this.#pieces.push(Uint8Array.from(bytes));
  }
}

class Reader {
  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.#bytes = bytes;
  }

  #bytes;
  #at = 0;
  #reader = new TextDecoder('utf-8', { ignoreBOM: true });

  get left() {
    return this.#bytes.byteLength - this.#at;
  }

  /** @param {number} depth @returns {unknown} */
  take(depth) {
    if (depth > DEPTH_MAX) throw new TypeError('This message is nested too deep.');
    switch (this.#next(1)[0]) {
      case TAG.null:
        return null;
      case TAG.false:
        return false;
      case TAG.true:
        return true;
      case TAG.double: {
        const bytes = this.#next(8);
        return new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0);
      }
      case TAG.natural:
        return this.#size();
      case TAG.negative:
        return -this.#size();
      case TAG.text:
        return this.#text();
      case TAG.bytes:
        return this.#next(this.#size()).slice().buffer;
      case TAG.list:
        return Array.from({ length: this.#count() }, () => this.take(depth + 1));
      case TAG.object:
        return this.#object(depth);
      default:
        throw new TypeError('This message holds what nobody packed.');
    }
  }

  /** @param {number} depth */
  #object(depth) {
    /** @type {Record<string, unknown>} */
    const object = {};
    for (let left = this.#count(); left > 0; left -= 1) {
      // A field called `__proto__` is a field like any other.
      Object.defineProperty(object, this.#text(), { value: this.take(depth + 1), configurable: true, enumerable: true, writable: true });
    }
    return object;
  }

  #text() {
    return this.#reader.decode(this.#next(this.#size()));
  }

  /** How many values follow: each has a byte at least. */
  #count() {
    const count = this.#size();
    if (count > this.left) throw new TypeError('This message is cut short.');
    return count;
  }

  #size() {
    let size = 0;
    for (let weight = 1; ; weight *= 0x80) {
      const byte = this.#next(1)[0] ?? 0;
      size += (byte & 0x7f) * weight;
      if (!Number.isSafeInteger(size)) throw new TypeError('This message holds a number that is too large.');
      if (byte < 0x80) return size;
    }
  }

  /** @param {number} count */
  #next(count) {
    if (count > this.left) throw new TypeError('This message is cut short.');
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }
}

/** @param {Uint8Array[]} pieces */
function joined(pieces) {
  const all = new Uint8Array(pieces.reduce((bytes, piece) => bytes + piece.byteLength, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.byteLength;
  }
  return all;
}
