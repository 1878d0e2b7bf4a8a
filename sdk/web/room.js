// A room: who is in it, who is host, what is said, and the state that outlives its host.

import { Emitter } from './events.js';
import { WigwagError } from './errors.js';

/**
 * @import { Message } from './channel.js'
 * @import { Connection } from './connection.js'
 * @import { Line, Ask } from './line.js'
 * @import { Mesh } from './mesh.js'
 * @import { Frame } from './terms.js'
 * @import { Veil } from './veil.js'
 *
 * @typedef {Pick<Line, 'ask' | 'mention' | 'stand'> & Partial<Pick<Veil, 'take' | 'unopened'>>} Says what a room needs of a line
 *
 * @typedef {'HOST_ONLY' | 'FREE_FOR_ALL'} Mode
 *
 * @typedef {object} Member
 * @property {string} id
 * @property {string} device empty where it has none
 * @property {'here' | 'away'} state
 * @property {Date} joined
 * @property {any} [me] what it shows of itself
 * @property {boolean} polite whether we give way to it
 * @property {string} [key] with which it signs calls, as far as the room knows for sure
 *
 * @typedef {object} Options
 * @property {Mode} [mode] who may `say`
 * @property {number} [capacity]
 * @property {boolean} [listed]
 * @property {boolean} [locked]
 * @property {string} [password]
 * @property {any} [meta] what every member sees of the room
 * @property {number} [linger] seconds that the empty room stays
 * @property {number} [idle] seconds after which a silent member is dropped
 *
 * @typedef {{ type: 'said', from: string, device: string, data: any }
 *   | { type: 'joined', member: Member }
 *   | { type: 'left', member: Member, why: string }
 *   | { type: 'updated', member: Member }
 *   | { type: 'changed' }
 *   | { type: 'host', host: { id: string, device: string }, mine: boolean, why: string }
 *   | { type: 'state', state: any }
 *   | { type: 'connected', member: Member, connection: Connection }
 *   | { type: 'disconnected', member: Member, connection: Connection, reason: string, error: WigwagError | null }
 *   | { type: 'message', member: Member, connection: Connection, data: any }
 *   | { type: 'closed', why: string, reason?: string }} RoomEvent
 */

/** The field by which a host tells the room's shared state among what it says. */
const STATE = 'wigwag.state';

/** The field by which a member that missed something asks the host for it. */
const ASK = 'wigwag.ask';

/** @extends {Emitter<RoomEvent>} */
export class Room extends Emitter {
  /**
   * @param {Says} line
   * @param {{ id: string, device: string }} self as the server calls us now
   * @param {Frame} joined
   * @param {{ password?: string, me?: any }} entry what it takes to come back
   * @param {(room: Room) => void} leave
   */
  constructor(line, self, joined, { password, me }, leave) {
    super();
    /** @readonly */
    this.name = String(joined.room);
    this.#line = line;
    this.#self = self;
    this.#password = password;
    this.#me = me;
    this.#leave = leave;
    this.#take(joined);
    this.#stand();
    if (joined.state !== undefined) this.#state = joined.state;
  }

  #line;
  #self;
  #password;
  #me;
  #leave;
  /** @type {Map<string, Member>} */
  #members = new Map();
  /** @type {any} */
  #state = null;
  #open = true;

  host = { id: '', device: '' };
  /** The number of the host's reign. */
  term = 0;
  /** @type {Mode} */
  mode = 'HOST_ONLY';
  locked = false;
  listed = false;
  capacity = 0;
  /** Whether one needs a password to enter. */
  closed = false;
  /** @type {any} */
  meta = undefined;
  /** @type {string | undefined} */
  code = undefined;

  /** The connections to all members, where they were wanted. @type {Mesh | null} */
  mesh = null;

  /** The others, longest-standing first. */
  get members() {
    return [...this.#members.values()];
  }

  /** Whether we are the host. */
  get mine() {
    return this.host.id === this.#self.id && this.host.device === this.#self.device;
  }

  /** The shared state as the host last set it; `null` if it never did. */
  get state() {
    return this.#state;
  }

  /** Whether we are still in the room. */
  get open() {
    return this.#open;
  }

  /** The mesh's connections. @returns {Connection[]} */
  get connections() {
    return this.mesh?.connections ?? [];
  }

  /** The mesh's connection to a member. @param {{ id: string, device?: string }} member @returns {Connection | null} */
  connection(member) {
    return this.mesh?.connection(member) ?? null;
  }

  /** Sends this to all members that the mesh is connected to, past the server; resolves with their number. @param {Message} message */
  async send(message) {
    return this.mesh?.send(message) ?? 0;
  }

  /**
   * Says something to all others, or to some; resolves with the number of those it went to.
   * @param {any} data
   * @param {{ to?: string[] } & Ask} [options]
   */
  async say(data, { to, ...ask } = {}) {
    return Number((await this.#ask({ type: 'say', to, data }, ask)).receivers ?? 0);
  }

  /** Says something that may get lost while there is no server: positions, typing, cursors. @param {any} data @param {string[]} [to] */
  mention(data, to) {
    this.#line.mention({ type: 'say', room: this.name, to, data });
  }

  /** The host sets the shared state: the others get it now, newcomers when they come, and the next host keeps it. @param {any} state */
  async setState(state) {
    await this.#order({ type: 'room.state', state });
    this.#state = state;
    await this.#ask({ type: 'say', data: { [STATE]: state } }, {});
    this.emit({ type: 'state', state });
  }

  /** The host changes options; what is left out stays. @param {Options} options */
  async set(options) {
    await this.#order({ type: 'room.set', ...options });
    if (options.password !== undefined) {
      this.#password = options.password;
      this.#stand();
    }
  }

  /** @param {Mode} mode */
  setMode(mode) {
    return this.set({ mode });
  }

  /** Makes another member the host. @param {string} id @param {string} [device] */
  async transfer(id, device) {
    await this.#order({ type: 'room.transfer', id, device });
  }

  /** Sends a member away; it may come back. @param {string} id @param {{ device?: string, reason?: string }} [options] */
  async kick(id, options = {}) {
    await this.#order({ type: 'room.kick', id, ...options });
  }

  /** Sends an id away for good. @param {string} id @param {{ reason?: string }} [options] */
  async ban(id, options = {}) {
    await this.#order({ type: 'room.ban', id, ...options });
  }

  /** @param {string} id */
  async unban(id) {
    await this.#order({ type: 'room.unban', id });
  }

  /** A join code for the room; the one before it is void. @returns {Promise<{ code: string, expires: Date }>} */
  async makeCode() {
    const { code, expires } = await this.#ask({ type: 'room.code' }, {});
    this.code = String(code);
    return { code: this.code, expires: new Date(Number(expires)) };
  }

  /** Changes what the others see of us. @param {any} me */
  async setMe(me) {
    await this.#ask({ type: 'room.me', me }, {});
    this.#me = me;
    this.#stand();
  }

  /** A sign of life, for a room that drops silent members. */
  beat() {
    this.#line.mention({ type: 'room.beat', room: this.name });
  }

  async leave() {
    if (!this.#open) return;
    this.end('left');
    await this.#line.ask({ type: 'room.leave', room: this.name }, { again: true }).catch((error) => {
      // Whoever is no member has left.
      if (error.code !== 4405) throw error;
    });
  }

  /** How much came that the room's secret does not open. */
  get unopened() {
    return this.#line.unopened ?? 0;
  }

  /** What the server says of this room. @param {Frame} frame @package */
  hear(frame) {
    if (this.#line.take) this.#line.take(frame, (opened) => this.#open && this.#hear(opened));
    else this.#hear(frame);
  }

  /** We asked to enter again, because the session was another one or had missed something. @param {Frame | WigwagError} answer @package */
  rejoined(answer) {
    if (this.#line.take) this.#line.take(answer, (opened) => this.#rejoined(opened));
    else this.#rejoined(answer);
  }

  /** @param {Frame} frame */
  #hear(frame) {
    switch (frame.type) {
      case 'said':
        return this.#said(frame);
      case 'room.member':
        return this.#member(frame);
      case 'room.changed':
        this.#options(frame);
        return this.emit({ type: 'changed' });
      case 'room.host':
        return this.#crown(frame);
      case 'room.left':
        return this.end(frame.why, frame.reason);
      default:
        return undefined;
    }
  }

  /** @param {Frame | WigwagError} answer */
  #rejoined(answer) {
    if (!this.#open) return;
    if (answer instanceof WigwagError) {
      if (answer.code !== undefined) this.end(answer.reason, answer.message);
      return;
    }
    const before = this.#members;
    const { mode, locked, listed, capacity, meta, host } = this;
    this.#take(answer);
    for (const [key, member] of before) if (!this.#members.has(key)) this.emit({ type: 'left', member, why: 'gone' });
    for (const [key, member] of this.#members) this.emit({ type: before.has(key) ? 'updated' : 'joined', member });
    if (host.id !== this.host.id || host.device !== this.host.device) {
      this.emit({ type: 'host', host: this.host, mine: this.mine, why: 'returned' });
    }
    if (answer.state !== undefined) this.#state = answer.state;
    if (!this.mine) this.mention({ [ASK]: 'state' }, [this.host.id]);
    if (!this.mine || this.term !== 1 || this.#members.size) return;
    // The server forgot the room and made it anew: it is furnished as it was.
    this.#order({ type: 'room.set', mode, locked, listed, capacity, meta, password: this.#password })
      .then(() => (this.#state === null ? undefined : this.#order({ type: 'room.state', state: this.#state })))
      .catch(() => {
        // Somebody else became host meanwhile, and furnishes it.
      });
  }

  /** We are no longer in the room. @param {string} why @param {string} [reason] @package */
  end(why, reason) {
    if (!this.#open) return;
    this.#open = false;
    this.#line.stand(`room ${this.name}`, null);
    this.#leave(this);
    this.emit({ type: 'closed', why, reason });
    this.over();
  }

  /** @param {Frame} frame */
  #said({ from, device = '', data }) {
    const ours = typeof data === 'object' && data !== null;
    if (ours && ASK in data) return this.#tellState(from);
    if (!ours || !(STATE in data)) return this.emit({ type: 'said', from, device, data });
    if (from !== this.host.id || device !== this.host.device) return undefined;
    this.#state = data[STATE];
    return this.emit({ type: 'state', state: this.#state });
  }

  /** @param {Frame} frame */
  #member(frame) {
    const key = `${frame.id} ${frame.device ?? ''}`;
    const known = this.#members.get(key);
    if (frame.change === 'left') {
      this.#members.delete(key);
      if (known) this.emit({ type: 'left', member: known, why: frame.why });
      return;
    }
    const member = memberOf(frame);
    this.#members.set(key, member);
    this.emit({ type: known ? 'updated' : 'joined', member });
    if (!known) this.#tellState(member.id);
  }

  /** @param {string} to */
  #tellState(to) {
    if (this.mine && this.#state !== null) this.mention({ [STATE]: this.#state }, [to]);
  }

  /** @param {Frame} frame */
  #crown(frame) {
    this.host = { id: frame.host.id, device: frame.host.device ?? '' };
    this.term = frame.term;
    if (frame.state !== undefined) this.#state = frame.state;
    this.emit({ type: 'host', host: this.host, mine: this.mine, why: frame.why });
  }

  /** @param {Frame} frame */
  #take(frame) {
    this.host = { id: frame.host.id, device: frame.host.device ?? '' };
    this.term = frame.term;
    if (frame.code !== undefined) this.code = frame.code;
    this.#options(frame);
    this.#members = new Map(frame.members.map((/** @type {Frame} */ member) => [`${member.id} ${member.device ?? ''}`, memberOf(member)]));
  }

  /** @param {Frame} frame */
  #options({ mode, locked, listed, capacity, password, meta }) {
    Object.assign(this, { mode, locked, listed, capacity, closed: password, meta });
  }

  #stand() {
    const frame = { type: 'room.join', room: this.name, create: true, password: this.#password, me: this.#me };
    this.#line.stand(`room ${this.name}`, frame);
  }

  /** @param {Frame} frame @param {Ask} ask */
  #ask(frame, ask) {
    if (!this.#open) throw new WigwagError('closed', 'We are no longer in this room.');
    return this.#line.ask({ ...frame, room: this.name }, ask);
  }

  /** @param {Frame} frame */
  #order(frame) {
    return this.#ask({ ...frame, term: this.term }, {});
  }
}

/** @param {Record<string, any>} frame @returns {Member} */
function memberOf({ id, device = '', state, joined, me, polite, key }) {
  return { id, device, state, joined: new Date(joined), me, polite, ...(key && { key }) };
}
