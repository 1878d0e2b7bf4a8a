// The receiving side of a transfer (`spec/files.md`).

import { FilePlace, FolderPlace, MemoryPlace, ownPlace } from './files-place.js';
import {
  ANNOUNCED_MAX, FOLDERS_MAX, GOT_BYTES, LABEL, PIECE_BYTES, WINDOW_BYTES, broken, chain, chainStart, ended, endingOf, fromSender, hex, isOurs,
} from './files-rules.js';
import { Transfer } from './files-transfer.js';

/**
 * @import { Channel } from './channel.js'
 * @import { Connection } from './connection.js'
 * @import { WigwagError } from './errors.js'
 * @import { Ending, FileWord, FromSender, Offer } from './files-rules.js'
 * @import { Had, Place, Sink } from './files-place.js'
 *
 * @typedef {'waiting' | 'offered' | 'moving' | 'done' | 'ended'} ReceivingState
 *
 * @typedef {{ path: string, size: number, modified?: number, blob: Blob | null }} Received `blob`: where it can be read again
 *
 * @typedef {{ type: 'accepted' }
 *   | { type: 'progress', moved: number, bytes: number }
 *   | ({ type: 'file' } & Received)
 *   | { type: 'done' }
 *   | { type: 'ended', error: WigwagError }} ReceivingEvent
 *
 * @typedef {FileSystemDirectoryHandle | FileSystemWritableFileStream | Place} Into
 *
 * @typedef {object} AcceptOptions
 * @property {(file: FileWord) => boolean} [want] asked for each file; those it does not want are not sent
 */

/** So much is taken into memory where nothing else is said; more goes to the page's own part of the disk, where there is one. */
const MEMORY_BYTES = 32 * 1024 * 1024;

/** So many transfers at once from one peer. */
const AT_ONCE = 16;

/** Letters of paths that wait for a slow disk are no more than this. */
const WAITING_MAX = 16 * 1024 * 1024;

/** After these ends what had arrived is kept, to the last byte. @type {Set<Ending>} */
const DRAINS = new Set(/** @type {Ending[]} */ (['closed', 'cancelled', 'changed']));

/** Shared by all transfers for which nothing else is said, so that they are bounded together. */
const MEMORY = new MemoryPlace();

/**
 * Hears what a peer offers. `offered` is called with each offer, which is accepted or declined then or later. Returns the way to stop that.
 * @param {Connection | Channel} from a connection, or a channel of the label `wigwag.files` that the app was told of
 * @param {(receiving: Receiving) => void} offered
 */
export function receiveFiles(from, offered) {
  if ('label' in from) {
    new Receiving(from, offered);
    return () => {};
  }
  let open = 0;
  return from.on('channel', ({ channel }) => {
    if (channel.label !== LABEL) return;
    if (open >= AT_ONCE) return channel.close();
    open += 1;
    channel.on('closed', () => (open -= 1));
    new Receiving(channel, offered);
  });
}

/**
 * @typedef {object} Coming a file that is announced and not over
 * @property {FileWord} word
 * @property {Had | null} had
 * @property {boolean} taken
 * @property {boolean} begun
 * @property {number} at so much of it arrived
 * @property {Sink | null} sink
 * @property {Uint8Array} hash
 */

/** `done` gives what lies in memory or in the page's own part of the disk. @extends {Transfer<Received[], ReceivingEvent>} */
export class Receiving extends Transfer {
  /** @param {Channel} channel @param {(receiving: Receiving) => void} offered */
  constructor(channel, offered) {
    super();
    this.#offered = offered;
    this.speak(channel, (said) => this.#hear(said));
  }

  /** @type {ReceivingState} @override */
  state = 'waiting';

  #offered;
  /** @type {Place | null} */
  #place = null;
  /** @type {(file: FileWord) => boolean} */
  #want = () => true;
  /** @type {Received[]} */
  #received = [];
  /** The number of the last that was announced, and how many of each kind were. */
  #announced = 0;
  #folders = 0;
  #seen = { files: 0, bytes: 0 };
  /** Announced, in order. @type {Coming[]} */
  #coming = [];
  /** What the pieces belong to. @type {Coming | null} */
  #current = null;
  /** Bytes of pieces that arrived, that were dealt with, and that the sender was told of. */
  #arrived = 0;
  #handled = 0;
  #told = 0;
  /** Letters of paths that wait for their turn. */
  #waiting = 0;
  /** What was said is dealt with in order. */
  #turn = Promise.resolve();
  /** It ended, and what arrived before is still dealt with. */
  #drains = false;

  /**
   * Lets it come: into a folder, into one file, or to where there is room.
   * @param {Into | null} [into] left out: memory, or the page's own part of the disk
   * @param {AcceptOptions} [options]
   */
  async accept(into, { want } = {}) {
    if (this.state !== 'offered') return;
    this.state = 'moving';
    if (want) this.#want = want;
    try {
      this.#place = await placeFor(this, into ?? null);
      await this.#place.begin(this);
    } catch (error) {
      return this.#fail(error);
    }
    this.say({ type: 'accept' });
    if (!this.finished) this.emit({ type: 'accepted' });
  }

  decline() {
    this.end('declined');
  }

  /** Gives back the room of what lies in memory or in the page's own part of the disk, when it is saved or no longer wanted. @param {Received} received */
  async forget(received) {
    this.#received = this.#received.filter((each) => each !== received);
    await this.#place?.forget?.(received);
  }

  /** @param {unknown} said */
  #hear(said) {
    try {
      if (said instanceof ArrayBuffer) this.#piece(new Uint8Array(said));
      else this.#take(fromSender(said));
    } catch (error) {
      this.#fail(error);
    }
  }

  /** @param {FromSender | null} word */
  #take(word) {
    switch (word?.type) {
      case undefined:
        return undefined;
      case 'no':
        return this.end(word.reason, true);
      case 'offer':
        return this.#offer(word);
      case 'folder':
        return this.#folder(word);
      case 'file':
        return this.#file(word);
      case 'bytes':
        return this.#begins(word.n, word.from);
      case 'end':
        return this.#ends(word.n, word.hash);
      default:
        return this.#over();
    }
  }

  /** @param {Offer} offer */
  #offer({ name, files, bytes }) {
    if (this.state !== 'waiting') throw broken();
    Object.assign(this, { name, files, bytes });
    this.state = 'offered';
    this.#offered(this);
  }

  /** @param {{ n: number, path: string }} word */
  #folder({ n, path }) {
    this.#next(n, path);
    this.#folders += 1;
    if (this.#folders > FOLDERS_MAX) throw broken();
    this.#then(async (place) => {
      this.#waiting -= path.length;
      await place.folder(path);
    });
  }

  /** @param {{ type: string } & FileWord} said */
  #file({ type: _, ...word }) {
    this.#next(word.n, word.path);
    this.#seen.files += 1;
    this.#seen.bytes += word.size;
    if (this.#seen.files > this.files || this.#seen.bytes > this.bytes || this.#coming.length >= ANNOUNCED_MAX) throw broken();
    /** @type {Coming} */
    const coming = { word, had: null, taken: false, begun: false, at: 0, sink: null, hash: chainStart() };
    this.#coming.push(coming);
    this.#then(async (place) => {
      this.#waiting -= word.path.length;
      if (!this.#want(word)) {
        this.#coming.splice(this.#coming.indexOf(coming), 1);
        this.skipped += 1;
        this.count(word.size);
        return this.say({ type: 'skip', n: word.n });
      }
      coming.had = word.size ? await place.look(word) : null;
      coming.taken = true;
      const { from, hash } = coming.had ?? { from: 0, hash: null };
      this.say({ type: 'take', n: word.n, from, ...(hash && { hash: hex(hash) }) });
    });
  }

  /** @param {number} n @param {string} path */
  #next(n, path) {
    this.#waiting += path.length;
    // Nothing comes before the answer, and nothing out of its turn.
    if (!this.#place || n !== this.#announced + 1 || this.#waiting > WAITING_MAX) throw broken();
    this.#announced = n;
  }

  /** @param {number} n @param {number} from */
  #begins(n, from) {
    const coming = this.#coming.find(({ word }) => word.n === n);
    const had = coming?.had?.from ?? 0;
    const next = this.#coming.find(({ taken, begun }) => taken && !begun);
    if (this.#current || !coming || coming !== next || (from && from !== had)) throw broken();
    coming.begun = true;
    this.#current = coming;
    coming.at = from;
    const going = from ? coming.had : null;
    coming.hash = going?.hash ?? chainStart();
    coming.had = null;
    this.count(from);
    this.#then(async (place) => {
      coming.sink = await place.open(coming.word, going);
    });
  }

  /** @param {Uint8Array<ArrayBuffer>} piece */
  #piece(piece) {
    const coming = this.#current;
    if (!coming) throw broken();
    this.#arrived += piece.length;
    coming.at += piece.length;
    const last = coming.at === coming.word.size;
    const fits = piece.length === PIECE_BYTES || (last && piece.length > 0 && piece.length < PIECE_BYTES);
    if (!fits || coming.at > coming.word.size || this.#arrived - this.#told > WINDOW_BYTES) throw broken();
    this.#then(async () => {
      coming.hash = await chain(coming.hash, piece);
      await coming.sink?.write(piece, coming.hash);
      this.#handled += piece.length;
      this.count(piece.length);
      if (this.#handled - this.#told >= GOT_BYTES) this.#confirm();
    });
  }

  /** @param {number} n @param {Uint8Array} hash */
  #ends(n, hash) {
    const coming = this.#current;
    if (!coming || coming.word.n !== n || coming.at !== coming.word.size) throw broken();
    this.#current = null;
    this.#then(async () => {
      const { sink, word } = coming;
      coming.sink = null;
      if (!sink) throw broken();
      if (hex(coming.hash) !== hex(hash)) {
        await sink.drop().catch(() => {});
        throw broken();
      }
      const blob = await sink.whole(coming.hash);
      this.#coming.splice(this.#coming.indexOf(coming), 1);
      if (this.#handled > this.#told) this.#confirm();
      this.kept += 1;
      const received = { path: word.path, size: word.size, modified: word.modified, blob };
      if (blob) this.#received.push(received);
      this.say({ type: 'kept', n });
      this.emit({ type: 'file', ...received });
    });
  }

  #over() {
    if (!this.#place || this.#current || this.#seen.files < this.files || this.#seen.bytes < this.bytes) throw broken();
    this.#then(async () => {
      if (this.#coming.length) throw broken();
      if (this.finished) return;
      this.say({ type: 'done' });
      this.hangUpLater();
      this.finish(this.#received);
    });
  }

  #confirm() {
    this.#told = this.#handled;
    this.say({ type: 'got', bytes: this.#told });
  }

  /** @param {(place: Place) => Promise<void>} step */
  #then(step) {
    this.#turn = this.#turn.then(async () => {
      if (!this.#place || (this.finished && !this.#drains)) return;
      try {
        await step(this.#place);
      } catch (error) {
        this.#fail(error);
      }
    });
  }

  /** @param {unknown} error */
  #fail(error) {
    // What the platform says of its own is about a disk.
    if (isOurs(error)) this.end(endingOf(error.reason), false, error);
    else this.end('disk', false, ended('disk', false, error));
  }

  /** @param {Ending} reason @override */
  stopped(reason) {
    this.#drains = DRAINS.has(reason);
    const put = this.#turn.then(() => this.#put());
    // What is kept can be gone on from as soon as this is known.
    return this.#drains ? put : null;
  }

  /** What is not whole is kept for the next time. */
  async #put() {
    for (const { sink } of this.#coming) {
      await sink?.part().catch(() => {
        // A disk that does not even keep that has said so before.
      });
    }
  }
}

/** @param {{ bytes: number }} offer @param {Into | null} into @returns {Promise<Place>} */
async function placeFor({ bytes }, into) {
  if (into && 'begin' in into) return into;
  if (into && 'kind' in into) return new FolderPlace(into);
  if (into) return new FilePlace(into);
  return (bytes > MEMORY_BYTES && (await ownPlace(bytes))) || MEMORY;
}
