// Where a program keeps what must outlive it: IndexedDB, which can hold keys that nobody can read; or memory.

/**
 * What an app may hand in to keep things elsewhere. Values are keys, texts and plain objects.
 * @typedef {object} Keep
 * @property {(name: string) => Promise<any>} read `undefined` where there is nothing
 * @property {(name: string, value: any) => Promise<any>} claim keeps the value unless there is one already, and returns the one that is kept
 * @property {(name: string, value: any) => Promise<void>} write
 */

/** Keeps things as long as the program runs. @returns {Keep} */
export function memoryKeep() {
  const held = new Map();
  return {
    read: async (name) => held.get(name),
    claim: async (name, value) => {
      if (!held.has(name)) held.set(name, value);
      return held.get(name);
    },
    write: async (name, value) => void held.set(name, value),
  };
}

/**
 * Keeps things in IndexedDB.
 * @param {IDBFactory} factory
 * @param {string} [name] of the database
 * @returns {Keep}
 */
export function databaseKeep(factory, name = 'wigwag') {
  /** @type {Promise<IDBDatabase> | undefined} */
  let opening;
  const open = () => {
    opening ??= new Promise((resolve, reject) => {
      const request = factory.open(name, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(STORE);
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    return opening;
  };
  /**
   * @param {IDBTransactionMode} mode
   * @param {(store: IDBObjectStore) => IDBRequest} work the last request's result is the result
   */
  const run = async (mode, work) => {
    const transaction = (await open()).transaction(STORE, mode);
    const request = work(transaction.objectStore(STORE));
    return new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error ?? request.error);
    });
  };
  const read = (/** @type {string} */ key) => run('readonly', (store) => store.get(key));
  return {
    read,
    claim: async (key, value) => {
      try {
        await run('readwrite', (store) => store.add(value, key));
      } catch (error) {
        if (!(error instanceof Error) || error.name !== 'ConstraintError') throw error;
      }
      return read(key);
    },
    write: async (key, value) => void (await run('readwrite', (store) => store.put(value, key))),
  };
}

/** The platform's own: a database where there is one. @returns {Keep} */
export function defaultKeep() {
  return typeof indexedDB === 'undefined' ? memoryKeep() : databaseKeep(indexedDB);
}

const STORE = 'kept';

/** A name for this tab that outlives a reload. @param {boolean} [fresh] */
export function keptDevice(fresh = false) {
  const made = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => 'abcdefghijklmnopqrstuvwxyz234567'[byte & 31]).join('');
  try {
    const kept = fresh ? null : globalThis.sessionStorage.getItem('wigwag.device');
    globalThis.sessionStorage.setItem('wigwag.device', kept ?? made);
    return kept ?? made;
  } catch {
    return made;
  }
}
