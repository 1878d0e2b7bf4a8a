// `spec/secret-rooms.md`: what comes of a secret, and what a server can learn of a room that has one. With the real server.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { WebSocket } from 'ws';

import { Identity, Wigwag, linkedSecret, roomSecret, secretLink } from '../index.js';
import { unbase64url } from '../keys.js';
import { Secret } from '../secret.js';
import { Veil } from '../veil.js';
import { Server } from './server.js';
import { vectors } from './vectors.js';

const { subtle } = globalThis.crypto;

/** @type {Server} */
let server;
const clients = [];

before(async () => (server = await Server.start()));
after(async () => {
  clients.forEach((client) => client.close());
  await server.stop();
});

test('the vectors are read and written byte for byte', async () => {
  const { rooms, boxes, closed } = vectors('secret_rooms.json');
  const made = await Promise.all(rooms.map(({ secret, title }) => Secret.make(subtle, secret, title)));
  assert.deepEqual(made.map(({ name }) => name), rooms.map(({ name }) => name));
  for (const { room, what, id, device, content, sealed } of boxes) {
    assert.deepEqual(await made[room].seal(what, { id, device }, content, unbase64url(sealed.nonce)), sealed);
    assert.deepEqual(await made[room].open(what, { id, device }, sealed), content);
  }
  for (const { why, room, what, id, device, sealed } of closed) {
    assert.equal(await made[room].open(what, { id, device }, sealed), undefined, why);
  }
});

test('a secret travels in a link, behind what a server sees', async () => {
  const secret = roomSecret();
  assert.match(secret, /^[A-Za-z0-9_-]{42}[A-Za-z0-9]$/);
  const link = secretLink(secret, 'https://example.org/den?x=1#old');
  assert.equal(link, `https://example.org/den?x=1#wigwag=${secret}`);
  assert.equal(linkedSecret(link), secret);
  assert.equal(linkedSecret('https://example.org/#elsewhere'), null);
  await assert.rejects(Secret.make(subtle, 'easily guessed'), { reason: 'bad_field' });
});

test('who knows the secret meets the others, and all that a room does is done', async () => {
  const secret = roomSecret();
  const [alice, bob] = [await open(), await open({ identity: 'guest' })];
  const one = await alice.join('den', { secret, me: { nick: 'Al' }, mode: 'FREE_FOR_ALL', meta: { film: 'Metropolis' } });
  await one.setState({ at: 81 });
  const joined = one.once('joined');
  const two = await bob.join('den', { secret, me: { nick: 'Bo' } });
  assert.deepEqual(two.members.map(({ id, me, key }) => [id, me, key]), [[alice.id, { nick: 'Al' }, alice.identity.key]]);
  assert.deepEqual((await joined).member.me, { nick: 'Bo' });
  assert.deepEqual(two.meta, { film: 'Metropolis' });
  if (two.state === null) await two.once('state');
  assert.deepEqual(two.state, { at: 81 });
  const heard = collect(two, 'said', 21);
  // Sealing takes time, and still nothing overtakes; what is changed after it was said was not said.
  const saying = Array.from({ length: 20 }, (_, at) => one.say({ at }));
  const last = { at: 20 };
  saying.push(one.say(last));
  last.at = 0;
  assert.deepEqual(await Promise.all(saying), Array(21).fill(1));
  assert.deepEqual((await heard).map(({ from, data }) => [from, data.at]), Array.from({ length: 21 }, (_, at) => [alice.id, at]));
  const mentioned = one.once('said');
  two.mention('psst', [alice.id]);
  assert.equal((await mentioned).data, 'psst');
  const updated = one.once('updated');
  await two.setMe({ nick: 'Bobby' });
  assert.deepEqual((await updated).member.me, { nick: 'Bobby' });
  const crowned = two.once('host');
  await one.leave();
  assert.equal((await crowned).mine, true);
  assert.deepEqual(two.state, { at: 81 });
  assert.deepEqual([one.unopened, two.unopened], [0, 0]);
});

test('the server sees no name, no secret and nothing of what is said', async () => {
  const secret = roomSecret();
  const [alice, bob] = [await open(), await open()];
  const one = await alice.join('the-den', { secret, me: { nick: 'plain-nick' }, mode: 'FREE_FOR_ALL', meta: 'plain-meta' });
  const spy = await observer(one.name);
  assert.equal(one.members.length, 0);
  const two = await bob.join('the-den', { secret, me: { nick: 'plain-nick' } });
  const heard = two.once('said');
  await one.say({ text: 'plain-words' });
  await one.setState('plain-state');
  await heard;
  // The host leaves, so that the spy is told the state as the next host.
  await two.leave();
  await one.leave();
  await spy.until((frame) => frame.type === 'room.host' && frame.host.id === spy.id);
  const seen = JSON.stringify(spy.frames);
  assert.ok(['said', 'room.member', 'room.host'].every((type) => seen.includes(type)));
  for (const word of ['plain-', 'the-den', secret]) assert.ok(!seen.includes(word), `${word} is to be read`);
  spy.close();
});

test('what a stranger says in the room is passed over, told once and counted', async () => {
  const secret = roomSecret();
  const [alice, bob] = [await open(), await open()];
  const one = await alice.join({ secret, mode: 'FREE_FOR_ALL' });
  let faults = 0;
  alice.on('fault', () => (faults += 1));
  const spy = await observer(one.name);
  const joined = one.once('joined');
  const two = await bob.join({ secret });
  // The first whom Alice sees is Bob, for the spy is nobody.
  assert.equal((await joined).member.id, bob.id);
  const recorded = spy.until((frame) => frame.type === 'said');
  const first = two.once('said');
  await one.say('once');
  await first;
  const { data } = await recorded;
  const heard = collect(two, 'said', 1);
  for (const each of ['hello', data, { v: 1, nonce: 'AAAAAAAAAAAAAAAA', box: 'AAAA' }, null]) spy.say(each);
  await spy.done();
  await one.say('twice');
  assert.deepEqual((await heard).map(({ from, data: said }) => [from, said]), [[alice.id, 'twice']]);
  assert.deepEqual([one.members.map(({ id }) => id), two.members.map(({ id }) => id)], [[bob.id], [alice.id]]);
  assert.equal(two.unopened, 5);
  assert.equal(faults, 1);
  spy.close();
});

test('a box that comes twice is taken once', async () => {
  const secret = await Secret.make(subtle, roomSecret());
  const bob = { id: 'bob@example.org', device: '' };
  const veil = new Veil({ line: /** @type {any} */ (null), self: bob, key: 'k', told: () => {} }, secret);
  const boxes = await Promise.all([1, 2].map((data) => secret.seal('say', bob, data)));
  const heard = [];
  await new Promise((resolve) => {
    for (const data of [boxes[0], boxes[1], boxes[0]]) veil.take({ type: 'said', from: bob.id, data }, (frame) => heard.push(frame.data));
    veil.take({ type: 'room.left' }, resolve);
  });
  assert.deepEqual(heard, [1, 2]);
});

test('another secret, another title and no secret lead elsewhere', async () => {
  const secret = roomSecret();
  const [alice, bob] = [await open(), await open()];
  await alice.join('den', { secret });
  for (const room of [await bob.join('den', { secret: roomSecret() }), await bob.join('other', { secret }), await bob.join('den')]) {
    assert.deepEqual([room.members, room.mine], [[], true]);
  }
});

test('a room that the server forgot is furnished again, and those who come back are known', async () => {
  const home = await Server.start();
  const secret = roomSecret();
  const [alice, bob] = [await open({ servers: servers(home) }), await open({ servers: servers(home), identity: 'guest' })];
  const one = await alice.join('den', { secret, me: 'Al', meta: 'kept' });
  const two = await bob.join('den', { secret, me: 'Bo' });
  await one.setState({ kept: true });
  await two.once('state');
  const before = bob.id;
  await home.stop('SIGKILL');
  const met = (room, other) => new Promise((resolve) => {
    const look = () => room.members.some(({ id, me }) => id === other().id && me === other().me) && resolve();
    for (const type of ['joined', 'updated', 'left']) room.on(type, look);
    other().client.on('fresh', () => queueMicrotask(look));
  });
  const both = Promise.all([met(one, () => ({ client: bob, id: bob.id === before ? '' : bob.id, me: 'Bo' })), met(two, () => ({ client: alice, id: alice.id, me: 'Al' }))]);
  const again = await Server.start({ port: home.port });
  await both;
  const late = await open({ servers: servers(again) });
  const three = await late.join('den', { secret });
  assert.equal(three.members.length, 2);
  if (three.state === null) await three.once('state');
  assert.deepEqual([three.state, three.meta], [{ kept: true }, 'kept']);
  for (const client of [alice, bob, late]) client.close();
  await again.stop();
});

async function open(options = {}) {
  const client = await Wigwag.open({
    servers: servers(server), identity: await Identity.make(), WebSocket: /** @type {any} */ (WebSocket), window: null, document: null, ...options,
  });
  clients.push(client);
  return client;
}

function servers({ url }) {
  return { url, name: 'localhost' };
}

function collect(emitter, type, count) {
  const events = [];
  return new Promise((resolve) => emitter.on(type, (event) => events.push(event) === count && resolve(events)));
}

/** Somebody who knows a room's name and no secret, in the protocol's own words. */
async function observer(room) {
  const socket = new WebSocket(server.url, 'wigwag.1');
  const spy = { id: '', frames: [], waiting: new Set(), close: () => socket.close() };
  spy.until = (fits) => new Promise((resolve) => {
    const look = () => {
      const found = spy.frames.find(fits);
      if (!found) return;
      spy.waiting.delete(look);
      resolve(found);
    };
    spy.waiting.add(look);
    look();
  });
  let n = 0;
  const send = (frame) => socket.send(JSON.stringify({ ...frame, n: (n += 1) }));
  spy.say = (data) => send({ type: 'say', room, data });
  spy.done = () => spy.until(({ type, re }) => type === 'done' && re === n);
  socket.on('message', (bytes) => {
    const frame = JSON.parse(String(bytes));
    if (frame.type === 'challenge') return send({ type: 'hello' });
    if (frame.type === 'welcome') {
      spy.id = frame.id;
      return send({ type: 'room.join', room });
    }
    spy.frames.push(frame);
    return [...spy.waiting].forEach((look) => look());
  });
  await spy.until(({ type }) => type === 'room.joined');
  return spy;
}
