// The machine with a clock, sockets and a page around it: requests become promises.

import { WigwagError } from './errors.js';
import { helloStatement } from './identity.js';
import { Machine } from './machine.js';

/**
 * @import { Identity } from './identity.js'
 * @import { Frame, Hello, Input, Output, Server, Status } from './terms.js'
 *
 * @typedef {object} Clock
 * @property {() => number} now milliseconds; never goes back
 * @property {(run: () => void, ms: number) => any} setTimeout
 * @property {(timer: any) => void} clearTimeout
 *
 * @typedef {object} Surroundings
 * @property {typeof WebSocket} [WebSocket]
 * @property {Clock} [clock]
 * @property {() => number} [random]
 * @property {EventTarget | null} [window] tells of `online`, `offline`, `pageshow`, `pagehide`
 * @property {EventTarget & { visibilityState?: string } | null} [document] tells of `visibilitychange` and `resume`
 *
 * @typedef {object} Ears
 * @property {(frame: Frame) => void} event
 * @property {(frame: Frame, lost: boolean) => void} welcome
 * @property {(status: Status) => void} status
 * @property {() => void} network there may be another one
 * @property {(code: number, message: string) => void} fault
 * @property {(key: string, answer: Frame | WigwagError) => void} standing what became of a standing request that was asked again
 *
 * @typedef {object} Ask
 * @property {boolean} [again] whether it may be asked twice
 * @property {AbortSignal} [signal]
 */

export class Line {
  /**
   * @param {{ servers: Server[], hello: Hello, identity: Identity | null, ears: Ears, autoDevice: (() => string) | null }} config
   * @param {Surroundings} surroundings
   */
  constructor({ servers, hello, identity, ears, autoDevice }, surroundings) {
    this.#ears = ears;
    this.#identity = identity;
    this.#autoDevice = autoDevice;
    const { WebSocket: Socket = globalThis.WebSocket } = surroundings;
    if (!Socket) throw new WigwagError('unsupported', 'There is no WebSocket here: hand one in as `WebSocket`.');
    this.#Socket = Socket;
    this.#clock = surroundings.clock ?? PLATFORM_CLOCK;
    this.#machine = new Machine({ servers, hello, proves: identity !== null, random: surroundings.random ?? Math.random });
    this.#attend(surroundings.window === undefined ? globalThis : surroundings.window,
      surroundings.document === undefined ? globalThis.document : surroundings.document);
  }

  #ears;
  #identity;
  #autoDevice;
  #Socket;
  #clock;
  #machine;
  /** @type {Map<number, WebSocket>} */
  #sockets = new Map();
  /** @type {Map<number, { resolve: (frame: Frame) => void, reject: (error: WigwagError) => void }>} */
  #asked = new Map();
  #asks = 0;
  /** @type {Input[]} */
  #inputs = [];
  #busy = false;
  /** @type {any} */
  #timer = null;
  /** @type {(() => void)[]} */
  #leave = [];

  /** @returns {Status} */
  get status() {
    return this.#machine.status;
  }

  get seen() {
    return this.#machine.seen;
  }

  open() {
    this.#tell({ type: 'open' });
  }

  close() {
    for (const leave of this.#leave.splice(0)) leave();
    this.#tell({ type: 'close' });
  }

  /**
   * Asks the server something. Rejects where it refuses.
   * @param {Frame} frame
   * @param {Ask} [options]
   * @returns {Promise<Frame>}
   */
  ask(frame, { again = false, signal } = {}) {
    return new Promise((resolve, reject) => {
      const id = (this.#asks += 1);
      const abort = () => {
        this.#asked.delete(id);
        this.#tell({ type: 'forget', id });
        reject(new WigwagError('aborted', 'The request was called off.', { cause: signal?.reason }));
      };
      if (signal?.aborted) return abort();
      signal?.addEventListener('abort', abort, { once: true });
      const done = () => signal?.removeEventListener('abort', abort);
      this.#asked.set(id, { resolve: (answer) => (done(), resolve(answer)), reject: (error) => (done(), reject(error)) });
      this.#tell({ type: 'request', id, frame, again });
    });
  }

  /** Says something that wants no answer, if there is a server now. @param {Frame} frame */
  mention(frame) {
    this.#tell({ type: 'request', id: null, frame, quiet: true });
  }

  /** Asks this again of every fresh session. @param {string} key @param {Frame | null} frame `null`: no longer */
  stand(key, frame) {
    this.#tell(frame ? { type: 'stand', key, frame } : { type: 'unstand', key });
  }

  /** Things may have become better: try now. */
  nudge() {
    this.#tell({ type: 'nudge' });
  }

  /** @param {Input} input */
  #tell(input) {
    this.#inputs.push(input);
    // Whoever is told something may ask at once: that waits until the telling is done, so that nothing overtakes.
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let next = this.#inputs.shift(); next; next = this.#inputs.shift()) {
        for (const output of this.#machine.handle(this.#clock.now(), next)) this.#do(output);
      }
    } finally {
      this.#busy = false;
    }
    this.#clock.clearTimeout(this.#timer);
    const due = this.#machine.deadline();
    if (due === Infinity) return;
    const wait = Math.min(Math.max(0, Math.ceil(due - this.#clock.now())), 2 ** 31 - 1);
    this.#timer = this.#clock.setTimeout(() => this.#tell({ type: 'tick' }), wait);
  }

  /** @param {Output} output */
  #do(output) {
    switch (output.type) {
      case 'connect':
        return this.#connect(output.socket, output.url);
      case 'disconnect': {
        const socket = this.#sockets.get(output.socket);
        this.#sockets.delete(output.socket);
        if (!socket) return undefined;
        socket.onmessage = socket.onclose = null;
        return socket.close(1000);
      }
      case 'send':
        return this.#sockets.get(output.socket)?.send(output.text);
      case 'prove':
        return void this.#prove(output);
      case 'answer':
        return this.#answer(output.id, output.frame);
      case 'given':
        return this.#given(output.id, output.reason);
      case 'event':
        return this.#ears.event(output.frame);
      case 'welcome':
        return this.#ears.welcome(output.frame, output.lost);
      case 'fault':
        return this.#ears.fault(output.code, output.message);
      case 'status':
        return this.#status(output.status);
      default:
        return undefined;
    }
  }

  /** @param {number} number @param {string} url */
  #connect(number, url) {
    try {
      const socket = new this.#Socket(url, 'wigwag.1');
      this.#sockets.set(number, socket);
      socket.onmessage = ({ data }) => this.#tell({ type: 'text', socket: number, text: String(data) });
      socket.onclose = ({ code, reason }) => {
        this.#sockets.delete(number);
        this.#tell({ type: 'lost', socket: number, code: code === 1005 ? 0 : code, reason });
      };
      // What is wrong is told by the close that follows.
      socket.onerror = () => {};
    } catch (error) {
      this.#ears.fault(0, `${url}: ${error instanceof Error ? error.message : error}`);
      this.#tell({ type: 'lost', socket: number });
    }
  }

  /** @param {Extract<Output, { type: 'prove' }>} challenge */
  async #prove({ socket, server, nonce }) {
    const identity = this.#identity;
    if (!identity) return;
    const { namespace, id = identity.id, device } = this.#machine.hello;
    try {
      const signature = await identity.sign(helloStatement({ server, nonce, namespace, id, device, key: identity.key }));
      this.#tell({ type: 'proved', socket, key: identity.key, signature });
    } catch (error) {
      this.#ears.fault(0, `the key cannot sign: ${error instanceof Error ? error.message : error}`);
    }
  }

  /** @param {unknown} id @param {Frame} frame */
  #answer(id, frame) {
    const answer = frame.type === 'error' ? refusal(frame) : frame;
    const standing = standingKey(id);
    if (standing !== null) return this.#ears.standing(standing, answer);
    const asked = this.#asked.get(Number(id));
    this.#asked.delete(Number(id));
    if (answer instanceof WigwagError) asked?.reject(answer);
    else asked?.resolve(answer);
  }

  /** @param {unknown} id @param {string} reason */
  #given(id, reason) {
    const error = new WigwagError(reason, GIVEN[reason] ?? `The server let this client go: ${reason}.`);
    const standing = standingKey(id);
    if (standing !== null) return this.#ears.standing(standing, error);
    this.#asked.get(Number(id))?.reject(error);
    this.#asked.delete(Number(id));
  }

  /** @param {Status} status */
  #status(status) {
    const device = status.state === 'stopped' && status.code === 4300 ? this.#autoDevice?.() : undefined;
    if (device !== undefined) {
      // A copied tab took the device's name along: the two part here.
      this.#tell({ type: 'device', device });
      this.#tell({ type: 'open' });
    } else {
      this.#ears.status(status);
    }
  }

  /** @param {EventTarget | null | undefined} window @param {EventTarget & { visibilityState?: string } | null | undefined} document */
  #attend(window, document) {
    const on = (/** @type {EventTarget | null | undefined} */ target, /** @type {string} */ name, /** @type {(event: any) => void} */ run) => {
      if (typeof target?.addEventListener !== 'function') return;
      target.addEventListener(name, run);
      this.#leave.push(() => target.removeEventListener(name, run));
    };
    const moved = () => {
      this.nudge();
      this.#ears.network();
    };
    on(window, 'online', moved);
    on(/** @type {any} */ (window)?.navigator?.connection, 'change', moved);
    on(window, 'offline', () => this.#tell({ type: 'check' }));
    on(window, 'pageshow', () => this.nudge());
    on(window, 'pagehide', ({ persisted }) => persisted || this.close());
    on(document, 'resume', () => this.nudge());
    on(document, 'visibilitychange', () => document?.visibilityState === 'visible' && this.nudge());
  }
}

/** @type {Clock} */
export const PLATFORM_CLOCK = {
  now: () => performance.now(),
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (timer) => clearTimeout(timer),
};

/** @type {Readonly<Record<string, string>>} */
const GIVEN = {
  unknown: 'The session was lost before the answer came: the server may have done it or not.',
  too_large: 'This is larger than the server takes.',
  queue_full: 'Too much is waiting for the server already.',
  offline: 'There is no server now.',
  closed: 'This client is closed, or was opened without a server.',
};

/** @param {Frame} frame */
function refusal({ name, message, code, retry_after: retryAfter }) {
  return new WigwagError(String(name), String(message), { code: Number(code), retryAfter });
}

/** @param {unknown} id @returns {string | null} */
function standingKey(id) {
  return typeof id === 'object' && id !== null && 'standing' in id ? String(id.standing) : null;
}
