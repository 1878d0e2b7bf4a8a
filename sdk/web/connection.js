// A connection to a peer: negotiation, candidates, restarts, channels and tracks. How its words get there and who it is with is settled in `calls.js`.

import { Channel } from './channel.js';
import { Emitter } from './events.js';
import { WigwagError } from './errors.js';
import { hold, trulyOpen } from './hold.js';

/**
 * @import { Message } from './channel.js'
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
 * @typedef {'direct' | 'turn'} Path
 *
 * @typedef {{ type: 'message', data: any }
 *   | { type: 'open' }
 *   | { type: 'state', state: ConnectionState }
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
 * @property {() => void} gone called once, at the end
 */

/** Candidates that are found within this time travel together. */
const GATHER_MS = 30;

/** How long a path may be silent before another is looked for, and how long that may take. */
const SILENT_MS = 3_000;
const MEND_MS = 60_000;

/** One search for a path is not disturbed by the next for so long: not every platform survives that. */
const RESTART_MS = 5_000;

/** Candidates that wait for a description are not more than this. */
const EARLY_MAX = 256;

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
    if (wiring.opened) this.#adopt(wiring.opened);
    else if (wiring.begins) this.#begin();
  }

  #wiring;
  /** @type {RTCPeerConnection | null} */
  #pc = null;
  /** @type {Channel | null} */
  #main = null;
  /** @type {ConnectionState} */
  #state = 'connecting';
  #offering = false;
  #ignoring = false;
  /** @type {(RTCIceCandidateInit | null)[]} */
  #early = [];
  /** @type {(RTCIceCandidateInit | null)[]} */
  #found = [];
  /** @type {any} */
  #gathering = null;
  /** @type {any} */
  #patience = null;
  /** @type {any} */
  #restart = null;
  #restarted = -Infinity;
  #ufrag = '';
  #turn = Promise.resolve();
  /** Channels of the peer's that are not told of yet. @type {Promise<void>} */
  #coming = Promise.resolve();
  /** Kinds of candidates, for whoever asks why it failed. */
  #kinds = { local: new Set(), remote: new Set() };

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

  /** Opens another channel; the peer hears of it by a `channel` event. @param {string} label @param {RTCDataChannelInit} [options] */
  channel(label, options) {
    return this.#channel(this.#need().createDataChannel(label, options));
  }

  /** Sends a track of sound or picture. @param {MediaStreamTrack} track @param {...MediaStream} streams @returns {RTCRtpSender} */
  addTrack(track, ...streams) {
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
      this.#pc?.restartIce();
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

  /** How the bytes flow. @returns {Promise<{ path: Path | null, rtt: number | null, sent: number, received: number, local: string | null, remote: string | null, protocol: string | null }>} */
  async stats() {
    const report = (await this.#pc?.getStats()) ?? new Map();
    /** @type {any} */
    let pair;
    for (const entry of report.values()) {
      if (entry.type === 'transport' && entry.selectedCandidatePairId) pair = report.get(entry.selectedCandidatePairId);
      else if (!pair && entry.type === 'candidate-pair' && entry.nominated && entry.state === 'succeeded') pair = entry;
    }
    const local = report.get(pair?.localCandidateId);
    const remote = report.get(pair?.remoteCandidateId);
    const relayed = local?.candidateType === 'relay' || remote?.candidateType === 'relay';
    return {
      path: pair ? (relayed ? 'turn' : 'direct') : null,
      rtt: pair?.currentRoundTripTime === undefined ? null : pair.currentRoundTripTime * 1_000,
      sent: pair?.bytesSent ?? 0,
      received: pair?.bytesReceived ?? 0,
      local: local?.candidateType ?? null,
      remote: remote?.candidateType ?? null,
      protocol: local?.protocol ?? null,
    };
  }

  /** Why there is no connection, as far as it can be told from here. @package */
  failure() {
    const [local, remote] = [[...this.#kinds.local], [...this.#kinds.remote]];
    const reached = ['connected', 'completed'].includes(this.#pc?.iceConnectionState ?? '');
    if (reached) return new WigwagError('timeout', 'A way to the peer was found, and no channel opened on it in time.', { at: 'channel' });
    if (!remote.length) {
      return new WigwagError('timeout', 'The peer answered, and then said nothing of where it can be reached.', { at: 'path' });
    }
    const tried = [...(local.some((kind) => kind !== 'relay') ? ['direct'] : []), ...(local.includes('relay') ? ['turn'] : [])];
    const lacks = local.includes('relay') || remote.includes('relay') ? '' : ' The server offers no TURN server, which would be a way around.';
    const text = `No way from here to the peer was found. Ours: ${local.join(', ') || 'none'}; theirs: ${remote.join(', ')}.${lacks}`;
    return new WigwagError('no_path', text, { tried });
  }

  /** What the peer sealed for us. @param {Content} content @package */
  take(content) {
    // One after the other: each step needs the one before it to be done.
    this.#turn = this.#turn.then(() => this.#takeNow(content)).catch((error) => this.end('failed', wrap(error)));
  }

  /** @param {string} reason @param {WigwagError | null} error @package */
  end(reason, error) {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    clearTimeout(this.#gathering);
    clearTimeout(this.#patience);
    clearTimeout(this.#restart);
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
    this.#attach(pc, this.#channel(pc.createDataChannel('wigwag', { negotiated: true, id: 0 })));
  }

  /** @param {NonNullable<Wiring['opened']>} opened */
  #adopt({ pc, channel, plain, others }) {
    this.#state = 'open';
    this.#attach(pc, this.#channel(channel, { plain, later: true }));
    for (const [kinds, description] of /** @type {const} */ ([[this.#kinds.local, pc.localDescription], [this.#kinds.remote, pc.remoteDescription]])) {
      for (const [line] of description?.sdp.matchAll(/^a=candidate:.*/gm) ?? []) kinds.add(kindOf(line));
    }
    // Whoever gets this connection listens first.
    setTimeout(() => others.forEach((raw) => this.#came(pc, raw)));
  }

  /** @param {RTCPeerConnection} pc @param {Channel} main */
  #attach(pc, main) {
    this.#pc = pc;
    pc.onnegotiationneeded = () => void this.#offer();
    pc.onicecandidate = ({ candidate }) => this.#gathered(candidate);
    pc.oniceconnectionstatechange = () => this.#watch(pc.iceConnectionState);
    pc.ondatachannel = ({ channel }) => this.#came(pc, channel);
    pc.ontrack = ({ track, streams }) => this.emit({ type: 'track', track, streams });
    this.#main = main;
    if (this.#wiring.post) this.post = pc.createDataChannel('wigwag.post', { negotiated: true, id: 1 });
    main.on('message', ({ data }) => this.emit({ type: 'message', data }));
    main.on('open', () => {
      this.#set('open');
      this.emit({ type: 'open' });
    });
    main.on('closed', () => this.end('left', null));
  }

  /** A channel of the peer's is told when it can be used, in the order of their coming. @param {RTCPeerConnection} pc @param {RTCDataChannel} raw */
  #came(pc, raw) {
    hold(raw);
    this.#coming = Promise.all([trulyOpen(pc, raw), this.#coming]).then(() => {
      if (this.#state !== 'closed') this.emit({ type: 'channel', channel: this.#channel(raw) });
    });
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
      if (this.#state !== 'closed') this.end('failed', wrap(error));
    } finally {
      this.#offering = false;
    }
  }

  /** @param {RTCPeerConnection} pc */
  #describe(pc) {
    if (pc.localDescription) this.#wiring.tell({ description: { type: pc.localDescription.type, sdp: pc.localDescription.sdp } });
  }

  /** @param {Content} content */
  async #takeNow({ description, candidates, bye }) {
    if (this.#state === 'closed') return;
    if (bye !== undefined) return this.end('left', null);
    if (description) await this.#described(description);
    if (Array.isArray(candidates)) await this.#candidates(candidates);
  }

  /** @param {RTCSessionDescriptionInit} description */
  async #described(description) {
    if (!this.#pc) this.#begin();
    const pc = /** @type {RTCPeerConnection} */ (this.#pc);
    const collides = description.type === 'offer' && (this.#offering || pc.signalingState !== 'stable');
    this.#ignoring = !this.#wiring.polite && collides;
    if (this.#ignoring) return;
    await pc.setRemoteDescription(description);
    const ufrag = /a=ice-ufrag:(\S+)/.exec(description.sdp ?? '')?.[1] ?? '';
    if (ufrag !== this.#ufrag) this.#restarted = performance.now();
    this.#ufrag = ufrag;
    if (description.type === 'offer') {
      await pc.setLocalDescription();
      this.#describe(pc);
    }
    await this.#candidates(this.#early.splice(0));
  }

  /** @param {(RTCIceCandidateInit | null)[]} candidates */
  async #candidates(candidates) {
    const pc = this.#pc;
    if (!pc?.remoteDescription) {
      this.#early.push(...candidates.slice(0, EARLY_MAX - this.#early.length));
      return;
    }
    for (const candidate of candidates) {
      if (candidate) this.#kinds.remote.add(kindOf(candidate.candidate));
      try {
        // Some platforms know no other end than an empty candidate, which need not be told.
        if (candidate) await pc.addIceCandidate(candidate);
      } catch (error) {
        // One for an offer that was passed over, or of a kind that this platform does not know: the others may do.
        if (!this.#ignoring && pc.signalingState === 'closed') throw error;
      }
    }
  }

  /** @param {RTCIceCandidate | null} candidate */
  #gathered(candidate) {
    if (candidate) this.#kinds.local.add(kindOf(candidate.candidate));
    this.#found.push(candidate?.toJSON() ?? null);
    const flush = () => {
      clearTimeout(this.#gathering);
      this.#gathering = null;
      if (this.#state !== 'closed' && this.#found.length) this.#wiring.tell({ candidates: this.#found.splice(0) });
    };
    if (!candidate) flush();
    else this.#gathering ??= setTimeout(flush, GATHER_MS);
  }

  /** @param {RTCIceConnectionState} state */
  #watch(state) {
    if (state === 'connected' || state === 'completed') {
      clearTimeout(this.#patience);
      this.#patience = null;
      if (this.#state === 'mending') this.#set('open');
    } else if (state === 'failed') {
      this.#mending(0);
    } else if (state === 'disconnected') {
      this.#mending(SILENT_MS);
    }
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

/** `host`, `srflx`, `prflx` or `relay`. @param {string | undefined} candidate */
function kindOf(candidate) {
  return / typ ([a-z]+)/.exec(candidate ?? '')?.[1] ?? 'host';
}

/** @param {unknown} error */
function wrap(error) {
  if (error instanceof WigwagError) return error;
  return new WigwagError('failed', `The platform refused: ${error instanceof Error ? error.message : error}`, { cause: error });
}
