// `spec/sealed.md`: what two peers agree on, and what becomes of everything that a server could do to it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Identity } from '../identity.js';
import { memoryKeep } from '../keep.js';
import { Seal, makeCall, makeDecline, makeHail, makeHeed, makeShare, readDecline, readHail, readHeed } from '../sealed.js';
import { Trust } from '../trust.js';
import { shareOf } from './shares.js';
import { testKey, vectors } from './vectors.js';

const { subtle } = globalThis.crypto;

for (const kinds of [['ed25519', 'ed25519'], ['p256', 'ed25519'], ['p256', 'p256']]) {
  test(`${kinds.join(' and ')} agree on a secret and read what the other sealed`, async () => {
    const { alice, bob } = await agreed(kinds);
    for (const content of [{ description: { type: 'offer', sdp: 'v=0' } }, { candidates: [null] }, { bye: 'ended' }]) {
      assert.deepEqual(await bob.open(await alice.seal(content)), content);
      assert.deepEqual(await alice.open(await bob.seal(content)), content);
    }
  });
}

test('the vectors are read and written byte for byte', async () => {
  const { hailer, heeder, hail, heed, decline, boxes } = vectors('sealed.json');
  const { to_device: toDevice, ...rest } = heeder.pair;
  const back = { ...rest, toDevice };
  const asked = await readHail(subtle, hailer.pair, hail.data);
  assert.equal(asked.statement, hail.statement);
  const answered = await readHeed(subtle, back, heed.data, asked);
  assert.equal(answered.statement, heed.statement);
  assert.equal((await readDecline(subtle, back, decline.data, asked)).reason, 'Not now.');
  const signer = ({ test_key: n }) => ({ key: testKey(n).key, sign: async (text) => testKey(n).sign(text) });
  assert.deepEqual((await makeHail(subtle, signer(hailer), hailer.pair, hail.data)).data, hail.data);
  assert.deepEqual((await makeHeed(subtle, signer(heeder), back, heed.data.share, asked)).data, heed.data);
  const [one, two] = [await shareOf(hailer.share), await shareOf(heeder.share)];
  assert.deepEqual([one.share, two.share], [hail.data.share, heed.data.share]);
  const [from, to] = [
    await Seal.make(subtle, { hails: true, secret: one.secret, hail: asked, heed: answered }),
    await Seal.make(subtle, { hails: false, secret: two.secret, hail: asked, heed: answered }),
  ];
  for (const { who, content, data } of boxes) {
    const [mine, theirs] = who === 'hailer' ? [from, to] : [to, from];
    assert.deepEqual(await mine.seal(content), data);
    assert.deepEqual(await theirs.open(data), content);
  }
});

test('what came before, twice, in another call or back to its sender is passed over', async () => {
  const { alice, bob } = await agreed();
  const [one, two] = [await alice.seal({ bye: '1' }), await alice.seal({ bye: '2' })];
  assert.deepEqual(await bob.open(two), { bye: '2' });
  assert.equal(await bob.open(one), null);
  assert.equal(await bob.open(two), null);
  const other = await agreed();
  assert.equal(await other.bob.open({ ...(await alice.seal({ bye: '3' })), call: other.bob.call }), null);
  assert.equal(await alice.open(await alice.seal({ bye: '4' })), null);
});

test('a box in which a bit is another does not open, and the next one does', async () => {
  const { alice, bob } = await agreed();
  const sealed = await alice.seal({ description: { type: 'offer', sdp: 'a=fingerprint' } });
  const bytes = Buffer.from(sealed.box, 'base64url');
  for (let at = 0; at < bytes.length; at += 7) {
    const changed = Buffer.from(bytes);
    changed[at] ^= 1;
    assert.equal(await bob.open({ ...sealed, box: changed.toString('base64url') }), null);
  }
  for (const broken of [{ i: 0 }, { i: 1.5 }, { i: '1' }, { box: '' }, { box: 7 }, { v: 2 }, { i: 9 }]) {
    assert.equal(await bob.open({ ...sealed, ...broken }), null);
  }
  for (const nothing of [null, undefined, 7, 'x', []]) assert.equal(await bob.open(nothing), null);
  assert.ok(await bob.open(sealed));
});

test('a hail is good for the two that it is between, and for nothing that was changed', async () => {
  const { pair, hail } = await parts();
  assert.deepEqual((await readHail(subtle, pair, hail.data)).meta, { topic: 'chess' });
  const other = await makeShare(subtle);
  for (const change of [{ share: other.share }, { call: makeCall() }, { key: (await Identity.make()).key }, { meta: { topic: 'go' } },
    { meta: undefined }, { signature: 'x' }, { v: 2 }, { share: 'AAAA' }]) {
    assert.equal(await readHail(subtle, pair, { ...hail.data, ...change }), null, JSON.stringify(change));
  }
  for (const change of [{ from: 'eve@example.org' }, { to: 'eve@example.org' }, { device: 'phone' }, { namespace: 'go' }]) {
    assert.equal(await readHail(subtle, { ...pair, ...change }, hail.data), null, JSON.stringify(change));
  }
});

test('a heed and a decline answer one hail and no other', async () => {
  const { bob, pair, back, hail } = await parts();
  const read = await readHail(subtle, pair, hail.data);
  const { share } = await makeShare(subtle);
  const heed = await makeHeed(subtle, bob, back, share, read);
  const decline = await makeDecline(subtle, bob, back, read, 'Not now.');
  const asked = { call: read.call, statement: hail.statement };
  assert.equal((await readHeed(subtle, back, heed.data, asked)).share, share);
  assert.equal((await readDecline(subtle, back, decline, asked)).reason, 'Not now.');
  const another = { call: read.call, statement: `${hail.statement} ` };
  assert.equal(await readHeed(subtle, back, heed.data, another), null);
  assert.equal(await readDecline(subtle, back, decline, another), null);
  assert.equal(await readDecline(subtle, back, { ...decline, reason: 'Never.' }, asked), null);
  assert.equal(await readHeed(subtle, back, { ...heed.data, share: (await makeShare(subtle)).share }, asked), null);
});

test('a share that is no point of the curve makes no secret', async () => {
  const { call, hail, heed, aliceSecret } = await parts();
  const bad = Buffer.alloc(65, 7).toString('base64url');
  assert.equal(await Seal.make(subtle, { hails: true, secret: aliceSecret, hail: { ...hail, call }, heed: { ...heed, share: bad } }), null);
});

test('a key belongs to its hash, and to a name if it was the first or was told beforehand', async () => {
  const trust = new Trust(subtle, memoryKeep(), () => 'chess');
  const [bob, eve] = [await Identity.make(), await Identity.make()];
  const mismatch = { reason: 'key_mismatch' };
  assert.equal(await trust.check(bob.id, bob.key), 'key');
  await assert.rejects(trust.check(bob.id, eve.key), mismatch);
  assert.equal(await trust.check('bob@example.org', bob.key), 'first');
  assert.equal(await trust.check('bob@example.org', bob.key), 'pinned');
  await assert.rejects(trust.check('bob@example.org', eve.key), mismatch);
  await assert.rejects(trust.check('carol@example.org', eve.key, bob.key), mismatch);
  assert.equal(await trust.check('dave@example.org', bob.key, bob.key), 'pinned');
  await trust.pin('bob@example.org', eve.key);
  assert.equal(await trust.check('bob@example.org', eve.key), 'pinned');
  assert.equal(await trust.check('~abcdefghijklmnopqrst', eve.key), 'guest');
});

async function parts(kinds = ['ed25519', 'ed25519']) {
  const [alice, bob] = await Promise.all(kinds.map((kind) => Identity.make({ kind })));
  const pair = { namespace: 'chess', from: alice.id, device: 'laptop', to: bob.id };
  const back = { namespace: 'chess', from: bob.id, device: '', to: alice.id, toDevice: 'laptop' };
  const [{ share, secret: aliceSecret }, answer] = await Promise.all([makeShare(subtle), makeShare(subtle)]);
  const call = makeCall();
  const hail = await makeHail(subtle, alice, pair, { call, share, meta: { topic: 'chess' } });
  const half = { call, key: alice.key, share, statement: hail.statement };
  const { statement } = await makeHeed(subtle, bob, back, answer.share, half);
  const heed = { call, key: bob.key, share: answer.share, statement };
  return { alice, bob, pair, back, call, hail, half, heed, aliceSecret, bobSecret: answer.secret };
}

async function agreed(kinds) {
  const { half: hail, heed, aliceSecret, bobSecret } = await parts(kinds);
  return {
    alice: await Seal.make(subtle, { hails: true, secret: aliceSecret, hail, heed }),
    bob: await Seal.make(subtle, { hails: false, secret: bobSecret, hail, heed }),
  };
}
