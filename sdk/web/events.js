// Events that can be listened to and iterated over, with types.

import { WigwagError } from './errors.js';

/** More events than this do not wait for one who iterates. */
const WAITING_MAX = 10_000;

/**
 * Tells events, each an object with a `type`.
 * @template {{ type: string }} Event
 */
export class Emitter {
  /** @type {Map<string, Set<(event: any) => void>>} */
  #handlers = new Map();
  /** @type {Set<Iteration<any>>} */
  #iterations = new Set();
  #over = false;

  /**
   * Calls `handler` for each event of a type. Returns the way to stop that.
   * @template {Event['type']} Type
   * @param {Type} type
   * @param {(event: Extract<Event, { type: Type }>) => void} handler
   * @returns {() => void}
   */
  on(type, handler) {
    const handlers = this.#handlers.get(type) ?? new Set();
    this.#handlers.set(type, handlers.add(handler));
    return () => void handlers.delete(handler);
  }

  /**
   * The next event of a type.
   * @template {Event['type']} Type
   * @param {Type} type
   * @param {{ signal?: AbortSignal }} [options]
   * @returns {Promise<Extract<Event, { type: Type }>>}
   */
  once(type, { signal } = {}) {
    return new Promise((resolve, reject) => {
      const abort = () => {
        stop();
        reject(new WigwagError('aborted', 'The wait was called off.', { cause: signal?.reason }));
      };
      const stop = this.on(type, (event) => {
        stop();
        signal?.removeEventListener('abort', abort);
        resolve(event);
      });
      if (signal?.aborted) abort();
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  /** Whether anybody listens to a type or iterates. @param {Event['type']} type */
  hears(type) {
    return this.#iterations.size > 0 || (this.#handlers.get(type)?.size ?? 0) > 0;
  }

  /**
   * All events from now on, in order. The loop ends when there can be no more.
   * @returns {AsyncIterableIterator<Event>}
   */
  [Symbol.asyncIterator]() {
    /** @type {Iteration<Event>} */
    const iteration = new Iteration((it) => this.#iterations.delete(it));
    if (this.#over) iteration.end();
    else this.#iterations.add(iteration);
    return iteration;
  }

  /** Tells an event. A handler that throws harms nobody else. @param {Event} event */
  emit(event) {
    for (const iteration of [...this.#iterations]) iteration.push(event);
    for (const handler of [...(this.#handlers.get(event.type) ?? [])]) {
      try {
        handler(event);
      } catch (error) {
        queueMicrotask(() => { throw error; });
      }
    }
  }

  /** Nothing more will happen. */
  over() {
    this.#over = true;
    for (const iteration of [...this.#iterations]) iteration.end();
    this.#iterations.clear();
  }
}

/**
 * @template Event
 * @implements {AsyncIterableIterator<Event>}
 */
class Iteration {
  /** @param {(iteration: Iteration<any>) => void} leave */
  constructor(leave) {
    this.#leave = leave;
  }

  #leave;
  /** @type {Event[]} */
  #events = [];
  /** @type {{ resolve: (result: IteratorResult<Event>) => void, reject: (error: unknown) => void }[]} */
  #waiting = [];
  #ended = false;
  /** @type {WigwagError | null} */
  #error = null;

  /** @param {Event} event */
  push(event) {
    const waiting = this.#waiting.shift();
    if (waiting) waiting.resolve({ value: event, done: false });
    else if (this.#events.push(event) > WAITING_MAX) {
      this.#error = new WigwagError('too_slow', `More than ${WAITING_MAX} events waited for this loop.`);
      this.#events = [];
      this.end();
    }
  }

  end() {
    this.#ended = true;
    this.#leave(this);
    for (const { resolve } of this.#waiting.splice(0)) resolve({ value: undefined, done: true });
  }

  /** @returns {Promise<IteratorResult<Event>>} */
  next() {
    const event = this.#events.shift();
    if (event !== undefined) return Promise.resolve({ value: event, done: false });
    const error = this.#error;
    this.#error = null;
    if (error) return Promise.reject(error);
    if (this.#ended) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** @returns {Promise<IteratorResult<Event>>} */
  return() {
    this.end();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator]() {
    return this;
  }
}
