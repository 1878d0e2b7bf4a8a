// What the machine promises, beyond what the transcripts show: order, numbers, patience, servers, and no storms.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Machine } from '../machine.js';
import { isMeant } from '../place.js';
import { TIMES } from '../terms.js';
import { seeded } from './seeded.js';

test('requests wait for the first socket and go out in order', () => {
  const client = new Driver();
  client.ask('a', { type: 'watch', ids: ['x'] });
  client.ask('b', { type: 'find', id: 'x' });
  client.welcome();
  assert.deepEqual(client.sent(), [{ type: 'watch', ids: ['x'], n: 1 }, { type: 'find', id: 'x', n: 2 }]);
});

test('what the server did not take in is sent again with its number, and before what is new', () => {
  const client = new Driver();
  client.welcome();
  client.ask('a', { type: 'signal', to: 'x' });
  client.ask('b', { type: 'signal', to: 'y' });
  client.sent();
  client.lose();
  client.ask('c', { type: 'signal', to: 'z' });
  client.welcome({ resumed: true, n: 1 });
  assert.deepEqual(client.sent().map(({ to, n }) => [to, n]), [['y', 2], ['z', 3]]);
  client.hear({ type: 'ack', re: 1, status: 'delivered' });
  client.hear({ type: 'ack', re: 2, status: 'delivered' });
  assert.deepEqual(client.answers(), ['a', 'b']);
});

test('a lost session gives up what may have been carried out and asks the rest again', () => {
  const client = new Driver();
  client.welcome();
  client.ask('signal', { type: 'signal', to: 'x' });
  client.ask('find', { type: 'find', id: 'x' }, { again: true });
  client.sent();
  client.lose();
  const out = client.welcome();
  assert.deepEqual(out.filter(({ type }) => type === 'given'), [{ type: 'given', id: 'signal', reason: 'unknown' }]);
  assert.equal(out.find(({ type }) => type === 'welcome').lost, true);
  assert.deepEqual(client.sent(), [{ type: 'find', id: 'x', n: 3 }]);
});

test('a fresh session is asked for everything that stands, and one that missed something for the rooms', () => {
  const client = new Driver();
  client.welcome();
  client.tell({ type: 'stand', key: 'room den', frame: { type: 'room.join', room: 'den' } });
  client.tell({ type: 'stand', key: 'topic news', frame: { type: 'subscribe', topics: ['news'] } });
  client.lose();
  client.welcome({ resumed: true, missed: 2 });
  assert.deepEqual(client.sent().map(({ type }) => type), ['room.join']);
  assert.equal(client.machine.seen, 2);
  client.lose();
  client.welcome();
  assert.deepEqual(client.sent().map(({ type }) => type), ['room.join', 'subscribe']);
  client.tell({ type: 'unstand', key: 'room den' });
  client.lose();
  client.welcome();
  assert.deepEqual(client.sent().map(({ type }) => type), ['subscribe']);
});

test('an answer that is late gives the socket up once, and the request the second time', () => {
  const client = new Driver();
  client.welcome();
  client.ask('a', { type: 'signal', to: 'x' });
  client.sleep(10_000);
  assert.equal(client.machine.status.state, 'waiting');
  client.welcome({ resumed: true, n: 1 });
  const out = client.sleep(10_000);
  assert.deepEqual(out.find(({ type }) => type === 'given'), { type: 'given', id: 'a', reason: 'unknown' });
  assert.equal(client.machine.status.state, 'open');
});

test('a server that is silent for long is asked for a sign of life, and given up without one', () => {
  const client = new Driver();
  client.welcome();
  client.sleep(TIMES.quiet);
  assert.deepEqual(client.sent(), [{ type: 'seen', seen: 0, n: 1 }]);
  client.hear({ type: 'done', re: 1 });
  client.sleep(TIMES.check);
  assert.equal(client.machine.status.state, 'open');
  client.sleep(TIMES.quiet);
  client.sleep(TIMES.check);
  assert.notEqual(client.machine.status.state, 'open');
});

test('a sign of life that an earlier socket owed says nothing about this one', () => {
  const client = new Driver();
  client.welcome();
  client.sleep(TIMES.quiet);
  client.sleep(TIMES.check);
  client.welcome({ resumed: true });
  client.sleep(TIMES.quiet);
  assert.ok(client.machine.deadline() > client.now, 'it has asked, and waits');
});

test('a network that is back, or a page that is looked at, ends a long wait', () => {
  const client = new Driver();
  client.welcome();
  for (let i = 0; i < 9; i += 1) client.lose();
  assert.ok(client.machine.status.until > client.now + 2_000);
  client.tell({ type: 'nudge' });
  assert.ok(client.machine.status.until <= client.now + TIMES.backoff);
});

test('no more frames go out than the server allows, and none is lost for it', () => {
  const client = new Driver();
  client.welcome({ limits: { frames_per_second: 10, frames_burst: 20 } });
  for (let i = 0; i < 60; i += 1) client.ask(i, { type: 'signal', to: 'x' });
  assert.equal(client.sent().length, 17);
  let all = 17;
  for (let second = 1; all < 60; second += 1) {
    client.sleep(1_000);
    for (let re = 1; re <= all; re += 1) client.hear({ type: 'ack', re, status: 'delivered' });
    all += client.sent().length;
    assert.ok(all <= 20 + 10 * second && second < 10);
  }
  assert.deepEqual(client.answers().slice(0, 3), [0, 1, 2]);
});

test('a request that is too large is given up, and the socket stays', () => {
  const client = new Driver();
  client.welcome({ limits: { frame_bytes: 100 } });
  const out = client.ask('a', { type: 'signal', data: 'ä'.repeat(60) });
  assert.deepEqual(out, [{ type: 'given', id: 'a', reason: 'too_large' }]);
});

test('codes that say stop are obeyed, and others are not taken for them', () => {
  for (const [code, state] of [[4300, 'stopped'], [4204, 'stopped'], [1000, 'stopped'], [4000, 'waiting'], [1006, 'waiting'], [4101, 'waiting']]) {
    const client = new Driver();
    client.welcome();
    client.tell({ type: 'lost', socket: client.socket, code });
    assert.equal(client.machine.status.state, state, String(code));
    if (state === 'stopped') assert.equal(client.machine.deadline(), Infinity);
  }
});

test('nobody comes back before the server wants it', () => {
  const client = new Driver();
  client.find();
  client.challenge();
  client.hear({ type: 'error', code: 4001, name: 'overloaded', message: '', retry_after: 60_000 });
  assert.ok(client.machine.deadline() >= client.now + 60_000);
});

test('a server that is gone is left for the next within a second, and returned to when it is back', () => {
  const client = new Driver({ servers: [{ url: 'wss://a.test/v1' }, { url: 'wss://b.test/v1' }] });
  client.welcome();
  const start = client.now;
  client.lose();
  client.find();
  assert.equal(client.url, 'wss://a.test/v1');
  client.lose();
  client.find();
  assert.equal(client.url, 'wss://b.test/v1');
  assert.ok(client.now - start < 1_000);
  client.welcome();
  const [second] = [client.socket];
  client.find();
  assert.equal(client.url, 'wss://a.test/v1');
  assert.ok(client.now - start > TIMES.home / 2 && client.machine.status.state === 'open');
  const out = client.challenge();
  assert.ok(out.some(({ type, socket }) => type === 'disconnect' && socket === second));
});

test('a client that looks homeward while its server fails still finds one', () => {
  for (const homeFirst of [true, false]) {
    const client = atTheSecond();
    const second = client.socket;
    client.find();
    for (const socket of homeFirst ? [client.socket, second] : [second, client.socket]) {
      client.tell({ type: 'lost', socket });
      assert.ok(client.machine.deadline() < Infinity, 'it goes on');
      assert.equal(client.machine.status.state, socket === second && !homeFirst ? 'connecting' : homeFirst && socket !== second ? 'open' : 'waiting');
    }
    client.find();
    client.challenge();
    assert.ok(client.machine.deadline() < Infinity);
  }
});

test('who is told to stop stops even on its way home', () => {
  const client = atTheSecond();
  const second = client.socket;
  client.find();
  const out = client.tell({ type: 'lost', socket: second, code: 4300 });
  assert.equal(client.machine.status.state, 'stopped');
  assert.ok(out.some(({ type, socket }) => type === 'disconnect' && socket === client.socket));
  assert.equal(client.machine.deadline(), Infinity);
});

test('a server that refuses before its challenge says when to come back', () => {
  const client = new Driver();
  client.find();
  client.hear({ type: 'error', code: 4113, name: 'too_many_handshakes', message: '', retry_after: 60_000 });
  assert.ok(client.machine.deadline() >= client.now + 60_000);
});

test('a server that does not answer gets company, and the first challenge wins', () => {
  const client = new Driver({ servers: [{ url: 'wss://a.test/v1' }, { url: 'wss://b.test/v1' }] });
  client.find();
  const slow = client.socket;
  client.find();
  assert.ok(client.now <= TIMES.hedge && client.url === 'wss://b.test/v1');
  assert.ok(client.challenge().some(({ type, socket }) => type === 'disconnect' && socket === slow));
});

test('nothing is signed for a server that was not meant', () => {
  const client = new Driver({ proves: true });
  client.find();
  const out = client.tell({ type: 'text', socket: client.socket, text: JSON.stringify({ ...CHALLENGE, server: 'evil.test' }) });
  assert.ok(!out.some(({ type }) => type === 'prove') && out.some(({ type }) => type === 'fault'));
  for (const [url, name, meant] of [
    ['wss://a.test/v1', 'a.test', true], ['wss://a.test:8443/v1', 'a.test', true], ['wss://a.test/v1', 'localhost', false],
    ['ws://127.0.0.1:1/v1', 'localhost', true], ['ws://192.168.1.2/v1', 'localhost', true], ['ws://8.8.8.8/v1', 'localhost', false],
    ['ws://[::1]:1/v1', 'localhost', true], ['ws://[2001:db8::1]/v1', 'localhost', false], ['ws://den.local/v1', 'localhost', true],
  ]) assert.equal(isMeant({ url }, name), meant, `${name} at ${url}`);
  assert.equal(isMeant({ url: 'ws://127.0.0.1/v1', name: 'x' }, 'localhost'), false);
});

test('a resume token is shown to no other server', () => {
  const client = new Driver({ servers: [{ url: 'wss://a.test/v1', name: 'a' }, { url: 'wss://b.test/v1', name: 'b' }] });
  client.welcome();
  client.lose();
  client.find();
  const out = client.tell({ type: 'text', socket: client.socket, text: JSON.stringify({ ...CHALLENGE, server: 'b' }) });
  assert.equal(JSON.parse(out.find(({ type }) => type === 'send').text).resume, undefined);
});

const CHALLENGE = { type: 'challenge', nonce: 'n'.repeat(16), server: 'a.test', versions: ['wigwag.1'], capabilities: [] };

/** A client whose first server failed and that is with the second. */
function atTheSecond() {
  const client = new Driver({ servers: [{ url: 'wss://a.test/v1' }, { url: 'wss://b.test/v1' }] });
  client.find();
  client.lose();
  client.welcome();
  assert.deepEqual([client.url, client.machine.status.state], ['wss://b.test/v1', 'open']);
  return client;
}

/** A machine with a clock and the last socket that it wanted. */
class Driver {
  now = 0;
  #answers = [];
  #sent = [];
  #connects = [];

  constructor({ servers = [{ url: 'wss://a.test/v1' }], proves = false } = {}) {
    this.machine = new Machine({ servers, proves, random: seeded(1) });
    this.tell({ type: 'open' });
  }

  tell(input) {
    const out = this.machine.handle(this.now, input);
    this.#connects.push(...out.filter(({ type }) => type === 'connect'));
    this.#answers.push(...out.filter(({ type }) => type === 'answer').map(({ id }) => id));
    this.#sent.push(...out.filter(({ type }) => type === 'send').map(({ text }) => JSON.parse(text)));
    return out;
  }

  ask(id, frame, options) {
    return this.tell({ type: 'request', id, frame, ...options });
  }

  /** Lets time pass until the machine wants a socket. */
  find() {
    while (!this.#connects.length) {
      this.now = this.machine.deadline();
      assert.ok(Number.isFinite(this.now));
      this.tell({ type: 'tick' });
      if (this.#sent.at(-1)?.type === 'seen') this.hear({ type: 'done', re: this.#sent.pop().n });
    }
    const { socket, url } = this.#connects.shift();
    Object.assign(this, { socket, url });
  }

  challenge() {
    return this.tell({ type: 'text', socket: this.socket, text: JSON.stringify(CHALLENGE) });
  }

  welcome(frame = {}) {
    if (!this.#connects.length && this.machine.status.state !== 'connecting') this.find();
    if (this.#connects.length) this.find();
    this.challenge();
    this.#sent = [];
    return this.hear({ type: 'welcome', resume: 't', resumed: false, ...frame });
  }

  hear(frame) {
    return this.tell({ type: 'text', socket: this.socket, text: JSON.stringify(frame) });
  }

  lose() {
    if (this.machine.status.state === 'waiting') this.find();
    return this.tell({ type: 'lost', socket: this.socket });
  }

  sleep(ms) {
    this.now += ms;
    return this.tell({ type: 'tick' });
  }

  sent() {
    return this.#sent.splice(0);
  }

  answers() {
    return this.#answers.splice(0);
  }
}
