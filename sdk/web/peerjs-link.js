// One connection of the SDK with a peer, and on it everything that a PeerJS app calls a connection: data on a channel each, calls by their tracks.

/**
 * @import { Channel } from './channel.js'
 * @import { Connection } from './connection.js'
 * @import { WigwagError } from './errors.js'
 *
 * What one side tells the other of a connection. `stream` is the id of the stream that it will send.
 * @typedef {{ peerjs: 'data', id: string, label: string, metadata?: any, serialization: string, reliable: boolean }
 *   | { peerjs: 'call', id: string, metadata?: any, stream: string }
 *   | { peerjs: 'answer', id: string, stream: string | null }
 *   | { peerjs: 'end', id: string }} Word
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

/** Channels and streams that wait for the word that belongs to them are not more than this, nor are a channel's messages. */
const WAITING_MAX = 64;

export class Link {
  /**
   * @param {Connection} connection open
   * @param {string} remote what the app calls the peer
   * @param {(word: Word, link: Link) => Line | null} incoming the peer begins something
   * @param {(link: Link) => void} gone
   */
  constructor(connection, remote, incoming, gone) {
    this.remote = remote;
    this.#connection = connection;
    this.#incoming = incoming;
    connection.on('message', ({ data }) => this.#hear(data));
    connection.on('channel', ({ channel }) => this.#arrived(channel));
    connection.on('track', ({ streams }) => streams.forEach((stream) => this.#streamed(stream)));
    connection.on('closed', ({ error }) => {
      this.open = false;
      clearTimeout(this.#idle);
      gone(this);
      for (const line of [...this.#lines.values()]) line.cut(error);
    });
    connection.raw?.addEventListener('iceconnectionstatechange', () => {
      for (const line of this.#lines.values()) line.ice(/** @type {RTCPeerConnection} */ (connection.raw).iceConnectionState);
    });
    this.#rest();
  }

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
  /** Streams of ours that are under way. @type {Set<string>} */
  #sent = new Set();
  /** @type {any} */
  #idle = null;
  open = true;

  /** The platform's own object, which all connections with this peer share. */
  get raw() {
    return /** @type {RTCPeerConnection} */ (this.#connection.raw);
  }

  /** @param {Word} word */
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

  /** Begins a connection for data. @param {Line} line @param {string} label @param {boolean} ordered */
  channel(line, label, ordered) {
    return this.#connection.channel(label, { ordered, protocol: line.connectionId });
  }

  /**
   * Makes a stream ready to be sent, under a name that the peer can be told before. One that is under way already goes as a copy.
   * @param {MediaStream} stream
   * @returns {{ name: string, send: () => void, stop: () => void }}
   */
  carry(stream) {
    const copied = this.#sent.has(stream.id);
    const carried = copied ? new MediaStream(stream.getTracks().map((track) => track.clone())) : stream;
    /** @type {RTCRtpSender[]} */
    let senders = [];
    this.#sent.add(carried.id);
    return {
      name: carried.id,
      send: () => {
        if (this.open) senders = carried.getTracks().map((track) => this.#connection.addTrack(track, carried));
      },
      stop: () => {
        this.#sent.delete(carried.id);
        if (copied) for (const track of carried.getTracks()) track.stop();
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
    if (this.open && !this.#lines.size) this.#idle = setTimeout(() => this.close(), IDLE_MS);
  }

  /** @param {any} word */
  #hear(word) {
    if (typeof word?.peerjs !== 'string' || typeof word.id !== 'string') return;
    const known = this.#lines.get(word.id);
    if (known) return known.hear(word);
    if (word.peerjs !== 'data' && word.peerjs !== 'call') return;
    const line = this.#incoming(word, this);
    const waiting = this.#channels.get(word.id);
    this.#channels.delete(word.id);
    waiting?.stop();
    if (line && waiting) line.attach?.(waiting.channel, waiting.early);
    else if (!line) waiting?.channel.close();
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
