// The sending side of a transfer (`spec/files.md`).

import {
  ANNOUNCED_MAX, LABEL, WINDOW_BYTES, broken, chain, chainOf, chainStart, ended, endingOf, fromReceiver, hex, isOurs, piecesOf, usable,
} from './files-rules.js';
import { gather } from './files-source.js';
import { Transfer } from './files-transfer.js';
import { WigwagError } from './errors.js';

/**
 * @import { Channel } from './channel.js'
 * @import { FromReceiver } from './files-rules.js'
 * @import { Entry, FileEntry, Parcel, Source } from './files-source.js'
 *
 * @typedef {{ channel: (label: string, options?: any) => Channel }} Opens what a sender needs of a connection
 *
 * @typedef {'preparing' | 'offered' | 'moving' | 'done' | 'ended'} SendingState
 *
 * @typedef {{ type: 'offered' }
 *   | { type: 'accepted' }
 *   | { type: 'progress', moved: number, bytes: number }
 *   | { type: 'file', path: string, outcome: 'kept' | 'skipped' }
 *   | { type: 'done' }
 *   | { type: 'ended', error: WigwagError }} SendingEvent
 *
 * @typedef {{ files: number, bytes: number, kept: number, skipped: number, left: string[] }} Sent
 */

/**
 * Offers files to a peer, and sends them when it says yes.
 * @param {Opens} connection
 * @param {Source | Parcel} files
 * @param {{ name?: string, signal?: AbortSignal }} [options] `name`: what it is called for people
 */
export function sendFiles(connection, files, options = {}) {
  return new Sending(connection, files, options);
}

/** @extends {Transfer<Sent, SendingEvent>} */
export class Sending extends Transfer {
  /** @param {Opens} connection @param {Source | Parcel} files @param {{ name?: string, signal?: AbortSignal }} options */
  constructor(connection, files, { name, signal }) {
    super();
    signal?.addEventListener('abort', () => this.cancel(), { once: true });
    const parcel = isParcel(files) ? Promise.resolve(files) : gather(files, { name });
    parcel.then((gathered) => this.#offer(connection, gathered, name)).catch((error) => this.#fail(error));
    if (signal?.aborted) this.cancel();
  }

  /** What was left out: see `Parcel`. @type {string[]} */
  left = [];
  /** @type {SendingState} @override */
  state = 'preparing';

  /** @type {Entry[]} */
  #entries = [];
  /** How many are announced; also the number of the last. */
  #announced = 0;
  /** Announced and not answered, in order. @type {number[]} */
  #asked = [];
  /** Taken and not yet sent, in order. @type {{ n: number, entry: FileEntry, from: number, hash: Uint8Array }[]} */
  #taken = [];
  /** Sent, and not yet said to be kept. @type {Set<number>} */
  #ended = new Set();
  #sending = false;
  #announcing = false;
  /** Bytes of pieces that went out on this channel, and that the receiver took in. */
  #sent = 0;
  #got = 0;
  /** @type {(() => void) | null} */
  #wake = null;

  /** @param {Opens} connection @param {Parcel} parcel @param {string} [name] */
  #offer(connection, parcel, name = parcel.name) {
    if (this.finished) return;
    const { files, bytes, entries, left } = parcel;
    Object.assign(this, { name, files, bytes, left });
    this.#entries = entries;
    if (!entries.length) throw new WigwagError('bad_field', 'There is nothing among this that could be sent.');
    const channel = connection.channel(LABEL);
    const begin = () => {
      if (this.state !== 'preparing') return;
      this.state = 'offered';
      this.say({ type: 'offer', v: 1, name, files, bytes });
      this.emit({ type: 'offered' });
    };
    channel.on('open', begin);
    this.speak(channel, (said) => this.#hear(said));
    if (channel.open) begin();
  }

  /** @param {unknown} said */
  #hear(said) {
    try {
      this.#take(fromReceiver(said));
    } catch (error) {
      this.#fail(error);
    }
  }

  /** @param {FromReceiver | null} word */
  #take(word) {
    switch (word?.type) {
      case undefined:
        return undefined;
      case 'no':
        return this.end(word.reason, true);
      case 'accept':
        return this.#accepted();
      case 'take':
      case 'skip':
        return this.#answered(word);
      case 'got':
        return this.#confirmed(word.bytes);
      case 'kept':
        return this.#whole(word.n);
      default:
        if (this.state !== 'moving' || !this.#complete) throw broken();
        return this.#finish();
    }
  }

  #accepted() {
    if (this.state !== 'offered') throw broken();
    this.state = 'moving';
    this.emit({ type: 'accepted' });
    void this.#announce();
  }

  /** Says what is to come, no more at once than may be announced. */
  async #announce() {
    if (this.#announcing) return;
    this.#announcing = true;
    try {
      while (this.#announced < this.#entries.length && this.#open < ANNOUNCED_MAX && !this.finished) {
        const entry = /** @type {Entry} */ (this.#entries[this.#announced]);
        const n = (this.#announced += 1);
        const { path } = entry;
        if ('folder' in entry) {
          await this.tell({ type: 'folder', n, path });
          continue;
        }
        const { file, executable } = entry;
        const modified = /** @type {File} */ (file).lastModified;
        this.#asked.push(n);
        await this.tell({ type: 'file', n, path, size: file.size, ...(modified > 0 && { modified }), ...(executable && { executable }) });
      }
    } catch (error) {
      return this.#fail(error);
    } finally {
      this.#announcing = false;
    }
    if (this.#complete && !this.finished) this.say({ type: 'done' });
  }

  /** Announced files that are neither kept nor skipped. */
  get #open() {
    return this.#asked.length + this.#taken.length + this.#ended.size;
  }

  get #complete() {
    return this.#announced === this.#entries.length && !this.#open && !this.#announcing;
  }

  /** @param {{ type: 'skip', n: number } | { type: 'take', n: number, from: number, hash: Uint8Array }} word */
  #answered(word) {
    const { n } = word;
    if (n !== this.#asked[0]) throw broken();
    const entry = /** @type {FileEntry} */ (this.#entries[n - 1]);
    const { size } = entry.file;
    this.#asked.shift();
    if (word.type === 'skip') {
      this.skipped += 1;
      this.count(size);
      this.emit({ type: 'file', path: entry.path, outcome: 'skipped' });
      return void this.#announce();
    }
    const { from, hash } = word;
    if (from > size || usable(from, size) !== from) throw broken();
    this.#taken.push({ n, entry, from, hash });
    void this.#move();
  }

  /** Sends what was taken, one after the other. */
  async #move() {
    if (this.#sending) return;
    this.#sending = true;
    try {
      for (let next = this.#taken[0]; next && !this.finished; next = this.#taken[0]) await this.#file(next);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#sending = false;
    }
  }

  /** @param {{ n: number, entry: FileEntry, from: number, hash: Uint8Array }} taken */
  async #file({ n, entry: { file }, from, hash: theirs }) {
    let hash = chainStart();
    let start = from;
    if (from) {
      hash = await chainOf(file, from);
      if (hex(hash) !== hex(theirs)) [hash, start] = [chainStart(), 0];
    }
    this.count(start);
    await this.tell({ type: 'bytes', n, from: start });
    for await (const piece of piecesOf(file, start, file.size)) {
      const next = chain(hash, piece);
      while (this.#sent + piece.length - this.#got > WINDOW_BYTES && !this.finished) await new Promise((wake) => (this.#wake = () => wake(undefined)));
      if (this.finished) return;
      this.#sent += piece.length;
      await this.tell(piece);
      hash = await next;
    }
    this.#taken.shift();
    this.#ended.add(n);
    await this.tell({ type: 'end', n, hash: hex(hash) });
  }

  /** @param {number} bytes in all */
  #confirmed(bytes) {
    if (bytes < this.#got || bytes > this.#sent) throw broken();
    this.count(bytes - this.#got);
    this.#got = bytes;
    this.#wake?.();
  }

  /** @param {number} n */
  #whole(n) {
    if (!this.#ended.delete(n)) throw broken();
    this.kept += 1;
    const { path } = /** @type {FileEntry} */ (this.#entries[n - 1]);
    this.emit({ type: 'file', path, outcome: 'kept' });
    void this.#announce();
  }

  #finish() {
    const { files, bytes, kept, skipped, left } = this;
    this.finish({ files, bytes, kept, skipped, left });
    this.hangUp();
  }

  /** @param {unknown} error */
  #fail(error) {
    // What the platform says of its own is about a file that cannot be read.
    if (!isOurs(error)) this.end('changed', false, ended('changed', false, error));
    else if (error.reason === 'closed') this.end('closed', true);
    else this.end(endingOf(error.reason), false, error);
  }

  /** @override */
  stopped() {
    this.#wake?.();
    return null;
  }
}

/** @param {unknown} files @returns {files is Parcel} */
function isParcel(files) {
  return Array.isArray(/** @type {any} */ (files)?.entries) && typeof (/** @type {any} */ (files).bytes) === 'number';
}
