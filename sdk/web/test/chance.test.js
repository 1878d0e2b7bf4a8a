// The machine against a model of a server, under seeded chance: lost sockets, lost welcomes, late frames, restarts with and without memory.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Machine } from '../machine.js';
import { seeded } from './seeded.js';

const SEEDS = Number(process.env.SEEDS ?? 400);

test(`in ${SEEDS} worlds no answer comes twice or to the wrong request, and every request ends`, () => {
  const ends = { answered: 0, unknown: 0 };
  for (let seed = 1; seed <= SEEDS; seed += 1) new World(seed).run(ends);
  assert.ok(ends.answered > ends.unknown * 3, `most are answered: ${JSON.stringify(ends)}`);
});

test('ten thousand clients of a server that fails do not come back in one moment', () => {
  // At the worst, each comes back once in the first second; what a server sees when it is back after some seconds is far less.
  for (const [code, downFor, first, later] of [[0, 5_000, 11_000, 3_000], [4000, 3_000, 3_000, 3_000], [1001, 0, 9_500, 1_500]]) {
    const crowd = new Crowd(10_000, [{ url: 'wss://a.test/v1' }]);
    const { rates, done } = crowd.fail({ code, downFor, perSecond: Infinity });
    assert.ok(Math.max(...rates) <= first, `${code}: ${rates}`);
    const back = Math.max(1, Math.ceil(downFor / 1_000));
    assert.ok(Math.max(...rates.slice(back)) <= later, `${code} once it is back: ${rates}`);
    assert.ok(done <= 60, `${code}: all are back after ${done} s`);
  }
});

test('a server that can greet few at a time is not buried by those it turns away', () => {
  const crowd = new Crowd(10_000, [{ url: 'wss://a.test/v1' }]);
  const { rates, done } = crowd.fail({ code: 4000, downFor: 2_000, perSecond: 300 });
  assert.ok(Math.max(...rates.slice(10)) <= 1_500, `after ten seconds: ${rates}`);
  assert.ok(done <= 300, `all are back after ${done} s`);
});

test('ten thousand clients of a server that is gone for good are at the next one soon, and spread', () => {
  const crowd = new Crowd(10_000, [{ url: 'wss://a.test/v1' }, { url: 'wss://b.test/v1' }]);
  const { rates, done } = crowd.fail({ code: 0, downFor: Infinity, perSecond: Infinity });
  assert.ok(Math.max(...rates) <= 20_000 && done <= 2, `${done} s: ${rates}`);
});

/** One machine, one model of a server, and the frames between them. */
class World {
  #now = 0;
  #random;
  #machine;
  /** Sockets by number: what is on its way to the client, and whether the server thinks it proved. */
  #sockets = new Map();
  #session = null;
  #asked = new Map();
  #told = 0;
  #heard = 0;
  #asks = 0;
  #tokens = 0;

  constructor(seed) {
    this.#random = seeded(seed);
    this.#machine = new Machine({ servers: [{ url: 'wss://a.test/v1' }], random: this.#random });
    this.seed = seed;
  }

  run(ends) {
    this.#tell({ type: 'open' });
    for (let step = 0; step < 300; step += 1) this.#step(true);
    for (let step = 0; step < 2_000 && [...this.#asked.values()].some((end) => end === null); step += 1) this.#step(false);
    for (const [id, end] of this.#asked) {
      assert.ok(end !== null, `seed ${this.seed}: request ${id} never ended`);
      ends[end] += 1;
    }
  }

  #step(faults) {
    const chance = this.#random();
    const sockets = [...this.#sockets.keys()];
    const socket = sockets[Math.floor(this.#random() * sockets.length)];
    if (faults && chance < 0.03 && socket) this.#cut(socket);
    else if (faults && chance < 0.04) this.#restart();
    else if (faults && chance < 0.25) this.#ask();
    else if (faults && chance < 0.35) this.#event();
    else if (socket && this.#sockets.get(socket).length && chance < 0.9) this.#arrive(socket);
    else this.#wait();
  }

  #ask() {
    const id = (this.#asks += 1);
    this.#asked.set(id, null);
    this.#tell({ type: 'request', id, frame: { type: 'signal', id }, again: id % 3 === 0 });
  }

  /** The server tells this session something of its own. */
  #event() {
    if (this.#session) this.#count({ type: 'published', number: (this.#told += 1) });
  }

  #count(frame) {
    this.#session.frames.push(frame);
    if (this.#session.socket) this.#sockets.get(this.#session.socket).push(frame);
  }

  #arrive(socket) {
    const frame = this.#sockets.get(socket).shift();
    this.#tell({ type: 'text', socket, text: JSON.stringify(frame) });
  }

  /** A wire is cut: what was on its way is gone, and the client hears of it now or when its patience ends. */
  #cut(socket) {
    this.#sockets.delete(socket);
    if (this.#session?.socket === socket) this.#session.socket = 0;
    if (this.#random() < 0.8) this.#tell({ type: 'lost', socket });
  }

  #restart() {
    for (const socket of [...this.#sockets.keys()]) this.#cut(socket);
    if (this.#random() < 0.5) this.#session = null;
  }

  #wait() {
    const due = this.#machine.deadline();
    const most = Number.isFinite(due) ? Math.max(0, due - this.#now) : 1_000;
    this.#now += this.#random() < 0.5 ? most : Math.min(most, this.#random() * 500);
    this.#tell({ type: 'tick' });
  }

  #tell(input) {
    for (const output of this.#machine.handle(this.#now, input)) this.#take(output);
    assert.ok(this.#machine.deadline() > this.#now, `seed ${this.seed}: nothing stays due`);
  }

  #take(output) {
    if (output.type === 'connect') this.#sockets.set(output.socket, [{ type: 'challenge', nonce: 'n'.repeat(16), server: 'a.test', versions: ['wigwag.1'] }]);
    else if (output.type === 'disconnect') this.#close(output.socket);
    else if (output.type === 'send' && this.#sockets.has(output.socket)) this.#receive(output.socket, JSON.parse(output.text));
    else if (output.type === 'answer') {
      assert.equal(output.frame.id, output.id, `seed ${this.seed}: an answer to another request`);
      this.#end(output.id, 'answered');
    } else if (output.type === 'given') this.#end(output.id, output.reason);
    else if (output.type === 'event' && output.frame.type === 'published') {
      assert.ok(output.frame.number > this.#heard, `seed ${this.seed}: ${output.frame.number} after ${this.#heard}`);
      this.#heard = output.frame.number;
    }
  }

  #close(socket) {
    this.#sockets.delete(socket);
    if (this.#session?.socket === socket) this.#session.socket = 0;
  }

  #end(id, how) {
    assert.equal(this.#asked.get(id), null, `seed ${this.seed}: request ${id} ended twice`);
    this.#asked.set(id, how);
  }

  /** What the server does about a frame. */
  #receive(socket, frame) {
    if (frame.type === 'hello') return this.#hello(socket, frame);
    if (this.#session?.socket !== socket) return;
    assert.ok(frame.n > this.#session.n, `seed ${this.seed}: n ${frame.n} after ${this.#session.n}`);
    this.#session.n = frame.n;
    this.#count({ type: frame.type === 'seen' ? 'done' : 'ack', re: frame.n, id: frame.id });
  }

  #hello(socket, { resume }) {
    const session = this.#session;
    const known = session && resume && session.tokens.includes(resume.token) && resume.seen <= session.frames.length;
    if (known) {
      if (session.socket) this.#sockets.delete(session.socket);
      // A queue is bounded: sometimes the oldest messages had to go.
      const missed = this.#random() < 0.2 ? Math.floor(this.#random() * (session.frames.length - resume.seen + 1)) : 0;
      session.socket = socket;
      const token = this.#token();
      session.tokens.push(token);
      const n = session.n < 0 ? undefined : session.n;
      this.#sockets.get(socket).push({ type: 'welcome', resumed: true, resume: token, missed, n }, ...session.frames.slice(resume.seen + missed));
    } else {
      if (session?.socket) this.#sockets.delete(session.socket);
      const token = this.#token();
      this.#session = { socket, frames: [], n: -1, tokens: [token] };
      this.#sockets.get(socket).push({ type: 'welcome', resumed: false, resume: token });
    }
  }

  #token() {
    return `t${(this.#tokens += 1)}`;
  }
}

/** Many machines, and a server that fails for all of them at once. */
class Crowd {
  constructor(count, servers) {
    this.servers = servers;
    this.clients = Array.from({ length: count }, (_, at) => {
      const machine = new Machine({ servers, random: seeded(at + 1) });
      const [connect] = machine.handle(0, { type: 'open' });
      welcome(machine, 0, connect.socket, servers[0].url);
      return { machine, socket: connect.socket };
    });
  }

  /** The attempts per second after the failure, and the second in which the last client was back. */
  fail({ code, downFor, perSecond }) {
    const start = 60_000;
    const rates = [];
    /** @type {Map<number, typeof this.clients>} by the tenth of a second in which they are due */
    const due = new Map();
    const plan = (client) => {
      const slot = Math.ceil(Math.max(client.machine.deadline(), start) / 100);
      if (!due.has(slot)) due.set(slot, []);
      due.get(slot).push(client);
    };
    for (const client of this.clients) {
      client.machine.handle(start, { type: 'lost', socket: client.socket, code });
      plan(client);
    }
    let missing = this.clients.length;
    let greeted = 0;
    let second = 0;
    for (let slot = start / 100; missing > 0 && second < 600; slot += 1) {
      const now = slot * 100;
      if (Math.floor((now - start) / 1_000) !== second) [second, greeted] = [Math.floor((now - start) / 1_000), 0];
      for (const client of due.get(slot) ?? []) {
        const connect = client.machine.handle(now, { type: 'tick' }).find(({ type }) => type === 'connect');
        if (connect) {
          rates[second] = (rates[second] ?? 0) + 1;
          const up = now - start >= downFor || connect.url !== this.servers[0].url;
          if (up && greeted < perSecond) {
            greeted += 1;
            missing -= 1;
            welcome(client.machine, now, connect.socket, connect.url);
            continue;
          }
          client.machine.handle(now, { type: 'lost', socket: connect.socket });
        }
        plan(client);
      }
      due.delete(slot);
    }
    return { rates: Array.from(rates, (rate) => rate ?? 0), done: second };
  }
}

function welcome(machine, now, socket, url) {
  const challenge = { type: 'challenge', nonce: 'n'.repeat(16), server: new URL(url).hostname, versions: ['wigwag.1'] };
  machine.handle(now, { type: 'text', socket, text: JSON.stringify(challenge) });
  machine.handle(now, { type: 'text', socket, text: '{"type":"welcome","resume":"t","resumed":false}' });
  assert.equal(machine.status.state, 'open');
}
