// Who calls whom in a mesh, when again, and what is let go. The room, the calls and the clock do what a test says.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { WigwagError } from '../errors.js';
import { Emitter } from '../events.js';
import { Mesh } from '../mesh.js';
import { FakeClock, FakeConnection, settled } from './fakes.js';
import { testKey } from './vectors.js';

test('of two the one that is not polite calls at once, and the other only when nothing came', async () => {
  const { mesh, dials, clock } = world('m', ['a', 'z']);
  assert.deepEqual(clock.ring().sort(), [0, 5_000]);
  assert.deepEqual(dials.map(({ id }) => id).sort(), ['a', 'z']);
  const [{ options }] = dials;
  assert.deepEqual([options.device, options.meta['wigwag.mesh']], ['d', 'den']);
  mesh.close();
});

test('a call that is on its way is awaited, and counts as soon as it is open', async () => {
  const { mesh, room, dials, clock } = world('a', ['m']);
  const events = collect(room);
  assert.equal(await mesh.accept(peer('m')), true);
  assert.deepEqual([...clock.timers.values()].map(({ ms }) => ms), [30_000]);
  mesh.incoming(connection('m'));
  assert.deepEqual([dials.length, clock.timers.size, mesh.connections.length], [0, 0, 1]);
  assert.deepEqual(events.map(({ type, member }) => [type, member.id]), [['connected', 'm']]);
});

test('what fails is tried again ever more rarely, and who refuses is left alone until it enters again', async () => {
  const { room, dials, clock } = world('m', ['a']);
  clock.ring();
  const waits = [];
  for (const reason of ['timeout', 'no_path', 'absent', 'busy', 'unknown', 'ended']) {
    const at = reason === 'ended' ? { at: 'path' } : {};
    const refused = ['busy', 'unknown', 'ended'].includes(reason);
    dials.at(-1).reject(new WigwagError(refused ? 'refused' : reason, reason, at));
    await settled();
    waits.push(...clock.ring());
  }
  assert.deepEqual(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000]);
  dials.at(-1).reject(new WigwagError('refused', 'Not you.'));
  await settled();
  assert.deepEqual(clock.ring(), []);
  const before = dials.length;
  room.leaves('a', 'left');
  room.enters('a');
  clock.ring();
  assert.equal(dials.length, before + 1);
});

test('a connection that ends is made again, and one that comes later takes the place of the earlier', async () => {
  const { mesh, room, dials, clock } = world('m', ['a']);
  const events = collect(room);
  clock.ring();
  const first = await answer(dials);
  first.close('no_path');
  assert.deepEqual(clock.ring(), [500]);
  const second = await answer(dials);
  const third = connection('a');
  mesh.incoming(third);
  assert.deepEqual([second.state, third.state, mesh.connections.length], ['closed', 'open', 1]);
  assert.equal(mesh.connection({ id: 'a' }), third);
  assert.deepEqual(events.map(({ type, reason }) => reason ?? type), ['connected', 'no_path', 'connected', 'replaced', 'connected']);
  assert.equal(clock.timers.size, 0);
});

test('who leaves is let go, whom the server lost is kept as long as the connection holds', async () => {
  const { mesh, room, clock, dials } = world('m', ['a', 'b', 'c']);
  clock.ring();
  const [a, b] = [await answer(dials, 'a'), await answer(dials, 'b')];
  const { signal } = dials.find(({ id }) => id === 'c').options;
  for (const [id, why] of [['a', 'left'], ['b', 'gone'], ['c', 'gone']]) room.leaves(id, why);
  await settled();
  assert.deepEqual([a.state, b.state, signal.aborted, mesh.connections.length], ['closed', 'open', true, 1]);
  room.enters('b');
  assert.deepEqual([mesh.connection({ id: 'b' }), clock.timers.size], [b, 0]);
  room.leaves('b', 'gone');
  b.close('no_path');
  assert.deepEqual([mesh.connections, clock.timers.size], [[], 0]);
});

test('calls of strangers, of the wrong key and beyond the number are declined, and those that cross ours are put off', async () => {
  const { mesh, room, clock, dials } = world('m', ['a', 'z'], { max: 2, accept: (member, meta) => meta !== 'no' || 'Not today.' });
  assert.equal(await mesh.accept(peer('a', { meta: 'no' })), 'Not today.');
  clock.ring();
  assert.equal(dials.length, 2);
  // We are the one who calls A, and Z is the one who calls us.
  assert.equal(await mesh.accept(peer('a')), 'busy');
  assert.equal(await mesh.accept(peer('z')), true);
  room.enters('k', { key: 'its own' });
  assert.match(await mesh.accept(peer('k', { key: 'another' })), /key/);
  await answer(dials, 'a');
  await answer(dials, 'z');
  assert.match(await mesh.accept(peer('k', { key: 'its own' })), /as many/);
  const stranger = mesh.accept(peer('s'));
  await settled();
  clock.ring();
  assert.equal(await stranger, 'unknown');
  // One whose call overtook the news that it entered.
  room.leaves('a', 'left');
  const early = mesh.accept(peer('e'));
  await settled();
  room.enters('e');
  assert.equal(await early, true);
});

test('where there is no server and nobody near, nobody is called until there is', async () => {
  const { mesh, dials, clock, web } = world('m', ['a']);
  web.there = false;
  clock.ring();
  assert.deepEqual([dials.length, clock.timers.size], [0, 0]);
  web.there = true;
  mesh.online();
  assert.deepEqual(clock.ring(), [500]);
  assert.equal(dials.length, 1);
});

test('where one more would be too many, the next is called when somebody goes', async () => {
  const { room, dials, clock } = world('m', ['a', 'b'], { max: 1 });
  clock.ring();
  await answer(dials, 'a');
  assert.deepEqual(dials.map(({ id }) => id), ['a']);
  room.leaves('a', 'left');
  clock.ring();
  assert.deepEqual(dials.map(({ id }) => id), ['a', 'b']);
});

test('what is said goes to all who are connected, and what they say is told with who says it', async () => {
  const { mesh, room, clock, dials } = world('m', ['a', 'b']);
  const heard = [];
  room.on('message', ({ member, data }) => heard.push([member.id, data]));
  clock.ring();
  const [a, b] = [await answer(dials, 'a'), await answer(dials, 'b')];
  assert.equal(await mesh.send('all'), 2);
  b.refusal = new Error('gone');
  assert.equal(await mesh.send('one'), 1);
  a.says('hello');
  assert.deepEqual([a.sent, b.sent, heard], [['all', 'one'], ['all'], [['a', 'hello']]]);
});

test('whose key cannot be held against anything has to come over the server, and the others may come by the post', async () => {
  const hashed = testKey(1);
  const { room, clock, dials, web } = world('m', ['a', hashed.id, 'new@example.org', 'met@example.org', 'pinned@example.org']);
  room.enters('shown@example.org', { key: 'shown' });
  web.known = async (id) => (id === 'pinned@example.org' ? 'kept' : undefined);
  clock.ring();
  const met = await answer(dials, 'met@example.org');
  met.close('no_path');
  const post = { readyState: 'open', bufferedAmount: 0, send: () => {} };
  const a = Object.assign(connection('a'), { post });
  dials.findLast(({ id }) => id === 'a').resolve(a);
  await settled();
  const heard = async (from, key) => {
    const before = web.heard.length;
    post.onmessage({ data: JSON.stringify({ type: 'post', from, device: 'd', kind: 'ww.hail', data: { call: 'c', key } }) });
    // What comes after it has come when it would have, too.
    post.onmessage({ data: JSON.stringify({ type: 'post', from: 'a', device: 'd', kind: 'ww.sealed', data: { call: 'mark' } }) });
    while (web.heard.at(-1)?.data.call !== 'mark' || web.heard.length === before) await settled();
    return web.heard.length > before + 1;
  };
  const known = [[hashed.id, hashed.key], ['met@example.org', 'k'], ['pinned@example.org', 'kept'], ['shown@example.org', 'shown']];
  for (const [from, key] of known) assert.equal(await heard(from, key), true, from);
  for (const from of [hashed.id, 'new@example.org', 'met@example.org', 'pinned@example.org', 'shown@example.org', 'm', 'nobody@example.org']) {
    assert.equal(await heard(from, 'another'), false, from);
  }
});

test('leaving ends what only the mesh wanted, and leaves no timer', async () => {
  const { mesh, room, clock, dials, left } = world('m', ['a', 'b', 'c']);
  clock.ring();
  const a = await answer(dials, 'a');
  const stranger = mesh.accept(peer('s'));
  room.emit({ type: 'closed', why: 'left' });
  await settled();
  assert.deepEqual([a.state, left, clock.timers.size, mesh.connections], ['closed', [mesh], 0, []]);
  assert.deepEqual(dials.map(({ options }) => options.signal.aborted), [false, true, true]);
  assert.equal(await stranger, 'unknown');
  const late = connection('b');
  mesh.incoming(late);
  assert.equal(late.state, 'closed');
});

/** A mesh of ours in a room with these members. */
function world(id, others, options = {}) {
  const clock = Object.assign(new FakeClock(), { now: () => 0 });
  const room = new FakeRoom(others);
  const dials = [];
  const left = [];
  const web = {
    there: true,
    self: () => ({ id, device: 'd' }),
    served: () => web.there,
    connect: (to, how) => new Promise((resolve, reject) => dials.push({ id: to, options: how, resolve, reject })),
    known: async () => undefined,
    heard: [],
    hear: (signal) => web.heard.push(signal),
    changed: () => {},
    clock,
    random: () => 1,
    leave: (mesh) => left.push(mesh),
  };
  const mesh = new Mesh(/** @type {any} */ (room), options, /** @type {any} */ (web));
  return { mesh, room, dials, clock, web, left };
}

class FakeRoom extends Emitter {
  name = 'den';

  constructor(ids) {
    super();
    this.members = ids.map((id) => ({ id, device: 'd' }));
  }

  enters(id, more = {}) {
    this.emit({ type: 'joined', member: { id, device: 'd', ...more } });
  }

  leaves(id, why) {
    this.emit({ type: 'left', member: { id, device: 'd' }, why });
  }
}

function peer(id, { key = 'k', meta } = {}) {
  return /** @type {any} */ ({ id, device: 'd', key, verified: 'key', meta: { 'wigwag.mesh': 'den', meta } });
}

function connection(id) {
  return /** @type {any} */ (Object.assign(new FakeConnection(id), { post: null }));
}

/** The last call of somebody ends in a connection. */
async function answer(dials, id = dials.at(-1).id) {
  const made = connection(id);
  dials.findLast((dial) => dial.id === id).resolve(made);
  await settled();
  return made;
}

function collect(emitter) {
  const events = [];
  for (const type of ['connected', 'disconnected']) emitter.on(type, (event) => events.push(event));
  return events;
}
