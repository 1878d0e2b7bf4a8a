// Where calls are asked for and heard. What makes connections is loaded once it is wanted; what comes until then waits in order.

import { WigwagError } from './errors.js';
import * as parts from './parts.js';
import { CONNECT_MS } from './terms.js';

/**
 * @import { Calls, ConnectOptions, Heard } from './calls.js'
 * @import { Connection } from './connection.js'
 * @import { FindOptions, Finders, Finding } from './finders.js'
 *
 * @typedef {typeof import('./calls.js')} CallsModule
 * @typedef {{ calls: Calls, finders: Finders }} Staff
 */

/** More signals than this do not wait for the module. */
const WAITING_MAX = 256;

export class Desk {
  /**
   * @param {(module: CallsModule) => Staff} make
   * @param {() => Promise<CallsModule>} [load]
   */
  constructor(make, load = parts.calls) {
    this.#make = make;
    this.#load = load;
  }

  #make;
  #load;
  /** @type {Calls | null} */
  #calls = null;
  /** @type {Finders | null} */
  #finders = null;
  /** @type {Promise<Staff> | null} */
  #loading = null;
  /** @type {Heard[]} */
  #waiting = [];
  #over = false;

  get connections() {
    return this.#calls?.connections ?? [];
  }

  /** The network is another one. */
  mend() {
    this.#calls?.mend();
  }

  /** There is a server again, or no longer. */
  line() {
    this.#calls?.line();
  }

  /** The session is another one: what was under way may be lost. */
  fresh() {
    this.#calls?.fresh();
  }

  close() {
    this.#over = true;
    this.#waiting = [];
    this.#finders?.close();
    this.#calls?.close();
  }

  /** Loads what is needed before anybody waits for it, and before the place that it comes from may be gone. */
  prepare() {
    this.ready().catch(() => {
      // Whoever needs it tries again, and is told.
    });
  }

  /** Takes a signal whose kind begins with `ww.`. @param {Heard} heard */
  hear(heard) {
    if (this.#calls) return this.#calls.hear(heard);
    if (this.#over || this.#waiting.length >= WAITING_MAX) return;
    this.#waiting.push(heard);
    this.prepare();
  }

  /**
   * @param {string} target
   * @param {ConnectOptions & Finding} [options]
   * @returns {Promise<Connection>} open
   */
  async connect(target, options = {}) {
    const [finders, left] = await this.#finding(options);
    return finders.connect(target, { ...options, deadline: left });
  }

  /** @param {string} id @param {FindOptions} options */
  async find(id, options) {
    const [finders, left] = await this.#finding(options);
    return finders.find(id, { ...options, deadline: left });
  }

  /**
   * Who finds, and what is left of the time.
   * @param {{ deadline?: number, signal?: AbortSignal }} options
   * @returns {Promise<[Finders, number | undefined]>}
   */
  async #finding({ deadline, signal }) {
    const began = performance.now();
    const { finders } = await within(this.ready(), deadline ?? CONNECT_MS, signal);
    return [finders, deadline === undefined ? undefined : Math.max(0, deadline - (performance.now() - began))];
  }

  /** What makes connections, loaded if it is not. @returns {Promise<Staff>} */
  ready() {
    this.#loading ??= this.#load().then((module) => {
      const staff = this.#make(module);
      const { calls, finders } = staff;
      this.#calls = calls;
      this.#finders = finders;
      if (this.#over) calls.close();
      for (const heard of this.#waiting.splice(0)) calls.hear(heard);
      return staff;
    }).catch((cause) => {
      this.#loading = null;
      this.#waiting = [];
      throw new WigwagError('not_loaded', 'The part that makes connections could not be loaded. Loading the page again may help.', { cause });
    });
    return this.#loading;
  }
}

/**
 * @template Value
 * @param {Promise<Value>} promise
 * @param {number} ms
 * @param {AbortSignal} [signal]
 * @returns {Promise<Value>}
 */
function within(promise, ms, signal) {
  return new Promise((resolve, reject) => {
    const late = () => done(() => reject(new WigwagError('timeout', 'The part that makes connections did not load in time.', { at: 'loading' })));
    const abort = () => done(() => reject(new WigwagError('aborted', 'The connection was called off.', { cause: signal?.reason })));
    const timer = setTimeout(late, ms);
    const done = (/** @type {() => void} */ settle) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      settle();
    };
    promise.then((value) => done(() => resolve(value)), (error) => done(() => reject(error)));
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted) abort();
  });
}
