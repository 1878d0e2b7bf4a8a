// The transcripts of `spec/vectors`, seen from the other end: the machine is each of the clients, and the transcript is the server.
// Hellos, counts, numbers and the order of requests must be what the transcript says a client sent.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { advice } from '../advice.js';
import { Machine } from '../machine.js';
import { Bindings, testKey, transcripts, vectors } from './vectors.js';

for (const transcript of transcripts()) {
  test(`${transcript.name}: ${transcript.about}`, () => {
    const play = new Play(transcript);
    transcript.steps.forEach((step, at) => play.step(step, at));
    assert.ok(play.hellos > 0, 'a machine said hello');
  });
}

const SAMPLES = Object.fromEntries(
  vectors('events.json').cases.filter(({ frame }) => frame).reverse().map(({ frame }) => [frame.type, frame]),
);

/** Refusals of frames that a client that follows the protocol never sends. */
const NEVER = [4205, 4400, 4413, 4414];

class Play {
  hellos = 0;
  #transcript;
  #names = new Bindings();
  #keys = new Map();
  #sockets = new Map();
  /** Clients by the tokens that they were given. */
  #tokens = new Map();

  constructor(transcript) {
    this.#transcript = transcript;
    for (const [name, n] of Object.entries(transcript.keys ?? {})) {
      const key = testKey(n);
      this.#keys.set(name, key);
      this.#names.bind(`key.${name}`, key.key);
      this.#names.bind(`id.${name}`, key.id);
    }
  }

  step(step, at) {
    if (step.open) this.#sockets.set(step.open, { name: step.open, challenge: null, client: null });
    else if (step.text !== undefined || step.wait || step.pong) return;
    else if (step.restart) [...this.#sockets.keys()].forEach((name) => this.#lose(name, 0));
    else if (step.drop) this.#lose(step.drop, 0);
    else if (step.closed) this.#lose(step.closed, step.code);
    else if (step.from) this.#from(step, at);
    else this.#to(step);
  }

  #from({ from, prove, frame }, at) {
    const socket = this.#sockets.get(from);
    if (frame.type === 'hello') return this.#hello(socket, prove, frame, at);
    const { client } = socket;
    if (!client?.open || client.socket !== socket) return;
    const { n, seen, ...wish } = this.#names.make(frame);
    if (wish.type === 'bye') return;
    if (wish.type === 'seen') wish.seen = seen;
    const refused = this.#transcript.steps.slice(at).find((step) => step.to === from && step.frame.re === n);
    if (n !== undefined && NEVER.includes(refused?.frame.code)) return;
    const out = client.tell({ type: 'request', id: n ?? 'quiet', frame: wish, quiet: n === undefined });
    const sent = out.filter(({ type }) => type === 'send').map(({ text }) => JSON.parse(text));
    assert.equal(sent.length, 1, `step ${at}: the request is sent at once`);
    if (n !== undefined) client.numbers.set(n, sent[0].n);
    const said = client.says(wish) ? { seen: client.machine.seen } : {};
    if (seen !== undefined && wish.type !== 'seen') assert.equal(said.seen, seen, `step ${at}`);
    assert.deepEqual(sent[0], { ...wish, ...(n === undefined ? {} : { n: sent[0].n }), ...said });
  }

  #hello(socket, prove, pattern, at) {
    if (socket.client?.open) return;
    const { resume, ...frame } = this.#names.make(pattern);
    if (frame.version === 2 || frame.key || frame.signature || (frame.id && !prove)) return;
    const before = resume ? this.#tokens.get(resume.token) : undefined;
    const key = this.#keys.get(prove);
    // A client that was told to stop, or that claims what it has not, is none of ours.
    if (before && (before.machine.status.state === 'stopped' || !before.inFlight(resume))) return;
    const client = before ?? new Client(this.#transcript.server?.name, frame, key !== undefined);
    if (resume && !before) return;
    const hello = client.connect(socket, this.#names.make(socket.challenge, SAMPLES.challenge), key);
    const { capabilities, ...expected } = { version: 1, ...frame, ...(key ? { key: key.key, signature: hello.signature } : {}) };
    if (before) expected.resume = resume;
    assert.deepEqual(hello, expected, `step ${at}`);
    this.hellos += 1;
  }

  #to({ to, frame: pattern }) {
    const socket = this.#sockets.get(to);
    if (pattern.type === 'challenge') {
      socket.challenge = pattern;
      return;
    }
    const { client } = socket;
    const frame = this.#names.make(pattern, SAMPLES[pattern.type]);
    if (frame.type === 'welcome') this.#tokens.set(frame.resume, client ?? undefined);
    if (!client || client.socket !== socket) return;
    if (!client.open && NEVER.includes(frame.code)) return;
    client.take(frame);
  }

  #lose(name, code) {
    const { client } = this.#sockets.get(name);
    if (client?.socket !== this.#sockets.get(name)) return;
    if (client.refused) assert.equal(client.refused, code);
    else client.lose(code);
  }
}

/** A machine, and what its wire still holds: frames are handed over when it is known whether they arrived. */
class Client {
  now = 0;
  open = false;
  numbers = new Map();
  refused = 0;
  #wire = [];
  #seen = 0;
  #told = 0;
  #token = '';

  constructor(name = 'wigwag.test', { namespace, id, device }, proves) {
    this.machine = new Machine({
      servers: [{ url: `wss://${name}/v1` }], hello: { namespace, id, device }, proves, random: () => 0.5,
    });
    this.pending = this.tell({ type: 'open' });
  }

  tell(input) {
    if (input.type === 'request' || input.type === 'close') this.#deliver(Infinity);
    return this.machine.handle(this.now, input);
  }

  /** Whether a request tells how much was seen: where that is more than the server was told. */
  says(wish) {
    const says = wish.type !== 'seen' && this.machine.seen > this.#told;
    if (says) this.#told = this.machine.seen;
    return says;
  }

  /** Waits until the machine wants a socket, gives it this one with its challenge, and returns its hello. */
  connect(socket, challenge, key) {
    let connect = this.pending.find(({ type }) => type === 'connect');
    while (!connect) {
      this.now = this.machine.deadline();
      assert.ok(Number.isFinite(this.now), 'the machine means to come back');
      connect = this.machine.handle(this.now, { type: 'tick' }).find(({ type }) => type === 'connect');
    }
    this.pending = [];
    this.number = connect.socket;
    this.socket = socket;
    this.refused = 0;
    socket.client = this;
    let out = this.machine.handle(this.now, { type: 'text', socket: this.number, text: JSON.stringify(challenge) });
    const prove = out.find(({ type }) => type === 'prove');
    if (prove) {
      const { namespace = '', id = key.id, device = '' } = this.machine.hello;
      const lines = ['wigwag.1 hello', prove.server, prove.nonce, namespace, id, device, key.key];
      out = this.tell({ type: 'proved', socket: this.number, key: key.key, signature: key.sign(lines.join('\n')) });
    }
    return JSON.parse(out.find(({ type }) => type === 'send').text);
  }

  take(frame) {
    this.#wire.push(frame);
    if (frame.type === 'welcome') this.open = true;
    if (frame.type !== 'error' || this.open) return;
    this.refused = frame.code;
    const out = this.#deliver(Infinity);
    assert.ok(out.some(({ type }) => type === 'disconnect'), 'after a refused hello the socket is given up');
    this.expectAfter(frame.code);
  }

  lose(code) {
    // Without a code the wire is cut, and only the next hello tells what had arrived.
    if (code) {
      this.#deliver(Infinity);
      this.pending = this.machine.handle(this.now, { type: 'lost', socket: this.number, code });
      this.expectAfter(code);
    }
    this.open = false;
    this.cut = !code;
  }

  expectAfter(code) {
    const { state } = this.machine.status;
    const stops = ['stop', 'prove'].includes(advice(code));
    assert.equal(state, stops ? 'stopped' : 'waiting', `after ${code}`);
  }

  /** The next hello says how much had arrived; the rest was lost with the wire. `false` if that cannot be. */
  inFlight({ token, seen }) {
    const welcome = this.#wire[0]?.type === 'welcome' ? this.#wire[0] : null;
    const fresh = welcome && token !== welcome.resume && this.#token === token;
    const base = welcome ? (welcome.resumed ? this.#seen + (welcome.missed ?? 0) : 0) : this.#seen;
    const held = this.#wire.length - (welcome ? 1 : 0);
    const count = fresh ? 0 : (welcome ? 1 : 0) + seen - base;
    const arrived = fresh ? this.#token : (welcome?.resume ?? this.#token);
    if (token !== arrived || (!fresh && (seen < base || seen - base > held))) return false;
    this.#deliver(count);
    this.#wire = [];
    if (this.cut || this.open) this.pending = this.machine.handle(this.now, { type: 'lost', socket: this.number });
    this.cut = false;
    this.open = false;
    return true;
  }

  #deliver(count) {
    const outputs = [];
    for (const frame of this.#wire.splice(0, count)) {
      const wasOpen = this.machine.status.state === 'open';
      const re = this.numbers.get(frame.re);
      this.numbers.delete(frame.re);
      // The answer to a frame that no machine sends has a number that no machine gave.
      const sent = frame.re === undefined ? frame : { ...frame, re: re ?? 1e9 + frame.re };
      const out = this.machine.handle(this.now, { type: 'text', socket: this.number, text: JSON.stringify(sent) });
      outputs.push(...out);
      if (frame.type === 'welcome') {
        this.#token = frame.resume;
        this.#told = this.machine.seen;
        assert.equal(this.machine.status.state, 'open');
        assert.deepEqual(out.find(({ type }) => type === 'welcome')?.frame, frame);
      } else if (wasOpen) {
        const kind = re === undefined ? 'event' : 'answer';
        assert.deepEqual(out.map(({ type, frame: told }) => [type, told]), [[kind, sent]]);
      }
      this.#seen = this.machine.seen;
    }
    return outputs;
  }
}
