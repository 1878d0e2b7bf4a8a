// A secret room: what goes to the server is put into boxes, and what comes from it is taken out, in order. `secret.js` makes the boxes.

import { NOBODY, Secret } from './secret.js';

/**
 * @import { Ask } from './line.js'
 * @import { Says } from './room.js'
 * @import { Sender, What } from './secret.js'
 * @import { Frame } from './terms.js'
 *
 * @typedef {object} Veiled
 * @property {Says} line
 * @property {Sender} self as the server calls us now
 * @property {string} key with which we sign calls
 * @property {() => void} told something did not open
 */

/** So many boxes are remembered, so that none is taken twice. */
const NONCES_MAX = 1_000;

/** @implements {Says} */
export class Veil {
  /** @param {Veiled} veiled @param {string} secret @param {string} [title] */
  static async make(veiled, secret, title) {
    return new Veil(veiled, await Secret.make(crypto.subtle, secret, title));
  }

  /** @param {Veiled} veiled @param {Secret} secret */
  constructor(veiled, secret) {
    this.#veiled = veiled;
    this.#secret = secret;
  }

  #veiled;
  #secret;
  /** How much did not open. */
  unopened = 0;
  /** Boxes take time to make and to open, and the order of what they are in has a meaning. */
  #sending = Promise.resolve();
  #taking = Promise.resolve();
  /** @type {Set<string>} */
  #nonces = new Set();
  /** What is asked again of a fresh session, and who we were when it was sealed. @type {{ key: string, frame: Frame, self: Sender } | null} */
  #stood = null;

  /** The room's name on the server. */
  get name() {
    return this.#secret.name;
  }

  /** @param {Frame} frame @param {Ask} [options] @returns {Promise<Frame>} */
  async ask(frame, options) {
    const asked = this.#send(frame, (sealed) => ({ answer: this.#veiled.line.ask(sealed, options) }));
    return this.#open(await (await asked).answer);
  }

  /** @param {Frame} frame */
  mention(frame) {
    void this.#send(frame, (sealed) => this.#veiled.line.mention(sealed));
  }

  /** @param {string} key @param {Frame | null} frame */
  stand(key, frame) {
    const { id, device } = this.#veiled.self;
    this.#stood = frame && { key, frame, self: { id, device } };
    void this.#send(frame ?? { type: '' }, (sealed) => this.#veiled.line.stand(key, frame && sealed));
  }

  /**
   * Opens what the server says and hands it on, in order; what does not open is passed over.
   * @template {Frame | Error} Said
   * @param {Said} said
   * @param {(opened: Said) => void} use
   */
  take(said, use) {
    this.#taking = this.#taking.then(async () => {
      if (said instanceof Error) return use(said);
      const opened = await this.#open(said);
      if (opened.type) use(/** @type {Said} */ (opened));
      if (opened.type === 'room.joined') this.#returned();
    }).catch(() => {
      // What is no frame of the protocol is passed over.
    });
  }

  /** We entered again. If we are called otherwise than when we sealed who we are, nobody could open it. */
  #returned() {
    const { id, device } = this.#veiled.self;
    const stood = this.#stood;
    if (!stood || (stood.self.id === id && stood.self.device === device)) return;
    this.stand(stood.key, stood.frame);
    this.mention({ type: 'room.me', room: this.name, me: stood.frame.me });
  }

  /**
   * @template Result
   * @param {Frame} frame
   * @param {(sealed: Frame) => Result} use
   * @returns {Promise<Result>}
   */
  #send(frame, use) {
    // Written down at once: whoever changes it after the call changes nothing.
    const sealed = this.#seal(frame);
    const sent = this.#sending.then(() => sealed).then(use);
    this.#sending = sent.then(() => {}, () => {});
    return sent;
  }

  /** @param {Frame} frame @returns {Promise<Frame>} */
  async #seal(frame) {
    const { type, data, me, state, meta } = frame;
    const { id, device } = this.#veiled.self;
    const self = { id, device };
    /** @type {[string, Promise<any>][]} */
    const boxes = [];
    const box = (/** @type {string} */ field, /** @type {What} */ what, /** @type {Sender} */ from, /** @type {any} */ content) => {
      boxes.push([field, this.#secret.seal(what, from, content)]);
    };
    if (type === 'say' && data !== undefined) box('data', 'say', self, data);
    if (ENTERS.has(type)) box('me', 'me', self, { key: this.#veiled.key, me: me ?? undefined });
    if (type === 'room.state' && isContent(state)) box('state', 'state', NOBODY, state);
    if (isContent(meta)) box('meta', 'meta', NOBODY, meta);
    const sealed = await Promise.all(boxes.map(async ([field, made]) => [field, await made]));
    return { ...frame, ...Object.fromEntries(sealed) };
  }

  /** The frame with what was in its boxes; one without a type where it is to be passed over. @param {Frame} frame @returns {Promise<Frame>} */
  async #open(frame) {
    const opened = { ...frame };
    // A member's `state` is its presence.
    if (frame.type !== 'room.member' && isContent(frame.state)) opened.state = await this.#unseal('state', NOBODY, frame.state);
    if (isContent(frame.meta)) opened.meta = await this.#unseal('meta', NOBODY, frame.meta);
    if (frame.type === 'said') {
      const data = await this.#unseal('say', sender({ id: frame.from, device: frame.device }), frame.data);
      if (data === undefined || !this.#first(frame.data.nonce)) return { type: '' };
      opened.data = data;
    } else if (frame.type === 'room.member' && frame.change !== 'left') {
      return (await this.#member(frame)) ?? { type: '' };
    } else if (Array.isArray(frame.members)) {
      const members = await Promise.all(frame.members.map((member) => this.#member(member)));
      opened.members = members.filter((member) => member !== null);
    }
    return opened;
  }

  /**
   * A member with what it shows of itself; `null` where it does not know the secret.
   * @template {Record<string, any>} Frame
   * @param {Frame} frame
   */
  async #member(frame) {
    const shown = await this.#unseal('me', sender(frame), frame.me);
    return typeof shown?.key === 'string' ? { ...frame, me: shown.me, key: shown.key } : null;
  }

  /** @param {What} what @param {Sender} from @param {unknown} box */
  async #unseal(what, from, box) {
    const content = await this.#secret.open(what, from, box);
    if (content === undefined && (this.unopened += 1) === 1) this.#veiled.told();
    return content;
  }

  /** @param {string} nonce */
  #first(nonce) {
    if (this.#nonces.has(nonce)) return false;
    this.#nonces.add(nonce);
    for (const oldest of this.#nonces) {
      if (this.#nonces.size <= NONCES_MAX) break;
      this.#nonces.delete(oldest);
    }
    return true;
  }
}

/** Requests that say who we are. */
const ENTERS = new Set(['room.join', 'room.create', 'room.me']);

/** @param {unknown} value */
function isContent(value) {
  return value !== undefined && value !== null;
}

/** @param {Record<string, any>} frame @returns {Sender} */
function sender({ id, device = '' }) {
  return { id, device };
}
