// What an app holds: one client of one server out of several, with everything that the protocol offers.

import { Desk } from './desk.js';
import { WigwagError } from './errors.js';
import { Emitter } from './events.js';
import { Identity } from './identity.js';
import { defaultKeep, keptDevice } from './keep.js';
import { Line, PLATFORM_CLOCK } from './line.js';
import * as parts from './parts.js';
import { Rooms } from './rooms.js';
import { servers as knownServers } from './settings.js';
import { Standing } from './standing.js';

/**
 * @import { Invitation, OfferOptions } from './by-code.js'
 * @import { ConnectOptions } from './calls.js'
 * @import { Connection, Peer } from './connection.js'
 * @import { Choice, FindOptions, Finding, Progress } from './finders.js'
 * @import { Keep } from './keep.js'
 * @import { PeerRecord } from './record.js'
 * @import { Ask, Surroundings } from './line.js'
 * @import { Meshes, MeshOptions } from './mesh.js'
 * @import { Options as RoomOptions, Room } from './room.js'
 * @import { Frame, Server, Status } from './terms.js'
 *
 * @typedef {object} ClientOptions
 * @property {string | Server | (string | Server)[]} [servers] the best first; left out, see `settings.js`; an empty list: none at all
 * @property {Identity | 'guest'} [identity] left out, one is made and kept in the browser
 * @property {string} [id] a name `local@domain`; left out, the key's own id
 * @property {string} [namespace] the app's own world
 * @property {string} [device] tells programs of one id apart; left out, each tab has its own
 * @property {number} [deadline] milliseconds until `open` gives up
 * @property {AbortSignal} [signal] calls `open` off
 * @property {Keep} [keep] where identities and known keys are kept
 * @property {(hail: Peer) => boolean | string | Promise<boolean | string>} [accept] whether to let a peer connect; a text is the reason why not.
 *   Left out, everybody may, as soon as something listens to `connection`
 * @property {typeof RTCPeerConnection} [RTCPeerConnection]
 * @property {'auto' | 'never'} [relay] whether messages may go through the server, sealed, where there is no other way; left out, they may
 * @property {Choice[]} [finders] who is asked where peers are, the most wanted first; left out, all that come with the SDK
 * @property {import('./finding.js').Order} [order] whether all are asked at once, which is what happens without it, or one after the other
 * @property {(code: string) => void} [showCode] shows a code to a person who has to carry it
 *
 * @typedef {object} JoinOptions
 * @property {boolean} [create] whether to make the room where there is none; left out, yes
 * @property {any} [me] what the others see of us
 * @property {boolean | MeshOptions} [mesh] whether to connect to all other members that want it too
 * @property {string} [secret] what all members know and no server: names the room, and hides what is said in it
 *
 * @typedef {object} Attached what stands beside the client, and may hear
 * @property {(frame: Frame) => void} [hear] what the server says of it
 * @property {(answer: Frame | WigwagError) => void} [standing] the answer to what a fresh session was asked again
 * @property {(why: string) => void} [end] that the session is over
 *
 * @typedef {'here' | 'away' | 'gone'} State
 *
 * @typedef {object} Found
 * @property {string} id
 * @property {State} state
 * @property {{ device: string, state: State }[]} devices
 * @property {Date} [lastSeen] when it was last here, where it is not
 * @property {boolean} polite whether we give way to it
 * @property {string} [finder] who says so
 *
 * @typedef {{ type: 'status', status: Status }
 *   | { type: 'presence', id: string, state: State, lastSeen?: Date }
 *   | { type: 'signal', from: string, device: string, kind: string, data: any, polite: boolean, stored?: Date }
 *   | { type: 'lost', to: string, device: string, count: number }
 *   | { type: 'published', topic: string, from: string, device: string, data: any }
 *   | { type: 'broadcast', from: string, device: string, data: any }
 *   | { type: 'ice', servers: RTCIceServer[] }
 *   | { type: 'connection', connection: Connection }
 *   | { type: 'finding', target: string, progress: Progress }
 *   | { type: 'key', id: string, key: string }
 *   | { type: 'fresh' }
 *   | { type: 'fault', code: number, message: string }} WigwagEvent
 */

const OPEN_MS = 20_000;

/** @extends {Emitter<WigwagEvent>} */
export class Wigwag extends Emitter {
  /**
   * Connects, and resolves when the server has let us in. Rejects with a reason where it will not, or in time does not.
   * @param {ClientOptions & Surroundings} [options]
   */
  static async open(options = {}) {
    const client = await Wigwag.start(options);
    try {
      await client.#ready(options);
      return client;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  /**
   * The same without waiting for the server: what is asked waits instead.
   * @param {ClientOptions & Surroundings} [options]
   */
  static async start(options = {}) {
    const { keep = defaultKeep() } = options;
    const identity = options.identity === 'guest' ? null : options.identity ?? (await Identity.kept({ keep }));
    // A guest has no key of its own, and needs one to be the same from the first word of a call to the last.
    return new Wigwag({ ...options, keep }, identity, identity ?? (await Identity.make()));
  }

  /**
   * @param {ClientOptions & Surroundings & { keep: Keep }} options
   * @param {Identity | null} identity `null` for a guest
   * @param {Identity} caller who signs calls
   */
  constructor(options, identity, caller) {
    super();
    const { id, namespace, device } = options;
    const list = knownServers(options.servers);
    if (!list.length && !options.servers) throw new WigwagError('no_server', 'No server is known: hand one in as `servers`.');
    this.#alone = !list.length;
    this.identity = identity;
    this.id = id ?? identity?.id ?? '';
    this.device = device ?? (identity ? keptDevice() : '');
    this.namespace = namespace ?? '';
    const autoDevice = device === undefined && identity ? () => (this.device = keptDevice(true)) : null;
    this.#line = new Line({
      servers: list,
      identity,
      hello: { id: identity ? id : undefined, namespace, device: this.device },
      autoDevice,
      ears: {
        event: (frame) => this.#event(frame),
        welcome: (frame, lost) => this.#welcome(frame, lost),
        status: (status) => this.#status(status),
        network: () => this.#desk.mend(),
        fault: (code, message) => this.emit({ type: 'fault', code, message }),
        standing: (key, answer) => this.#standing(key, answer),
      },
    }, options);
    const { clock = PLATFORM_CLOCK, random = Math.random } = options;
    this.#surroundings = { clock, random };
    this.#rooms = new Rooms({ line: this.#line, client: this, key: caller.key, served: () => this.#served(), weave: () => this.#weave() });
    this.#watched = new Standing(this.#line, 'watch', 'unwatch', 'ids');
    this.#topics = new Standing(this.#line, 'subscribe', 'unsubscribe', 'topics');
    const { accept = () => this.hears('connection') || 'Nobody takes calls here.' } = options;
    const self = () => ({ id: this.id, device: this.device, namespace: this.namespace });
    this.#choice = options.finders;
    this.#desk = new Desk(({ Calls, Finders, Trust, serverFinder }) => {
      const { subtle } = crypto;
      const trust = new Trust(subtle, options.keep, () => this.namespace);
      const RTC = options.RTCPeerConnection ?? globalThis.RTCPeerConnection;
      const calls = new Calls({ subtle, identity: caller, trust, RTCPeerConnection: RTC }, {
        self,
        signal: (to, target, kind, data) => this.signal(to, kind, data, { device: target || undefined }),
        find: (whom) => this.#whereabouts(whom),
        ready: () => this.#served(),
        accept,
        incoming: (connection) => this.emit({ type: 'connection', connection }),
        mismatch: (whom, key) => this.emit({ type: 'key', id: whom, key }),
        doubt: () => this.nudge(),
        ice: () => this.#ice,
        relay: {
          use: options.relay,
          limits: () => this.#limits,
          online: () => this.status.state === 'open',
          post: async (to, target, data) => (await this.#line.ask({ type: 'relay', to, device: target || undefined, data })).status,
        },
      });
      const finders = new Finders({
        known: this.#alone ? [] : [serverFinder(calls, (whom, ask) => this.#whereabouts(whom, ask))],
        defaults: { finders: options.finders, order: options.order, showCode: options.showCode },
        subtle, trust, self, identity,
        RTCPeerConnection: RTC,
        ice: () => this.#ice,
        add: (connection) => calls.add(connection),
        tell: (target, progress) => this.emit({ type: 'finding', target, progress }),
        clock,
      });
      return { calls, finders };
    });
    this.#line.open();
  }

  #line;
  #surroundings;
  /** @type {Meshes | null} */
  #meshes = null;
  #desk;
  #choice;
  /** Whether there is no server, by the app's own will. */
  #alone;
  #watched;
  #topics;
  #rooms;
  /** @type {Map<string, Attached>} */
  #attached = new Map();
  /** @type {RTCIceServer[]} */
  #ice = [];
  /** @type {import('./pace.js').Told | null} */
  #limits = null;

  get status() {
    return this.#line.status;
  }

  /** ICE servers as the server last named them. */
  get iceServers() {
    return this.#ice;
  }

  /** The rooms we are in. */
  get rooms() {
    return this.#rooms.all;
  }

  /** The connections that stand or come about. */
  get connections() {
    return this.#desk.connections;
  }

  /** Ends the session and its connections: the others see us go at once. */
  close() {
    this.#desk.close();
    this.#end('closed');
    this.#line.close();
    this.over();
  }

  /** Tries to connect now instead of at the next turn. */
  nudge() {
    this.#line.nudge();
  }

  /**
   * Where is this id? With `finders`, here or at the client, all of these are asked, and the first answer that is proved counts.
   * @param {string} id
   * @param {FindOptions} [options]
   * @returns {Promise<Found & { finder: string }>}
   */
  async find(id, options = {}) {
    if (options.finders ?? this.#choice) return this.#desk.find(id, options);
    return { ...(await this.#whereabouts(id, options)), finder: 'server' };
  }

  /** What this peer says of itself, signed and with an end: for finders of an app's own, which tell others. @param {{ seconds?: number, where?: any }} [options] @returns {Promise<PeerRecord>} */
  async record(options) {
    return (await this.#desk.ready()).finders.record(options);
  }

  /** Tells `presence` of these ids, now and at each change. @param {...string} ids */
  async watch(...ids) {
    await this.#watched.add(ids);
  }

  /** @param {...string} ids */
  async unwatch(...ids) {
    await this.#watched.remove(ids);
  }

  /**
   * Hands something to a peer. Resolves with what became of it.
   * @param {string} to
   * @param {string} kind a word of the app's own
   * @param {any} data
   * @param {{ device?: string, store?: number } & Ask} [options] `store`: for how many seconds to keep it where nobody is there
   * @returns {Promise<'delivered' | 'stored' | 'absent'>}
   */
  async signal(to, kind, data, { device, store, ...ask } = {}) {
    return (await this.#line.ask({ type: 'signal', to, device, kind, store, data }, ask)).status;
  }

  /**
   * Connects to a peer. Resolves with an open connection, or rejects with the reason why there is none.
   * @param {string} target an id, or a code that a person pasted
   * @param {ConnectOptions & Finding} [options]
   */
  connect(target, options) {
    return this.#desk.connect(target, options);
  }

  /**
   * A code that people carry to a peer, with no server between: its answer, handed to `complete` or to {@link Wigwag.connect}, ends in a connection.
   * @param {OfferOptions} [options]
   * @returns {Promise<Invitation>}
   */
  async offerCode(options) {
    return (await this.#desk.ready()).finders.offerCode(options);
  }

  /** Takes another key for a name's from now on: after a person agreed to it. @param {string} id @param {string} key */
  async trust(id, key) {
    await (await this.#desk.ready()).calls.trust(id, key);
  }

  /** Hears what is published to these topics. @param {...string} topics */
  async subscribe(...topics) {
    await this.#topics.add(topics);
  }

  /** @param {...string} topics */
  async unsubscribe(...topics) {
    await this.#topics.remove(topics);
  }

  /** Resolves with the number of subscribers that it went to. @param {string} topic @param {any} data @param {Ask} [ask] */
  async publish(topic, data, ask) {
    return Number((await this.#line.ask({ type: 'publish', topic, data }, ask)).receivers);
  }

  /** To everybody in the namespace; resolves with their number. @param {any} data @param {Ask} [ask] */
  async broadcast(data, ask) {
    return Number((await this.#line.ask({ type: 'broadcast', data }, ask)).receivers);
  }

  /**
   * Enters a room; makes it, with these options, where there is none. A secret room may do without a name.
   * @param {string | (JoinOptions & RoomOptions & Ask & { secret: string })} name
   * @param {JoinOptions & RoomOptions & Ask} [given]
   * @returns {Promise<Room>}
   */
  async join(name, given = {}) {
    if (typeof name !== 'string') return this.join('', name);
    return this.#rooms.join(name, given);
  }

  /** Enters a room by its join code. @param {string} code @param {{ me?: any, mesh?: JoinOptions['mesh'], password?: string } & Ask} [options] */
  joinByCode(code, { me, mesh, password, signal } = {}) {
    return this.#rooms.enter({ type: 'room.join', code, me, password }, { signal, mesh });
  }

  /**
   * Makes a room. Without a name the server makes one that cannot be guessed.
   * @param {{ name?: string, code?: boolean, me?: any, mesh?: JoinOptions['mesh'] } & RoomOptions & Ask} [options]
   */
  create({ name, me, mesh, password, signal, again: _, ...options } = {}) {
    return this.#rooms.enter({ type: 'room.create', room: name, me, password, ...options }, { signal, mesh });
  }

  /** The rooms that want to be seen. @param {{ after?: string, limit?: number } & Ask} [options] */
  async listRooms({ after, limit, ...ask } = {}) {
    const { rooms, more } = await this.#line.ask({ type: 'room.list', after, limit }, { again: true, ...ask });
    return { rooms, more };
  }

  /**
   * For entries beside this one, such as `wigwag/network`: the line, and what comes on it for this key. One thing at a time for each.
   * @template {object} Thing
   * @param {string} key
   * @param {(line: Line, detach: () => void) => Thing} make
   * @returns {Thing}
   */
  attach(key, make) {
    const thing = /** @type {Thing | undefined} */ (this.#attached.get(key)) ?? make(this.#line, () => void this.#attached.delete(key));
    this.#attached.set(key, thing);
    return thing;
  }

  /** Asks the server something in its own words: what this class has no method for. @param {Frame} frame @param {Ask} [ask] */
  ask(frame, ask) {
    return this.#line.ask(frame, ask);
  }

  /** @param {{ deadline?: number, signal?: AbortSignal }} options */
  #ready({ deadline = OPEN_MS, signal }) {
    return new Promise((resolve, reject) => {
      const late = () => done(new WigwagError('timeout', 'No server let us in in time.', { at: 'server' }));
      const timer = setTimeout(late, deadline);
      const abort = () => done(new WigwagError('aborted', 'The opening was called off.', { cause: signal?.reason }));
      const stops = [
        this.on('status', ({ status: { state, why = 'stopped', code } }) => {
          if (state === 'open') done();
          if (state === 'stopped') done(new WigwagError(why, `The server does not let us in: ${why}.`, { code }));
        }),
        this.on('fault', ({ code, message }) => done(new WigwagError('fault', message, { code }))),
      ];
      const done = (/** @type {WigwagError | undefined} */ error = undefined) => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        for (const stop of stops) stop();
        if (error) reject(error);
        else resolve(undefined);
      };
      signal?.addEventListener('abort', abort, { once: true });
      if (signal?.aborted) abort();
      else if (this.status.state === 'open' || this.#alone) done();
    });
  }

  /** What the server says. @param {string} id @param {Ask} [ask] @returns {Promise<Found>} */
  async #whereabouts(id, { again = true, signal } = {}) {
    const { state, devices = [], seen, polite } = await this.#line.ask({ type: 'find', id }, { again, signal });
    return { id, state, devices, lastSeen: date(seen), polite };
  }

  /** Resolves when there is a server. @returns {Promise<void>} */
  #served() {
    if (this.status.state === 'open') return Promise.resolve();
    if (this.status.state === 'stopped' || this.status.state === 'idle') return Promise.reject(new WigwagError('closed', 'This client is closed.'));
    return this.once('status').then(() => this.#served());
  }

  async #weave() {
    const [{ Meshes }, { calls }] = await Promise.all([parts.mesh(), this.#desk.ready()]);
    this.#meshes ??= new Meshes(this, calls, this.#surroundings);
    return this.#meshes;
  }

  /** @param {Frame} frame @param {boolean} lost */
  #welcome(frame, lost) {
    this.id = frame.id;
    this.device = frame.device;
    this.namespace = frame.namespace;
    this.#ice = frame.ice ?? [];
    this.#limits = frame.limits ?? null;
    this.#rooms.welcome();
    this.#desk.prepare();
    if (lost) {
      this.#desk.fresh();
      this.emit({ type: 'fresh' });
    }
  }

  /** @param {Status} status */
  #status(status) {
    if (status.state === 'stopped') this.#end(status.why ?? 'stopped');
    this.#desk.line();
    this.emit({ type: 'status', status });
  }

  /** @param {string} key @param {Frame | WigwagError} answer */
  #standing(key, answer) {
    if (key.startsWith('room ')) this.#rooms.rejoined(key.slice(5), answer);
    else if (this.#attached.get(key)?.standing) this.#attached.get(key)?.standing?.(answer);
    else if (answer instanceof WigwagError) this.emit({ type: 'fault', code: answer.code ?? 0, message: answer.message });
  }

  /** @param {string} why */
  #end(why) {
    this.#rooms.end(why);
    for (const group of this.#attached.values()) group.end?.(why);
  }

  /** @param {Frame} frame */
  #event(frame) {
    const { type, from, device = '', data } = frame;
    if (type === 'said' || type === 'room.member' || type === 'room.changed' || type === 'room.host' || type === 'room.left') {
      this.#rooms.hear(frame);
    } else if (type === 'presence') {
      this.emit({ type, id: frame.id, state: frame.state, lastSeen: date(frame.seen) });
    } else if (type === 'signal' && frame.kind.startsWith('ww.')) {
      this.#desk.hear({ from, device, kind: frame.kind, data, polite: frame.polite });
    } else if (type === 'relayed') {
      this.#desk.hear({ from, device, kind: 'ww.relayed', data, polite: false });
    } else if (type === 'signal') {
      this.emit({ type, from, device, kind: frame.kind, data, polite: frame.polite, stored: date(frame.stored) });
    } else if (type === 'lost') {
      this.emit({ type, to: frame.to, device, count: frame.n?.length ?? 0 });
    } else if (type === 'published') {
      this.emit({ type, topic: frame.topic, from, device, data });
    } else if (type === 'broadcast') {
      this.emit({ type, from, device, data });
    } else if (type === 'ice') {
      this.#ice = frame.servers;
      this.emit({ type, servers: this.#ice });
    } else if (type === 'error') {
      this.emit({ type: 'fault', code: frame.code, message: frame.message });
    } else {
      this.#attached.get(`network ${frame.network}`)?.hear?.(frame);
    }
  }
}

/** @param {number | undefined} ms */
function date(ms) {
  return ms === undefined ? undefined : new Date(ms);
}
