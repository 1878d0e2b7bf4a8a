// Who calls whom: hails, heeds and declines over the server, the secret that comes of them, and the connections that use it.

import { Connection } from './connection.js';
import { WigwagError, asError } from './errors.js';
import { Finders, serverFinder } from './finders.js';
import { Pace } from './pace.js';
import { Seal, makeCall, makeDecline, makeHail, makeHeed, makeShare, readDecline, readHail, readHeed } from './sealed.js';
import { CONNECT_MS } from './terms.js';
import { Trust } from './trust.js';

export { Finders, Trust, serverFinder };

/**
 * @import { Identity } from './identity.js'
 * @import { Peer } from './connection.js'
 * @import { Told } from './pace.js'
 * @import { Content, Half } from './sealed.js'
 *
 * @typedef {object} Post What calls need of the client around them.
 * @property {() => { id: string, device: string, namespace: string }} self
 * @property {(to: string, device: string | undefined, kind: string, data: any) => Promise<string>} signal
 * @property {(id: string) => Promise<{ state: string, lastSeen?: Date }>} find
 * @property {(to: string, device: string | undefined) => Promise<void>} ready resolves when there is a server, or another way for signals
 * @property {(hail: Peer) => boolean | string | Promise<boolean | string>} accept
 * @property {(connection: Connection) => void} incoming
 * @property {(room: string) => Pick<Post, 'accept' | 'incoming'>} [mesh] who takes calls for a room's mesh
 * @property {(id: string, key: string) => void} mismatch
 * @property {() => void} doubt the way to a peer is lost; the one to the server may be, too
 * @property {() => RTCIceServer[]} ice
 * @property {Relay} [relay] where the server may relay
 *
 * @typedef {object} Relay
 * @property {() => Told | null} limits what the server allows
 * @property {() => boolean} online
 * @property {(to: string, device: string, data: any) => Promise<string>} post
 * @property {'auto' | 'never'} [use] whether messages may go through the server where there is no other way
 *
 * @typedef {object} Setup
 * @property {SubtleCrypto} subtle
 * @property {Identity} identity
 * @property {Trust} trust
 * @property {typeof RTCPeerConnection | undefined} RTCPeerConnection
 *
 * @typedef {object} ConnectOptions
 * @property {number} [deadline] milliseconds until it gives up
 * @property {AbortSignal} [signal]
 * @property {string} [device] which of the peer's programs; left out, the first that answers
 * @property {string} [key] the peer's key, where it is known from elsewhere
 * @property {any} [meta] for the peer's program, to decide by; the server can read it
 * @property {RTCConfiguration} [rtc] goes over what the SDK would choose
 * @property {'auto' | 'never'} [relay] whether messages may go through the server where there is no other way; left out, as the client was told
 *
 * @typedef {object} Heard a signal of the server
 * @property {string} from
 * @property {string} device
 * @property {string} kind
 * @property {any} data
 * @property {boolean} polite
 *
 * @typedef {object} Outgoing
 * @property {string} to
 * @property {string | undefined} device
 * @property {string} call
 * @property {string} mesh
 * @property {string} statement
 * @property {string | undefined} key that was told beforehand
 * @property {(heard: Heard) => Promise<void>} hear a heed or a decline
 * @property {(connection: Connection) => void} yield the peer's own call takes this one's place
 *
 * @typedef {object} Call
 * @property {string} from
 * @property {string} device
 * @property {Seal} seal
 * @property {Connection} connection
 * @property {string} mesh
 * @property {boolean} claimed whether somebody here who connects waits for it
 */

/** How relayed data is handed in: it takes its turn among the signals. */
const RELAYED = 'ww.relayed';

/** More calls than this are not kept: who floods is passed over. */
const CALLS_MAX = 256;

/** A call that was heeded and then not used is forgotten. */
const HEEDED_MS = 30_000;

export class Calls {
  /** @param {Setup} setup @param {Post} post */
  constructor({ subtle, identity, trust, RTCPeerConnection }, post) {
    this.#subtle = subtle;
    this.#identity = identity;
    this.#trust = trust;
    this.#RTC = RTCPeerConnection;
    /** @package */
    this.post = post;
  }

  #subtle;
  #identity;
  #trust;
  #RTC;
  /** @type {Map<string, Outgoing>} */
  #outgoing = new Map();
  /** Hails that nobody waits for any more: who heeds one of them late is told so. @type {Map<string, Outgoing>} */
  #calledOff = new Map();
  /** @type {Map<string, Call>} */
  #calls = new Map();
  /** Hails that are being looked at or were heeded. @type {Set<string>} */
  #hails = new Set();
  /** Signals are read one after the other, because reading takes time and their order has a meaning. */
  #turn = Promise.resolve();
  /** Connections that came about without a call. @type {Set<Connection>} */
  #others = new Set();
  #over = false;
  #pace = new Pace();
  /** What the server said last of how much it relays. @type {Told | null} */
  #told = null;

  get connections() {
    return [...[...this.#calls.values()].map(({ connection }) => connection), ...this.#others];
  }

  /** Takes this key for a name's from now on. @param {string} id @param {string} key */
  trust(id, key) {
    return this.#trust.pin(id, key);
  }

  /** Takes in a connection that came about without a call. @param {Connection} connection */
  add(connection) {
    this.#others.add(connection);
    this.#watch(connection);
    connection.on('closed', () => this.#others.delete(connection));
    if (this.#over) connection.close();
  }

  /** The network is another one. */
  mend() {
    for (const connection of this.connections) connection.mend();
  }

  /** The session is another one: what was under way may be lost. */
  fresh() {
    for (const connection of this.connections) if (connection.state !== 'open') connection.mend();
  }

  /** There is a server again, or no longer. */
  line() {
    this.#allowed();
    for (const connection of this.connections) connection.line();
  }

  close() {
    this.#over = true;
    for (const connection of this.connections) connection.close();
  }

  /**
   * @param {string} id
   * @param {ConnectOptions} [options]
   * @returns {Promise<Connection>} open
   */
  connect(id, { deadline = CONNECT_MS, signal, device, key, meta, rtc, relay } = {}) {
    const RTC = this.#RTC;
    if (!RTC) return Promise.reject(new WigwagError('unsupported', 'There is no WebRTC here: hand one in as `RTCPeerConnection`.'));
    return new Promise((resolve, reject) => {
      const call = makeCall();
      /** @type {Connection | null} */
      let connection = null;
      let at = 'server';
      const abort = () => fail(new WigwagError('aborted', 'The connection was called off.', { cause: signal?.reason }));
      const late = () => fail(connection ? connection.failure() : tooLate(id, at));
      const timer = setTimeout(late, deadline);
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        this.#outgoing.delete(call);
      };
      const fail = (/** @type {WigwagError} */ error) => {
        if (error.reason === 'aborted' || error.reason === 'timeout') this.#callOff(call);
        done();
        reject(error);
        const made = connection;
        connection = null;
        made?.close(error.reason);
      };
      const use = (/** @type {Connection} */ made) => {
        connection = made;
        this.#outgoing.delete(call);
        if (made.state === 'open') return done(), resolve(made);
        made.on('open', () => (done(), resolve(made)));
        made.on('closed', ({ error, reason }) => {
          connection = null;
          fail(error ?? new WigwagError(reason === 'left' ? 'refused' : reason, 'The peer ended the call before it was open.', { at: 'path' }));
        });
      };
      if (signal?.aborted) return abort();
      signal?.addEventListener('abort', abort, { once: true });
      const run = async () => {
        await this.post.ready(id, device);
        const { share, secret } = await makeShare(this.#subtle);
        const self = this.post.self();
        const pair = { namespace: self.namespace, from: self.id, device: self.device, to: id };
        const sent = meta === undefined ? undefined : JSON.parse(JSON.stringify(meta));
        const hail = await makeHail(this.#subtle, this.#identity, pair, { call, share, meta: sent });
        const half = { call, key: this.#identity.key, share, statement: hail.statement };
        const hear = async (/** @type {Heard} */ heard) => {
          const { from, device: of, data, polite } = heard;
          const back = { namespace: self.namespace, from, device: of, to: self.id, toDevice: self.device };
          if (heard.kind === 'ww.decline') {
            const no = await readDecline(this.#subtle, back, data, half);
            if (!no || !this.#outgoing.has(call)) return;
            await this.#check(from, no.key, key);
            throw new WigwagError('refused', no.reason || `${id} declined.`);
          }
          const heed = await readHeed(this.#subtle, back, data, half);
          if (heed && this.#calledOff.delete(call)) {
            const farewell = await Seal.make(this.#subtle, { hails: true, secret, hail: half, heed });
            if (farewell) await this.post.signal(from, of, 'ww.sealed', await farewell.seal({ bye: 'aborted' }));
          }
          if (!heed || !this.#outgoing.has(call)) return;
          const verified = await this.#check(from, heed.key, key);
          const seal = await Seal.make(this.#subtle, { hails: true, secret, hail: half, heed });
          if (!seal || !this.#outgoing.has(call)) return;
          at = 'path';
          use(this.#make({ id: from, device: of, key: heed.key, verified }, seal, { polite, begins: true, mesh: meshOf(sent), rtc, relay, RTC }));
        };
        if (signal?.aborted) return;
        // The peer's own call, which we heeded a moment ago, is the one that is wanted.
        const heeded = [...this.#calls.values()].find((each) => each.from === id && (device === undefined || each.device === device)
          && !each.claimed && each.mesh === meshOf(sent) && each.connection.state === 'connecting' && (key === undefined || key === each.connection.peer.key));
        if (heeded) {
          heeded.claimed = true;
          at = 'path';
          return use(heeded.connection);
        }
        this.#outgoing.set(call, {
          to: id, device, call, mesh: meshOf(sent), key, statement: hail.statement, yield: use, hear: (heard) => hear(heard).catch((error) => fail(asError(error))),
        });
        at = 'peer';
        if ((await this.post.signal(id, device, 'ww.hail', hail.data)) !== 'absent' || !this.#outgoing.has(call)) return;
        const { lastSeen } = await this.post.find(id);
        throw lastSeen
          ? new WigwagError('absent', `${id} is not here. It was last here at ${lastSeen.toISOString()}.`, { lastSeen })
          : new WigwagError('not_found', `Nobody called ${id} is known here.`);
      };
      run().catch((error) => fail(asError(error)));
    });
  }

  /** The key that is kept for a name. @param {string} id */
  known(id) {
    return this.#trust.known(id);
  }

  /** Takes a signal whose kind begins with `ww.`. @param {Heard} heard */
  hear(heard) {
    this.#turn = this.#turn.then(() => this.#hear(heard)).catch(() => {
      // What cannot be read is passed over; the time of a call runs out by itself.
    });
  }

  /** @param {Heard} heard */
  async #hear(heard) {
    if (this.#over || typeof heard.data?.call !== 'string') return;
    if (heard.kind === 'ww.hail') return void this.#hailed(heard).catch(() => this.#hails.delete(heard.data.call));
    const { call } = heard.data;
    if (heard.kind === 'ww.heed' || heard.kind === 'ww.decline') {
      const outgoing = this.#outgoing.get(call) ?? this.#calledOff.get(call);
      const meant = outgoing?.to === heard.from && (outgoing.device === undefined || outgoing.device === heard.device);
      // The boxes that follow belong to the call that comes of this.
      if (outgoing && meant) await outgoing.hear(heard);
      return;
    }
    const known = this.#calls.get(call);
    if (known?.from !== heard.from || known.device !== heard.device) return;
    if (heard.kind === RELAYED) {
      const box = await known.seal.openBytes(heard.data);
      if (box) known.connection.relayed(box);
    }
    if (heard.kind !== 'ww.sealed') return;
    const content = await known.seal.open(heard.data);
    if (content) known.connection.take(content);
  }

  /** A hail of ours is not waited for any more. @param {string} call */
  #callOff(call) {
    const outgoing = this.#outgoing.get(call);
    if (!outgoing) return;
    this.#calledOff.set(call, outgoing);
    // The oldest goes first.
    for (const [old] of this.#calledOff) if (this.#calledOff.size > CALLS_MAX) this.#calledOff.delete(old);
  }

  /** Our own call to one who calls. @param {string} from @param {string} device @param {string} mesh */
  #toward(from, device, mesh) {
    return [...this.#outgoing.values()].find((each) => each.to === from && (each.device === undefined || each.device === device) && each.mesh === mesh);
  }

  /** @param {Heard} heard */
  async #hailed({ from, device, data, polite }) {
    const RTC = this.#RTC;
    const { call } = data;
    const mesh = meshOf(data.meta);
    if (!RTC || this.#hails.has(call) || this.#calls.has(call) || this.#hails.size + this.#calls.size >= CALLS_MAX) return;
    const ours = this.#toward(from, device, mesh);
    // Both hail at once: the impolite one's call is the one.
    if (ours && !polite) return;
    this.#hails.add(call);
    const self = this.post.self();
    const hail = await readHail(this.#subtle, { namespace: self.namespace, from, device, to: self.id }, data);
    if (!hail) return void this.#hails.delete(call);
    const verified = await this.#check(from, hail.key, ours?.key);
    const peer = { id: from, device, key: hail.key, verified, meta: hail.meta };
    const back = { namespace: self.namespace, from: self.id, device: self.device, to: from, toDevice: device };
    const taker = mesh ? this.post.mesh?.(mesh) ?? STRANGER : this.post;
    const yes = (ours && this.#outgoing.has(ours.call)) || (await taker.accept(peer));
    if (yes !== true) {
      const reason = typeof yes === 'string' ? yes.replaceAll('\n', ' ').slice(0, 80) : '';
      await this.post.signal(from, device, 'ww.decline', await makeDecline(this.#subtle, this.#identity, back, hail, reason));
      return void this.#hails.delete(call);
    }
    const { share, secret } = await makeShare(this.#subtle);
    const heed = await makeHeed(this.#subtle, this.#identity, back, share, hail);
    const half = { call, key: this.#identity.key, share, statement: heed.statement };
    const seal = await Seal.make(this.#subtle, { hails: false, secret, hail, heed: half });
    // We may have begun to call while this was looked at: the same rule holds.
    const mine = ours ?? this.#toward(from, device, mesh);
    this.#hails.delete(call);
    if (!seal || (mine && !polite)) return;
    const connection = this.#make(peer, seal, { polite, begins: false, mesh, RTC });
    const waiting = mine && (mine.key === undefined || mine.key === hail.key) ? this.#outgoing.get(mine.call) : undefined;
    if (waiting) waiting.yield(connection);
    else connection.on('open', () => this.#calls.get(call)?.claimed || taker.incoming(connection));
    const forget = setTimeout(() => connection.state === 'connecting' && connection.end('timeout', connection.failure()), HEEDED_MS);
    connection.on('open', () => clearTimeout(forget));
    connection.on('closed', () => clearTimeout(forget));
    await this.post.signal(from, device, 'ww.heed', heed.data);
  }

  /**
   * @param {Peer} peer
   * @param {Seal} seal
   * @param {{ polite: boolean, begins: boolean, mesh: string, rtc?: RTCConfiguration, relay?: 'auto' | 'never', RTC: typeof RTCPeerConnection }} how
   */
  #make(peer, seal, { polite, begins, mesh, rtc, relay, RTC }) {
    let turn = Promise.resolve();
    const tell = (/** @type {Content} */ content) => {
      turn = turn.then(async () => {
        const data = await seal.seal(content);
        // Not waited for: the order is that of the asking.
        this.post.signal(peer.id, peer.device, 'ww.sealed', data).then(
          (status) => status === 'absent' && connection.state === 'connecting'
            && connection.end('absent', new WigwagError('absent', `${peer.id} went away while we were connecting.`)),
          () => connection.state !== 'open' && connection.mend(),
        );
      });
    };
    const connection = new Connection(peer, {
      RTCPeerConnection: RTC, config: { iceServers: this.post.ice(), ...rtc }, ...(!rtc?.iceServers && { ice: this.post.ice }), polite, begins, tell, post: mesh !== '', ...this.#relay(peer, seal, relay), finder: 'server', gone: () => this.#calls.delete(seal.call),
    });
    this.#calls.set(seal.call, { from: peer.id, device: peer.device, mesh, seal, connection, claimed: begins });
    this.#watch(connection);
    return connection;
  }

  /** Takes in how much the server relays, if it said so anew. */
  #allowed() {
    const told = this.post.relay?.limits() ?? null;
    if (told && told !== this.#told) this.#pace.told(performance.now(), (this.#told = told));
  }

  /** What relays for a call, or why nothing does. @param {Peer} peer @param {Seal} seal @param {'auto' | 'never'} [use] */
  #relay({ id, device }, seal, use) {
    const { relay } = this.post;
    this.#allowed();
    if (!relay || (use ?? relay.use) === 'never') return { relay: null, unrelayed: 'Going by way of the server was ruled out here.' };
    if (!this.#pace.chunk) return { relay: null, unrelayed: 'The server relays nothing itself.' };
    let turn = Promise.resolve();
    const post = (/** @type {Uint8Array<ArrayBuffer>} */ box) => {
      // Sealed and posted in order; the answers come when they come.
      const posted = turn.then(() => seal.sealBytes(box)).then((data) => ({ answer: relay.post(id, device, data) }));
      turn = posted.then(() => {}, () => {});
      return posted.then(({ answer }) => answer);
    };
    return { relay: { pace: this.#pace, online: relay.online, post } };
  }

  /** Without a server no other path can be agreed on, and a dead one is noticed late by itself. @param {Connection} connection */
  #watch(connection) {
    connection.on('state', ({ state }) => state === 'mending' && this.post.doubt());
  }

  /** @param {string} id @param {string} key @param {string} [expected] */
  async #check(id, key, expected) {
    try {
      return await this.#trust.check(id, key, expected);
    } catch (error) {
      this.post.mismatch(id, key);
      throw error;
    }
  }
}

/** Takes calls for meshes that we are not in. @type {Pick<Post, 'accept' | 'incoming'>} */
const STRANGER = { accept: () => 'Nobody here is in this mesh.', incoming: (connection) => connection.close() };

/** The room whose mesh a call is for, empty where it is for none. @param {any} meta of its hail */
function meshOf(meta) {
  const mesh = Object(meta)['wigwag.mesh'];
  return typeof mesh === 'string' ? mesh : '';
}

/** @param {string} id @param {string} at */
function tooLate(id, at) {
  const text = at === 'server' ? 'There was no server in time.' : `${id} did not answer in time.`;
  return new WigwagError('timeout', text, { at });
}
