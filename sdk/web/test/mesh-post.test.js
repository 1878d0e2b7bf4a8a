// Which way a signal goes: over the server while there is one, by the post where there is none or it does not reach the other.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { WigwagError } from '../errors.js';
import { Emitter } from '../events.js';
import { Meshes } from '../mesh.js';
import { FakeClock, FakeConnection, settled } from './fakes.js';

const DATA = { v: 1, call: 'c', i: 1, box: 'x' };

test('while there is a server that reaches the other, everything goes over it', async () => {
  const world = await meshed();
  assert.equal(await world.signal(), 'delivered');
  assert.deepEqual([world.served, world.passed()], [1, 0]);
});

for (const status of ['absent', 'stored']) {
  test(`what the server says is ${status} goes by the post too`, async () => {
    const world = await meshed({ answer: async () => status });
    assert.equal(await world.signal(), 'delivered');
    assert.deepEqual([world.served, world.passed()], [1, 1]);
    // With nobody near, the answer is the server's.
    assert.equal(await world.signal('elsewhere'), status);
  });
}

test('what the server refuses or does not answer goes by the post', async () => {
  const world = await meshed({ answer: () => Promise.reject(new WigwagError('unknown', 'no answer')) });
  assert.equal(await world.signal(), 'delivered');
  await assert.rejects(world.signal('elsewhere'), { reason: 'unknown' });
});

test('without a server it goes by the post at once, and nothing is kept for the server', async () => {
  const world = await meshed();
  world.serve('waiting');
  assert.equal(await world.signal(), 'delivered');
  await world.calls.post.ready('z', 'd');
  assert.deepEqual([world.served, world.passed()], [0, 1]);
});

test('the answer to what came by the post goes back that way, for as long as it is fresh', async () => {
  const world = await meshed();
  world.post.onmessage({ data: JSON.stringify({ type: 'post', from: 'z', device: 'd', kind: 'ww.sealed', data: DATA }) });
  await settled();
  assert.equal(world.heard.length, 1);
  await world.signal();
  assert.deepEqual([world.served, world.passed()], [0, 1]);
  world.clock.time += 10_000;
  await world.signal();
  assert.deepEqual([world.served, world.passed()], [1, 1]);
});

test('a signal to somebody who is connected waits, in order, until there is a way', async () => {
  const world = await meshed({ near: [] });
  world.serve('waiting');
  const told = [];
  const waiting = [1, 2].map((i) => world.signal('z', { ...DATA, i }).then(() => told.push(i)));
  await settled();
  assert.deepEqual(told, []);
  world.tells([{ id: 'z', device: 'd' }]);
  await Promise.all(waiting);
  assert.deepEqual([told, world.served], [[1, 2], 0]);
  assert.deepEqual(world.post.sent.filter(({ type }) => type === 'pass').map(({ data }) => data.i), [1, 2]);
  // And no longer than is of use: then it is the server's to keep.
  world.tells([]);
  const late = world.signal('z', DATA);
  await settled();
  world.clock.ring();
  assert.equal(await late, 'delivered');
  assert.equal(world.served, 1);
});

test('a call for a mesh that is just being made waits for it, and one for another is nobody’s', async () => {
  const world = await meshed();
  const soon = world.calls.post.mesh('soon').accept(peer('a'));
  const never = world.calls.post.mesh('never').accept(peer('a'));
  await settled();
  world.meshes.add(new FakeRoom('soon', ['a']), {});
  assert.equal(await soon, true);
  world.clock.ring();
  assert.equal(await never, 'unknown');
  const stray = connection('a');
  world.calls.post.mesh('never').incoming(stray);
  assert.equal(stray.state, 'closed');
});

/** M in a mesh with B and Z, connected to both; B is near to Z. */
async function meshed({ answer = async () => 'delivered', near = [{ id: 'z', device: 'd' }] } = {}) {
  const clock = Object.assign(new FakeClock(), { time: 0, now: () => clock.time });
  const client = Object.assign(new Emitter(), { id: 'm', device: 'd', status: { state: 'open' } });
  const world = { clock, served: 0, heard: [] };
  world.calls = {
    post: {
      signal: async (...signal) => {
        world.served += 1;
        return answer(...signal);
      },
      ready: () => new Promise(() => {}),
    },
    connect: () => new Promise(() => {}),
    known: async () => undefined,
    hear: (signal) => world.heard.push(signal),
  };
  world.meshes = new Meshes(/** @type {any} */ (client), world.calls, { clock, random: () => 0 });
  const room = new FakeRoom('den', ['b', 'z']);
  world.meshes.add(room, {});
  world.post = { readyState: 'open', bufferedAmount: 0, sent: [], send: (text) => world.post.sent.push(JSON.parse(text)) };
  room.mesh.incoming(Object.assign(connection('b'), { post: world.post }));
  room.mesh.incoming(connection('z'));
  world.tells = (peers) => world.post.onmessage({ data: JSON.stringify({ type: 'near', peers }) });
  world.tells(near);
  world.signal = (to = 'z', data = DATA) => world.calls.post.signal(to, 'd', 'ww.sealed', data);
  world.passed = () => world.post.sent.filter(({ type }) => type === 'pass').length;
  world.serve = (state) => {
    client.status = { state };
    client.emit({ type: 'status' });
  };
  return world;
}

class FakeRoom extends Emitter {
  open = true;
  mesh = null;

  constructor(name, ids) {
    super();
    this.name = name;
    this.members = ids.map((id) => ({ id, device: 'd' }));
  }
}

function connection(id) {
  return Object.assign(new FakeConnection(id), { post: null });
}

function peer(id) {
  return { id, device: 'd', key: 'k', verified: 'key', meta: { 'wigwag.mesh': 'den' } };
}
