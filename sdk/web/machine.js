// One client of `spec/protocol.md` as a pure machine: it is told what happened and when, and says what to do.
// No clock, no sockets, no randomness but the one handed in. `client.js` is its driver; `outbox.js` keeps its requests.

import { advice, codeName } from './advice.js';
import { Outbox } from './outbox.js';
import { isMeant } from './place.js';
import { TIMES } from './terms.js';

/**
 * @import { Frame, Hello, Input, Output, Server, Status } from './terms.js'
 */

/** The internal request that asks whether a server is there. */
const CHECK = Symbol('check');

export class Machine {
  /**
   * @param {{ servers: Server[], hello?: Hello, proves?: boolean, random: () => number, times?: Partial<typeof TIMES> }} config
   */
  constructor({ servers, hello = {}, proves = false, random, times = {} }) {
    this.servers = servers;
    this.hello = { ...hello };
    this.proves = proves;
    this.times = { ...TIMES, ...times };
    this.outbox = new Outbox();
    /** @type {Status} */
    this.status = { state: 'idle' };
    /** How many counted messages of the session were taken in. */
    this.seen = 0;
    /** @type {{ token: string, server: string } | null} */
    this.session = null;
    this.#random = random;
  }

  #random;
  /** How many of them the server was told of, or knows by itself. */
  #told = 0;
  #now = 0;
  /** @type {Output[]} */
  #out = [];
  #sockets = 0;
  /** Sockets that have not said `challenge`. @type {Map<number, { server: number, since: number, home: boolean }>} */
  #contenders = new Map();
  /** The socket that has. @type {{ socket: number, server: number, since: number, open: boolean, heard: number, name: string, nonce: string } | null} */
  #current = null;
  /** Which server is next, how many were tried in this round, and how many rounds there were. */
  #turn = 0;
  #tried = 0;
  #rounds = 0;
  #next = Infinity;
  #home = Infinity;
  #homeTurn = 0;
  #notBefore = 0;
  #checking = false;
  /** What is to be asked again of a fresh session. @type {Map<string, { id: { standing: string }, frame: Frame }>} */
  #standing = new Map();

  /**
   * @param {number} now milliseconds of a clock that never goes back
   * @param {Input} input
   * @returns {Output[]}
   */
  handle(now, input) {
    this.#now = Math.max(now, this.#now);
    this.#out = [];
    switch (input.type) {
      case 'open':
        // Without any server it stays idle.
        if (this.servers.length && (this.status.state === 'idle' || this.status.state === 'stopped')) this.#begin();
        break;
      case 'close':
        this.#end();
        break;
      case 'text':
        this.#text(input.socket, input.text);
        break;
      case 'lost':
        this.#lost(input.socket, input.code ?? 0, input.reason);
        break;
      case 'proved':
        if (input.socket === this.#current?.socket && !this.#current.open) this.#greet(input);
        break;
      case 'request':
        this.#request(input);
        break;
      case 'forget':
        this.outbox.forget(input.id);
        break;
      case 'stand':
        this.#standing.set(input.key, { id: { standing: input.key }, frame: input.frame });
        break;
      case 'unstand':
        this.outbox.forget(this.#standing.get(input.key)?.id ?? null);
        this.#standing.delete(input.key);
        break;
      case 'device':
        this.hello.device = input.device;
        this.session = null;
        break;
      case 'nudge':
        this.#nudge();
        break;
      case 'check':
        this.#check();
        break;
      case 'tick':
        break;
    }
    this.#due();
    this.#flush();
    return this.#out;
  }

  /** When to say `tick` at the latest; Infinity if there is no need. */
  deadline() {
    let first = Math.min(this.#next, this.#home);
    for (const { since } of this.#contenders.values()) {
      first = Math.min(first, since + this.times.handshake);
      if (this.#hedges() && since + this.times.hedge > this.#now) first = Math.min(first, since + this.times.hedge);
    }
    const current = this.#current;
    if (!current) return first;
    if (!current.open) return Math.min(first, current.since + this.times.handshake);
    if (!this.#checking) first = Math.min(first, current.heard + this.times.quiet);
    return Math.min(first, this.outbox.deadline());
  }

  #begin() {
    this.#rounds = 0;
    this.#tried = 0;
    this.#turn = 0;
    this.#notBefore = 0;
    this.#connect(0, false);
    this.#say({ state: 'connecting', server: this.servers[0]?.url });
  }

  #end() {
    if (this.#current?.open) this.#out.push({ type: 'send', socket: this.#current.socket, text: '{"type":"bye"}' });
    this.#stop({ state: 'idle' });
    this.#standing.clear();
  }

  /** @param {Status} status */
  #stop(status) {
    for (const socket of this.#contenders.keys()) this.#out.push({ type: 'disconnect', socket });
    this.#contenders.clear();
    if (this.#current) this.#out.push({ type: 'disconnect', socket: this.#current.socket });
    this.#current = null;
    this.session = null;
    this.seen = 0;
    this.#next = this.#home = Infinity;
    this.#checking = false;
    this.#give(this.outbox.drain().map((id) => ({ id, reason: status.why ?? 'closed' })));
    this.#say(status);
  }

  /** @param {number} server @param {boolean} home */
  #connect(server, home) {
    const socket = (this.#sockets += 1);
    this.#contenders.set(socket, { server, since: this.#now, home });
    this.#next = Infinity;
    if (!home) {
      this.#turn = (server + 1) % this.servers.length;
      this.#tried += 1;
    }
    this.#out.push({ type: 'connect', socket, url: this.servers[server]?.url ?? '' });
  }

  /** Whether another server may be tried beside those that do not answer. */
  #hedges() {
    return !this.#current && this.#tried < this.servers.length;
  }

  /** @param {number} socket @param {string} text */
  #text(socket, text) {
    /** @type {Frame | null} */
    let frame = null;
    try {
      frame = JSON.parse(text);
    } catch {
      // Counted like any other message, if it has to be.
    }
    const good = typeof frame?.type === 'string' ? frame : null;
    if (this.#contenders.has(socket)) this.#challenged(socket, good);
    else if (socket !== this.#current?.socket) return;
    else if (this.#current.open) this.#counted(good);
    else if (good?.type === 'welcome') this.#welcomed(good);
    else if (good?.type === 'error') this.#drop(Number(good.code) || 0, good.name, good.retry_after, good.message);
  }

  /** @param {number} socket @param {Frame | null} frame */
  #challenged(socket, frame) {
    const { server = 0 } = this.#contenders.get(socket) ?? {};
    const refuse = (/** @type {number} */ code, /** @type {string} */ message, /** @type {number} */ retryAfter = 0) => {
      this.#out.push({ type: 'fault', code, message }, { type: 'disconnect', socket });
      this.#lost(socket, code, undefined, retryAfter);
    };
    if (frame?.type === 'error') return refuse(Number(frame.code) || 0, String(frame.message || frame.name), frame.retry_after);
    if (frame?.type !== 'challenge' || typeof frame.nonce !== 'string' || typeof frame.server !== 'string') {
      return refuse(1002, 'the server did not begin with a challenge');
    }
    if (!Array.isArray(frame.versions) || !frame.versions.includes('wigwag.1')) {
      return refuse(4303, `the server speaks ${frame.versions}, and this client speaks wigwag.1`);
    }
    const { server: name, nonce } = frame;
    const meant = this.servers[server];
    if (this.proves && meant && !isMeant(meant, name)) {
      return refuse(1002, `the server at ${meant.url} calls itself ${name}; a signature for another server is not given`);
    }
    // The first that answers has it. A socket that is open gives way only here, so that there is no gap.
    this.#contenders.delete(socket);
    for (const other of this.#contenders.keys()) this.#out.push({ type: 'disconnect', socket: other });
    this.#contenders.clear();
    if (this.#current) {
      this.#out.push({ type: 'disconnect', socket: this.#current.socket });
      this.#outboxClosed();
    }
    this.#checking = false;
    this.#home = Infinity;
    this.#current = { socket, server, since: this.#now, open: false, heard: this.#now, name, nonce };
    if (this.proves) this.#out.push({ type: 'prove', socket, server: name, nonce });
    else this.#greet({});
  }

  /** @param {{ key?: string, signature?: string }} proof */
  #greet({ key, signature }) {
    const current = this.#current;
    if (!current) return;
    const { namespace, id, device } = this.hello;
    const resume = this.session?.server === current.name ? { token: this.session.token, seen: this.seen } : undefined;
    const text = JSON.stringify({
      type: 'hello', version: 1, namespace, key, id: key ? id : undefined, device: device || undefined, signature, resume,
    });
    this.#out.push({ type: 'send', socket: current.socket, text });
  }

  /** @param {Frame} frame */
  #welcomed(frame) {
    const current = this.#current;
    if (!current) return;
    const resumed = frame.resumed === true;
    const missed = resumed ? Number(frame.missed) || 0 : 0;
    this.#told = this.seen = resumed ? this.seen + missed : 0;
    const lost = !resumed && this.session !== null;
    this.session = { token: String(frame.resume), server: current.name };
    current.open = true;
    current.since = current.heard = this.#now;
    this.#tried = 0;
    this.#turn = 0;
    if (current.server > 0) this.#homeward();
    const n = Number.isSafeInteger(frame.n) ? Number(frame.n) : -1;
    this.#give(this.outbox.opened(this.#now, frame.limits ?? {}, { resumed, missed, n }));
    this.#out.push({ type: 'welcome', frame, lost });
    // What is missing is asked for again; so is everything where the session is another one.
    const again = resumed && !missed ? [] : [...this.#standing.values()].filter(({ frame: { type } }) => !resumed || RENEWS.has(type));
    for (const { id } of again) this.outbox.forget(id);
    this.outbox.addFirst(again);
    this.#say({ state: 'open', server: this.servers[current.server]?.url });
  }

  /** @param {Frame | null} frame */
  #counted(frame) {
    this.seen += 1;
    if (this.#current) this.#current.heard = this.#now;
    if (!frame) return;
    const asked = typeof frame.re === 'number' ? this.outbox.answered(frame.re) : undefined;
    if (asked?.id === CHECK) this.#checking = false;
    else if (asked && asked.id !== null) this.#out.push({ type: 'answer', id: asked.id, frame });
    else if (!asked) this.#out.push({ type: 'event', frame });
  }

  /** Gives the socket up. @param {number} code @param {string} [why] @param {number} [retryAfter] @param {string} [message] */
  #drop(code, why, retryAfter, message) {
    const socket = this.#current?.socket;
    if (socket === undefined) return;
    this.#out.push({ type: 'disconnect', socket });
    this.#lost(socket, code, why, retryAfter, message);
  }

  /** @param {number} socket @param {number} code @param {string} [why] @param {number} [retryAfter] @param {string} [message] */
  #lost(socket, code, why, retryAfter = 0, message) {
    const contender = this.#contenders.get(socket);
    this.#contenders.delete(socket);
    const current = socket === this.#current?.socket ? this.#current : null;
    if (!contender && !current) return;
    // Home is not there yet, and where we are is good enough.
    if (contender?.home && this.#current) return this.#homeward();
    if (current) {
      this.#outboxClosed();
      this.#current = null;
      this.#checking = false;
      this.#home = Infinity;
      if (current.open && this.#now - current.since >= this.times.good) this.#rounds = 0;
    }
    const what = advice(code);
    const name = codeName(code, why);
    if (what === 'stop' || what === 'prove') {
      // One server that does not want us is no reason to leave the others alone, if it was never ours.
      const exhausted = !this.#contenders.size && this.#tried >= this.servers.length;
      if (current?.open || exhausted) return this.#stop({ state: 'stopped', code, why: name });
    }
    if (what === 'mend') this.#out.push({ type: 'fault', code, message: message ?? `the connection ended with ${code} ${name}` });
    // A server that restarts loses all its clients at once: where it is the only one, they come back well spread.
    const alone = (code === 4000 || code === 1012) && this.servers.length === 1;
    if (what === 'slow' || alone) this.#rounds = Math.max(this.#rounds, 3);
    this.#notBefore = Math.max(this.#notBefore, this.#now + retryAfter);
    if (current?.open) this.#tried = 0;
    if (!this.#contenders.size) return this.#wait(code, name, current?.open === true);
    const { server = 0 } = [...this.#contenders.values()].at(-1) ?? {};
    if (current?.open) this.#say({ state: 'connecting', server: this.servers[server]?.url, code, why: name });
  }

  /** Chooses the time of the next try. @param {number} code @param {string} why @param {boolean} wasOpen */
  #wait(code, why, wasOpen) {
    const within = (/** @type {number} */ span) => this.#random() * span;
    let at = this.#now;
    if (!wasOpen && this.#tried > 0 && this.#tried < this.servers.length) {
      at += within(this.times.backoff / 2);
    } else {
      if (!wasOpen) this.#rounds += 1;
      this.#tried = 0;
      this.#turn = 0;
      // With a second server to go to, the first try need not be spread as widely.
      const doublings = this.#rounds + (this.servers.length > 1 ? 0 : 1);
      const span = Math.min(this.times.backoffMax, this.times.backoff * 2 ** Math.min(doublings, 16));
      at += within(span);
    }
    if (this.#notBefore > this.#now) at = this.#notBefore + within(this.times.backoff);
    this.#next = at;
    this.#say({ state: 'waiting', server: this.servers[this.#turn]?.url, until: at, code, why });
  }

  #homeward() {
    if (this.#current) this.#home = this.#now + this.times.home * (0.5 + this.#random() / 2);
  }

  /** Things may have become better: the network is back, or somebody looks at the page. */
  #nudge() {
    if (this.#current?.open) return this.#check();
    const soon = Math.max(this.#now + this.#random() * this.times.backoff, this.#notBefore);
    if (this.#next !== Infinity && this.#next > soon) {
      this.#next = soon;
      this.#say({ ...this.status, until: soon });
    }
  }

  #check() {
    if (!this.#current?.open || this.#checking) return;
    this.#checking = true;
    // Even where much waits: there is one of these at a time.
    this.outbox.addFirst([{ id: CHECK, frame: { type: 'seen', seen: this.seen }, again: false, patience: this.times.check }]);
  }

  /** Requests outlive their socket, but a sign of life is one socket's affair. */
  #outboxClosed() {
    this.outbox.closed();
    this.outbox.forget(CHECK);
  }

  /** @param {Extract<Input, { type: 'request' }>} input */
  #request({ id, frame, again, quiet }) {
    const { state, why } = this.status;
    if (state === 'idle' || state === 'stopped') return this.#give([{ id, reason: why ?? 'closed' }]);
    if (quiet && !this.#current?.open) return this.#give([{ id, reason: 'offline' }]);
    const refused = this.outbox.add(id, frame, { again, quiet });
    if (refused) this.#give([{ id, reason: refused }]);
  }

  /** What time has brought. */
  #due() {
    for (const [socket, { since }] of [...this.#contenders]) {
      if (since + this.times.handshake > this.#now) continue;
      this.#out.push({ type: 'disconnect', socket });
      this.#lost(socket, 0, 'silent');
    }
    const youngest = Math.max(...[...this.#contenders.values()].map(({ since }) => since), -Infinity);
    if (this.#contenders.size && this.#hedges() && youngest + this.times.hedge <= this.#now) this.#connect(this.#turn, false);
    const current = this.#current;
    if (current && !current.open && current.since + this.times.handshake <= this.#now) this.#drop(0, 'silent');
    if (current?.open && current.heard + this.times.quiet <= this.#now) this.#check();
    if (this.#current?.open) {
      const { given, dead } = this.outbox.late(this.#now);
      this.#give(given);
      if (dead) this.#drop(0, 'silent');
    }
    if (this.#next <= this.#now) {
      this.#connect(this.#turn, false);
      this.#say({ state: 'connecting', server: this.servers[this.#turn === 0 ? this.servers.length - 1 : this.#turn - 1]?.url });
    }
    if (this.#current && this.#home <= this.#now) {
      this.#home = Infinity;
      this.#homeTurn = (this.#homeTurn + 1) % this.#current.server;
      this.#connect(this.#homeTurn, true);
    }
  }

  #flush() {
    if (!this.#current?.open) return;
    const { texts, given, said } = this.outbox.flush(this.#now, this.seen > this.#told ? this.seen : 0);
    if (said) this.#told = this.seen;
    for (const text of texts) this.#out.push({ type: 'send', socket: this.#current.socket, text });
    this.#give(given);
  }

  /** @param {{ id: unknown, reason: string }[]} given */
  #give(given) {
    for (const { id, reason } of given) {
      if (id === CHECK) this.#checking = false;
      else if (id !== null) this.#out.push({ type: 'given', id, reason });
    }
  }

  /** @param {Status} status */
  #say(status) {
    this.status = status;
    this.#out.push({ type: 'status', status });
  }
}

/** Standing requests whose answer is the whole present state. */
const RENEWS = new Set(['room.join', 'network.join', 'watch']);
