// `spec/mesh.md`: a connection to every member of a room, kept up as members come and go. What members carry for each other is in `near.js`.

import { WigwagError } from './errors.js';
import { keyId } from './keys.js';
import { Near, isPolite, partyKey } from './near.js';
import { idForm } from './verify.js';

/**
 * @import { Message } from './channel.js'
 * @import { Calls, ConnectOptions, Post } from './calls.js'
 * @import { Connection, Peer } from './connection.js'
 * @import { Clock } from './line.js'
 * @import { Party } from './near.js'
 * @import { Member, Room } from './room.js'
 * @import { Status } from './terms.js'
 *
 * @typedef {object} MeshOptions
 * @property {(member: Member, meta: any) => boolean | string | Promise<boolean | string>} [accept] whether to let a member connect; a text is the reason why not
 * @property {any} [meta] for the others' `accept`; the server can read it
 * @property {number} [deadline] milliseconds until one try to connect gives up
 * @property {number} [max] most members to be connected to: 64
 * @property {RTCConfiguration} [rtc] goes over what the SDK would choose
 *
 * @typedef {object} Web What a mesh needs of the client around it.
 * @property {() => Party} self
 * @property {() => boolean} served whether there is a server
 * @property {(id: string, options: ConnectOptions) => Promise<Connection>} connect
 * @property {(id: string) => Promise<string | undefined>} known the key that is kept for a name
 * @property {Calls['hear']} hear
 * @property {() => void} changed somebody is near to others than before
 * @property {Clock} clock
 * @property {() => number} random
 * @property {(mesh: Mesh) => void} leave
 *
 * @typedef {object} Link Us and one other.
 * @property {Member} member
 * @property {boolean} gone the server lost it, and it may still be there
 * @property {Connection | null} connection
 * @property {AbortController | null} dial
 * @property {boolean} refused
 * @property {boolean} stuck there was no way for a signal, or no room
 * @property {number} tries
 * @property {string | undefined} key with which it signed its last call
 * @property {any} timer
 */

const MAX = 64;

/** How long the polite one waits before it calls, and how long one who calls is awaited as a member. */
const PATIENCE_MS = 5_000;

/** How long a call may take that we heeded. */
const COMING_MS = 30_000;

/** So many signals wait for a way. */
const HELD_MAX = 256;

const RETRY_MS = 500;
const RETRY_MAX_MS = 30_000;

/** Nobody calls again after these. */
const FINAL = new Set(['refused', 'unsupported']);

/** Reasons of a decline that are no refusal. */
const BUSY = 'busy';
const UNKNOWN = 'unknown';

export class Mesh {
  /** @param {Room} room @param {MeshOptions} options @param {Web} web */
  constructor(room, options, web) {
    this.room = room;
    this.#options = options;
    this.#web = web;
    this.#near = new Near({
      self: web.self,
      member: (party) => this.#links.has(partyKey(party)),
      believes: (party, key) => this.#believes(party, key),
      hear: web.hear,
      changed: () => {
        this.#unstick();
        web.changed();
      },
      clock: web.clock,
      random: web.random,
    });
    this.#stops = [
      room.on('joined', ({ member }) => this.#arrived(member)),
      room.on('updated', ({ member }) => this.#updated(member)),
      room.on('left', ({ member, why }) => this.#departed(member, why)),
      room.on('closed', () => this.close()),
    ];
    for (const member of room.members) this.#arrived(member);
  }

  #options;
  #web;
  #near;
  #stops;
  /** @type {Map<string, Link>} */
  #links = new Map();
  /** Calls that wait for their caller to be a member. @type {Set<() => void>} */
  #waiting = new Set();
  #over = false;

  /** The connections that stand, mending ones among them. */
  get connections() {
    return [...this.#links.values()].flatMap(({ connection }) => connection ?? []);
  }

  /** @param {{ id: string, device?: string }} party without a device, the first of that id */
  connection({ id, device }) {
    for (const { member, connection } of this.#links.values()) {
      if (connection && member.id === id && (device === undefined || member.device === device)) return connection;
    }
    return null;
  }

  /** Sends this to all who are connected; resolves with their number when there is room for more. @param {Message} message */
  async send(message) {
    const sent = await Promise.allSettled(this.connections.map((connection) => connection.send(message)));
    return sent.filter(({ status }) => status === 'fulfilled').length;
  }

  /** Whether a signal can get to this party by the post. @param {string} id @param {string | undefined} device */
  reaches(id, device) {
    return this.#near.reaches(id, device);
  }

  /** Whether a signal of this call came by the post just now. @param {string} call */
  came(call) {
    return this.#near.came(call);
  }

  /** @param {string} to @param {string | undefined} device @param {string} kind @param {any} data */
  pass(to, device, kind, data) {
    return this.#near.pass(to, device, kind, data);
  }

  /** Whether to take a member's call. @param {Peer} peer @returns {Promise<boolean | string>} */
  async accept(peer) {
    const { id, device, key, meta } = peer;
    const link = await this.#awaited(partyKey({ id, device }));
    if (!link) return UNKNOWN;
    if (link.member.key !== undefined && link.member.key !== key) return 'This is not the member’s key.';
    // A guest's id proves nothing, but the room told its key.
    if (link.member.key !== undefined && peer.verified !== 'key') peer.verified = 'pinned';
    if (link.dial && !this.#polite(link)) return BUSY;
    if (!link.connection && !link.dial && this.#full()) return 'This member is connected to as many as it wants to be.';
    const yes = await (this.#options.accept?.(link.member, meta.meta) ?? true);
    // It is on its way: we need not call.
    if (yes === true) this.#plan(link, COMING_MS);
    return yes;
  }

  /** A member's call is open. @param {Connection} connection */
  incoming(connection) {
    const link = this.#links.get(partyKey(connection.peer));
    if (link) this.#took(link, connection);
    else connection.close();
  }

  /** There is a server, or somebody is near to others than before: who could not be called may be now. */
  online() {
    this.#unstick();
  }

  /** Ends what only the mesh wanted. */
  close() {
    if (this.#over) return;
    this.#over = true;
    for (const stop of this.#stops) stop();
    for (const run of [...this.#waiting]) run();
    for (const link of this.#links.values()) this.#drop(link);
    this.#near.close();
    this.#web.leave(this);
  }

  /** @param {Member} member */
  #arrived(member) {
    const key = partyKey(member);
    const known = this.#links.get(key);
    /** @type {Link} */
    const link = known ?? { member, gone: false, connection: null, dial: null, refused: false, stuck: false, tries: 0, key: undefined, timer: null };
    Object.assign(link, { member, gone: false, refused: false });
    this.#links.set(key, link);
    for (const run of [...this.#waiting]) run();
    if (!link.connection && !link.dial) this.#plan(link, this.#polite(link) ? PATIENCE_MS : 0);
  }

  /** @param {Member} member */
  #updated(member) {
    const link = this.#links.get(partyKey(member));
    if (!link) return this.#arrived(member);
    link.member = member;
    link.gone = false;
    return undefined;
  }

  /** @param {Member} member @param {string} why */
  #departed(member, why) {
    const link = this.#links.get(partyKey(member));
    if (!link) return;
    // Whom the server lost is not yet lost to us.
    if (why === 'gone' && link.connection) link.gone = true;
    else this.#drop(link);
  }

  /** @param {Link} link */
  #drop(link) {
    const { connection, member } = link;
    this.#links.delete(partyKey(member));
    this.#web.clock.clearTimeout(link.timer);
    link.gone = true;
    link.dial?.abort();
    connection?.close();
    // There is room for somebody else.
    if (!this.#over) this.#unstick();
  }

  /** Calls it later. @param {Link} link @param {number} delay */
  #plan(link, delay) {
    this.#web.clock.clearTimeout(link.timer);
    link.timer = this.#over ? null : this.#web.clock.setTimeout(() => void this.#call(link), delay);
  }

  /** @param {Link} link */
  #again(link) {
    const most = Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** link.tries);
    link.tries = Math.min(link.tries + 1, 16);
    this.#plan(link, this.#web.random() * most + (this.#polite(link) ? PATIENCE_MS : 0));
  }

  /** @param {Link} link */
  async #call(link) {
    const { member } = link;
    if (this.#over || link.gone || link.connection || link.dial || link.refused) return;
    link.stuck = this.#full() || (!this.#web.served() && !this.#near.reaches(member.id, member.device));
    if (link.stuck) return;
    const dial = new AbortController();
    link.dial = dial;
    const { meta, deadline, rtc } = this.#options;
    try {
      const options = { device: member.device, key: member.key, meta: { 'wigwag.mesh': this.room.name, meta }, deadline, rtc, signal: dial.signal };
      const connection = await this.#web.connect(member.id, options);
      link.dial = null;
      if (link.gone && !link.connection) connection.close();
      else this.#took(link, connection);
    } catch (error) {
      link.dial = null;
      if (this.#over || link.gone || link.connection) return;
      link.refused = error instanceof WigwagError && isFinal(error);
      if (!link.refused) this.#again(link);
    }
  }

  /** @param {Link} link @param {Connection} connection */
  #took(link, connection) {
    if (this.#over || connection.state === 'closed') return connection.close();
    const before = link.connection;
    const dial = link.dial;
    Object.assign(link, { connection, dial: null, refused: false, stuck: false, tries: 0, key: connection.peer.key });
    this.#web.clock.clearTimeout(link.timer);
    if (before) this.#ended(link, before, 'replaced', null);
    before?.close();
    dial?.abort();
    if (connection.post) this.#near.add({ id: link.member.id, device: link.member.device }, connection.post, () => connection.state === 'open');
    connection.on('state', () => this.#near.news());
    connection.on('message', ({ data }) => this.room.emit({ type: 'message', member: link.member, connection, data }));
    connection.on('closed', ({ reason, error }) => {
      if (link.connection !== connection) return;
      link.connection = null;
      this.#ended(link, connection, reason, error);
      if (link.gone) this.#drop(link);
      else this.#again(link);
    });
    return this.room.emit({ type: 'connected', member: link.member, connection });
  }

  /** @param {Link} link @param {Connection} connection @param {string} reason @param {WigwagError | null} error */
  #ended({ member }, connection, reason, error) {
    this.#near.remove(member);
    this.room.emit({ type: 'disconnected', member, connection, reason, error });
  }

  /** Whoever could not be called for want of a way or of room is called now, if there is one. */
  #unstick() {
    for (const link of this.#links.values()) {
      if (!link.stuck) continue;
      link.stuck = false;
      // Not all at the same moment.
      this.#plan(link, this.#web.random() * RETRY_MS + (this.#polite(link) ? PATIENCE_MS : 0));
    }
  }

  /** Waits for a member whose call overtook the news that it is there. @param {string} key @returns {Promise<Link | undefined>} */
  #awaited(key) {
    const link = this.#links.get(key);
    if (link || this.#over) return Promise.resolve(link);
    return new Promise((resolve) => {
      const done = () => {
        this.#web.clock.clearTimeout(timer);
        this.#waiting.delete(look);
        resolve(this.#links.get(key));
      };
      const look = () => (this.#over || this.#links.has(key)) && done();
      const timer = this.#web.clock.setTimeout(done, PATIENCE_MS);
      this.#waiting.add(look);
    });
  }

  /** @param {Party} party @param {string} key */
  async #believes(party, key) {
    if (idForm(party.id) === 'key') return (await keyId(crypto.subtle, key)) === party.id;
    const link = this.#links.get(partyKey(party));
    return link !== undefined && [link.member.key, link.key, await this.#web.known(party.id)].includes(key);
  }

  /** @param {Link} link */
  #polite({ member }) {
    return isPolite(this.#web.self(), member);
  }

  #full() {
    const { max = MAX } = this.#options;
    let busy = 0;
    for (const { connection, dial } of this.#links.values()) if (connection || dial) busy += 1;
    return busy >= max;
  }
}

/** The meshes of one client, and how its calls go through them. */
export class Meshes {
  /**
   * @param {{ id: string, device: string, status: Status, on(type: 'status', run: () => void): unknown }} client
   * @param {Calls} calls
   * @param {{ clock: Clock, random: () => number }} surroundings
   */
  constructor(client, calls, { clock, random }) {
    this.#client = client;
    this.#calls = calls;
    this.#clock = clock;
    this.#random = random;
    this.#server = calls.post;
    calls.post = {
      ...calls.post,
      signal: (to, device, kind, data) => this.#signal(to, device, kind, data),
      ready: (to, device) => (this.#reaches(to, device) ? Promise.resolve() : this.#server.ready(to, device)),
      mesh: (room) => ({
        accept: async (peer) => (await this.#awaited(room))?.accept(peer) ?? UNKNOWN,
        incoming: (connection) => {
          const mesh = this.#meshes.get(room);
          if (mesh) mesh.incoming(connection);
          else connection.close();
        },
      }),
    };
    client.on('status', () => {
      if (this.#served()) for (const mesh of this.#all) mesh.online();
      this.#look();
    });
  }

  #client;
  #calls;
  #clock;
  #random;
  #server;
  /** By the name of their room. @type {Map<string, Mesh>} */
  #meshes = new Map();
  /** Who waits for a mesh, or for a way for a signal. @type {Set<() => void>} */
  #waiting = new Set();

  get #all() {
    return [...this.#meshes.values()];
  }

  /** @param {Room} room @param {MeshOptions} options */
  add(room, options) {
    if (room.mesh || !room.open) return;
    room.mesh = new Mesh(room, options, {
      self: () => this.#client,
      served: () => this.#served(),
      connect: (id, how) => this.#calls.connect(id, how),
      known: (id) => this.#calls.known(id),
      hear: (heard) => this.#calls.hear(heard),
      clock: this.#clock,
      random: this.#random,
      changed: () => this.#look(),
      leave: (mesh) => this.#meshes.get(room.name) === mesh && this.#meshes.delete(room.name),
    });
    this.#meshes.set(room.name, room.mesh);
    this.#look();
  }

  #look() {
    for (const look of [...this.#waiting]) look();
  }

  /** @param {string} to @param {string | undefined} device */
  #reaches(to, device) {
    return this.#all.some((mesh) => mesh.reaches(to, device));
  }

  #served() {
    return this.#client.status.state === 'open';
  }

  /** @param {string} to @param {string | undefined} device @param {string} kind @param {any} data */
  async #signal(to, device, kind, data) {
    const among = this.#all.some((mesh) => mesh.connection({ id: to }));
    // Between two who are connected, a signal is worth waiting for a way; the server's own queue would keep it from the post.
    if (among && !this.#served() && !this.#reaches(to, device)) await this.#way(to, device);
    const pass = () => this.#all.some((mesh) => mesh.pass(to, device, kind, data));
    const back = this.#all.some((mesh) => mesh.came(data.call) && mesh.pass(to, device, kind, data));
    if (back || (!this.#served() && pass())) return 'delivered';
    try {
      const status = await this.#server.signal(to, device, kind, data);
      return status !== 'delivered' && pass() ? 'delivered' : status;
    } catch (error) {
      if (pass()) return 'delivered';
      throw error;
    }
  }

  /** Resolves when a signal can go there, or nothing came of waiting. @param {string} to @param {string | undefined} device */
  #way(to, device) {
    if (this.#waiting.size >= HELD_MAX) return Promise.resolve();
    return this.#until(() => this.#served() || this.#reaches(to, device), COMING_MS);
  }

  /** A call may come before we have the room in hand. @param {string} name @returns {Promise<Mesh | undefined>} */
  async #awaited(name) {
    await this.#until(() => this.#meshes.has(name), PATIENCE_MS);
    return this.#meshes.get(name);
  }

  /** Waits, in the order of asking, until this is so, and no longer than that. @param {() => boolean} so @param {number} ms @returns {Promise<void>} */
  #until(so, ms) {
    if (so()) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        this.#clock.clearTimeout(timer);
        this.#waiting.delete(look);
        resolve();
      };
      const look = () => so() && done();
      const timer = this.#clock.setTimeout(done, ms);
      this.#waiting.add(look);
    });
  }
}

/** @param {WigwagError} error */
function isFinal({ reason, at, message }) {
  return FINAL.has(reason) && at === undefined && message !== BUSY && message !== UNKNOWN;
}
