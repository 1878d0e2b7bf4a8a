// The network as one value: who is there, what waits, and that nothing grows or is lost without a word.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { WigwagError } from '../errors.js';
import { NetworkStore } from '../store.js';
import { FakeClient, FakeClock, FakeConnection, settled } from './fakes.js';

const BOB = 'bob@example.org';

test('whoever subscribes gets the present value at once, each later one, and none after it has stopped', () => {
  const { client, store } = made();
  const seen = [];
  const stop = store.subscribe((value) => seen.push(value.status.state));
  client.stands({ state: 'waiting' });
  stop();
  client.stands({ state: 'open' });
  assert.deepEqual(seen, ['open', 'waiting']);
});

test('a value that was handed out never changes', () => {
  const { client, store } = made();
  const before = store.value;
  store.add(BOB);
  client.stands({ state: 'waiting' });
  assert.deepEqual(before, { status: { state: 'open', server: 'wss://example.org/v1' }, peers: [] });
  assert.throws(() => store.value.peers.push('x'), TypeError);
});

test('a peer is connected to when it is here, and not before', async () => {
  const { client, store } = made();
  store.add(BOB);
  await settled();
  assert.deepEqual(client.asked, [`watch ${BOB}`]);
  assert.equal(store.peer(BOB).state, 'away');
  client.tells(BOB, 'here');
  assert.equal(store.peer(BOB).state, 'connecting');
  client.answers({ path: 'turn' });
  await settled();
  assert.deepEqual(pick(store.peer(BOB)), { state: 'open', path: 'turn', queued: 0 });
});

test('what is sent while a peer is away is delivered in order when it comes', async () => {
  const { client, store } = made();
  store.add(BOB);
  const sent = Promise.all(['one', 'two', { three: 3 }].map((message) => store.send(BOB, message)));
  assert.equal(store.peer(BOB).queued, 3);
  client.tells(BOB, 'here');
  const connection = client.answers();
  await sent;
  await settled();
  assert.deepEqual(connection.sent, ['one', 'two', { three: 3 }]);
  assert.equal(store.peer(BOB).queued, 0);
});

test('what a breaking connection did not take is delivered by the next one', async () => {
  const { client, store } = made();
  store.add(BOB);
  client.tells(BOB, 'here');
  const first = client.answers();
  await settled();
  first.refusal = new WigwagError('closed', 'gone');
  const sent = store.send(BOB, 'kept');
  await settled();
  first.close();
  client.tells(BOB, 'here');
  const second = client.answers();
  await sent;
  assert.deepEqual(second.sent, ['kept']);
});

test('a full queue refuses the next message and keeps those before it', async () => {
  const { store } = made({ queue: 2 });
  store.add(BOB);
  const kept = [store.send(BOB, 1), store.send(BOB, 2)];
  await assert.rejects(store.send(BOB, 3), { reason: 'queue_full' });
  assert.equal(store.peer(BOB).queued, 2);
  store.close();
  for (const each of kept) await assert.rejects(each, { reason: 'closed' });
});

test('a message that cannot be sent fails alone', async () => {
  const { client, store } = made();
  store.add(BOB);
  client.tells(BOB, 'here');
  const connection = client.answers();
  await settled();
  connection.refusal = new WigwagError('too_large', 'too large');
  await assert.rejects(store.send(BOB, 'long'), { reason: 'too_large' });
  connection.refusal = null;
  await store.send(BOB, 'short');
  assert.deepEqual(connection.sent, ['short']);
});

test('a message that waits can be called off', async () => {
  const { client, store } = made();
  store.add(BOB);
  const caller = new AbortController();
  const first = store.send(BOB, 'first', { signal: caller.signal });
  const second = store.send(BOB, 'second');
  caller.abort();
  await assert.rejects(first, { reason: 'aborted' });
  client.tells(BOB, 'here');
  const connection = client.answers();
  await second;
  assert.deepEqual(connection.sent, ['second']);
});

test('who is no peer is not written to', async () => {
  const { store } = made();
  await assert.rejects(store.send(BOB, 'hello'), { reason: 'not_found' });
});

test('tries that fail come ever more rarely, and not at all while the peer is away', async () => {
  const { client, clock, store } = made();
  store.add(BOB);
  client.tells(BOB, 'here');
  const waits = [];
  for (let at = 0; at < 9; at += 1) {
    client.dials.at(-1).reject(new WigwagError('no_path', 'no way'));
    await settled();
    waits.push(...clock.ring());
  }
  assert.deepEqual(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1_000));
  const lastSeen = new Date(0);
  client.dials.at(-1).reject(new WigwagError('absent', 'away', { lastSeen }));
  await settled();
  assert.deepEqual([store.peer(BOB).state, store.peer(BOB).lastSeen, clock.timers.size], ['away', lastSeen, 0]);
});

test('a wrong key ends the tries until a person asks for another', async () => {
  const { client, clock, store } = made();
  store.add(BOB);
  client.tells(BOB, 'here');
  client.dials[0].reject(new WigwagError('key_mismatch', 'another key'));
  await settled();
  client.tells(BOB, 'here');
  assert.deepEqual([store.peer(BOB).state, store.peer(BOB).error.reason], ['failed', 'key_mismatch']);
  assert.deepEqual([client.dials.length, clock.timers.size], [1, 0]);
  store.retry(BOB);
  assert.equal(client.dials.length, 2);
});

test('who declined is asked again when it comes anew', async () => {
  const { client, store } = made();
  store.add(BOB);
  client.tells(BOB, 'here');
  client.dials[0].reject(new WigwagError('refused', 'busy'));
  await settled();
  assert.equal(store.peer(BOB).state, 'failed');
  client.tells(BOB, 'here');
  assert.equal(client.dials.length, 2);
});

test('who connects by itself is a peer as long as the connection stands', async () => {
  const { client, store } = made();
  const heard = [];
  store.on('message', ({ from, data }) => heard.push([from, data]));
  const connection = new FakeConnection(BOB);
  client.emit({ type: 'connection', connection });
  connection.says('hello');
  await store.send(BOB, 'welcome');
  assert.deepEqual([heard, connection.sent], [[[BOB, 'hello']], ['welcome']]);
  connection.close();
  assert.deepEqual(store.value.peers, []);
});

test('a store of known peers leaves strangers to the app', () => {
  const { client, store } = made({ incoming: 'known' });
  client.emit({ type: 'connection', connection: new FakeConnection('eve@example.org') });
  assert.deepEqual(store.value.peers, []);
});

test('a way that becomes another one is shown', async () => {
  const { client, clock, store } = made();
  store.add(BOB);
  client.tells(BOB, 'here');
  const connection = client.answers({ path: 'relayed' });
  await settled();
  assert.equal(store.peer(BOB).path, 'relayed');
  connection.path = 'direct';
  clock.ring();
  await settled();
  assert.equal(store.peer(BOB).path, 'direct');
  connection.set('mending');
  assert.deepEqual(pick(store.peer(BOB)), { state: 'mending', path: null, queued: 0 });
});

test('who was added twice stays until let go twice, and then its connection ends', async () => {
  const { client, store } = made();
  const [one, two] = [store.add(BOB), store.add(BOB)];
  client.tells(BOB, 'here');
  const connection = client.answers();
  await settled();
  one();
  one();
  assert.equal(store.peer(BOB).state, 'open');
  two();
  await settled();
  assert.deepEqual([store.peer(BOB), connection.why, client.asked.at(-1)], [undefined, 'removed', `unwatch ${BOB}`]);
});

test('who is let go and added again at once is watched in the end', async () => {
  const { client, store } = made();
  store.add(BOB)();
  store.add(BOB);
  await settled();
  assert.deepEqual(client.asked.filter((each) => each.includes('watch')).at(-1), `watch ${BOB}`);
  client.tells(BOB, 'here');
  assert.equal(client.dials.length, 1);
});

test('a closed store calls off what it began, and leaves nothing behind', async () => {
  const { client, clock, store } = made();
  store.add(BOB);
  await settled();
  client.tells(BOB, 'here');
  store.close();
  await settled();
  assert.equal(client.dials[0].options.signal.aborted, true);
  assert.deepEqual([store.value.peers, clock.timers.size, client.hears('connection'), client.closed], [[], 0, false, false]);
  assert.equal(client.asked.at(-1), `unwatch ${BOB}`);
  await assert.rejects(store.send(BOB, 'late'), { reason: 'closed' });
  assert.throws(() => store.add(BOB), { reason: 'closed' });
});

/** A store whose waits are as long as they may be. */
function made(options = {}) {
  const [client, clock] = [new FakeClient(), new FakeClock()];
  return { client, clock, store: new NetworkStore(client, { clock, random: () => 1, ...options }) };
}

function pick({ state, path, queued }) {
  return { state, path, queued };
}
