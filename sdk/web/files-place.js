// Where a receiver puts files: into memory, into a folder, or into one file that a person chose. What is not whole is kept apart from what is.

import { broken, chainOf, chainStart, ended, hex, usable } from './files-rules.js';
import { numbered } from './files-source.js';

/**
 * @import { FileWord, Offer } from './files-rules.js'
 *
 * @typedef {object} Had what is there of a file already
 * @property {number} from so many bytes
 * @property {Uint8Array} hash the chain over them
 * @property {Uint8Array<ArrayBuffer>[]} [pieces] themselves, where they lie in memory
 *
 * @typedef {object} Sink where one file goes
 * @property {(piece: Uint8Array<ArrayBuffer>, hash: Uint8Array) => Promise<void>} write with the chain up to here
 * @property {(hash: Uint8Array) => Promise<Blob | null>} whole all of it was written, with this chain; resolves with it, where it can be read again
 * @property {() => Promise<void>} part it was cut off: what came is kept
 * @property {() => Promise<void>} drop what came is wrong
 *
 * @typedef {object} Place
 * @property {(offer: Offer) => Promise<void>} begin throws `too_large`
 * @property {(path: string) => Promise<void>} folder
 * @property {(file: FileWord) => Promise<Had | null>} look
 * @property {(file: FileWord, had: Had | null) => Promise<Sink>} open goes on with what `look` found, or begins anew
 * @property {(file: { path: string, blob: Blob | null }) => Promise<void>} [forget] gives its room back
 */

/** What is not whole yet is called so. */
const PART = '.wigwag-part';

/** What is written to a folder is safe from the end of the page at twice the size of the last time. */
const SAFE_BYTES = 64 * 1024 * 1024;

/** More files than this are no matter of memory. */
const FILES_MAX = 10_000;

/** What lies in the page's own folder for so long, and nobody touched it, goes. */
const KEPT_MS = 7 * 24 * 60 * 60 * 1_000;

/** The type of what comes is not the sender's to choose: nothing of it may run where it is shown. */
const TYPE = 'application/octet-stream';

/**
 * Files in memory, bounded in all: what was cut off gives way, the oldest first, and what is whole stays until it is forgotten.
 * @implements {Place}
 */
export class MemoryPlace {
  /** @param {{ most?: number }} [options] `most`: so many bytes in all */
  constructor({ most = 256 * 1024 * 1024 } = {}) {
    this.#most = most;
  }

  #most;
  /** What was cut off. @type {Map<string, { pieces: Uint8Array<ArrayBuffer>[], bytes: number, hash: Uint8Array }>} */
  #parts = new Map();
  /** Bytes of what is whole or comes. */
  #held = 0;
  /** @type {WeakSet<Blob>} */
  #whole = new WeakSet();

  /** Bytes that are free, or would be if what was cut off went. */
  get room() {
    return this.#most - this.#held;
  }

  /** @param {Offer} offer */
  async begin({ files, bytes }) {
    if (files > FILES_MAX || bytes > this.room) throw ended('too_large');
  }

  async folder() {}

  /** @param {FileWord} file @returns {Promise<Had | null>} */
  async look(file) {
    const part = this.#parts.get(keyOf(file));
    return part ? { from: part.bytes, hash: part.hash, pieces: [...part.pieces] } : null;
  }

  /** @param {FileWord} file @param {Had | null} had @returns {Promise<Sink>} */
  async open(file, had) {
    const key = keyOf(file);
    this.#parts.delete(key);
    // Of its own: another transfer may go on with the same.
    const part = { pieces: had?.pieces ?? [], bytes: had?.from ?? 0, hash: had?.hash ?? chainStart() };
    if (file.size > this.room) throw ended('too_large');
    this.#held += file.size;
    this.#makeRoom();
    return {
      write: async (piece, hash) => {
        part.pieces.push(piece);
        part.bytes += piece.length;
        part.hash = hash;
      },
      whole: async () => {
        const blob = new Blob(part.pieces, { type: TYPE });
        this.#whole.add(blob);
        return blob;
      },
      part: async () => {
        this.#held -= file.size;
        if (!part.bytes || usable(part.bytes, file.size) !== part.bytes) return;
        this.#parts.set(key, part);
        this.#makeRoom();
      },
      drop: async () => void (this.#held -= file.size),
    };
  }

  /** @param {{ blob: Blob | null }} file */
  async forget({ blob }) {
    if (blob && this.#whole.delete(blob)) this.#held -= blob.size;
  }

  #makeRoom() {
    let bytes = [...this.#parts.values()].reduce((sum, part) => sum + part.bytes, 0);
    for (const [key, part] of this.#parts) {
      if (this.#held + bytes <= this.#most) return;
      this.#parts.delete(key);
      bytes -= part.bytes;
    }
  }
}

/**
 * A folder: one that a person chose, or the page's own (`navigator.storage.getDirectory()`).
 * @implements {Place}
 */
export class FolderPlace {
  /** @param {FileSystemDirectoryHandle} folder */
  constructor(folder) {
    this.#folder = folder;
  }

  #folder;

  async begin() {}

  /** @param {string} path */
  async folder(path) {
    await this.#into(path.split('/'));
  }

  /** @param {FileWord} file @returns {Promise<Had | null>} */
  async look({ path, size }) {
    const [folder, name] = await this.#at(path);
    const there = await fileOf(folder, name);
    if (there && there.size === size) return { from: size, hash: await chainOf(there, size) };
    const part = await fileOf(folder, partOf(name));
    const from = part ? usable(part.size, size) : 0;
    return part && from ? { from, hash: await chainOf(part, from) } : null;
  }

  /** @param {FileWord} file @param {Had | null} had @returns {Promise<Sink>} */
  async open({ path, size }, had) {
    const from = had?.from ?? 0;
    const [folder, name] = await this.#at(path);
    const there = await fileOf(folder, name);
    if (from === size && there?.size === size) return readied(there);
    const handle = await folder.getFileHandle(partOf(name), { create: true });
    let stream = await opened(handle, from);
    let [at, safe] = [from, Math.max(SAFE_BYTES, from * 2)];
    return {
      write: async (piece) => {
        await stream.write(piece);
        at += piece.length;
        if (at < safe) return;
        safe = at * 2;
        await stream.close();
        stream = await opened(handle, at);
      },
      whole: async (hash) => {
        await stream.close();
        // What was there before may have been written over since it was looked at: by another tab, or another program.
        if (from && hex(await chainOf(await handle.getFile(), size).catch(() => chainStart())) !== hex(hash)) {
          await folder.removeEntry(partOf(name));
          throw broken();
        }
        return renamed(folder, handle, name);
      },
      part: () => stream.close(),
      drop: async () => {
        await stream.abort().catch(() => {
          // It failed before, and is gone.
        });
        await folder.removeEntry(partOf(name));
      },
    };
  }

  /** The folder in which something is, and its name there. @param {string} path @returns {Promise<[FileSystemDirectoryHandle, string]>} */
  async #at(path) {
    const parts = path.split('/');
    const name = /** @type {string} */ (parts.pop());
    const folder = await this.#into(parts);
    return [folder, await allowed(name, (each) => folder.getFileHandle(each))];
  }

  /** @param {string[]} parts */
  async #into(parts) {
    let folder = this.#folder;
    for (const part of parts) {
      /** @type {FileSystemDirectoryHandle | null} */
      let next = null;
      await allowed(part, async (each) => (next = await folder.getDirectoryHandle(each, { create: true })));
      // A file stands where the folder would.
      if (!next) throw ended('disk');
      folder = next;
    }
    return folder;
  }
}

/**
 * One file, written as it comes. After a cut the place, kept, goes on with it.
 * @implements {Place}
 */
export class FilePlace {
  /** @param {FileSystemWritableFileStream} stream */
  constructor(stream) {
    this.#stream = stream;
  }

  #stream;
  #key = '';
  #bytes = 0;
  /** @type {Uint8Array} */
  #hash = chainStart();
  /** All of it was there before its sender knew. */
  #closed = false;
  /** Whoever writes is done. */
  #idle = Promise.resolve();

  /** @param {Offer} offer */
  async begin({ files }) {
    // One file is no place for several.
    if (files !== 1) throw ended('too_large');
  }

  async folder() {}

  /** @param {FileWord} file @returns {Promise<Had | null>} */
  async look(file) {
    // What came before a cut is still on its way to the disk.
    await this.#idle;
    return this.#key === keyOf(file) && this.#bytes ? { from: this.#bytes, hash: this.#hash } : null;
  }

  /** @param {FileWord} file @param {Had | null} had @returns {Promise<Sink>} */
  async open(file, had) {
    await this.#idle;
    // Somebody else went on with it meanwhile.
    if (had && (had.from !== this.#bytes || this.#key !== keyOf(file))) throw broken();
    this.#key = keyOf(file);
    let release = () => {};
    this.#idle = new Promise((resolve) => (release = () => resolve(undefined)));
    const begin = async () => {
      this.#bytes = 0;
      this.#hash = chainStart();
      await this.#stream.truncate(0);
    };
    if (!had && this.#bytes) await begin();
    return {
      write: async (piece, hash) => {
        await this.#stream.write({ type: 'write', position: this.#bytes, data: piece });
        this.#bytes += piece.length;
        this.#hash = hash;
      },
      whole: async () => {
        if (!this.#closed) await this.#stream.close().finally(release);
        this.#closed = true;
        release();
        return null;
      },
      part: async () => release(),
      drop: () => begin().finally(release),
    };
  }

  /** Throws what came of it away. */
  async abort() {
    await this.#stream.abort();
  }
}

/**
 * The page's own folder, from which what is not wanted any more is removed.
 * @implements {Place}
 */
class OwnPlace extends FolderPlace {
  /** @param {FileSystemDirectoryHandle} folder */
  constructor(folder) {
    super(folder);
    this.#top = folder;
  }

  #top;

  /** @override */
  async begin() {
    await tidy(this.#top, Date.now() - KEPT_MS);
  }

  /** @param {{ path: string, blob: Blob | null }} file */
  async forget({ path, blob }) {
    const parts = path.split('/').slice(0, -1);
    let folder = this.#top;
    for (const part of parts) folder = await folder.getDirectoryHandle(part);
    if (blob instanceof File) await folder.removeEntry(blob.name);
  }
}

/** The page's own part of the disk, where the platform has one with room for so much. @param {number} bytes @returns {Promise<Place | null>} */
export async function ownPlace(bytes) {
  try {
    const { quota = 0, usage = 0 } = await navigator.storage.estimate();
    if (bytes > quota - usage || typeof FileSystemFileHandle.prototype.createWritable !== 'function') return null;
    const top = await navigator.storage.getDirectory();
    return new OwnPlace(await top.getDirectoryHandle('wigwag.files', { create: true }));
  } catch {
    // Where there is none, or in a window that keeps nothing.
    return null;
  }
}

/** Removes what nobody touched since then. @param {FileSystemDirectoryHandle} folder @param {number} since */
async function tidy(folder, since) {
  for await (const each of /** @type {AsyncIterable<FileSystemHandle>} */ (/** @type {any} */ (folder).values())) {
    if (each.kind === 'directory') await tidy(/** @type {FileSystemDirectoryHandle} */ (each), since);
    else if ((await /** @type {FileSystemFileHandle} */ (each).getFile()).lastModified < since) await folder.removeEntry(each.name);
  }
}

/** @param {FileWord} file */
function keyOf({ path, size }) {
  return `${size} ${path}`;
}

/** The same file was here before. @param {File} file @returns {Sink} */
function readied(file) {
  const nothing = async () => {};
  return { write: nothing, whole: async () => file, part: nothing, drop: nothing };
}

/** A name that tells, and is not too long with that. @param {string} name */
function partOf(name) {
  let stem = name;
  while (new TextEncoder().encode(stem).length > 200) stem = [...stem].slice(0, -1).join('');
  return stem + PART;
}

/** @param {FileSystemDirectoryHandle} folder @param {string} name @returns {Promise<File | null>} */
async function fileOf(folder, name) {
  try {
    return await (await folder.getFileHandle(name)).getFile();
  } catch (error) {
    if (nameOf(error) === 'NotFoundError' || nameOf(error) === 'TypeMismatchError') return null;
    throw error;
  }
}

/** @param {FileSystemFileHandle} handle @param {number} at */
async function opened(handle, at) {
  const stream = await handle.createWritable({ keepExistingData: at > 0 });
  if (!at) return stream;
  await stream.truncate(at);
  await stream.seek(at);
  return stream;
}

/** Gives what is whole its own name, or one beside it where that is taken. @param {FileSystemDirectoryHandle} folder @param {any} handle @param {string} name */
async function renamed(folder, handle, name) {
  let free = name;
  for (let at = 1; await isTaken(folder, free); at += 1) free = numbered(name, at);
  try {
    await handle.move(free);
    return await handle.getFile();
  } catch {
    // Not every platform can do that, and some only in folders of the page's own.
    const target = await folder.getFileHandle(free, { create: true });
    await (await handle.getFile()).stream().pipeTo(await target.createWritable());
    await folder.removeEntry(handle.name);
    return target.getFile();
  }
}

/** @param {FileSystemDirectoryHandle} folder @param {string} name */
async function isTaken(folder, name) {
  try {
    await folder.getFileHandle(name);
    return true;
  } catch (error) {
    return nameOf(error) !== 'NotFoundError';
  }
}

/** A name as this system takes it: some letters and names are none for files on some. @param {string} name @param {(name: string) => Promise<unknown>} look */
async function allowed(name, look) {
  const mended = name.replace(/[<>:"|?*]/g, '_').replace(/[. ]+$/, '_');
  for (const each of [name, mended, `_${mended}`]) {
    try {
      await look(each);
      return each;
    } catch (error) {
      if (nameOf(error) === 'NotFoundError' || nameOf(error) === 'TypeMismatchError') return each;
      if (!(error instanceof TypeError)) throw error;
    }
  }
  throw ended('disk');
}

/** @param {unknown} error */
function nameOf(error) {
  return error instanceof Error || error instanceof DOMException ? error.name : '';
}
