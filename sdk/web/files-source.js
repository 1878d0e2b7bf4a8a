// What is to be sent: files, folders and what was dropped on a page, as a list with paths.

import { isPath, nameOf } from './files-rules.js';

/**
 * @typedef {object} FileEntry
 * @property {string} path relative, its parts joined by `/`
 * @property {Blob} file
 * @property {boolean} [executable]
 *
 * @typedef {{ path: string, folder: true }} FolderEntry an empty folder
 * @typedef {FileEntry | FolderEntry} Entry
 *
 * @typedef {Iterable<File | Entry | FileSystemHandle | DataTransferItem> | ArrayLike<File> | File | FileSystemHandle} Source
 *
 * @typedef {object} Parcel everything that is to be sent at once
 * @property {string} name what it is called for people
 * @property {number} files
 * @property {number} bytes
 * @property {Entry[]} entries
 * @property {string[]} left what was left out, because its name is none that can be sent or it cannot be read
 */

/**
 * Gathers what is to be sent: a `FileList` (with `webkitRelativePath` where a folder was chosen), files, entries, handles of files or folders, or
 * the items of a drop. To be called at once when something is dropped: its items are gone afterwards.
 * @param {Source} source
 * @param {{ name?: string }} [options]
 * @returns {Promise<Parcel>}
 */
export async function gather(source, { name } = {}) {
  const gathering = new Gathering();
  // What was dropped has to be asked for before anything is waited for.
  const items = listed(source).map(begun);
  for (const item of items) await gathering.add(item);
  return gathering.parcel(name);
}

/** @param {Source} source @returns {any[]} */
function listed(source) {
  const one = /** @type {any} */ (source);
  return isBlob(one) || typeof one.kind === 'string' ? [one] : Array.from(one);
}

/** @param {any} item */
function begun(item) {
  if (typeof item?.webkitGetAsEntry === 'function') return item.webkitGetAsEntry() ?? item.getAsFile?.();
  return item;
}

class Gathering {
  /** @type {Entry[]} */
  #entries = [];
  #paths = new Set();
  /** @type {string[]} */
  #left = [];
  #tops = new Set();

  /** @param {any} item */
  async add(item) {
    if (!item) return;
    if (isBlob(item)) this.#file(/** @type {any} */ (item).webkitRelativePath || /** @type {any} */ (item).name || 'file', item);
    else if (item.folder && typeof item.path === 'string') this.#folder(item.path);
    else if (isBlob(item.file) && typeof item.path === 'string') this.#file(item.path, item.file, item.executable);
    else if (item.kind === 'file') await this.#read(item.name, async () => this.#file(item.name, await item.getFile()));
    else if (item.kind === 'directory') await this.#handles(item, item.name);
    else if (typeof item.isFile === 'boolean') await this.#dropped(item, item.name);
  }

  /** @param {string} [name] @returns {Parcel} */
  parcel(name) {
    const files = /** @type {FileEntry[]} */ (this.#entries.filter((entry) => 'file' in entry));
    const bytes = files.reduce((sum, { file }) => sum + file.size, 0);
    const [only] = this.#tops;
    const called = this.#tops.size === 1 ? only : `${files.length} files`;
    return { name: nameOf(name ?? called), files: files.length, bytes, entries: this.#entries, left: this.#left };
  }

  /** @param {string} path @param {Blob} file @param {boolean} [executable] */
  #file(path, file, executable) {
    const free = this.#place(path);
    if (free) this.#entries.push({ path: free, file, ...(executable && { executable }) });
  }

  /** @param {string} path */
  #folder(path) {
    const free = this.#place(path);
    if (free) this.#entries.push({ path: free, folder: true });
  }

  /** The path, or another where two are the same; nothing where it cannot be sent. @param {string} path */
  #place(path) {
    let free = path;
    for (let at = 1; this.#paths.has(free); at += 1) free = numbered(path, at);
    if (!isPath(free)) return void this.#left.push(path);
    this.#paths.add(free);
    this.#tops.add(free.split('/')[0]);
    return free;
  }

  /** @param {FileSystemDirectoryHandle} folder @param {string} path */
  async #handles(folder, path) {
    let empty = true;
    await this.#read(path, async () => {
      for await (const handle of /** @type {any} */ (folder).values()) {
        empty = false;
        const inner = `${path}/${handle.name}`;
        if (handle.kind === 'directory') await this.#handles(handle, inner);
        else await this.#read(inner, async () => this.#file(inner, await handle.getFile()));
      }
      if (empty) this.#folder(path);
    });
  }

  /** @param {any} entry of a drop @param {string} path */
  async #dropped(entry, path) {
    if (entry.isFile) {
      return this.#read(path, async () => this.#file(path, await new Promise((resolve, reject) => entry.file(resolve, reject))));
    }
    const reader = entry.createReader();
    let empty = true;
    await this.#read(path, async () => {
      for (;;) {
        // A reader gives a part at a time, and at the end none.
        const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
        if (!some.length) break;
        empty = false;
        for (const inner of some) await this.#dropped(inner, `${path}/${inner.name}`);
      }
      if (empty) this.#folder(path);
    });
  }

  /** @param {string} path @param {() => Promise<void>} read */
  async #read(path, read) {
    try {
      await read();
    } catch {
      this.#left.push(path);
    }
  }
}

/** `a.txt` as `a (1).txt`. @param {string} path @param {number} at */
export function numbered(path, at) {
  const [, stem = path, ending = ''] = /^(.*[^/])(\.[^./]+)$/s.exec(path) ?? [];
  return `${stem} (${at})${ending}`;
}

/** @param {unknown} value @returns {value is Blob} */
function isBlob(value) {
  return typeof Blob === 'function' && value instanceof Blob;
}
