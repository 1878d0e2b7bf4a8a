// Codes as a way to a `Connection`: what a client offers, and what it makes of a code that a person pasted.

import { CodeError, acceptCode, complete, offerCode, readCode } from './code.js';
import { WigwagError } from './errors.js';
import { Meeting, PROTOCOL } from './meet.js';

/**
 * @import { PendingOffer } from './code.js'
 * @import { Connection } from './connection.js'
 * @import { Search } from './finders.js'
 * @import { Party } from './meet.js'
 *
 * @typedef {Party & {
 *   RTCPeerConnection: typeof RTCPeerConnection | undefined,
 *   ice: () => RTCIceServer[],
 *   add: (connection: Connection) => void,
 * }} CodeSetup
 *
 * @typedef {object} OfferOptions
 * @property {AbortSignal} [signal]
 * @property {RTCConfiguration} [rtc] goes over what the SDK would choose
 * @property {string} [key] the peer's key, where it is known from elsewhere: nobody else will do
 *
 * @typedef {object} Invitation An offer code, and what comes of it.
 * @property {string} code for the other side
 * @property {Promise<Connection>} opened settles when the answer came, here or by `connect`
 * @property {(answer: string) => Promise<Connection>} complete takes the answer code; a wrong paste leaves the offer as it was
 * @property {() => void} close
 */

/** More offers than this do not wait for their answers. */
const OFFERS_MAX = 16;

/** So long an offerer tries once it has the answer. */
const COMPLETE_MS = 30_000;

export class Codes {
  /** @param {CodeSetup} setup */
  constructor(setup) {
    this.#setup = setup;
  }

  #setup;
  /** By the tag that an answer names. @type {Map<number, Invitation>} */
  #offers = new Map();

  /** Takes all offers back. */
  close() {
    for (const { close } of [...this.#offers.values()]) close();
  }

  /** @param {OfferOptions} [options] @returns {Promise<Invitation>} */
  async offer({ signal, rtc, key } = {}) {
    if (this.#offers.size >= OFFERS_MAX) throw new WigwagError('too_many', `${OFFERS_MAX} offers wait for their answers: close some.`);
    const meeting = new Meeting(this.#setup, true);
    const offer = await offerCode({ ...this.#how(meeting, signal, rtc), protocol: PROTOCOL });
    const invitation = this.#invite(offer, meeting, { signal, key });
    this.#offers.set(offer.tag, invitation);
    return invitation;
  }

  /** What a person pasted: an offer, which gets an answer; or the answer to one of ours. @param {string} text @param {Search} search */
  async connect(text, search) {
    const { type, tag, answers = 0 } = await readCode(text);
    if (type === 'answer') {
      const invitation = this.#offers.get(answers);
      if (!invitation) throw new CodeError('other_offer');
      return invitation.complete(text);
    }
    if (this.#offers.has(tag)) throw new WigwagError('own_code', 'This code was made here: it is for the other side.');
    const { options: { rtc, key, showCode, onProgress }, signal, ms } = search;
    if (!showCode && !onProgress) throw new WigwagError('bad_field', 'An offer code asks for an answer code: hand in `showCode`, to show it to a person.');
    const meeting = new Meeting(this.#setup, false);
    const answer = await acceptCode(text, { ...this.#how(meeting, signal, rtc), deadlineMs: ms });
    search.showCode(answer.code);
    return this.#meet(meeting, await answer.opened, key);
  }

  /** @param {PendingOffer} offer @param {Meeting} meeting @param {OfferOptions} options @returns {Invitation} */
  #invite(offer, meeting, { signal, key }) {
    /** @type {(connection: Connection) => void} */
    let open = () => {};
    /** @type {(error: unknown) => void} */
    let fail = () => {};
    const opened = new Promise((/** @type {(connection: Connection) => void} */ resolve, reject) => ([open, fail] = [resolve, reject]));
    // Who waits by `complete` alone is told there.
    opened.catch(() => {});
    const over = () => {
      signal?.removeEventListener('abort', abort);
      this.#offers.delete(offer.tag);
    };
    const close = () => {
      over();
      offer.close();
      fail(new WigwagError('closed', 'The offer was taken back.'));
    };
    const abort = () => {
      fail(new WigwagError('aborted', 'The offer was called off.', { cause: signal?.reason }));
      close();
    };
    signal?.addEventListener('abort', abort, { once: true });
    const completed = async (/** @type {string} */ text) => {
      try {
        const connection = await this.#meet(meeting, await complete(offer, text, { deadlineMs: COMPLETE_MS, signal }), key);
        over();
        open(connection);
        return connection;
      } catch (error) {
        if (error instanceof CodeError || (error instanceof WigwagError && error.reason === 'answered')) throw error;
        over();
        fail(error);
        throw error;
      }
    };
    return { code: offer.code, opened, complete: completed, close };
  }

  /** @param {Meeting} meeting @param {{ connection: RTCPeerConnection, channel: RTCDataChannel }} opened @param {string} [key] */
  async #meet(meeting, opened, key) {
    const connection = await meeting.meet(opened, 'code');
    if (key !== undefined && key !== connection.peer.key) {
      connection.close('key_mismatch');
      throw new WigwagError('key_mismatch', 'Somebody answered with another key than the one that was expected.');
    }
    this.#setup.add(connection);
    return connection;
  }

  /** @param {Meeting} meeting @param {AbortSignal} [signal] @param {RTCConfiguration} [rtc] */
  #how(meeting, signal, rtc) {
    return {
      PeerConnection: this.#setup.RTCPeerConnection,
      config: { iceServers: this.#setup.ice(), ...rtc },
      prepare: (/** @type {RTCPeerConnection} */ pc) => meeting.attend(pc),
      signal,
    };
  }
}
