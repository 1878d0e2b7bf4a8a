// One side of the stream of `spec/relay.md`: bytes in order over carriers that lose, repeat and delay. Pure: it is told the time, and sends nothing itself.

/**
 * @typedef {object} Carrier what a box is to travel over
 * @property {number} chunk most bytes of the stream in one box
 * @property {number} [window] most bytes of the stream that are not acknowledged
 * @property {boolean} [lossy] whether what it took may have been lost
 * @property {number} [patience] after how many milliseconds without an answer it was
 * @property {boolean} [cut] whether we have no direct path
 *
 * @typedef {object} Taken what came of a box
 * @property {Uint8Array | null} bytes what is new of the other's stream
 * @property {boolean} cut whether the other has no direct path
 */

export const HEADER_BYTES = 25;

/** So far a sender goes before it was told how far. */
const FIRST_LIMIT = 32_768;
/** So far beyond what was taken in the other may send. */
const WINDOW_BYTES = 1_048_576;
/** So much is acknowledged at once; less waits for company. */
const ACK_BYTES = 32_768;
const ACK_MS = 100;
/** When what a lossy carrier took is sent again; each time twice as late, up to four times. */
const AGAIN_MS = 2_000;
const LATER_MAX = 4;
/** What is left of a window is not filled with less, while more is under way. */
const SLIVER_BYTES = 1_024;

const ASK = 1;
const CUT = 2;

export class Stream {
  /** @param {() => Uint8Array | null} more what comes next, where there is something */
  constructor(more) {
    this.#more = more;
  }

  #more;
  /** What is not acknowledged, in order. @type {Uint8Array[]} */
  #held = [];
  #acked = 0;
  #next = 0;
  #end = 0;
  /** The highest offset that was ever sent, and the highest that may be. */
  #sent = 0;
  #limit = FIRST_LIMIT;
  #taken = 0;
  #granted = FIRST_LIMIT;
  #told = 0;
  #ackAt = Infinity;
  #asks = false;
  #patience = AGAIN_MS;
  #later = 1;
  #againAt = Infinity;
  /** Whether one box has to be answered before others follow. */
  #careful = false;

  /** Bytes of ours that the other has, and bytes of its that we have. */
  get counts() {
    return { sent: this.#acked, received: this.#taken };
  }

  /** Whether something of ours is not acknowledged yet. */
  get busy() {
    return this.#end > this.#acked;
  }

  /** The next box asks the other to answer at once. */
  ask() {
    this.#asks = true;
  }

  /** What was not acknowledged is sent again: the carrier is another one, or lost something. */
  again() {
    this.#next = this.#acked;
    this.#againAt = Infinity;
  }

  /** When there may be something to send though nothing happens. @returns {number} */
  deadline() {
    return Math.min(this.#ackAt, this.#againAt);
  }

  /**
   * The next box, `null` if there is nothing to send now.
   * @param {number} now
   * @param {Carrier} carrier
   * @returns {Uint8Array<ArrayBuffer> | null}
   */
  box(now, { chunk, window = Infinity, lossy = false, patience = AGAIN_MS, cut = false }) {
    this.#patience = patience;
    if (!lossy) this.#againAt = Infinity;
    else if (this.#againAt <= now) this.#late();
    else if (this.#next > this.#acked && this.#againAt === Infinity) this.#againAt = now + this.#wait();
    const size = this.#size(chunk, window);
    if (!size && !this.#asks && this.#ackAt > now) {
      // Nothing may be sent, and nothing is under way: whoever gave us no leave is asked for it again.
      if (lossy && this.#againAt === Infinity && this.#end > this.#next) this.#againAt = now + this.#wait();
      return null;
    }
    const box = new Uint8Array(HEADER_BYTES + size);
    const view = new DataView(box.buffer);
    this.#granted = this.#taken + WINDOW_BYTES;
    view.setUint8(0, (this.#asks ? ASK : 0) | (cut ? CUT : 0));
    view.setBigUint64(1, BigInt(this.#taken));
    view.setBigUint64(9, BigInt(this.#granted));
    view.setBigUint64(17, BigInt(this.#next));
    this.#copy(box.subarray(HEADER_BYTES));
    this.#next += size;
    this.#sent = Math.max(this.#sent, this.#next);
    this.#told = this.#taken;
    this.#ackAt = Infinity;
    this.#asks = false;
    if (lossy && this.#next > this.#acked && this.#againAt === Infinity) this.#againAt = now + this.#wait();
    return box;
  }

  /**
   * Takes a box. `null`: it is none, or breaks what was agreed.
   * @param {number} now
   * @param {Uint8Array} box
   * @returns {Taken | null}
   */
  take(now, box) {
    if (box.length < HEADER_BYTES) return null;
    const view = new DataView(box.buffer, box.byteOffset, box.byteLength);
    const flags = view.getUint8(0);
    const number = (/** @type {number} */ at) => Number(view.getBigUint64(at));
    const [ack, limit, from] = [number(1), number(9), number(17)];
    const end = from + box.length - HEADER_BYTES;
    if (!(ack <= this.#sent && end <= this.#granted && limit <= Number.MAX_SAFE_INTEGER)) return null;
    this.#careful = false;
    this.#acknowledged(now, ack);
    this.#limit = Math.max(this.#limit, limit);
    let bytes = null;
    if (end > from) {
      const fits = from <= this.#taken && end > this.#taken;
      if (fits) {
        bytes = box.subarray(HEADER_BYTES + this.#taken - from);
        this.#taken = end;
      }
      const soon = fits && this.#taken - this.#told < ACK_BYTES;
      this.#ackAt = Math.min(this.#ackAt, soon ? now + ACK_MS : now);
    }
    if (flags & ASK) this.#ackAt = now;
    return { bytes, cut: (flags & CUT) !== 0 };
  }

  /** How much the next box may carry. @param {number} chunk @param {number} window */
  #size(chunk, window) {
    if (this.#careful && this.#next > this.#acked) return 0;
    const room = Math.min(this.#limit, this.#acked + window) - this.#next;
    const want = Math.min(room, chunk);
    while (this.#end - this.#next < want) {
      const more = this.#more();
      if (!more) break;
      this.#held.push(more);
      this.#end += more.length;
    }
    const size = Math.max(0, Math.min(want, this.#end - this.#next));
    const sliver = size < SLIVER_BYTES && size === room && this.#end - this.#next > size && this.#next > this.#acked;
    return sliver ? 0 : size;
  }

  #wait() {
    return this.#patience * this.#later;
  }

  /** Nothing was acknowledged for long: one box goes first, and asks. */
  #late() {
    this.again();
    this.#later = Math.min(this.#later * 2, LATER_MAX);
    this.#careful = true;
    this.#asks = true;
  }

  /** @param {number} now @param {number} ack */
  #acknowledged(now, ack) {
    if (ack <= this.#acked) return;
    let drop = ack - this.#acked;
    let whole = 0;
    for (let first = this.#held[whole]; first && drop >= first.length; first = this.#held[whole]) {
      drop -= first.length;
      whole += 1;
    }
    this.#held.splice(0, whole);
    const first = this.#held[0];
    if (drop && first) this.#held[0] = first.subarray(drop);
    this.#acked = ack;
    this.#next = Math.max(this.#next, ack);
    this.#later = 1;
    if (this.#againAt !== Infinity) this.#againAt = this.#next > ack ? now + this.#wait() : Infinity;
  }

  /** Copies what comes next. @param {Uint8Array} target */
  #copy(target) {
    let skip = this.#next - this.#acked;
    let at = 0;
    for (const piece of this.#held) {
      if (at === target.length) break;
      if (skip >= piece.length) {
        skip -= piece.length;
        continue;
      }
      const part = piece.subarray(skip, skip + target.length - at);
      target.set(part, at);
      at += part.length;
      skip = 0;
    }
  }
}
