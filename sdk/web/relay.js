// What carries the messages of one connection: its stream, over the data channel or over the server, whichever there is; see `spec/relay.md`.

import { WigwagError } from './errors.js';
import { Records } from './records.js';
import { HEADER_BYTES, Stream } from './stream.js';

/**
 * @import { Pace } from './pace.js'
 * @import { Pipe, Told } from './records.js'
 *
 * @typedef {'direct' | 'relay'} Carrier
 *
 * What it needs around it.
 * @typedef {object} Office
 * @property {boolean} hails whether we hailed
 * @property {Pace} pace of the session, for all its connections
 * @property {() => boolean} online whether there is a server now
 * @property {(box: Uint8Array<ArrayBuffer>) => Promise<string>} post seals a box and has it relayed; what became of it
 * @property {() => number} [now]
 *
 * @typedef {object} Ears
 * @property {(pipe: Pipe) => void} opened the other opened a channel
 * @property {(carrier: Carrier) => void} heard a box came over this carrier, which was silent or not in use until then
 * @property {(carrier: Carrier | null) => void} moved what we send takes another way
 * @property {(reason: 'silent' | 'absent' | 'offline') => void} silent nothing comes over the relay any more
 * @property {() => void} refused there is no relay
 * @property {(error: WigwagError) => void} broken the other broke the rules
 */

/** So much may be under way over the relay, and so many requests. */
const WINDOW_BYTES = 131_072;
const REQUESTS_MAX = 3;
/** Most bytes of the stream in one box over the data channel, and how full that may be. */
const DIRECT_BYTES = 32_768;
const HIGH_BYTES = 262_144;
const LOW_BYTES = 65_536;
/** A data channel loses nothing; but platforms have faults, and a message that is lost would hold up all others. */
const DIRECT_MS = 10_000;
/** After such a silence the other is asked, so often, and then counts as silent. */
const QUIET_MS = 15_000;
const ASK_MS = 5_000;
const SILENT_MS = 30_000;
const OFFLINE_MS = 3_000;
/** How long nothing is relayed after an answer that says so. */
const ABSENT_MS = 3_000;
const FULL_MS = 1_000;
const FAILED_MS = 500;

const [RATE_LIMITED, TOO_MANY_GUESSES, QUEUE_FULL, SWITCHED_OFF, UNKNOWN_TYPE] = [4100, 4109, 4115, 4305, 4401];

export class Link {
  /** @param {Office} office @param {Ears} ears */
  constructor(office, ears) {
    this.#office = office;
    this.#ears = ears;
    this.#now = office.now ?? (() => performance.now());
    this.#records = new Records({ hails: office.hails, wake: () => this.#soon() });
    this.#stream = new Stream(() => this.#records.pull());
  }

  #office;
  #ears;
  #now;
  #records;
  #stream;
  /** @type {RTCDataChannel | null} */
  #raw = null;
  /** @type {Carrier | null} */
  #carrier = null;
  /** Whether our own direct path is known to be there. */
  #reaches = false;
  #requests = 0;
  #holdUntil = 0;
  #heardAt = 0;
  #askedAt = 0;
  /** Since when there is no server. */
  #offlineAt = Infinity;
  #silent = false;
  /** Whether nothing came since this way was taken. */
  #untried = false;
  /** Events are told one after the other, with room between them where a listener may still be on its way. */
  #telling = Promise.resolve();
  /** @type {any} */
  #timer = null;
  #waking = false;
  #over = false;

  /** The main channel. */
  get main() {
    return this.#records.main;
  }

  get carrier() {
    return this.#carrier;
  }

  get counts() {
    return this.#stream.counts;
  }

  /** Opens a channel. @param {string} label @param {string} [protocol] */
  open(label, protocol) {
    return this.#records.open(label, protocol);
  }

  /** The data channel that boxes may take. @param {RTCDataChannel} raw */
  attach(raw) {
    this.#raw = raw;
    raw.binaryType = 'arraybuffer';
    raw.bufferedAmountLowThreshold = LOW_BYTES;
    raw.onbufferedamountlow = () => this.#pump();
    raw.onmessage = ({ data }) => data instanceof ArrayBuffer && this.#take(new Uint8Array(data), 'direct');
  }

  /** From now on boxes take this way. @param {Carrier | null} carrier @param {boolean} reaches whether our own direct path is there */
  use(carrier, reaches = carrier === 'direct') {
    this.#reaches = reaches;
    if (this.#over || this.#carrier === carrier) return;
    this.#carrier = carrier;
    this.#stream.again();
    if (carrier) this.#stream.ask();
    this.#heardAt = this.#askedAt = this.#now();
    this.#offlineAt = this.#office.online() ? Infinity : this.#now();
    this.#silent = false;
    this.#untried = true;
    this.#ears.moved(carrier);
    this.#pump();
  }

  /** There is a server again, or no longer. */
  line() {
    this.#offlineAt = this.#office.online() ? Infinity : Math.min(this.#offlineAt, this.#now());
    this.#pump();
  }

  /** A box that was relayed. @param {Uint8Array} box */
  relayed(box) {
    this.#take(box, 'relay');
  }

  close() {
    this.#over = true;
    clearTimeout(this.#timer);
    if (this.#raw) this.#raw.onmessage = this.#raw.onbufferedamountlow = null;
    this.#records.over();
  }

  /** @param {Uint8Array} box @param {Carrier} by */
  #take(box, by) {
    if (this.#over) return;
    const taken = this.#stream.take(this.#now(), box);
    if (!taken) return;
    this.#heardAt = this.#now();
    if (by !== this.#carrier || this.#silent || this.#untried) this.#elsewhere(by, taken.cut);
    try {
      if (taken.bytes) for (const told of this.#records.take(taken.bytes)) this.#tell(told);
    } catch (error) {
      if (error instanceof WigwagError) return this.#ears.broken(error);
      throw error;
    }
    this.#pump();
  }

  /** A box came by a way that is not ours, or that was silent. @param {Carrier} by @param {boolean} cut */
  #elsewhere(by, cut) {
    if (this.#carrier === 'direct' && by === 'relay') {
      if (cut) this.use('relay', this.#reaches);
      // The other should know that the direct path is there.
      else this.#stream.ask();
    } else if (by === 'relay' ? !this.#carrier : this.#reaches) {
      // A box that comes directly says nothing of the other direction: that is for our own ICE to know.
      this.use(by);
    }
    this.#silent = false;
    if (by === this.#carrier) this.#untried = false;
    this.#ears.heard(by);
  }

  /** @param {Told} told */
  #tell(told) {
    this.#telling = this.#telling.then(async () => {
      if (this.#over) return;
      if (told.type === 'close') return told.pipe.over();
      if (told.type === 'message') return told.pipe.onmessage?.({ data: told.data });
      this.#ears.opened(told.pipe);
      // Whoever waited for the channel has to be able to listen before its first message.
      await new Promise((resolve) => setTimeout(resolve, 0));
    });
  }

  /** What is written in one go travels together. */
  #soon() {
    if (this.#waking || this.#over) return;
    this.#waking = true;
    queueMicrotask(() => {
      this.#waking = false;
      this.#pump();
    });
  }

  /** Sends what may be sent now, and sees to it that the rest follows. */
  #pump() {
    if (this.#over) return;
    clearTimeout(this.#timer);
    const now = this.#now();
    const due = this.#carrier === 'direct' ? this.#direct(now) : this.#carrier === 'relay' ? this.#relay(now) : Infinity;
    if (this.#over || due === Infinity) return;
    this.#timer = setTimeout(() => this.#pump(), Math.max(1, Math.ceil(due - now)));
  }

  /** @param {number} now @returns {number} when to look again, if nothing happens until then */
  #direct(now) {
    const raw = this.#raw;
    while (raw?.readyState === 'open' && raw.bufferedAmount < HIGH_BYTES) {
      const box = this.#stream.box(now, { chunk: DIRECT_BYTES, lossy: raw.bufferedAmount < LOW_BYTES, patience: DIRECT_MS });
      if (!box) return this.#stream.deadline();
      raw.send(box);
    }
    return Infinity;
  }

  /** @param {number} now @returns {number} when to look again, if nothing happens until then */
  #relay(now) {
    const watch = this.#watch(now);
    const { pace, online } = this.#office;
    if (!pace.chunk || !online() || this.#requests >= REQUESTS_MAX) return watch;
    for (;;) {
      const wait = Math.max(this.#holdUntil - now, pace.wait(now));
      if (wait > 0) return Math.min(watch, now + wait);
      const box = this.#stream.box(now, { chunk: pace.chunk, window: WINDOW_BYTES, lossy: true, cut: !this.#reaches });
      if (!box) return Math.min(watch, this.#stream.deadline());
      pace.spend(now, box.length - HEADER_BYTES);
      this.#requests += 1;
      this.#office.post(box).then(
        (status) => this.#answered(status === 'absent' ? ABSENT_MS : 0, status === 'absent' ? 'absent' : null),
        (error) => this.#refused(error),
      );
      if (this.#requests >= REQUESTS_MAX) return watch;
    }
  }

  /** Asks whoever is quiet, and says so where nothing comes of it. @param {number} now @returns {number} when to look again */
  #watch(now) {
    const online = this.#office.online();
    if (online && now - this.#heardAt >= QUIET_MS && now - this.#askedAt >= ASK_MS) {
      this.#askedAt = now;
      this.#stream.ask();
    }
    if (now - this.#heardAt >= SILENT_MS) this.#quiet('silent');
    if (now - this.#offlineAt >= OFFLINE_MS) this.#quiet('offline');
    const next = Math.max(this.#heardAt + QUIET_MS, this.#askedAt + ASK_MS);
    const until = this.#silent ? Infinity : Math.min(this.#heardAt + SILENT_MS, this.#offlineAt + OFFLINE_MS);
    return Math.max(now + 1, Math.min(online ? next : Infinity, until));
  }

  /** @param {'silent' | 'absent' | 'offline'} reason */
  #quiet(reason) {
    if (this.#silent || this.#carrier !== 'relay') return;
    this.#silent = true;
    this.#ears.silent(reason);
  }

  /** A request has its answer. @param {number} hold milliseconds for which nothing more is relayed, because that was lost @param {'absent' | null} why */
  #answered(hold, why = null) {
    this.#requests -= 1;
    if (this.#over) return;
    if (hold) {
      this.#holdUntil = Math.max(this.#holdUntil, this.#now() + hold);
      this.#stream.again();
      this.#stream.ask();
    }
    if (why) this.#quiet(why);
    this.#pump();
  }

  /** @param {unknown} error */
  #refused(error) {
    const { code, retryAfter } = error instanceof WigwagError ? error : new WigwagError('failed', '');
    if (code === SWITCHED_OFF || code === UNKNOWN_TYPE) {
      this.#requests -= 1;
      if (!this.#over) this.#ears.refused();
    } else if (code === RATE_LIMITED || code === TOO_MANY_GUESSES) {
      this.#answered(retryAfter ?? FULL_MS);
    } else {
      this.#answered(code === QUEUE_FULL ? FULL_MS : FAILED_MS);
    }
  }
}
