// Two people who share a code of words meet in its secret room, and one connects to the other (`spec/files.md`).

import { WigwagError, asError } from './errors.js';
import { TITLE, WordCode } from './word-code.js';

/**
 * @import { Wigwag } from './client.js'
 * @import { Connection } from './connection.js'
 * @import { Offer } from './files-rules.js'
 * @import { Member, Room } from './room.js'
 *
 * @typedef {object} MeetOptions
 * @property {Offer} [offer] what we have to send; left out, we look for somebody who has
 * @property {string} [name] ours, for people
 * @property {AbortSignal} [signal]
 * @property {(room: Room) => void} [entered] the room is entered, and the other is waited for
 *
 * @typedef {object} Meeting
 * @property {Connection} connection open
 * @property {string} name what the other calls itself for people; may be empty
 * @property {Offer | null} offer what the other has to send
 */

const NAME_MAX = 255;

/** After a call that failed comes the next, so much later. */
const AGAIN_MS = 1_000;

/** After these no other call would fare better. */
const HOPELESS = new Set(['unsupported', 'closed']);

/**
 * Meets the other of a code of words: waits until somebody is there who has to send what we look for, or looks for what we have. The client has to
 * take calls of the members of this room: where it has an `accept` of its own, that has to let in whom `entered` shows.
 * @param {Wigwag} client
 * @param {WordCode | string} code
 * @param {MeetOptions} [options]
 * @returns {Promise<Meeting>}
 */
export async function meetByWords(client, code, { offer, name, signal, entered } = {}) {
  const words = typeof code === 'string' ? WordCode.read(code) : code;
  const secret = await words.secret();
  const me = { ...(name && { name }), ...(offer && { files: { name: offer.name, files: offer.files, bytes: offer.bytes } }) };
  // Who is there before us may call as soon as it sees us, which is before we see it.
  /** @type {Connection[]} */
  const early = [];
  const stop = client.on('connection', ({ connection }) => void early.push(connection));
  /** @type {Room | null} */
  let room = null;
  try {
    const joined = await client.join(TITLE, { secret, me, signal });
    room = joined;
    entered?.(joined);
    return await new Promise((resolve, reject) => {
      const meeting = new Waiting(client, joined, Boolean(offer), signal, { resolve, reject });
      for (const connection of early.splice(0)) meeting.called(connection);
      stop();
      signal?.addEventListener('abort', () => meeting.fail(calledOff(signal)), { once: true });
      if (signal?.aborted) meeting.fail(calledOff(signal));
    });
  } finally {
    stop();
    room?.leave().catch(() => {
      // The server ends what it does not hear of.
    });
  }
}

class Waiting {
  /**
   * @param {Wigwag} client
   * @param {Room} room
   * @param {boolean} sends
   * @param {AbortSignal | undefined} signal
   * @param {{ resolve: (meeting: Meeting) => void, reject: (error: unknown) => void }} settle
   */
  constructor(client, room, sends, signal, settle) {
    this.#client = client;
    this.#room = room;
    this.#sends = sends;
    this.#signal = signal;
    this.#settle = settle;
    const look = () => this.#look();
    this.#stops = [
      room.on('joined', look),
      room.on('updated', look),
      room.on('closed', ({ why, reason }) => this.fail(new WigwagError('closed', reason || `The room of these words ended: ${why}.`))),
      client.on('connection', ({ connection }) => this.called(connection)),
    ];
    look();
  }

  #client;
  #room;
  #sends;
  #signal;
  #settle;
  #stops;
  #over = false;
  /** Members whom we connect to, or shall again in a moment. @type {Set<Member>} */
  #tried = new Set();
  /** @type {Set<any>} */
  #timers = new Set();

  /** @param {unknown} error */
  fail(error) {
    if (this.#end()) this.#settle.reject(error);
  }

  /** Connects to whomever we fit, where it is our turn to. */
  #look() {
    for (const member of this.#room.members) {
      if (member.polite || this.#over || !this.#fits(member) || this.#tried.has(member)) continue;
      this.#tried.add(member);
      void this.#call(member);
    }
  }

  /** @param {Member} member */
  async #call(member) {
    try {
      const connection = await this.#client.connect(member.id, { device: member.device || undefined, key: member.key, signal: this.#signal });
      if (this.#over) connection.close();
      else this.#met(connection, member);
    } catch (error) {
      if (this.#over) return;
      if (HOPELESS.has(asError(error).reason)) return this.fail(error);
      // Who could not be reached now may be in a moment, where nobody has left.
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        this.#tried.delete(member);
        this.#look();
      }, AGAIN_MS);
      this.#timers.add(timer);
    }
  }

  /** Somebody connected to us. @param {Connection} connection */
  called(connection) {
    const { peer } = connection;
    const member = this.#room.members.find(({ id, device, key }) => id === peer.id && device === peer.device && key === peer.key);
    if (!member?.polite || !this.#fits(member)) return;
    if (connection.state === 'open') this.#met(connection, member);
    else connection.on('open', () => this.#met(connection, member));
  }

  /** @param {Member} member */
  #fits({ me }) {
    return this.#sends !== Boolean(offerIn(me));
  }

  /** @param {Connection} connection @param {Member} member */
  #met(connection, { me }) {
    if (this.#end()) this.#settle.resolve({ connection, name: textOf(me?.name), offer: offerIn(me) });
  }

  #end() {
    if (this.#over) return false;
    this.#over = true;
    for (const stop of this.#stops) stop();
    for (const timer of this.#timers) clearTimeout(timer);
    return true;
  }
}

/** What a member has to send, as far as it is to be believed. @param {any} me @returns {Offer | null} */
function offerIn(me) {
  const { name, files, bytes } = Object(me?.files);
  if (typeof name !== 'string' || !Number.isSafeInteger(files) || !Number.isSafeInteger(bytes) || files < 0 || bytes < 0) return null;
  return { name: textOf(name), files, bytes };
}

/** @param {unknown} value */
function textOf(value) {
  return typeof value === 'string' ? value.slice(0, NAME_MAX) : '';
}

/** @param {AbortSignal} signal */
function calledOff(signal) {
  return new WigwagError('aborted', 'The meeting was called off.', { cause: signal.reason });
}
