// The requests of a session that are not answered yet: their numbers, their order, what is sent again, and when patience ends.
// Pure: it is told the time, and it sends nothing itself.

/**
 * @typedef {object} Asked
 * @property {unknown} id the asker's own mark
 * @property {Record<string, unknown>} frame without `n`
 * @property {boolean} again whether it may be asked twice where its fate is not known
 * @property {boolean} quiet whether nobody wants an answer; then it is sent at once or not at all
 * @property {number} patience how long to wait for the answer
 * @property {number} n 0 until it is sent
 * @property {string} text
 * @property {number} due when the answer is late; Infinity while it is not on a socket
 * @property {number} sockets on how many sockets an answer was waited for
 *
 * @typedef {{ id: unknown, reason: string }} Given up with a reason: `unknown`, `too_large` or `queue_full`
 */

/** How long a client waits for any answer. */
export const PATIENCE_MS = 10_000;

/** More requests than this do not wait for a socket. */
export const QUEUE_MAX = 1_000;

/** Frames that are kept back from the server's allowance, so that a slow clock does not overdraw it. */
const RESERVE = 0.9;

/** What `seen` takes beside a request, at most. */
const FIELD_BYTES = 32;

export class Outbox {
  constructor() {
    /** Not sent yet, in order. @type {Asked[]} */
    this.waiting = [];
    /** Sent and not answered, by `n`, in order. @type {Map<number, Asked>} */
    this.sent = new Map();
    /** Sent on an earlier socket, and to be sent again on this one. @type {Asked[]} */
    this.repeats = [];
    this.lastN = 0;
    this.frameBytes = 0;
    this.rate = 0;
    this.burst = 0;
    this.tokens = 0;
    this.countedAt = 0;
  }

  /**
   * Takes a request in. Returns why not, if not.
   * @param {unknown} id
   * @param {Record<string, unknown>} frame
   * @param {{ again?: boolean, quiet?: boolean, patience?: number }} [options]
   * @returns {string | null}
   */
  add(id, frame, { again = false, quiet = false, patience = PATIENCE_MS } = {}) {
    if (this.waiting.length >= QUEUE_MAX) return 'queue_full';
    this.waiting.push({ id, frame, again, quiet, patience, n: 0, text: '', due: Infinity, sockets: 0 });
    return null;
  }

  /**
   * Puts requests before all others that wait.
   * @param {{ id: unknown, frame: Record<string, unknown>, again?: boolean, patience?: number }[]} requests
   */
  addFirst(requests) {
    const asked = requests.map(({ id, frame, again = true, patience = PATIENCE_MS }) => (
      { id, frame, again, quiet: false, patience, n: 0, text: '', due: Infinity, sockets: 0 }
    ));
    this.waiting.unshift(...asked);
  }

  /**
   * Nobody wants the answer any more. What was sent stays sent.
   * @param {unknown} id
   */
  forget(id) {
    if (id === null) return;
    this.waiting = this.waiting.filter((asked) => asked.id !== id);
    for (const asked of this.sent.values()) if (asked.id === id) asked.id = null;
  }

  /**
   * A socket is open, and the server took in everything up to `n` of this session.
   * @param {number} now
   * @param {{ frame_bytes?: number, frames_per_second?: number, frames_burst?: number }} limits
   * @param {{ resumed: boolean, missed: number, n: number }} session
   * @returns {Given[]}
   */
  opened(now, limits, { resumed, missed, n }) {
    this.frameBytes = limits.frame_bytes ?? 0;
    this.rate = (limits.frames_per_second ?? 0) * RESERVE;
    this.burst = Math.max(1, Math.floor((limits.frames_burst ?? 0) * RESERVE) - 1);
    this.tokens = this.burst;
    this.countedAt = now;
    /** @type {Given[]} */
    const given = [];
    /** @type {Asked[]} */
    const anew = [];
    for (const asked of this.sent.values()) {
      if (resumed && asked.n > n) continue;
      if (resumed && !(missed && asked.again)) {
        // Its answer is among the messages that follow; and if it is not, patience ends.
        asked.due = now + asked.patience;
        asked.sockets += 1;
        continue;
      }
      this.sent.delete(asked.n);
      if (asked.again && asked.id !== null) anew.push({ ...asked, n: 0, due: Infinity, sockets: 0 });
      else if (!asked.again) given.push({ id: asked.id, reason: 'unknown' });
    }
    this.repeats = [...this.sent.values()].filter((asked) => asked.n > n);
    this.waiting.unshift(...anew);
    return given;
  }

  /** The socket is gone; nobody waits for an answer on it. */
  closed() {
    this.repeats = [];
    this.waiting = this.waiting.filter((asked) => !asked.quiet);
    for (const asked of this.sent.values()) asked.due = Infinity;
  }

  /**
   * What may be sent now. The first of it says how many counted messages were seen, unless that is 0; then `said` is true.
   * @param {number} now
   * @param {number} [seen]
   * @returns {{ texts: string[], given: Given[], said: boolean }}
   */
  flush(now, seen = 0) {
    if (this.rate > 0) {
      this.tokens = Math.min(this.burst, this.tokens + ((now - this.countedAt) / 1_000) * this.rate);
      this.countedAt = now;
    }
    /** @type {string[]} */
    const texts = [];
    /** @type {Given[]} */
    const given = [];
    let said = false;
    for (;;) {
      if (this.rate > 0 && this.tokens < 1) break;
      const asked = this.repeats.shift() ?? this.waiting.shift();
      if (!asked) break;
      if (!asked.n && !this.#number(asked)) {
        given.push({ id: asked.id, reason: 'too_large' });
        continue;
      }
      if (!asked.quiet) {
        asked.due = now + asked.patience;
        asked.sockets += 1;
        this.sent.set(asked.n, asked);
      }
      this.tokens -= 1;
      /** @type {boolean} */
      const says = seen > 0 && !said && asked.frame.type !== 'seen' && this.#hasRoom(asked.text);
      texts.push(says ? `${asked.text.slice(0, -1)},"seen":${seen}}` : asked.text);
      said ||= says;
    }
    return { texts, given, said };
  }

  /**
   * The request that `n` answers; it is done with. `undefined` if there is none.
   * @param {number} n
   */
  answered(n) {
    const asked = this.sent.get(n);
    this.sent.delete(n);
    return asked;
  }

  /**
   * Requests whose answer is late a second time, which are given up, and whether one is late for the first time: then it is the socket
   * that is given up.
   * @param {number} now
   * @returns {{ given: Given[], dead: boolean }}
   */
  late(now) {
    let dead = false;
    /** @type {Given[]} */
    const given = [];
    for (const asked of this.sent.values()) {
      if (asked.due > now) continue;
      if (asked.sockets < 2) dead = true;
      else {
        this.sent.delete(asked.n);
        given.push({ id: asked.id, reason: 'unknown' });
      }
    }
    return { given, dead };
  }

  /** When something is due: an answer that is late, or leave to send more. */
  deadline() {
    let first = Infinity;
    for (const { due } of this.sent.values()) first = Math.min(first, due);
    const held = this.repeats.length + this.waiting.length > 0 && this.rate > 0 && this.burst > 0;
    if (!held) return first;
    // A hair later than exact, so that rounding never wakes anybody in vain.
    return Math.min(first, this.countedAt + Math.max(0, Math.ceil(((1 - this.tokens) / this.rate) * 1_000)) + 1);
  }

  /** Everything that is not answered, and an empty outbox. @returns {unknown[]} */
  drain() {
    const ids = [...this.sent.values(), ...this.waiting].map(({ id }) => id);
    this.sent.clear();
    this.waiting = [];
    this.repeats = [];
    return ids;
  }

  /** Whether a text has surely room for one field more. @param {string} text */
  #hasRoom(text) {
    return this.frameBytes === 0 || text.length * 3 + FIELD_BYTES <= this.frameBytes;
  }

  /**
   * Writes a request's text, with its number. `false` if the server would not take it for its size.
   * @param {Asked} asked
   */
  #number(asked) {
    const n = asked.quiet ? undefined : this.lastN + 1;
    const text = JSON.stringify(n === undefined ? asked.frame : { ...asked.frame, n });
    if (this.frameBytes > 0 && text.length * 3 > this.frameBytes && bytes(text) > this.frameBytes) return false;
    if (n !== undefined) {
      this.lastN = n;
      asked.n = n;
    }
    asked.text = text;
    return true;
  }
}

/** @param {string} text */
function bytes(text) {
  return new TextEncoder().encode(text).length;
}
