// A connection to a peer: negotiation, candidates, restarts, channels and tracks. How its words get there and who it is with is settled in `calls.js`.

import { Candidates } from './candidates.js';
import { Channel, overStream } from './channel.js';
import { Emitter } from './events.js';
import { WigwagError, asError } from './errors.js';
import { hold, trulyOpen } from './hold.js';
import { REACHES, measured, settled, unreached } from './reach.js';
import { Link } from './relay.js';

/**
 * @import { Message } from './channel.js'
 * @import { Path, Stats } from './reach.js'
 * @import { Carrier, Office } from './relay.js'
 * @import { Content } from './sealed.js'
 * @import { Verified } from './trust.js'
 *
 * @typedef {object} Peer
 * @property {string} id
 * @property {string} device
 * @property {string} key
 * @property {Verified} verified
 * @property {any} [meta] what it said when it hailed
 *
 * @typedef {'connecting' | 'open' | 'mending' | 'closed'} ConnectionState
 *
 * @typedef {{ type: 'message', data: any }
 *   | { type: 'open' }
 *   | { type: 'state', state: ConnectionState }
 *   | { type: 'path', path: Path | null }
 *   | { type: 'channel', channel: Channel }
 *   | { type: 'track', track: MediaStreamTrack, streams: readonly MediaStream[] }
 *   | { type: 'closed', reason: string, error: WigwagError | null }} ConnectionEvent
 *
 * @typedef {object} Wiring
 * @property {typeof RTCPeerConnection} RTCPeerConnection
 * @property {RTCConfiguration} config
 * @property {boolean} polite
 * @property {boolean} begins whether we make the first offer
 * @property {boolean} [post] whether it is one of a mesh, which has a post
 * @property {(content: Content) => void} tell seals it and hands it to the server
 * @property {string} [finder] who found the peer
 * @property {{ pc: RTCPeerConnection, channel: RTCDataChannel, plain: boolean, others: RTCDataChannel[] }} [opened] what is open already:
 *   the connection, its main channel, whether messages stand on it as they are, and channels that the peer opened meanwhile
 * @property {() => RTCIceServer[]} [ice] the STUN and TURN servers as they are named now; left out, those of `config` stay
 * @property {() => void} gone called once, at the end
 * @property {Omit<Office, 'hails'> | null} [relay] what the server relays, where it does and we agree
 * @property {string} [unrelayed] why it does not, for people
 */

/** How long a path may be silent before another is looked for, and how long that may take. */
const SILENT_MS = 3_000;
const MEND_MS = 60_000;

/** One search for a path is not disturbed by the next for so long: not every platform survives that. */
const RESTART_MS = 5_000;

/** So long the direct path has before the relay is taken up; so long it may be gone before that. */
const RELAY_MS = 4_000;
const FALL_BACK_MS = 5_000;

/** In front of what is not in our words. */
const PLATFORM = 'The platform refused: ';

/** How long a relayed connection waits before it looks for a direct path again, at first and at most. */
const LOOK_MS = 10_000;
const LOOK_MAX_MS = 300_000;

/** @extends {Emitter<ConnectionEvent>} */
export class Connection extends Emitter {
  /** @param {Peer} peer @param {Wiring} wiring */
  constructor(peer, wiring) {
    super();
    /** @readonly */
    this.peer = peer;
    /** Who found the peer: the name of a finder. @type {string | null} */
    this.finder = wiring.finder ?? null;
    this.#wiring = wiring;
    this.#candidates = new Candidates(wiring.tell);
    this.#ice = wiring.ice?.();
    if (wiring.opened) this.#adopt(wiring.opened);
    else if (wiring.begins) this.#begin();
  }

  #wiring;
  /** @type {RTCPeerConnection | null} */
  #pc = null;
  /** @type {Channel | null} */
  #main = null;
  /** The data channel that both sides know beforehand. @type {RTCDataChannel | null} */
  #raw = null;
  /** What carries messages where both agree to the relay; `undefined` until that is known. @type {Link | null | undefined} */
  #link;
  /** When the relay is taken up. @type {any} */
  #wait = null;
  /** When a relayed connection looks for a direct path again. @type {any} */
  #look = null;
  #looks = 0;
  /** @type {ConnectionState} */
  #state = 'connecting';
  #offering = false;
  #ignoring = false;
  #candidates;
  /** The STUN and TURN servers in use. @type {RTCIceServer[] | undefined} */
  #ice;
  /** @type {any} */
  #patience = null;
  /** @type {any} */
  #restart = null;
  #restarted = -Infinity;
  #ufrag = '';
  #turn = Promise.resolve();
  /** Channels of the peer's that are not told of yet. @type {Promise<void>} */
  #coming = Promise.resolve();

  /** By which members of a mesh carry signals for each other. @type {RTCDataChannel | null} @package */
  post = null;

  get state() {
    return this.#state;
  }

  /** The platform's own object, for what this class does not cover. */
  get raw() {
    return this.#pc;
  }

  /** Bytes that wait to be sent. */
  get waiting() {
    return this.#main?.waiting ?? 0;
  }

  /** Sends a text, bytes, or anything that JSON can hold; see {@link Channel.send}. @param {Message} message @returns {Promise<void>} */
  send(message) {
    if (!this.#main || this.#state === 'closed') return Promise.reject(new WigwagError('closed', 'This connection is not open.'));
    return this.#main.send(message);
  }

  /**
   * Opens another channel; the peer hears of it by a `channel` event. It goes where the connection goes, in order and without loss; one that
   * is opened on a direct path and may do otherwise is the platform's own, and waits where there is no such path.
   * @param {string} label
   * @param {RTCDataChannelInit} [options]
   */
  channel(label, options = {}) {
    const pc = this.#need();
    const { ordered = true, maxRetransmits, maxPacketLifeTime, negotiated = false, protocol = '' } = options;
    const exact = ordered && maxRetransmits === undefined && maxPacketLifeTime === undefined;
    if (this.#link && !negotiated && (exact || this.#link.carrier === 'relay')) return overStream(this.#link.open(label, protocol));
    return this.#channel(pc.createDataChannel(label, options));
  }

  /** Sends a track of sound or picture. @param {MediaStreamTrack} track @param {...MediaStream} streams @returns {RTCRtpSender} */
  addTrack(track, ...streams) {
    if (this.#link?.carrier === 'relay') {
      throw new WigwagError('relayed', 'Sound and picture need a direct path, and this connection goes through the server for now: wait for a `path` event.');
    }
    return this.#need().addTrack(track, ...streams);
  }

  /** @param {RTCRtpSender} sender */
  removeTrack(sender) {
    this.#need().removeTrack(sender);
  }

  /** Looks for a better path: the network is another one. */
  mend() {
    if (this.#state === 'closed' || !this.#pc?.remoteDescription || this.#restart) return;
    const rest = this.#restarted + RESTART_MS - performance.now();
    const restart = () => {
      this.#restart = null;
      this.#restarted = performance.now();
      if (!this.#pc) return;
      this.#freshen(this.#pc);
      this.#pc.restartIce();
    };
    if (rest <= 0) restart();
    else this.#restart = setTimeout(restart, rest);
  }

  /** Ends the connection on both sides. @param {string} [why] */
  close(why = 'closed') {
    if (this.#state === 'closed') return;
    this.#wiring.tell({ bye: why });
    this.end('closed', null);
  }

  /** How the bytes flow. @returns {Promise<Stats>} */
  async stats() {
    if (this.#link?.carrier === 'relay') {
      return { path: this.#state === 'open' ? 'relayed' : null, rtt: null, ...this.#link.counts, local: null, remote: null, protocol: null };
    }
    return measured((await this.#pc?.getStats()) ?? new Map());
  }

  /** Why there is no connection, as far as it can be told from here. @package */
  failure() {
    if (this.#link?.carrier === 'relay') {
      return new WigwagError('timeout', 'No direct way to the peer was found, and it does not answer over the server’s relay.', { at: 'path' });
    }
    return unreached(this.#candidates.kinds(this.#pc), this.#pc?.iceConnectionState, this.#unrelayed());
  }

  /** What the peer sealed for us. @param {Content} content @package */
  take(content) {
    // One after the other: each step needs the one before it to be done.
    this.#turn = this.#turn.then(() => this.#takeNow(content)).catch((error) => this.end('failed', asError(error, PLATFORM)));
  }

  /** A box that the server relayed. @param {Uint8Array} box @package */
  relayed(box) {
    this.#link?.relayed(box);
  }

  /** There is a server again, or no longer. @package */
  line() {
    this.#link?.line();
  }

  /** @param {string} reason @param {WigwagError | null} error @package */
  end(reason, error) {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#candidates.end();
    clearTimeout(this.#patience);
    clearTimeout(this.#restart);
    clearTimeout(this.#wait);
    clearTimeout(this.#look);
    this.#link?.close();
    if (this.#pc) {
      const pc = this.#pc;
      pc.onnegotiationneeded = pc.onicecandidate = pc.oniceconnectionstatechange = pc.ondatachannel = pc.ontrack = null;
      pc.close();
    }
    this.#wiring.gone();
    this.emit({ type: 'state', state: 'closed' });
    this.emit({ type: 'closed', reason, error });
    this.over();
  }

  #need() {
    if (!this.#pc || this.#state === 'closed') throw new WigwagError('closed', 'This connection is not open.');
    return this.#pc;
  }

  #begin() {
    const pc = new this.#wiring.RTCPeerConnection(this.#wiring.config);
    // Both sides know this one beforehand, so it opens without another word.
    this.#raw = pc.createDataChannel('wigwag', { negotiated: true, id: 0 });
    this.#attach(pc, null);
  }

  /** @param {NonNullable<Wiring['opened']>} opened */
  #adopt({ pc, channel, plain, others }) {
    this.#state = 'open';
    this.#link = null;
    this.#attach(pc, this.#channel(channel, { plain, later: true }));
    this.#candidates.kinds(pc);
    // Whoever gets this connection listens first.
    setTimeout(() => others.forEach((raw) => this.#came(pc, raw)));
  }

  /** @param {RTCPeerConnection} pc @param {Channel | null} main `null`: what it carries is not known yet */
  #attach(pc, main) {
    this.#pc = pc;
    pc.onnegotiationneeded = () => void this.#offer();
    pc.onicecandidate = ({ candidate }) => this.#candidates.found(candidate);
    pc.oniceconnectionstatechange = () => this.#watch(pc.iceConnectionState);
    pc.ondatachannel = ({ channel }) => this.#came(pc, channel);
    pc.ontrack = ({ track, streams }) => this.emit({ type: 'track', track, streams });
    if (this.#wiring.post) this.post = pc.createDataChannel('wigwag.post', { negotiated: true, id: 1 });
    if (main) this.#use(main);
  }

  /** What the other side is able to do is known: what the main channel carries follows from it. @param {boolean} relays whether it agrees to the relay */
  #agree(relays) {
    const raw = /** @type {RTCDataChannel} */ (this.#raw);
    const office = relays ? this.#wiring.relay : null;
    this.#link = office ? this.#makeLink(office, raw) : null;
    this.#use(this.#link ? overStream(this.#link.main) : this.#channel(raw));
  }

  /** @param {Channel} main */
  #use(main) {
    this.#main = main;
    main.on('message', ({ data }) => this.emit({ type: 'message', data }));
    if (this.#link) return;
    main.on('open', () => this.#opened());
    main.on('closed', () => this.end('left', null));
  }

  /** A channel of the peer's is told when it can be used, in the order of their coming. @param {RTCPeerConnection} pc @param {RTCDataChannel} raw */
  #came(pc, raw) {
    hold(raw);
    this.#coming = Promise.all([trulyOpen(pc, raw), this.#coming]).then(() => {
      if (this.#state !== 'closed') this.emit({ type: 'channel', channel: this.#channel(raw) });
    });
  }

  /** @param {Omit<Office, 'hails'>} office @param {RTCDataChannel} raw */
  #makeLink(office, raw) {
    const link = new Link({ ...office, hails: this.#wiring.begins }, {
      opened: (pipe) => this.emit({ type: 'channel', channel: overStream(pipe) }),
      heard: (by) => by === link.carrier && this.#opened(),
      moved: (carrier) => this.#moved(carrier),
      silent: () => this.#search(),
      refused: () => this.#unrelay(),
      broken: (error) => this.end('failed', error),
    });
    link.attach(raw);
    raw.onopen = () => this.#reached();
    raw.onclose = () => {
      // The other side is gone; unless it was the path that went, and took the channel along.
      if (link.carrier === 'direct' && REACHES.has(this.#pc?.iceConnectionState ?? '')) return this.end('left', null);
      if (link.carrier === 'direct') this.#relay();
    };
    this.#wait = setTimeout(() => this.#relay(), RELAY_MS);
    return link;
  }

  /** The direct path is there. */
  #reached() {
    if (this.#raw?.readyState !== 'open') return;
    this.#link?.use('direct');
    this.#opened();
  }

  /** Takes up the relay. */
  #relay() {
    clearTimeout(this.#wait);
    this.#wait = null;
    const { relay } = this.#wiring;
    if (!this.#link || !relay?.pace.chunk || this.#state === 'closed') return false;
    this.#link.use('relay');
    return true;
  }

  /** The server relays no longer. */
  #unrelay() {
    this.#wiring.unrelayed = 'The server relays nothing any more.';
    this.#link?.use(null);
    if (this.#state === 'connecting' && this.#pc?.iceConnectionState === 'failed') this.end('no_path', this.failure());
    else this.#search();
  }

  /** What we send takes another way. @param {Carrier | null} carrier */
  #moved(carrier) {
    clearTimeout(this.#look);
    if (carrier === 'relay') this.#lookAgain();
    else this.#looks = 0;
    if (this.#state === 'open') this.#tellPath();
  }

  /** Looks for a direct path, again and again, ever more rarely. */
  #lookAgain() {
    if (!this.#wiring.begins) return;
    const wait = Math.min(LOOK_MS * 2 ** this.#looks, LOOK_MAX_MS);
    this.#looks += 1;
    this.#look = setTimeout(() => {
      this.mend();
      this.#lookAgain();
    }, wait);
  }

  /** A search for a path begins with the servers as they are named now: the credentials of before may have run out. @param {RTCPeerConnection} pc */
  #freshen(pc) {
    const servers = this.#wiring.ice?.();
    if (servers === this.#ice) return;
    this.#ice = servers;
    try {
      pc.setConfiguration({ ...pc.getConfiguration(), iceServers: servers });
    } catch {
      // A platform that cannot goes on with those that it has.
    }
  }

  /** There is a way to the other side. */
  #opened() {
    const first = this.#state === 'connecting';
    clearTimeout(this.#wait);
    clearTimeout(this.#patience);
    this.#wait = this.#patience = null;
    if (this.#state === 'open' || this.#state === 'closed') return;
    this.#link?.main.opened();
    this.#set('open');
    if (first) this.emit({ type: 'open' });
    this.#tellPath();
  }

  async #tellPath() {
    // A connection that is closed by now has none to tell.
    const { path } = await this.stats().catch(() => ({ path: null }));
    if (path && this.#state === 'open') this.emit({ type: 'path', path });
  }

  #unrelayed() {
    return this.#wiring.unrelayed ?? (this.#link ? '' : 'The peer takes nothing by way of the server.');
  }

  /** @param {RTCDataChannel} raw @param {{ plain?: boolean, later?: boolean }} [how] */
  #channel(raw, how) {
    return new Channel(raw, () => this.#pc?.sctp?.maxMessageSize, how);
  }

  async #offer() {
    const pc = this.#pc;
    if (!pc) return;
    try {
      this.#offering = true;
      await pc.setLocalDescription();
      this.#describe(pc);
    } catch (error) {
      if (this.#state !== 'closed') this.end('failed', asError(error, PLATFORM));
    } finally {
      this.#offering = false;
    }
  }

  /** @param {RTCPeerConnection} pc */
  #describe(pc) {
    const { type, sdp } = pc.localDescription ?? {};
    if (type && sdp) this.#wiring.tell({ description: { type, sdp: settled(pc, sdp) }, ...(this.#wiring.relay ? { relay: 1 } : {}) });
  }

  /** @param {Content} content */
  async #takeNow({ description, candidates, bye, relay }) {
    if (this.#state === 'closed') return;
    if (bye !== undefined) return this.end('left', null);
    if (description) await this.#described(description, relay === 1);
    if (Array.isArray(candidates)) await this.#candidates.take(this.#pc, candidates, this.#ignoring);
  }

  /** @param {RTCSessionDescriptionInit} description @param {boolean} relays */
  async #described(description, relays) {
    if (!this.#pc) this.#begin();
    if (this.#link === undefined) this.#agree(relays);
    const pc = /** @type {RTCPeerConnection} */ (this.#pc);
    const collides = description.type === 'offer' && (this.#offering || pc.signalingState !== 'stable');
    this.#ignoring = !this.#wiring.polite && collides;
    if (this.#ignoring) return;
    await pc.setRemoteDescription(description);
    const ufrag = /a=ice-ufrag:(\S+)/.exec(description.sdp ?? '')?.[1] ?? '';
    const again = ufrag !== this.#ufrag;
    if (again) this.#restarted = performance.now();
    this.#ufrag = ufrag;
    if (description.type === 'offer') {
      if (again) this.#freshen(pc);
      await pc.setLocalDescription();
      this.#describe(pc);
    }
    await this.#candidates.described(pc);
  }

  /** @param {RTCIceConnectionState} state */
  #watch(state) {
    if (REACHES.has(state)) {
      if (this.#link) this.#reached();
      else if (this.#state === 'mending') this.#opened();
    } else if (state === 'failed') {
      if (this.#link?.carrier === 'relay') return;
      if (!this.#relay() || this.#state !== 'connecting') this.#mending(0);
    } else if (state === 'disconnected') {
      if (this.#link?.carrier === 'relay') return;
      this.#mending(SILENT_MS);
      if (this.#link) this.#wait ??= setTimeout(() => this.#relay(), FALL_BACK_MS);
    }
  }

  /** Nothing comes any more, by any way. */
  #search() {
    if (this.#state === 'open') this.#mending(SILENT_MS);
  }

  /** A path is gone: another is looked for, and if there is none for long, it is over. @param {number} delay */
  #mending(delay) {
    if (this.#state === 'connecting') {
      if (!delay) this.end('no_path', this.failure());
      return;
    }
    this.#set('mending');
    if (!delay) this.mend();
    if (this.#patience) return;
    const until = Date.now() + MEND_MS;
    const look = () => {
      if (Date.now() >= until) return this.end('no_path', this.failure());
      this.mend();
      this.#patience = setTimeout(look, SILENT_MS * 3);
    };
    this.#patience = setTimeout(look, delay || SILENT_MS * 3);
  }

  /** @param {ConnectionState} state */
  #set(state) {
    if (this.#state === state || this.#state === 'closed') return;
    this.#state = state;
    this.emit({ type: 'state', state });
  }
}
