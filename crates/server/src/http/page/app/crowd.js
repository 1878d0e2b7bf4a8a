// The others in a room, and one connection to each: who calls whom, what happens when that fails, and which way the bytes take.
// A connection outlives the server and the room; somebody is gone when both say so.

/**
 * @import { Channel, Connection, Member, Room, Wigwag } from './types.js'
 *
 * @typedef {object} Person
 * @property {string} key of id and device together
 * @property {string} id
 * @property {string} device
 * @property {string} name
 * @property {boolean} inRoom whether the server counts them in
 * @property {'here' | 'away'} presence
 * @property {Connection | null} connection the one that is open or mending
 * @property {{ reason?: string, message?: string } | null} error why the last try failed
 * @property {Way | null} way
 *
 * @typedef {object} Way how the bytes flow
 * @property {string} path `direct`, `turn` or `relayed`
 * @property {'near' | 'far' | ''} reach whether both ends are on one network, as far as it can be told
 * @property {number | null} rtt in milliseconds
 *
 * @typedef {object} Ears
 * @property {(person: Person) => void} came is in the room, connected or not yet
 * @property {(person: Person) => void} changed
 * @property {(person: Person) => void} opened can be talked to from now on
 * @property {(person: Person) => void} lost the connection has ended
 * @property {(person: Person) => void} left
 * @property {(person: Person, data: any) => void} message
 * @property {(person: Person, channel: Channel) => void} channel
 * @property {(person: Person, track: MediaStreamTrack, stream: MediaStream | undefined) => void} track
 */

const LOOK_MS = 2_000;
const AGAIN_MS = 1_000;
const AGAIN_MAX_MS = 30_000;

export class Crowd {
  /** @param {Wigwag} client @param {Room} room @param {(me: any) => string} nameOf @param {Ears} ears */
  constructor(client, room, nameOf, ears) {
    this.#client = client;
    this.#nameOf = nameOf;
    this.#ears = ears;
    this.#stops = [
      room.on('joined', ({ member }) => this.#member(member)),
      room.on('updated', ({ member }) => this.#member(member)),
      room.on('left', ({ member }) => this.#left(member)),
      client.on('connection', ({ connection }) => this.#connected(connection)),
    ];
    for (const member of room.members) this.#member(member);
    this.#looking = setInterval(() => void this.#look(), LOOK_MS);
  }

  #client;
  #nameOf;
  #ears;
  #stops;
  #looking;
  /** @type {Map<string, Person>} */
  #people = new Map();
  /** @type {Map<string, { tries: number, timer?: ReturnType<typeof setTimeout>, abort?: AbortController }>} */
  #calls = new Map();

  get people() {
    return [...this.#people.values()];
  }

  /** Those that hear us. */
  get open() {
    return this.people.filter(({ connection }) => connection);
  }

  /** Whether a caller is one of us. @param {{ id: string, device: string }} peer */
  knows({ id, device }) {
    return this.#people.has(keyOf(id, device));
  }

  /** Leaves everybody. */
  end() {
    clearInterval(this.#looking);
    for (const stop of this.#stops) stop();
    for (const person of this.people) {
      this.#callOff(person.key);
      person.connection?.close();
      this.#people.delete(person.key);
    }
  }

  /** @param {Member} member */
  #member({ id, device, state, me, polite }) {
    const key = keyOf(id, device);
    const known = this.#people.get(key);
    /** @type {Person} */
    const person = known ?? {
      key, id, device, name: '', inRoom: true, presence: state, connection: null, error: null, way: null,
    };
    Object.assign(person, { name: this.#nameOf(me), presence: state, inRoom: true });
    this.#people.set(key, person);
    if (known) this.#ears.changed(person);
    else this.#ears.came(person);
    // One of the two calls. The server tells each whether it gives way to the other, and never both the same.
    if (!polite) this.#call(person);
  }

  /** @param {Member} member */
  #left({ id, device }) {
    const person = this.#people.get(keyOf(id, device));
    if (!person) return;
    person.inRoom = false;
    this.#callOff(person.key);
    // Who can still be talked to is still here: the server may have forgotten the room.
    if (person.connection) this.#ears.changed(person);
    else this.#gone(person);
  }

  /** @param {Person} person */
  #gone(person) {
    this.#callOff(person.key);
    this.#people.delete(person.key);
    this.#ears.left(person);
  }

  /** @param {Person} person */
  #call(person) {
    if (person.connection || this.#calls.has(person.key)) return;
    const call = { tries: 0, abort: new AbortController(), timer: /** @type {any} */ (undefined) };
    this.#calls.set(person.key, call);
    const attempt = async () => {
      try {
        const connection = await this.#client.connect(person.id, { device: person.device, signal: call.abort.signal });
        this.#connected(connection);
      } catch (error) {
        if (this.#calls.get(person.key) !== call) return;
        const { reason, message } = /** @type {any} */ (error);
        person.error = { reason, message };
        this.#ears.changed(person);
        // A wrong key stays wrong, and without WebRTC there is nothing to try again.
        if (reason === 'key_mismatch' || reason === 'unsupported' || reason === 'closed') return;
        const wait = Math.min(AGAIN_MAX_MS, AGAIN_MS * 2 ** call.tries);
        call.tries += 1;
        call.timer = setTimeout(() => void attempt(), wait);
      }
    };
    void attempt();
  }

  /** @param {string} key */
  #callOff(key) {
    const call = this.#calls.get(key);
    this.#calls.delete(key);
    clearTimeout(call?.timer);
    call?.abort?.abort();
  }

  /** @param {Connection} connection open */
  #connected(connection) {
    const { id, device } = connection.peer;
    const person = this.#people.get(keyOf(id, device));
    if (!person || person.connection === connection) {
      if (!person) connection.close('left');
      return;
    }
    const before = person.connection;
    this.#callOff(person.key);
    Object.assign(person, { connection, error: null, way: null });
    // The newer one counts: the other side lost the older.
    before?.close('replaced');
    connection.on('message', ({ data }) => this.#ears.message(person, data));
    connection.on('channel', ({ channel }) => this.#ears.channel(person, channel));
    connection.on('track', ({ track, streams }) => this.#ears.track(person, track, streams[0]));
    connection.on('state', ({ state }) => {
      if (state !== 'closed' && person.connection === connection) this.#ears.changed(person);
    });
    connection.on('closed', () => this.#closed(person, connection));
    this.#ears.opened(person);
    void this.#look();
  }

  /** @param {Person} person @param {Connection} connection */
  #closed(person, connection) {
    if (person.connection !== connection) return;
    Object.assign(person, { connection: null, way: null });
    this.#ears.lost(person);
    if (!this.#people.has(person.key)) return;
    if (!person.inRoom) return this.#gone(person);
    this.#ears.changed(person);
    // Whoever closed its tab is about to be reported as gone, and then this is called off.
    const again = { tries: 0, timer: setTimeout(() => {
      if (this.#calls.get(person.key) !== again) return;
      this.#calls.delete(person.key);
      const here = this.#client.rooms.flatMap((room) => room.members).find((member) => keyOf(member.id, member.device) === person.key);
      if (here && !here.polite) this.#call(person);
    }, AGAIN_MS) };
    this.#calls.set(person.key, again);
  }

  async #look() {
    await Promise.all(this.open.map(async (person) => {
      const { connection } = person;
      const stats = await connection?.stats().catch(() => null);
      if (!stats?.path || person.connection !== connection) return;
      const ends = [stats.local, stats.remote];
      const reach = ends.every((kind) => kind === 'host') ? 'near' : ends.includes('srflx') ? 'far' : '';
      const before = JSON.stringify(person.way);
      person.way = { path: stats.path, reach, rtt: stats.rtt };
      if (JSON.stringify(person.way) !== before) this.#ears.changed(person);
    }));
  }
}

/** @param {string} id @param {string} device */
function keyOf(id, device) {
  return `${id} ${device}`;
}
