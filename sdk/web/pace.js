// How fast this client may have data relayed: the account that the server keeps of it, kept here too. Pure: it is told the time.

/**
 * What `welcome` tells of it.
 * @typedef {object} Told
 * @property {number} [frame_bytes]
 * @property {number} [frames_per_second]
 * @property {number} [relay_bytes_per_second]
 * @property {number} [relay_bytes_burst]
 * @property {number} [relay_frames_per_second]
 */

/** Our clock is not the server's. */
const SHARE = 0.9;
/** What a request costs beside its data. */
const ENVELOPE_BYTES = 128;
/** What stands around a box in a frame, at most. */
const FRAME_BYTES = 512;
/** Of a box: its header and its seal. */
const BOX_BYTES = 25 + 16;
const CHUNK_BYTES = 16_384;
/** Smaller pieces than this are not worth it. */
const CHUNK_LEAST = 256;

export class Pace {
  /** Most bytes of the stream in one box; 0: there is no relay. */
  chunk = 0;
  #bytes = { rate: 0, burst: 0, have: 0 };
  #frames = { rate: 0, burst: 0, have: 0 };
  #at = 0;
  #known = false;

  /** The server said what it allows. @param {number} now @param {Told} told */
  told(now, told) {
    const { frame_bytes: frame = 0, frames_per_second: all = 0, relay_bytes_per_second: rate = 0, relay_bytes_burst: burst = 0 } = told;
    let { relay_frames_per_second: frames = 0 } = told;
    const half = all > 0 ? all / 2 : Infinity;
    frames = frames > 0 ? Math.min(frames, half) : half;
    // A quarter of the burst leaves room for what is under way.
    const room = Math.min(frame > 0 ? frame - FRAME_BYTES : Infinity, Math.max(burst, 4 * ENVELOPE_BYTES) / 4);
    const chunk = Math.min(CHUNK_BYTES, Math.floor(room * 0.75) - BOX_BYTES);
    this.chunk = rate > 0 && chunk >= CHUNK_LEAST ? chunk : 0;
    this.#refill(now);
    set(this.#bytes, rate * SHARE, burst * SHARE, this.#known);
    set(this.#frames, frames * SHARE, Math.max(1, frames * 2 * SHARE), this.#known);
    this.#at = now;
    this.#known = true;
  }

  /** After how many milliseconds the next box may go; 0: now. @param {number} now */
  wait(now) {
    this.#refill(now);
    const { chunk } = this;
    const lacks = (/** @type {{ rate: number, burst: number, have: number }} */ { rate, burst, have }, /** @type {number} */ want) => (
      rate === Infinity ? 0 : Math.max(0, ((Math.min(want, burst) - have) / rate) * 1_000)
    );
    return Math.ceil(Math.max(lacks(this.#bytes, cost(chunk)), lacks(this.#frames, 1)));
  }

  /** A box with so many bytes of the stream goes. @param {number} now @param {number} bytes */
  spend(now, bytes) {
    this.#refill(now);
    this.#bytes.have -= cost(bytes);
    this.#frames.have -= 1;
  }

  /** @param {number} now */
  #refill(now) {
    for (const bucket of [this.#bytes, this.#frames]) {
      if (bucket.rate !== Infinity) bucket.have = Math.min(bucket.burst, bucket.have + (Math.max(0, now - this.#at) / 1_000) * bucket.rate);
    }
    this.#at = Math.max(now, this.#at);
  }
}

/** What a box with so many bytes of the stream costs, at most. @param {number} bytes */
function cost(bytes) {
  return Math.ceil(((bytes + BOX_BYTES) * 4) / 3) + ENVELOPE_BYTES + 96;
}

/** @param {{ rate: number, burst: number, have: number }} bucket @param {number} rate @param {number} burst @param {boolean} known */
function set(bucket, rate, burst, known) {
  bucket.rate = rate;
  bucket.burst = burst;
  bucket.have = known ? Math.min(bucket.have, burst) : burst;
}
