// Sound and picture with one person at a time or several: asked for, and only sent or shown when both sides said yes.
//
//   {t: 'call', act: 'ask', id, video}   {t: 'call', act: 'yes' | 'no' | 'end', id}
//
// After the yes the one who asked sends first, and the other when that comes: two who begin at once would have to agree twice.
// A connection that carried a call keeps its lines for the next one, silent, so that ending and beginning again need no agreement.

/**
 * @import { Person } from './crowd.js'
 * @import { Connection } from './types.js'
 *
 * @typedef {'none' | 'asking' | 'ringing' | 'on'} CallState
 *
 * @typedef {object} Call
 * @property {Person} person
 * @property {string} id
 * @property {CallState} state
 * @property {boolean} video whether a picture was asked for
 * @property {MediaStream} remote
 * @property {boolean} owes whether our own picture follows when theirs comes
 *
 * @typedef {object} Lines what a connection carries, or carried
 * @property {Map<string, RTCRtpSender>} senders by kind
 * @property {MediaStreamTrack[]} remote
 *
 * @typedef {object} MediaEars
 * @property {(call: Call) => void} changed
 * @property {(call: Call, why: string) => void} ended
 * @property {() => void} own our own picture is another
 */

/** Whoever does not answer does not want to. */
const RING_MS = 60_000;

/** Who waits for the other's picture to come first waits no longer than this. */
const FIRST_MS = 4_000;

export class Media {
  /** @param {MediaEars} ears @param {MediaDevices | undefined} devices */
  constructor(ears, devices = navigator.mediaDevices) {
    this.#ears = ears;
    this.#devices = devices;
  }

  #ears;
  #devices;
  /** @type {Map<string, Call>} */
  #calls = new Map();
  /** @type {WeakMap<Connection, Lines>} */
  #lines = new WeakMap();
  /** @type {MediaStream | null} */
  own = null;
  /** @type {Promise<MediaStream> | null} */
  #opening = null;

  /** @param {Person} person @returns {CallState} */
  state({ key }) {
    return this.#calls.get(key)?.state ?? 'none';
  }

  get calls() {
    return [...this.#calls.values()];
  }

  /** Asks somebody for a call. Rejects where there is no camera to be had. @param {Person} person @param {boolean} video */
  async ask(person, video) {
    if (this.#calls.has(person.key) || !person.connection) return;
    const id = crypto.randomUUID();
    const call = this.#begin(person, id, 'asking', video);
    try {
      await this.#open(video);
    } catch (error) {
      this.#drop(call, '');
      throw error;
    }
    // Meanwhile it may have been called off, or have gone.
    if (this.#calls.get(person.key) !== call) return this.#rest();
    this.#tell(call, 'ask', { video });
    setTimeout(() => call.state === 'asking' && this.hangUp(person, 'No answer'), RING_MS);
  }

  /** Says yes, with our own camera or only looking. @param {Person} person @param {boolean} showing */
  async accept(person, showing) {
    const call = this.#calls.get(person.key);
    if (call?.state !== 'ringing') return;
    if (showing) await this.#open(call.video);
    if (this.#calls.get(person.key) !== call || call.state !== 'ringing') return this.#rest();
    this.#tell(call, 'yes');
    this.#start(call, showing ? 'then' : 'never');
  }

  /** @param {Person} person */
  decline(person) {
    const call = this.#calls.get(person.key);
    if (!call) return;
    this.#tell(call, 'no');
    this.#drop(call, '');
  }

  /** @param {Person} person @param {string} [why] */
  hangUp(person, why = 'Call ended') {
    const call = this.#calls.get(person.key);
    if (!call) return;
    this.#tell(call, 'end');
    this.#drop(call, why);
  }

  /** The connection is gone, and the call with it. @param {Person} person */
  lost({ key }) {
    const call = this.#calls.get(key);
    if (call) this.#drop(call, 'The call ended with the connection');
  }

  /** Takes what is ours to take, and says whether it was. @param {Person} person @param {any} data */
  take(person, data) {
    if (data?.t !== 'call' || typeof data.id !== 'string') return false;
    const call = this.#calls.get(person.key);
    if (data.act === 'ask') {
      if (call?.state === 'asking') {
        // Both asked at once, so both want it: the smaller number is the one that counts.
        const theirs = data.id < call.id;
        if (theirs) call.id = data.id;
        this.#tell(call, 'yes');
        this.#start(call, theirs ? 'then' : 'first');
      } else if (!call) {
        const ringing = this.#begin(person, data.id.slice(0, 64), 'ringing', data.video === true);
        setTimeout(() => ringing.state === 'ringing' && this.#calls.get(person.key) === ringing && this.#drop(ringing, 'Missed call'), RING_MS);
      }
    } else if (call?.id !== data.id) {
      // A word about a call that is over.
    } else if (call && data.act === 'yes' && call.state === 'asking') {
      this.#start(call, 'first');
    } else if (call && data.act === 'no' && call.state === 'asking') {
      this.#drop(call, `${person.name} would rather not now`);
    } else if (call && data.act === 'end') {
      this.#drop(call, call.state === 'ringing' ? 'Missed call' : `${person.name} hung up`);
    }
    return true;
  }

  /** A track came: it is shown only where there is a call. @param {Person} person @param {MediaStreamTrack} track */
  track(person, track) {
    const call = this.#calls.get(person.key);
    const lines = this.#of(person);
    // The track may overtake the yes, which goes another way.
    if (!call || call.state === 'ringing' || !lines) return track.stop();
    lines.remote = [...lines.remote.filter(({ readyState }) => readyState === 'live'), track];
    call.remote.addTrack(track);
    if (call.owes) this.#send(call);
    return this.#ears.changed(call);
  }

  /** Whether our own sound or picture goes out. @param {'audio' | 'video'} kind */
  sends(kind) {
    return this.#tracks(kind).some(({ enabled }) => enabled);
  }

  /** @param {'audio' | 'video'} kind */
  toggle(kind) {
    for (const track of this.#tracks(kind)) track.enabled = !track.enabled;
    this.#ears.own();
  }

  /** @param {'audio' | 'video'} kind */
  has(kind) {
    return this.#tracks(kind).length > 0;
  }

  /** @param {'audio' | 'video'} kind */
  #tracks(kind) {
    return this.own?.getTracks().filter((track) => track.kind === kind) ?? [];
  }

  /** @param {Person} person @param {string} id @param {CallState} state @param {boolean} video */
  #begin(person, id, state, video) {
    /** @type {Call} */
    const call = { person, id, state, video, remote: new MediaStream(), owes: false };
    this.#calls.set(person.key, call);
    this.#ears.changed(call);
    return call;
  }

  /** @param {Call} call @param {'first' | 'then' | 'never'} sending */
  #start(call, sending) {
    call.state = 'on';
    const known = this.#of(call.person)?.remote.filter(({ readyState }) => readyState === 'live') ?? [];
    for (const track of known) call.remote.addTrack(track);
    call.owes = sending === 'then';
    // What stood before needs no agreement, so nobody has to be first.
    if (sending === 'first' || (call.owes && known.length)) this.#send(call);
    else if (call.owes) setTimeout(() => call.owes && call.state === 'on' && this.#send(call), FIRST_MS);
    this.#ears.changed(call);
  }

  /** @param {Call} call */
  #send(call) {
    call.owes = false;
    const { connection } = call.person;
    const lines = this.#of(call.person);
    if (!this.own || !lines || !connection) return;
    for (const track of this.own.getTracks()) {
      const sender = lines.senders.get(track.kind);
      if (sender) void sender.replaceTrack(track);
      else lines.senders.set(track.kind, connection.addTrack(track, this.own));
    }
  }

  /** @param {Person} person */
  #of({ connection }) {
    if (!connection) return null;
    /** @type {Lines} */
    const lines = this.#lines.get(connection) ?? { senders: new Map(), remote: [] };
    this.#lines.set(connection, lines);
    return lines;
  }

  /** @param {Call} call @param {string} why */
  #drop(call, why) {
    if (this.#calls.get(call.person.key) !== call) return;
    this.#calls.delete(call.person.key);
    call.state = 'none';
    const { connection } = call.person;
    if (connection && connection.state !== 'closed') for (const sender of this.#of(call.person)?.senders.values() ?? []) void sender.replaceTrack(null);
    this.#rest();
    this.#ears.ended(call, why);
  }

  /** The camera's light goes out as soon as nobody is looking. */
  #rest() {
    if (this.calls.some(({ state }) => state === 'asking' || state === 'on') || !this.own) return;
    for (const track of this.own.getTracks()) track.stop();
    this.own = null;
    this.#ears.own();
  }

  /** @param {boolean} video */
  async #open(video) {
    if (!this.#devices?.getUserMedia) throw new DOMException('', 'NotFoundError');
    if (this.own && (!video || this.has('video'))) return;
    const devices = this.#devices;
    const picture = video && { width: { ideal: 1280 }, height: { ideal: 720 } };
    this.#opening ??= devices.getUserMedia({ audio: true, video: picture }).catch((error) => {
      // Without a camera a voice is better than nothing.
      if (!video || error.name !== 'NotFoundError') throw error;
      return devices.getUserMedia({ audio: true });
    });
    try {
      const opened = await this.#opening;
      if (this.own !== opened) {
        for (const track of this.own?.getTracks() ?? []) track.stop();
        this.own = opened;
      }
      this.#ears.own();
    } finally {
      this.#opening = null;
    }
  }

  /** @param {Call} call @param {string} act @param {object} [more] */
  #tell({ person, id }, act, more = {}) {
    person.connection?.send({ t: 'call', act, id, ...more }).catch(() => {
      // Without a connection there is no call, and its end is heard by itself.
    });
  }
}
