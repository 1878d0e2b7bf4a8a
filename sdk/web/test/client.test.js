// The client against the real server: proof, presence, signals, rooms, topics; and what becomes of them when the wire or the server goes.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { WebSocket } from 'ws';

import { Identity, Wigwag } from '../index.js';
import { Server } from './server.js';

/** @type {Server} */
let server;
/** @type {Wigwag[]} */
const clients = [];

before(async () => (server = await Server.start()));
after(async () => {
  clients.forEach((client) => client.close());
  await server.stop();
});

test('two clients prove themselves, find each other and hand signals over in order', async () => {
  const [alice, bob] = await Promise.all([open({ id: 'alice@example.org' }), open()]);
  assert.equal(bob.id, bob.identity.id);
  const heard = collect(bob, 'signal', 3);
  assert.equal((await alice.find(bob.id)).state, 'here');
  const statuses = await Promise.all([1, 2, 3].map((number) => alice.signal(bob.id, 'note', number)));
  assert.deepEqual(statuses, ['delivered', 'delivered', 'delivered']);
  assert.deepEqual((await heard).map(({ from, data }) => [from, data]), [1, 2, 3].map((number) => ['alice@example.org', number]));
  assert.equal(await alice.signal('nobody@example.org', 'note', 1), 'absent');
});

test('a key of the other kind is as good', async () => {
  const client = await open({ identity: await Identity.make({ kind: 'p256' }) });
  assert.equal(client.id, client.identity.id);
});

test('presence is told, now and at each change', async () => {
  const [alice, bob] = [await open(), await Identity.make()];
  const seen = collect(alice, 'presence', 3);
  await alice.watch(bob.id);
  const here = until(alice, 'presence', ({ state }) => state === 'here');
  const there = await open({ identity: bob });
  await here;
  there.close();
  assert.deepEqual((await seen).map(({ state }) => state), ['gone', 'here', 'gone']);
});

test('a refusal is an error with a reason, a code and words', async () => {
  const client = await open({ identity: 'guest' });
  await assert.rejects(client.joinByCode('2222-2222'), { name: 'WigwagError', reason: 'not_found', code: 4404 });
  await assert.rejects(client.ask({ type: 'nonsense' }), { reason: 'unknown_type', code: 4401 });
});

test('a name that another key has is refused, and so is a server in another name', async () => {
  await open({ id: 'taken@example.org' });
  await assert.rejects(open({ id: 'taken@example.org' }), { reason: 'name_taken', code: 4202 });
  await assert.rejects(open({ servers: { url: server.url, name: 'elsewhere.example.org' } }), { reason: 'fault' });
});

test('nobody waits for ever, and who stops waiting is let go', async () => {
  await assert.rejects(open({ servers: 'ws://127.0.0.1:9', deadline: 300 }), { reason: 'timeout', at: 'server' });
  await assert.rejects(open({ signal: AbortSignal.abort() }), { reason: 'aborted' });
  const client = await open();
  await assert.rejects(client.find(client.id, { signal: AbortSignal.abort() }), { reason: 'aborted' });
});

test('a room tells who comes and goes and what is said, and its modes are kept', async () => {
  const [alice, bob] = [await open(), await open()];
  const den = await alice.join('den', { me: { nick: 'Al' }, capacity: 5 });
  assert.ok(den.mine && den.capacity === 5);
  const events = den[Symbol.asyncIterator]();
  const other = await bob.join('den', { me: { nick: 'Bo' } });
  assert.deepEqual(other.members.map(({ me }) => me), [{ nick: 'Al' }]);
  const { value: joined } = await events.next();
  assert.deepEqual([joined.type, joined.member.me], ['joined', { nick: 'Bo' }]);
  await assert.rejects(other.say('hush'), { reason: 'not_allowed' });
  await assert.rejects(other.setMode('FREE_FOR_ALL'), { reason: 'not_allowed' });
  const changed = other.once('changed');
  await den.setMode('FREE_FOR_ALL');
  await changed;
  assert.equal(other.mode, 'FREE_FOR_ALL');
  const heard = until(den, 'said');
  assert.equal(await other.say({ hello: 1 }), 1);
  const said = await heard;
  assert.deepEqual([said.from, said.data], [bob.id, { hello: 1 }]);
  await other.leave();
  assert.ok(!other.open && bob.rooms.length === 0);
  await assert.rejects(other.say('still here'), { reason: 'closed' });
});

test('shared state reaches those who are there, those who come, and the next host', async () => {
  const [alice, bob, carol] = [await open(), await open(), await open()];
  const den = await alice.join('film');
  const bobs = await bob.join('film');
  const told = bobs.once('state');
  await den.setState({ at: 81.5 });
  assert.deepEqual((await told).state, { at: 81.5 });
  const carols = await carol.join('film');
  await holds([carols], () => carols.state !== null);
  assert.deepEqual(carols.state, { at: 81.5 });
  const crowned = bobs.once('host');
  await den.leave();
  assert.ok((await crowned).mine && bobs.mine);
  assert.deepEqual(bobs.state, { at: 81.5 });
  await bobs.transfer(carol.id);
  await holds([bobs, carols], () => carols.mine && !bobs.mine);
});

test('a room has a code and a password, and its host sends members away', async () => {
  const [alice, bob] = [await open(), await open()];
  const den = await alice.create({ name: 'vault', code: true, password: 'swordfish' });
  await assert.rejects(bob.joinByCode(den.code), { reason: 'wrong_password' });
  const other = await bob.joinByCode(den.code.toLowerCase(), { password: 'swordfish' });
  const closed = other.once('closed');
  await den.kick(bob.id, { reason: 'Time for bed.' });
  assert.deepEqual({ ...(await closed) }, { type: 'closed', why: 'kicked', reason: 'Time for bed.' });
  assert.ok((await den.makeCode()).expires > new Date());
});

test('topics and broadcasts reach those who asked for them', async () => {
  const [alice, bob] = [await open({ namespace: 'news' }), await open({ namespace: 'news' })];
  await bob.subscribe('scores', 'weather');
  await bob.unsubscribe('weather');
  const heard = bob.once('published');
  assert.equal(await alice.publish('weather', 'rain'), 0);
  assert.equal(await alice.publish('scores', [2, 1]), 1);
  assert.deepEqual((await heard).data, [2, 1]);
  const all = bob.once('broadcast');
  assert.equal(await alice.broadcast('noon'), 1);
  assert.equal((await all).data, 'noon');
});

test('a wire that is cut is mended without a word lost or doubled', async () => {
  const wires = wired();
  const [alice, bob] = [await open(), await open({ WebSocket: wires.WebSocket })];
  const heard = collect(bob, 'signal', 20);
  const fresh = watchFor(bob, 'fresh');
  for (let number = 0; number < 20; number += 1) {
    if (number % 5 === 4) wires.cut();
    await alice.signal(bob.id, 'note', number);
  }
  assert.deepEqual((await heard).map(({ data }) => data), Array.from({ length: 20 }, (_, number) => number));
  assert.ok(!fresh());
});

test('a server that restarts finds its sessions, rooms and watches as they were', async () => {
  const data = await mkdtemp(join(tmpdir(), 'wigwag-'));
  let home = await Server.start({ data });
  try {
    const [alice, bob] = await Promise.all([open({ servers: home.url }), open({ servers: home.url })]);
    const den = await alice.join('den');
    await bob.join('den');
    const fresh = watchFor(bob, 'fresh');
    await home.stop();
    const waiting = alice.signal(bob.id, 'note', 'after');
    const heard = bob.once('signal');
    home = await Server.start({ data, port: home.port });
    [alice, bob].forEach((client) => client.nudge());
    assert.ok(['delivered', 'stored'].includes(await waiting));
    assert.equal((await heard).data, 'after');
    assert.ok(den.open && den.mine && den.members.length === 1 && !fresh());
  } finally {
    await home.stop();
    await rm(data, { recursive: true });
  }
});

test('a server that forgot everything gets it all again: rooms, state, topics, watches', async () => {
  let home = await Server.start();
  const [alice, bob] = await Promise.all([open({ servers: home.url }), open({ servers: home.url })]);
  const den = await alice.join('den', { mode: 'FREE_FOR_ALL' });
  await den.setState('lights on');
  const other = await bob.join('den');
  await bob.subscribe('news');
  await holds([other], () => other.state !== null);
  await home.stop('SIGKILL');
  const both = Promise.all([alice.once('fresh'), bob.once('fresh')]);
  home = await Server.start({ port: home.port });
  [alice, bob].forEach((client) => client.nudge());
  await both;
  // Ordinary requests come after what stands.
  await Promise.all([alice.find(bob.id), bob.find(alice.id)]);
  await holds([den, other], () => [den, other].every(({ mode, members }) => mode === 'FREE_FOR_ALL' && members.length === 1));
  assert.equal(await alice.publish('news', 1), 1);
  assert.deepEqual([den.state, other.state], ['lights on', 'lights on']);
  alice.close();
  bob.close();
  await home.stop();
});

test('where one server is gone the next one is used', async () => {
  const [first, second] = await Promise.all([Server.start(), Server.start()]);
  const client = await open({ servers: [first.url, second.url] });
  const moved = until(client, 'status', ({ status }) => status.state === 'open' && status.server === second.url);
  await first.stop('SIGKILL');
  await moved;
  assert.equal((await client.find(client.id)).state, 'here');
  client.close();
  await second.stop();
});

test('two programs that took the same device along part ways, and both stay', async () => {
  const identity = await Identity.make();
  globalThis.sessionStorage = storage();
  const one = await open({ identity });
  const two = await open({ identity });
  await holds([one], () => one.device !== two.device && one.status.state === 'open');
  delete globalThis.sessionStorage;
  assert.equal((await two.find(identity.id)).devices.length, 2);
});

test('a page that is left says goodbye', async () => {
  const window = new EventTarget();
  const [alice, bob] = [await open(), await open({ window })];
  await alice.watch(bob.id);
  const gone = until(alice, 'presence', ({ state }) => state === 'gone');
  window.dispatchEvent(Object.assign(new Event('pagehide'), { persisted: false }));
  await gone;
});

async function open(options = {}) {
  const client = await Wigwag.open({ servers: server.url, identity: await Identity.make(), WebSocket, window: null, document: null, ...options });
  clients.push(client);
  return client;
}

/** The first events of a type. */
async function collect(emitter, type, count) {
  const events = [];
  await new Promise((resolve) => emitter.on(type, (event) => events.push(event) === count && resolve()));
  return events;
}

/** The first event that fits. */
function until(emitter, type, fits = () => true) {
  return new Promise((resolve) => {
    const stop = emitter.on(type, (event) => {
      if (!fits(event)) return;
      stop();
      resolve(event);
    });
  });
}

/** Waits until something holds that only events can bring about. */
async function holds(emitters, look) {
  while (!look()) await Promise.race(emitters.map((emitter) => emitter[Symbol.asyncIterator]().next()));
}

/** Whether an event has come since. */
function watchFor(emitter, type) {
  let came = false;
  emitter.on(type, () => (came = true));
  return () => came;
}

/** Sockets that can be cut without a word. */
function wired() {
  const open = new Set();
  class Wire extends WebSocket {
    constructor(...args) {
      super(...args);
      open.add(this);
      this.on('close', () => open.delete(this));
    }
  }
  return { WebSocket: Wire, cut: () => open.forEach((socket) => socket.terminate()) };
}

function storage() {
  const held = new Map();
  return { getItem: (key) => held.get(key) ?? null, setItem: (key, value) => held.set(key, value) };
}
