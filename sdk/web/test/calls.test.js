// What a hostile server can try with the order of calls, against the real cryptography. No connection comes of any of it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../calls.js';
import { Identity } from '../identity.js';
import { memoryKeep } from '../keep.js';
import { Seal, makeCall, makeHail, makeHeed, makeShare, readHail } from '../sealed.js';
import { Trust } from '../trust.js';
import { FakeConnection } from './fakes.js';

const { subtle } = globalThis.crypto;
const ALICE = { namespace: 'chess', id: 'alice@example.org', device: '' };

test('a key that was told beforehand holds for a call that comes from the other side too', async () => {
  const bob = await Identity.make();
  const alice = await client();
  const called = alice.calls.connect('bob@example.org', { key: bob.key, deadline: 300 });
  await alice.sent('ww.hail');
  await alice.hear('bob@example.org', await Identity.make());
  assert.deepEqual(await alice.mismatched, 'bob@example.org');
  await assert.rejects(called, { reason: 'timeout', at: 'peer' });
  assert.deepEqual([alice.calls.connections, alice.kinds], [[], ['ww.hail']]);
});

test('a hail that is sent twice is one call, and one that was changed is none', async () => {
  const [bob, alice] = [await Identity.make(), await client()];
  const hail = await alice.hear(bob.id, bob);
  alice.calls.hear(hail);
  alice.calls.hear({ ...hail, data: { ...hail.data, call: makeCall() } });
  await alice.sent('ww.decline');
  assert.deepEqual(alice.asked, [bob.id]);
});

test('who floods with hails is passed over, and costs no more than so many calls', async () => {
  const [bob, alice] = [await Identity.make(), await client({ accept: () => new Promise(() => {}) })];
  const pair = { namespace: ALICE.namespace, from: bob.id, device: '', to: ALICE.id };
  const { share } = await makeShare(subtle);
  for (let at = 0; at < 400; at += 1) {
    const { data } = await makeHail(subtle, bob, pair, { call: makeCall(), share });
    alice.calls.hear({ from: bob.id, device: '', kind: 'ww.hail', data, polite: true });
  }
  await alice.settled(() => alice.asked.length >= 256);
  assert.equal(alice.asked.length, 256);
});

test('when the way to a peer is lost, the one to the server is looked at, too', async () => {
  const alice = await client();
  const connection = new FakeConnection('bob@example.org');
  alice.calls.add(connection);
  connection.set('mending');
  connection.set('open');
  assert.equal(alice.doubts, 1);
});

test('who is hailed while it is about to call has one call: the polite one heeds, and the impolite one passes over', async () => {
  for (const [polite, kinds, connections] of [[true, ['ww.hail', 'ww.heed'], 1], [false, ['ww.hail'], 0]]) {
    const [bob, alice] = [await Identity.make(), await client({ accept: () => true })];
    const called = assert.rejects(alice.calls.connect(bob.id, { deadline: 1_000 }), { reason: 'timeout', at: polite ? 'path' : 'peer' });
    // Its own hail is not out yet.
    assert.deepEqual(alice.kinds, []);
    await alice.hear(bob.id, bob, polite);
    for (const kind of kinds) await alice.sent(kind);
    assert.equal(alice.calls.connections.length, connections);
    await called;
    assert.deepEqual([alice.kinds.slice(0, 2), alice.calls.connections], [kinds, []]);
  }
});

test('who calls a peer whose call it has just heeded waits for that one, and does not hail', async () => {
  const [bob, alice] = [await Identity.make(), await client({ accept: () => true })];
  await alice.hear(bob.id, bob);
  await alice.sent('ww.heed');
  await assert.rejects(alice.calls.connect(bob.id, { deadline: 300 }), { reason: 'timeout', at: 'path' });
  assert.ok(!alice.kinds.includes('ww.hail'));
});

test('who heeds a hail that was called off is told at once that nobody waits', async () => {
  const [bob, alice, abort] = [await Identity.make(), await client(), new AbortController()];
  const called = alice.calls.connect(bob.id, { signal: abort.signal });
  await alice.sent('ww.hail');
  const pair = { namespace: ALICE.namespace, from: ALICE.id, device: '', to: bob.id };
  const hail = await readHail(subtle, pair, alice.data[0]);
  const { share, secret } = await makeShare(subtle);
  const heed = await makeHeed(subtle, bob, { ...pair, from: bob.id, to: ALICE.id, toDevice: '' }, share, hail);
  abort.abort();
  await assert.rejects(called, { reason: 'aborted' });
  for (const _ of [1, 2]) alice.calls.hear({ from: bob.id, device: '', kind: 'ww.heed', data: heed.data, polite: true });
  await alice.sent('ww.sealed');
  const seal = await Seal.make(subtle, { hails: false, secret, hail, heed: { ...hail, key: bob.key, share, statement: heed.statement } });
  assert.deepEqual(await seal.open(alice.data[1]), { bye: 'aborted' });
  assert.deepEqual(alice.kinds, ['ww.hail', 'ww.sealed']);
});

/** Calls without a browser: whatever would make a connection fails the test. */
async function client({ accept = () => false } = {}) {
  const waiting = new Set();
  const happened = () => [...waiting].forEach((look) => look());
  const self = { kinds: [], data: [], asked: [], doubts: 0 };
  self.settled = (look) => new Promise((resolve) => {
    const each = () => look() && waiting.delete(each) && resolve();
    waiting.add(each);
    each();
  });
  self.sent = (kind) => self.settled(() => self.kinds.includes(kind));
  self.mismatched = new Promise((resolve) => (self.mismatch = resolve));
  const trust = new Trust(subtle, memoryKeep(), () => ALICE.namespace);
  const RTCPeerConnection = /** @type {any} */ (class { constructor() { assert.fail('a connection was made'); } });
  self.calls = new Calls({ subtle, identity: await Identity.make(), trust, RTCPeerConnection }, {
    self: () => ALICE,
    signal: async (to, device, kind, data) => {
      self.kinds.push(kind);
      self.data.push(data);
      happened();
      return 'delivered';
    },
    find: async () => ({ state: 'here' }),
    ready: async () => {},
    accept: (peer) => {
      self.asked.push(peer.id);
      happened();
      return accept();
    },
    incoming: () => assert.fail('a connection came'),
    mismatch: (id) => self.mismatch(id),
    doubt: () => (self.doubts += 1),
    ice: () => [],
  });
  self.hear = async (from, identity, polite = true) => {
    const pair = { namespace: ALICE.namespace, from, device: '', to: ALICE.id };
    const { data } = await makeHail(subtle, identity, pair, { call: makeCall(), share: (await makeShare(subtle)).share });
    const heard = { from, device: '', kind: 'ww.hail', data, polite };
    self.calls.hear(heard);
    return heard;
  };
  return self;
}
