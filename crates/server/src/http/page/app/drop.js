// Files, each over a channel of its own. The sender never has more under way than the receiver can bear, and both
// count and hash what crossed: the last word of the sender is the hash, and the receiver's is whether it fits.
//
//   sender: {name, size, type}                 receiver: {go: true} or {no: reason}
//   sender: pieces of up to 64 KiB             receiver: {got: bytes} now and then
//   sender: {hash}                             receiver: {done: true} or {no: reason}
//
// The hash is a chain: 32 zero bytes, then for each piece the SHA-256 of what was there and the piece. It takes no memory.

/**
 * @import { Channel, Connection } from './types.js'
 *
 * @typedef {'asking' | 'moving' | 'checking' | 'done' | 'ended'} Stage
 * @typedef {() => void} Tell something is to be seen
 */

export const LABEL = 'file';

/** Without being asked for, files up to this come by themselves. */
export const AUTO_BYTES = 8 * 1024 * 1024;

/** What is kept in memory in all; more has to go to disk while it comes. */
export const MEMORY_BYTES = 256 * 1024 * 1024;

const PIECE_BYTES = 64 * 1024;
const READ_BYTES = 1024 * 1024;
const WINDOW_BYTES = 4 * 1024 * 1024;
const REPORT_BYTES = 512 * 1024;
const NAME_MAX = 200;

/** How fast it goes, smoothed. */
class Pace {
  #at = performance.now();
  #from = 0;
  speed = 0;

  /** @param {number} bytes so far */
  count(bytes) {
    const span = performance.now() - this.#at;
    if (span < 250) return;
    const now = ((bytes - this.#from) / span) * 1_000;
    this.speed = this.speed ? this.speed * 0.6 + now * 0.4 : now;
    this.#at = performance.now();
    this.#from = bytes;
  }
}

/** What both directions have in common. */
class Transfer {
  /** @param {Tell} tell */
  constructor(tell) {
    this.tell = tell;
  }

  name = '';
  size = 0;
  type = '';
  moved = 0;
  /** @type {Stage} */
  stage = 'asking';
  /** Why it ended, where it did not arrive. */
  why = '';
  pace = new Pace();

  get over() {
    return this.stage === 'done' || this.stage === 'ended';
  }

  /** @param {number} bytes in all */
  progress(bytes) {
    this.moved = bytes;
    this.pace.count(bytes);
    this.tell();
  }

  /** @param {string} why empty where it arrived */
  finish(why) {
    if (this.over) return false;
    this.stage = why ? 'ended' : 'done';
    this.why = why;
    this.tell();
    return true;
  }
}

/** A file on its way to somebody. */
export class Outgoing extends Transfer {
  /** @param {Connection} connection @param {File} file @param {Tell} tell */
  constructor(connection, file, tell) {
    super(tell);
    Object.assign(this, { name: file.name.slice(0, NAME_MAX) || 'file', size: file.size, type: file.type });
    this.#file = file;
    this.#channel = connection.channel(LABEL);
    this.#channel.on('open', () => this.#say({ name: this.name, size: this.size, type: this.type }));
    this.#channel.on('message', ({ data }) => this.#hear(data));
    this.#channel.on('closed', () => this.#end('The connection ended before the file was there'));
  }

  #file;
  #channel;
  #confirmed = 0;
  /** @type {(() => void) | null} */
  #wake = null;

  cancel() {
    this.#say({ no: 'cancelled' });
    this.#end('Cancelled');
  }

  /** @param {any} data */
  #hear(data) {
    if (this.over || typeof data !== 'object' || data === null) return;
    if (data.go && this.stage === 'asking') {
      this.stage = 'moving';
      this.tell();
      this.#move().catch(({ name }) => this.#end(name === 'NotReadableError' ? 'The file changed or cannot be read any more' : 'It could not be sent'));
    } else if (Number.isSafeInteger(data.got) && data.got > this.#confirmed && data.got <= this.size) {
      this.#confirmed = data.got;
      this.progress(data.got);
      this.#wake?.();
    } else if (data.done && this.stage === 'checking') {
      this.progress(this.size);
      this.#end('');
    } else if (typeof data.no === 'string') {
      this.#end(REFUSED[data.no] ?? 'They could not take it');
    }
  }

  async #move() {
    let hash = new Uint8Array(32);
    for (let from = 0; from < this.size; from += READ_BYTES) {
      const read = new Uint8Array(await this.#file.slice(from, from + READ_BYTES).arrayBuffer());
      for (let at = 0; at < read.length; at += PIECE_BYTES) {
        while (from + at - this.#confirmed > WINDOW_BYTES && !this.over) await new Promise((wake) => (this.#wake = () => wake(undefined)));
        if (this.over) return;
        const piece = read.subarray(at, at + PIECE_BYTES);
        hash = await chain(hash, piece);
        await this.#channel.send(piece);
      }
    }
    this.stage = 'checking';
    this.tell();
    await this.#channel.send({ hash: hex(hash) });
  }

  /** @param {object} word */
  #say(word) {
    if (this.#channel.open) this.#channel.send(word).catch(() => this.#end('The connection ended'));
  }

  /** @param {string} why */
  #end(why) {
    if (!this.finish(why)) return;
    this.#wake?.();
    // What was said last has to arrive before the channel goes.
    setTimeout(() => this.#channel.close(), 1_000);
  }
}

/** @type {Record<string, string>} */
const REFUSED = {
  declined: 'Declined',
  cancelled: 'Cancelled on the other side',
  too_large: 'Too large for the browser on the other side, which has to keep it in memory',
  broken: 'It arrived damaged and was thrown away',
  disk: 'The other side could not write it to its disk',
};

/** A file from somebody. It is offered first, and nothing of it comes before `accept`. */
export class Incoming extends Transfer {
  /**
   * @param {Channel} channel
   * @param {{ room: () => number }} memory how much may still be kept
   * @param {(incoming: Incoming) => void} offered
   * @param {Tell} tell
   */
  constructor(channel, memory, offered, tell) {
    super(tell);
    this.#channel = channel;
    this.#memory = memory;
    this.#offered = offered;
    channel.on('message', ({ data }) => this.#hear(data));
    channel.on('closed', () => this.#fail('The connection ended before the file was there', ''));
  }

  #channel;
  #memory;
  #offered;
  #known = false;
  /** @type {ArrayBuffer[]} */
  #parts = [];
  /** @type {FileSystemWritableFileStream | null} */
  #disk = null;
  #arrived = 0;
  #reported = 0;
  /** @type {Uint8Array<ArrayBuffer>} */
  #hash = new Uint8Array(32);
  #turn = Promise.resolve();
  /** What came, where it was kept in memory. @type {Blob | null} */
  blob = null;
  saved = false;

  /** Bytes that it holds in memory, or has asked for. */
  get held() {
    if (this.#disk || this.stage === 'asking' || this.stage === 'ended') return 0;
    return this.size;
  }

  /** Whether it can be kept in memory at all. */
  get fits() {
    return this.size <= this.#memory.room();
  }

  /** Lets it come: into this file, or into memory. @param {FileSystemWritableFileStream} [disk] */
  accept(disk) {
    if (this.stage !== 'asking') return;
    if (!disk && !this.fits) return this.#fail('Too large to be kept in memory', 'too_large');
    this.#disk = disk ?? null;
    this.stage = 'moving';
    this.#say({ go: true });
    this.tell();
  }

  decline() {
    this.#fail('Declined', 'declined');
  }

  cancel() {
    this.#fail('Cancelled', 'cancelled');
  }

  /** Gives the memory back. */
  forget() {
    this.blob = null;
    this.size = 0;
  }

  /** @param {any} data */
  #hear(data) {
    if (this.over) return;
    if (data instanceof ArrayBuffer) {
      this.#arrived += data.byteLength;
      // More than was announced, or before it was asked for: not one byte is kept.
      if (this.stage !== 'moving' || this.#arrived > this.size || data.byteLength > PIECE_BYTES) return this.#fail('It arrived damaged and was thrown away', 'broken');
      this.#turn = this.#turn.then(() => this.#take(data));
    } else if (typeof data?.hash === 'string' && this.stage === 'moving') {
      this.#turn = this.#turn.then(() => this.#check(data.hash));
    } else if (typeof data?.no === 'string') {
      this.#fail(data.no === 'cancelled' ? 'The sender cancelled it' : 'The sender ended it', '');
    } else if (!this.#known && typeof data?.name === 'string' && Number.isSafeInteger(data.size) && data.size >= 0) {
      this.#known = true;
      // Neither a path nor a way to turn the text around: the name is what the file will be saved as.
      const name = data.name.slice(0, NAME_MAX).replace(/[\p{C}\u2028\u2029]/gu, '').split(/[\\/]/).at(-1)?.replace(/^\.+/, '').trim();
      Object.assign(this, { name: name || 'file', size: data.size, type: typeof data.type === 'string' ? data.type.slice(0, 100) : '' });
      this.#offered(this);
    }
  }

  /** @param {ArrayBuffer} piece */
  async #take(piece) {
    if (this.over) return;
    try {
      this.#hash = await chain(this.#hash, new Uint8Array(piece));
      if (this.#disk) await this.#disk.write(piece);
      else this.#parts.push(piece);
    } catch {
      return this.#fail('It could not be written: is the disk full?', 'disk');
    }
    if (this.over) return;
    this.progress(this.moved + piece.byteLength);
    if (this.moved - this.#reported < REPORT_BYTES && this.moved < this.size) return;
    this.#reported = this.moved;
    this.#say({ got: this.moved });
  }

  /** @param {string} hash */
  async #check(hash) {
    if (this.over) return;
    this.stage = 'checking';
    if (this.moved !== this.size || hex(this.#hash) !== hash) return this.#fail('It arrived damaged and was thrown away', 'broken');
    try {
      await this.#disk?.close();
    } catch {
      return this.#fail('It could not be written: is the disk full?', 'disk');
    }
    this.saved = this.#disk !== null;
    // The type is not the sender's to choose: nothing that comes may run here.
    if (!this.#disk) this.blob = new Blob(this.#parts, { type: 'application/octet-stream' });
    this.#parts = [];
    this.#say({ done: true });
    this.finish('');
  }

  /** @param {object} word */
  #say(word) {
    if (this.#channel.open) {
      this.#channel.send(word).catch(() => {
        // The channel ended, and that is heard by itself.
      });
    }
  }

  /** @param {string} why for people here @param {string} word for the other side */
  #fail(why, word) {
    if (!this.finish(why)) return;
    if (word) this.#say({ no: word });
    this.#parts = [];
    this.#disk?.abort().catch(() => {
      // What was written so far is not kept either way.
    });
    setTimeout(() => this.#channel.close(), 1_000);
  }
}

/** @param {Uint8Array<ArrayBuffer>} hash @param {Uint8Array<ArrayBuffer>} piece */
async function chain(hash, piece) {
  const both = new Uint8Array(hash.length + piece.length);
  both.set(hash);
  both.set(piece, hash.length);
  return new Uint8Array(await crypto.subtle.digest('SHA-256', both));
}

/** @param {Uint8Array} bytes */
function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
