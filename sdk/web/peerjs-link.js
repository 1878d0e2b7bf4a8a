// One connection of the SDK with a peer, and on it everything that a PeerJS app calls a connection: data on a channel each, calls by their tracks.

import { WigwagError } from './errors.js';

/**
 * @import { Channel } from './channel.js'
 * @import { Connection } from './connection.js'
 *
 * What one side tells the other of a connection. `stream` is the id of the stream that it will send.
 * @typedef {{ peerjs: 'data', id: string, label: string, metadata?: any, serialization: string, reliable: boolean }
 *   | { peerjs: 'call', id: string, metadata?: any, stream: string, tracks: number }
 *   | { peerjs: 'answer', id: string, stream: string | null }
 *   | { peerjs: 'end' | 'away', id: string }} Word
 *
 * What rides on a link.
 * @typedef {object} Line
 * @property {string} connectionId
 * @property {(word: Word) => void} hear
 * @property {(channel: Channel, early: ArrayBuffer[]) => void} [attach] its channel is there
 * @property {(state: RTCIceConnectionState) => void} ice
 * @property {(error: WigwagError | null) => void} cut the link is gone
 */

/** A link that nobody uses is let go after this. */
const IDLE_MS = 5_000;

/** The other side says within this that it listens. */
const READY_MS = 10_000;

/** Channels and streams that wait for the word that belongs to them are not more than this, nor are a channel's messages. */
const WAITING_MAX = 64;

export class Link {
  /** @type {() => void} */
  #isReady = () => {};
  /** @type {(error: WigwagError) => void} */
  #unready = () => {};

  /**
   * @param {Connection} connection open
   * @param {string} remote what the app calls the peer
   * @param {(word: Word, link: Link) => Line | null} incoming the peer begins something
   * @param {(link: Link) => void} gone
   */
  constructor(connection, remote, incoming, gone) {
    this.remote = remote;
    // Nobody has to wait for it.
    this.ready.catch(() => {});
    this.#connection = connection;
    this.#incoming = incoming;
    connection.on('message', ({ data }) => this.#hear(data));
    connection.on('channel', ({ channel }) => this.#arrived(channel));
    connection.on('track', ({ streams }) => streams.forEach((stream) => this.#streamed(stream)));
    connection.on('closed', ({ error }) => {
      this.open = false;
      clearTimeout(this.#idle);
      clearTimeout(this.#patience);
      this.#unready(error ?? new WigwagError('closed', 'The connection ended before it was used.'));
      gone(this);
      for (const line of [...this.#lines.values()]) line.cut(error);
    });
    connection.raw?.addEventListener('iceconnectionstatechange', () => {
      for (const line of this.#lines.values()) line.ice(/** @type {RTCPeerConnection} */ (connection.raw).iceConnectionState);
    });
    // What is sent on another channel than this one may be there before the other side listens.
    this.tell({ peerjs: 'hello' }).catch(() => {
      // The link is gone already.
    });
    this.#patience = setTimeout(() => {
      this.#unready(new WigwagError('timeout', 'The other side did not say that it listens.', { at: 'channel' }));
      this.close();
    }, READY_MS);
    this.#rest();
  }

  /** Resolves when the other side listens. @type {Promise<void>} */
  ready = new Promise((resolve, reject) => {
    this.#isReady = resolve;
    this.#unready = reject;
  });
  #connection;
  #incoming;
  /** @type {Map<string, Line>} */
  #lines = new Map();
  /** @type {Map<string, { channel: Channel, early: ArrayBuffer[], stop: () => void }>} */
  #channels = new Map();
  /** @type {Map<string, MediaStream>} */
  #streams = new Map();
  /** @type {Map<string, (stream: MediaStream) => void>} */
  #expected = new Map();
  /** Channels that close, but have something to send. @type {Set<Channel>} */
  #closing = new Set();
  /** Streams of ours that are under way. @type {Set<string>} */
  #sent = new Set();
  /** @type {any} */
  #idle = null;
  /** @type {any} */
  #patience = null;
  open = true;

  /** The platform's own object, which all connections with this peer share. */
  get raw() {
    return /** @type {RTCPeerConnection} */ (this.#connection.raw);
  }

  /** @param {Word | { peerjs: 'hello' }} word */
  tell(word) {
    return this.#connection.send(word);
  }

  /** @param {Line} line */
  add(line) {
    clearTimeout(this.#idle);
    this.#lines.set(line.connectionId, line);
  }

  /** @param {Line} line */
  remove(line) {
    if (this.#lines.get(line.connectionId) === line) this.#lines.delete(line.connectionId);
    this.#rest();
  }

  /** A channel for a connection for data: its protocol is the connection's id, by which the other side knows it. @param {Line} line @param {string} label @param {boolean} ordered */
  channel(line, label, ordered) {
    return this.#connection.channel(label, { ordered, protocol: line.connectionId });
  }

  /** Closes a channel; what waits on it is sent before the link may go. @param {Channel} channel */
  letGo(channel) {
    if (channel.raw.readyState === 'closed') return;
    this.#closing.add(channel);
    channel.on('closed', () => {
      this.#closing.delete(channel);
      this.#rest();
    });
    channel.close();
    this.#rest();
  }

  /**
   * Makes a stream ready to be sent, under a name that the peer can be told before. What is under way already goes as a copy.
   * @param {MediaStream} stream
   * @returns {{ name: string, tracks: number, send: () => void, stop: () => void }}
   */
  carry(stream) {
    /** @type {MediaStreamTrack[]} */
    const copies = [];
    const copy = (/** @type {MediaStreamTrack} */ track) => {
      const made = track.clone();
      copies.push(made);
      return made;
    };
    const carried = this.#sent.has(stream.id) ? new MediaStream(stream.getTracks().map(copy)) : stream;
    const add = (/** @type {MediaStreamTrack} */ track) => {
      const taken = this.raw.getSenders().some((sender) => sender.track === track);
      return this.#connection.addTrack(taken ? copy(track) : track, carried);
    };
    /** @type {RTCRtpSender[]} */
    let senders = [];
    this.#sent.add(carried.id);
    return {
      name: carried.id,
      tracks: carried.getTracks().length,
      send: () => {
        if (this.open) senders = carried.getTracks().map(add);
      },
      stop: () => {
        this.#sent.delete(carried.id);
        for (const track of copies) track.stop();
        if (this.open) for (const sender of senders) this.#connection.removeTrack(sender);
      },
    };
  }

  /** Calls back with the peer's stream of that name, now or when it comes. @param {string} name @param {(stream: MediaStream) => void} take */
  expect(name, take) {
    const stream = this.#streams.get(name);
    this.#streams.delete(name);
    if (stream) take(stream);
    else this.#expected.set(name, take);
  }

  /** No longer. @param {string} name */
  forget(name) {
    this.#expected.delete(name);
    this.#streams.delete(name);
  }

  close() {
    this.#connection.close();
  }

  #rest() {
    clearTimeout(this.#idle);
    if (this.open && !this.#lines.size && !this.#closing.size) this.#idle = setTimeout(() => this.close(), IDLE_MS);
  }

  /** @param {any} word */
  #hear(word) {
    if (word?.peerjs === 'hello') {
      clearTimeout(this.#patience);
      return this.#isReady();
    }
    if (typeof word?.peerjs !== 'string' || typeof word.id !== 'string') return undefined;
    const known = this.#lines.get(word.id);
    if (known) return known.hear(word);
    if (word.peerjs !== 'data' && word.peerjs !== 'call') return undefined;
    const line = this.#incoming(word, this);
    const waiting = this.#channels.get(word.id);
    this.#channels.delete(word.id);
    waiting?.stop();
    if (line && waiting) line.attach?.(waiting.channel, waiting.early);
    // A channel is closed by whoever made it.
    if (line && word.peerjs === 'call') return undefined;
    return void this.tell(line ? { peerjs: 'answer', id: word.id, stream: null } : { peerjs: 'away', id: word.id }).catch(() => {
      // The link is gone, and what was begun with it.
    });
  }

  /** @param {Channel} channel */
  #arrived(channel) {
    const id = channel.raw.protocol;
    const line = this.#lines.get(id);
    if (line) return void line.attach?.(channel, []);
    if (this.#channels.has(id) || this.#channels.size >= WAITING_MAX) return channel.close();
    /** @type {ArrayBuffer[]} */
    const early = [];
    const stop = channel.on('message', ({ data }) => {
      if (early.length < WAITING_MAX) early.push(data);
      else channel.close();
    });
    channel.on('closed', () => this.#channels.get(id)?.channel === channel && this.#channels.delete(id));
    this.#channels.set(id, { channel, early, stop });
    return undefined;
  }

  /** @param {MediaStream} stream */
  #streamed(stream) {
    const take = this.#expected.get(stream.id);
    this.#expected.delete(stream.id);
    if (take) return take(stream);
    this.#streams.set(stream.id, stream);
    if (this.#streams.size > WAITING_MAX) this.#streams.delete(/** @type {string} */ (this.#streams.keys().next().value));
    return undefined;
  }
}
