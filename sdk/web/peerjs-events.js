// What PeerJS's objects have in common: events by name, errors with a `type`, and the words for both.

/** The words in which a `Peer` says what went wrong. */
export const PeerErrorType = Object.freeze(/** @type {const} */ ({
  BrowserIncompatible: 'browser-incompatible',
  Disconnected: 'disconnected',
  InvalidID: 'invalid-id',
  InvalidKey: 'invalid-key',
  Network: 'network',
  PeerUnavailable: 'peer-unavailable',
  SslUnavailable: 'ssl-unavailable',
  ServerError: 'server-error',
  SocketError: 'socket-error',
  SocketClosed: 'socket-closed',
  UnavailableID: 'unavailable-id',
  WebRTC: 'webrtc',
}));

export const BaseConnectionErrorType = Object.freeze(/** @type {const} */ ({
  NegotiationFailed: 'negotiation-failed',
  ConnectionClosed: 'connection-closed',
}));

export const DataConnectionErrorType = Object.freeze(/** @type {const} */ ({ NotOpenYet: 'not-open-yet', MessageToBig: 'message-too-big' }));

export const ConnectionType = Object.freeze(/** @type {const} */ ({ Data: 'data', Media: 'media' }));

export const SerializationType = Object.freeze(/** @type {const} */ ({ Binary: 'binary', BinaryUTF8: 'binary-utf8', JSON: 'json', None: 'raw' }));

/**
 * @typedef {typeof PeerErrorType[keyof typeof PeerErrorType]} PeerErrorType
 * @typedef {typeof BaseConnectionErrorType[keyof typeof BaseConnectionErrorType]} BaseConnectionErrorType
 * @typedef {typeof DataConnectionErrorType[keyof typeof DataConnectionErrorType]} DataConnectionErrorType
 * @typedef {typeof ConnectionType[keyof typeof ConnectionType]} ConnectionType
 */

/**
 * An error with a word for programs. `reason` says it in the SDK's own words, and `cause` is the SDK's error, where there is one.
 * @template {string} T
 */
export class PeerError extends Error {
  /** @param {T} type @param {string | Error} error */
  constructor(type, error) {
    super(typeof error === 'string' ? error : error.message, typeof error === 'string' ? undefined : { cause: error });
    this.name = 'PeerError';
    /** @type {T} */
    this.type = type;
    /** @type {string | undefined} */
    this.reason = typeof error === 'string' ? undefined : /** @type {any} */ (error).reason;
  }
}

/**
 * Events by name, with their arguments.
 * @template {Record<string, (...values: any[]) => void>} Events
 */
export class EventEmitter {
  /** @type {Map<keyof Events, { run: (...values: any[]) => void, context: any, once: boolean }[]>} */
  #handlers = new Map();

  /** @template {keyof Events} Type @param {Type} event @param {Events[Type]} run @param {any} [context] @returns {this} */
  on(event, run, context) {
    return this.#add(event, run, context, false);
  }

  /** @template {keyof Events} Type @param {Type} event @param {Events[Type]} run @param {any} [context] @returns {this} */
  once(event, run, context) {
    return this.#add(event, run, context, true);
  }

  /** @template {keyof Events} Type @param {Type} event @param {Events[Type]} run @param {any} [context] @returns {this} */
  addListener(event, run, context) {
    return this.on(event, run, context);
  }

  /** @template {keyof Events} Type @param {Type} event @param {Events[Type]} [run] left out, all of them @param {any} [context] @param {boolean} [once] @returns {this} */
  off(event, run, context, once) {
    const stays = (/** @type {{ run: any, context: any, once: boolean }} */ handler) => run !== undefined
      && (handler.run !== run || (context !== undefined && handler.context !== context) || (once === true && !handler.once));
    this.#handlers.set(event, (this.#handlers.get(event) ?? []).filter(stays));
    return this;
  }

  /** @template {keyof Events} Type @param {Type} event @param {Events[Type]} [run] @param {any} [context] @param {boolean} [once] @returns {this} */
  removeListener(event, run, context, once) {
    return this.off(event, run, context, once);
  }

  /** @param {keyof Events} [event] left out, of every event @returns {this} */
  removeAllListeners(event) {
    if (event === undefined) this.#handlers.clear();
    else this.#handlers.delete(event);
    return this;
  }

  /** @template {keyof Events} Type @param {Type} event @returns {Events[Type][]} */
  listeners(event) {
    return (this.#handlers.get(event) ?? []).map(({ run }) => /** @type {any} */ (run));
  }

  /** @param {keyof Events} event */
  listenerCount(event) {
    return this.#handlers.get(event)?.length ?? 0;
  }

  eventNames() {
    return [...this.#handlers].filter(([, handlers]) => handlers.length).map(([event]) => event);
  }

  /** Tells an event. A handler that throws harms nobody else. @template {keyof Events} Type @param {Type} event @param {Parameters<Events[Type]>} values */
  emit(event, ...values) {
    const handlers = [...(this.#handlers.get(event) ?? [])];
    for (const { run, context, once } of handlers) {
      if (once) this.off(event, /** @type {any} */ (run), context, true);
      try {
        run.apply(context ?? this, values);
      } catch (error) {
        queueMicrotask(() => { throw error; });
      }
    }
    return handlers.length > 0;
  }

  /** @param {keyof Events} event @param {(...values: any[]) => void} run @param {any} context @param {boolean} once */
  #add(event, run, context, once) {
    this.#handlers.set(event, [...(this.#handlers.get(event) ?? []), { run, context, once }]);
    this.heard(event);
    return this;
  }

  /** Somebody listens to an event from now on. @param {keyof Events} _event @protected */
  heard(_event) {}
}
