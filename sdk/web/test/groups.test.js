// Networks and swarms against the real server, over wires and servers that go.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { WebSocket } from 'ws';

import { Identity, Wigwag, memoryKeep } from '../index.js';
import { Network } from '../network.js';
import { Swarm } from '../swarm.js';
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

test('the nodes of a network know each other, their roles, and who comes and goes', async () => {
  const [alice, bob] = await Promise.all([open(), open()]);
  const here = await Network.join(alice, 'tom', { me: { nick: 'Al' } });
  assert.deepEqual(here.nodes.map(({ id, me }) => [id, me]), [[alice.id, { nick: 'Al' }]]);
  const joined = here.once('joined');
  const there = await Network.join(bob, 'tom', { me: { nick: 'Bo' } });
  assert.deepEqual(there.nodes.map(({ me: { nick } }) => nick).sort(), ['Al', 'Bo']);
  assert.deepEqual((await joined).node.me, { nick: 'Bo' });
  const role = here.once('role');
  await there.setRoles(['storage', 'relay']);
  assert.deepEqual(await role, { type: 'role', id: bob.id, roles: ['storage', 'relay'], from: bob.id });
  assert.deepEqual(here.having('storage').map(({ id }) => id), [bob.id]);
  const updated = here.once('updated');
  assert.equal(await Network.join(bob, 'tom', { me: { nick: 'Bob' } }), there);
  assert.deepEqual((await updated).node.me, { nick: 'Bob' });
  const left = here.once('left');
  await there.leave();
  assert.deepEqual([(await left).node.id, here.nodes.length, there.open], [bob.id, 1, false]);
});

test('a sign of life reaches the others, by hand or by itself', async () => {
  const [alice, bob] = await Promise.all([open(), open()]);
  const here = await Network.join(alice, 'alive');
  const there = await Network.join(bob, 'alive');
  const [first] = await Promise.all([here.once('beats'), there.beat()]);
  assert.deepEqual(first.nodes.map(({ id }) => id), [bob.id]);
  await Network.join(bob, 'alive', { beatEvery: 20 });
  await here.once('beats');
  assert.ok(here.nodes.find(({ id }) => id === bob.id)?.beat instanceof Date);
  await there.leave();
});

test('a network that the server refuses is none, and a client that closes leaves', async () => {
  const alice = await open();
  await assert.rejects(Network.join(alice, ''), { name: 'WigwagError' });
  const here = await Network.join(alice, 'short');
  const closed = here.once('closed');
  alice.close();
  assert.equal((await closed).why, 'closed');
  await assert.rejects(Network.join(alice, 'short'), { reason: 'closed' });
});

test('a swarm hands out others and counts who has all', async () => {
  const [alice, bob, carol] = await Promise.all([open(), open(), open()]);
  const all = await Swarm.join(alice, 'file', { complete: true });
  assert.deepEqual([all.found, all.name], [{ peers: [], complete: 1, incomplete: 0 }, 'file']);
  const some = await Swarm.join(bob, 'file', { want: 5 });
  assert.deepEqual(some.found.peers, [{ id: alice.id, device: alice.device }]);
  assert.deepEqual(await Swarm.count(carol, 'file'), { peers: [], complete: 1, incomplete: 1 });
  await some.announce({ complete: true });
  assert.equal((await some.announce()).complete, 2);
  await some.leave();
  assert.equal((await Swarm.count(carol, 'file')).complete, 1);
});

test('a server that forgot everything has the nodes and the swarm again', async () => {
  const lost = await Server.start();
  const [alice, bob] = await Promise.all([open(lost), open(lost)]);
  const here = await Network.join(alice, 'tom', { me: 1 });
  const there = await Network.join(bob, 'tom', { me: 2 });
  await Swarm.join(alice, 'file', { complete: true });
  const port = lost.port;
  const back = Promise.all([alice, bob].map((client) => client.once('fresh')));
  await lost.stop('SIGKILL');
  const again = await Server.start({ port });
  await back;
  const whole = () => [here, there].every(({ nodes }) => nodes.map(({ me }) => me).sort().join() === '1,2');
  while (!whole()) await Promise.race(['joined', 'left', 'updated'].flatMap((type) => [here, there].map((network) => network.once(type))));
  for (let count = await Swarm.count(bob, 'file'); count.complete !== 1;) count = await Swarm.count(bob, 'file');
  for (const client of [alice, bob]) client.close();
  await again.stop();
});

async function open(at = server) {
  const client = await Wigwag.open({ servers: at.url, WebSocket: /** @type {any} */ (WebSocket), keep: memoryKeep(), identity: await Identity.make() });
  clients.push(client);
  return client;
}
