// The post of a mesh: who carries for whom, what is believed, and what becomes of those who lie or flood. Channels are fakes, the rules are real.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Near, isPolite, readPost } from '../near.js';
import { FakeClock, settled } from './fakes.js';
import { vectors } from './vectors.js';

const { polite, read, passed_over: passedOver } = vectors('mesh.json');
const CALL = 'AAECAwQFBgcICQoLDA0ODw';

test('who is polite, and what a text says, is as the vectors have it', () => {
  for (const { self, other, polite: is, hails } of polite) {
    assert.deepEqual([isPolite(self, other), isPolite(other, self), !is], [is, !is, hails], `${self.id} ${other.id}`);
  }
  for (const { text, as } of read) assert.deepEqual(readPost(text), as);
  for (const { why, text } of passedOver) assert.equal(readPost(text), null, why);
  assert.equal(readPost(new ArrayBuffer(2)), null);
  assert.equal(readPost(JSON.stringify({ type: 'near', peers: [], more: 'x'.repeat(65_536) })), null);
});

test('a neighbour carries a sealed signal to one that it is connected to, and says truly who gave it', async () => {
  const { a, b, c } = await triangle();
  assert.equal(a.near.reaches('c'), true);
  assert.equal(a.near.pass('c', '', 'ww.sealed', { call: CALL, box: 'x' }), true);
  await settled();
  assert.deepEqual(c.heard, [{ from: 'a', device: '', kind: 'ww.sealed', data: { call: CALL, box: 'x' }, polite: false }]);
  assert.deepEqual([a.heard, b.heard], [[], []]);
  // The answer knows the way back, also where there are others.
  assert.deepEqual([c.near.came(CALL), a.near.came(CALL)], [true, false]);
});

test('nobody is reached over two neighbours, and nothing comes back', async () => {
  const { a, b, c, world } = await triangle();
  const d = world.party('d');
  world.join(c, d);
  await world.told();
  assert.equal(a.near.reaches('d'), false);
  // Whoever says so all the same is not carried for: B is not connected to D.
  a.channel('b').send(JSON.stringify({ type: 'pass', to: 'd', kind: 'ww.sealed', data: { call: CALL } }));
  a.channel('b').send(JSON.stringify({ type: 'pass', to: 'a', kind: 'ww.sealed', data: { call: CALL } }));
  a.channel('b').send(JSON.stringify({ type: 'pass', to: 'b', kind: 'ww.sealed', data: { call: CALL } }));
  await settled();
  assert.deepEqual([a.heard, b.heard, c.heard, d.heard], [[], [], [], []]);
});

test('a post is taken from members only, not in our own name, and with a key that can be held against something', async () => {
  const { a, b, c } = await triangle();
  c.members.delete('a');
  a.near.pass('c', '', 'ww.sealed', { call: CALL });
  await settled();
  c.members.add('a');
  b.channel('c').send(JSON.stringify({ type: 'post', from: 'c', kind: 'ww.sealed', data: { call: CALL } }));
  b.channel('c').send(JSON.stringify({ type: 'post', from: 'z', kind: 'ww.sealed', data: { call: CALL } }));
  for (const kind of ['ww.hail', 'ww.heed', 'ww.decline']) {
    a.near.pass('c', '', kind, { call: CALL, key: 'strange' });
    a.near.pass('c', '', kind, { call: CALL });
  }
  await settled();
  assert.deepEqual(c.heard, []);
  a.near.pass('c', '', 'ww.hail', { call: CALL, key: 'of a' });
  await settled();
  assert.deepEqual(c.heard.map(({ from, kind }) => [from, kind]), [['a', 'ww.hail']]);
});

test('a hail that has to be looked up is not overtaken by what follows it', async () => {
  const { a, c } = await triangle();
  a.near.pass('c', '', 'ww.hail', { call: CALL, key: 'of a' });
  a.near.pass('c', '', 'ww.sealed', { call: CALL });
  await settled();
  assert.deepEqual(c.heard.map(({ kind }) => kind), ['ww.hail', 'ww.sealed']);
});

test('who floods is over its budget, others are unharmed, and time gives it back', async () => {
  const { a, b, c, world } = await triangle();
  const d = world.party('d');
  world.join(b, d);
  await world.told();
  for (let at = 0; at < 2_000; at += 1) a.near.pass('c', '', 'ww.sealed', { call: CALL, at });
  await settled();
  assert.ok(c.heard.length > 400 && c.heard.length <= 512, `${c.heard.length}`);
  assert.equal(d.near.pass('c', '', 'ww.sealed', { call: 'other' }), true);
  await settled();
  // C counts what B brings it, and one who floods through B leaves room for the others.
  assert.equal(c.heard.filter(({ from }) => from === 'd').length, 1);
  // Nothing is cheaper for being written as what it is not.
  const disguised = `{"type":"post",${JSON.stringify({ type: 'pass', to: 'c', kind: 'ww.sealed', data: { call: 'sly' } }).slice(1)}`;
  for (let at = 0; at < 10; at += 1) a.channel('b').send(disguised);
  await settled();
  assert.ok(c.heard.every(({ data }) => data.call !== 'sly'));
  const before = c.heard.length;
  world.clock.time += 1_000;
  for (let at = 0; at < 2_000; at += 1) a.near.pass('c', '', 'ww.sealed', { call: CALL, at });
  await settled();
  assert.ok(c.heard.length - before <= 128 && c.heard.length > before, `${c.heard.length - before}`);
});

test('who does not take what it gets makes nobody wait', async () => {
  const { a, b, c } = await triangle();
  b.channel('c').bufferedAmount = 262_144;
  a.near.pass('c', '', 'ww.sealed', { call: CALL });
  b.channel('c').bufferedAmount = 0;
  b.channel('c').full = true;
  a.near.pass('c', '', 'ww.sealed', { call: CALL });
  await settled();
  assert.deepEqual(c.heard, []);
});

test('a path that is being mended carries nothing and is told to nobody', async () => {
  const { a, b, c, world } = await triangle();
  b.state.c = 'mending';
  b.near.news();
  await world.told();
  assert.equal(a.near.reaches('c'), false);
  assert.equal(a.near.pass('c', '', 'ww.sealed', { call: CALL }), false);
  b.state.c = 'open';
  b.near.news();
  await world.told();
  assert.equal(a.near.reaches('c'), true);
  b.near.remove({ id: 'c', device: '' });
  await world.told();
  assert.equal(a.near.reaches('c'), false);
  assert.deepEqual(c.heard, []);
});

test('a connection whose post is not open yet carries nothing, and does as soon as it is', async () => {
  const { a, b, c, world } = await triangle();
  b.channel('c').readyState = 'connecting';
  b.near.news();
  await world.told();
  assert.equal(a.near.reaches('c'), false);
  b.channel('c').readyState = 'open';
  b.channel('c').onopen();
  await world.told();
  assert.equal(a.near.pass('c', '', 'ww.sealed', { call: CALL }), true);
  await settled();
  assert.equal(c.heard.length, 1);
});

test('of several ways a call keeps one, and another call may take another', async () => {
  const world = new World();
  const [a, z] = [world.party('a'), world.party('z')];
  const between = ['m', 'n', 'o'].map((id) => world.party(id));
  for (const each of between) {
    world.join(a, each);
    world.join(each, z);
  }
  await world.told();
  const used = () => between.map(({ id }) => a.channel(id).sent.filter((text) => text.includes('pass')).length);
  for (let at = 0; at < 9; at += 1) a.near.pass('z', '', 'ww.sealed', { call: CALL });
  assert.deepEqual(used().sort(), [0, 0, 9]);
  for (let at = 0; at < 60; at += 1) a.near.pass('z', '', 'ww.sealed', { call: `${at}` });
  assert.ok(used().every((count) => count > 0), `${used()}`);
  // The one in use goes: the call takes another way at once.
  const first = between[used().indexOf(Math.max(...used()))];
  a.near.remove({ id: first.id, device: '' });
  assert.equal(a.near.pass('z', '', 'ww.sealed', { call: CALL }), true);
});

test('a signal to all devices of an id goes to each that somebody is connected to', async () => {
  const world = new World();
  const [a, b] = [world.party('a'), world.party('b')];
  const devices = ['laptop', 'phone'].map((device) => world.party('c', device));
  for (const each of [a, ...devices]) world.join(b, each);
  await world.told();
  assert.equal(a.near.pass('c', undefined, 'ww.sealed', { call: CALL }), true);
  await settled();
  assert.deepEqual(devices.map(({ heard }) => heard.length), [1, 1]);
});

/** A and C, and B who is connected to both. */
async function triangle() {
  const world = new World();
  const [a, b, c] = ['a', 'b', 'c'].map((id) => world.party(id));
  world.join(a, b);
  world.join(b, c);
  await world.told();
  return { world, a, b, c };
}

class World {
  clock = Object.assign(new FakeClock(), { time: 0, now: () => this.clock.time });
  parties = new Map();

  party(id, device = '') {
    const party = { id, device, heard: [], channels: new Map(), state: {}, members: null };
    party.members = { gone: new Set(), has: (name) => !party.members.gone.has(name) && this.parties.has(name), delete: (name) => party.members.gone.add(name), add: (name) => party.members.gone.delete(name) };
    party.channel = (name) => party.channels.get(name);
    party.near = new Near({
      self: () => ({ id, device }),
      member: ({ id: other }) => party.members.has(other),
      believes: async (from, key) => key === `of ${from.id}`,
      hear: (heard) => party.heard.push(heard),
      changed: () => {},
      clock: /** @type {any} */ (this.clock),
      random: Math.random,
    });
    this.parties.set(id, party);
    return party;
  }

  join(one, other) {
    const [here, there] = [new FakePost(), new FakePost()];
    Object.assign(here, { other: there });
    Object.assign(there, { other: here });
    one.channels.set(other.id, here);
    other.channels.set(one.id, there);
    one.near.add({ id: other.id, device: other.device }, here, () => (one.state[other.id] ?? 'open') === 'open');
    other.near.add({ id: one.id, device: one.device }, there, () => (other.state[one.id] ?? 'open') === 'open');
  }

  /** All who have news have told it. */
  async told() {
    this.clock.ring();
    await settled();
  }
}

class FakePost {
  readyState = 'open';
  bufferedAmount = 0;
  sent = [];
  full = false;
  /** @type {any} */
  onmessage = null;
  onopen = null;
  /** @type {FakePost | null} */
  other = null;

  send(text) {
    if (this.full) throw new Error('no room');
    this.sent.push(text);
    this.other?.onmessage?.({ data: text });
  }
}
