// One call for several finders: who is asked, who is believed, who is let go, and what is said where all fail.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { WebSocket } from 'ws';

import { WigwagError } from '../errors.js';
import { Finders, isCode } from '../finders.js';
import { Identity } from '../identity.js';
import { Wigwag } from '../index.js';
import { memoryKeep } from '../keep.js';
import { isGood, makeRecord } from '../record.js';
import { Trust } from '../trust.js';
import { FakeConnection } from './fakes.js';
import { Server } from './server.js';
import { testKey, vectors } from './vectors.js';

const { subtle } = globalThis.crypto;
const BOB = 'bob@example.org';

/** @type {(() => unknown)[]} */
const ends = [];
after(() => Promise.all(ends.map((end) => end())));

test('in a race all are asked at once; the first wins, the others are let go, and what they bring later is closed', async () => {
  const { finders, asked } = search();
  const connected = finders.connect(BOB);
  assert.deepEqual(asked.map(({ name, search: { ms } }) => [name, ms]), [['lan', 20_000], ['server', 20_000]]);
  const [fast, late] = [new FakeConnection(BOB), new FakeConnection(BOB)];
  asked[0].answer(fast);
  assert.equal(await connected, fast);
  assert.equal(fast.finder, 'lan');
  assert.deepEqual(asked.map(({ search: { signal } }) => signal.aborted), [false, true]);
  asked[1].answer(late);
  await turn();
  assert.deepEqual([fast.state, late.state, late.why], ['open', 'closed', 'unused']);
});

test('in a ladder the server is asked when the others have failed, at once or by silence', async () => {
  const { finders, asked, pass, progress } = search({ order: 'ladder' });
  const connected = finders.connect(BOB, { finders: [{ name: 'lan', ms: 500 }, 'server'], deadline: 5_000 });
  assert.deepEqual(asked.map(({ name }) => name), ['lan']);
  pass(749);
  assert.equal(asked.length, 1);
  pass(1);
  assert.deepEqual(asked.map(({ name, search: { ms, signal } }) => [name, ms, signal.aborted]), [['lan', 500, true], ['server', 4_250, false]]);
  const connection = new FakeConnection(BOB);
  asked[1].answer(connection);
  assert.equal((await connected).finder, 'server');
  assert.deepEqual(progress.map(({ finder, state }) => `${finder} ${state}`), ['lan asked', 'lan cancelled', 'server asked', 'server won']);
});

test('where all fail the error has each reason, and its own is that of the one that came furthest', async () => {
  const { finders, asked } = search();
  const failed = finders.connect(BOB).catch((error) => error);
  asked[1].fail(new WigwagError('absent', 'Bob is out.', { lastSeen: new Date(7) }));
  await turn();
  asked[0].fail(new TypeError('no such network'));
  const error = await failed;
  assert.ok(error instanceof WigwagError);
  assert.deepEqual([error.reason, error.lastSeen, error.message], ['absent', new Date(7), 'lan: no such network server: Bob is out.']);
  assert.deepEqual(error.finders, [
    { finder: 'lan', reason: 'failed', message: 'no such network' }, { finder: 'server', reason: 'absent', message: 'Bob is out.' },
  ]);
});

test('who is silent is named when the time is over, and who was never asked too', async () => {
  const { finders, pass } = search({ order: 'ladder' });
  const failed = finders.connect(BOB, { finders: [{ name: 'lan', ms: 900 }, 'server'], deadline: 800 }).catch((error) => error);
  pass(1_050);
  const { reason, at, finders: told } = await failed;
  assert.deepEqual([reason, at, told.map((each) => each.reason)], ['timeout', 'finder', ['timeout', 'not_asked']]);
});

test('a finder that is alone fails with its own error', async () => {
  const { finders, asked } = search();
  const error = new WigwagError('no_path', 'No way.', { tried: ['direct'] });
  const failed = assert.rejects(finders.connect(BOB, { finders: ['server'] }), (thrown) => thrown === error);
  asked[0].fail(error);
  await failed;
  assert.deepEqual([asked.length, error.tried, error.finders?.length], [1, ['direct'], 1]);
});

test('a finder that throws at once, or leads to somebody else, harms nobody', async () => {
  const wrong = new FakeConnection('eve@example.org');
  const { finders, asked } = search();
  const own = [{ name: 'mine', connect: () => { throw new Error('broken'); } }, { name: 'other', connect: async () => wrong }, 'server'];
  const connected = finders.connect(BOB, { finders: own });
  await turn();
  assert.deepEqual([wrong.state, wrong.why], ['closed', 'key_mismatch']);
  const connection = new FakeConnection(BOB);
  asked[0].answer(connection);
  assert.equal(await connected, connection);
});

test('who calls it off stops all, and who is not switched on is not asked', async () => {
  const { finders, asked } = search();
  const controller = new AbortController();
  const failed = assert.rejects(finders.connect(BOB, { signal: controller.signal }), { reason: 'aborted' });
  controller.abort();
  await failed;
  assert.deepEqual(asked.map(({ search: { signal } }) => signal.aborted), [true, true]);
  await assert.rejects(finders.connect(BOB, { signal: AbortSignal.abort() }), { reason: 'aborted' });
  await assert.rejects(finders.connect(BOB, { finders: [] }), { reason: 'no_finder' });
  await assert.rejects(async () => finders.connect(BOB, { finders: ['pigeon'] }), { reason: 'no_finder' });
  assert.equal(asked.length, 2);
});

test('who hears of progress may call it off at once, and may fail, without harm', async (t) => {
  const { finders, asked } = search();
  const controller = new AbortController();
  await assert.rejects(finders.connect(BOB, { signal: controller.signal, onProgress: () => controller.abort() }), { reason: 'aborted' });
  assert.deepEqual(asked.map(({ search: { signal } }) => signal.aborted), [true, true]);
  const thrown = [];
  t.mock.method(globalThis, 'queueMicrotask', (run) => thrown.push(run));
  const connected = finders.connect(BOB, { finders: ['server'], onProgress: ({ state }) => { if (state === 'asked') throw new Error('of the app'); } });
  asked[2].answer(new FakeConnection(BOB));
  assert.equal((await connected).finder, 'server');
  assert.equal(thrown.length, 1);
  assert.throws(thrown[0], { message: 'of the app' });
});

test('a client that closes ends its searches', async () => {
  const { finders, asked } = search();
  const failed = assert.rejects(finders.connect(BOB), { reason: 'closed' });
  finders.close();
  await failed;
  assert.deepEqual(asked.map(({ search: { signal } }) => signal.aborted), [true, true]);
});

test('a sighting counts when the peer itself signed it, and no other does', async () => {
  const bob = await Identity.make();
  const eve = await Identity.make();
  const now = Date.now();
  const good = { namespace: 'chess', id: bob.id, made: now - 1_000, until: now + 60_000, where: { port: 7 } };
  const record = await makeRecord(subtle, bob, good);
  for (const [why, forged] of Object.entries({
    'no record': undefined,
    'another key': await makeRecord(subtle, eve, good),
    'another id': await makeRecord(subtle, eve, { ...good, id: eve.id }),
    'another namespace': await makeRecord(subtle, bob, { ...good, namespace: 'go' }),
    'out of date': await makeRecord(subtle, bob, { ...good, until: now - 1 }),
    'not yet': await makeRecord(subtle, bob, { ...good, made: now + 600_000, until: now + 700_000 }),
    'changed on its way': { ...record, where: { port: 8 } },
    'rubbish': /** @type {any} */ ('yes'),
  })) {
    const { finders, asked } = search();
    const found = finders.find(bob.id);
    asked[0].answer({ state: 'here', record: forged });
    await turn();
    asked[1].answer({ state: 'here', devices: [], polite: true });
    assert.equal((await found).finder, 'server', why);
  }
  const { finders, asked } = search();
  const found = finders.find(bob.id);
  asked[0].answer({ state: 'here', record });
  const { finder, state, id } = await found;
  assert.deepEqual([finder, state, id], ['lan', 'here', bob.id]);
});

test('a record proves a name only where its key is pinned already', async () => {
  const bob = await Identity.make();
  const now = Date.now();
  const record = await makeRecord(subtle, bob, { namespace: 'chess', id: BOB, made: now, until: now + 1_000 });
  for (const pinned of [false, true]) {
    const { finders, asked, trust } = search();
    if (pinned) await trust.pin(BOB, bob.key);
    const found = finders.find(BOB, { finders: ['lan'] }).catch((error) => error.reason);
    asked[0].answer({ state: 'here', record });
    assert.equal((await found).finder ?? (await found), pinned ? 'lan' : 'not_verified');
    assert.equal(await trust.known(BOB), pinned ? bob.key : undefined);
  }
});

test('where nobody sees it here, what is known best is the answer', async () => {
  const { finders, asked } = search();
  const found = finders.find(BOB);
  asked[1].answer({ state: 'gone', lastSeen: new Date(5) });
  asked[0].answer(null);
  const { state, lastSeen, finder } = await found;
  assert.deepEqual([state, lastSeen, finder], ['gone', new Date(5), 'server']);
});

test('a code is told from an id', () => {
  const code = `WW2${'0123456789ABCDEFGHJKMNPQRSTVWXYZ'.repeat(4)}`;
  for (const text of [code, code.toLowerCase(), `https://example.org/#${code}`, ` ${code.match(/.{1,10}/g).join('-\n')} `, 'WW2CUTSHORT0123456789']) assert.ok(isCode(text), text);
  for (const { text } of vectors('ids.json').ids.valid) assert.ok(!isCode(text), text);
});

for (const { why, record, namespace = '', id, now, good } of vectors('records.json').cases) {
  test(`a record: ${why}`, async () => assert.equal(await isGood(subtle, record, { namespace, id, now }), good));
}

test('a record is written as the vectors have it', async () => {
  const [{ record }] = vectors('records.json').cases;
  const { v, key, signature, ...content } = record;
  const signer = /** @type {any} */ ({ key: testKey(1).key, sign: async (text) => testKey(1).sign(text) });
  assert.deepEqual(JSON.parse(JSON.stringify(await makeRecord(subtle, signer, content))), record);
});

test('with the real server as the fallback, a peer is found though a finder of the app is of no use', async () => {
  const server = await Server.start();
  const useless = { name: 'useless', find: async () => null };
  const surroundings = { WebSocket: /** @type {any} */ (WebSocket), keep: memoryKeep(), servers: server.url, namespace: 'chess' };
  const [alice, bob] = await Promise.all([{ finders: [useless, 'server'] }, {}].map(async (more) => (
    Wigwag.open({ ...surroundings, identity: await Identity.make(), ...more }))));
  ends.push(() => [alice, bob].forEach((client) => client.close()), () => server.stop());
  const progress = [];
  alice.on('finding', (event) => progress.push(`${event.progress.finder} ${event.progress.state}`));
  const { state, finder } = await alice.find(bob.id, { order: 'ladder' });
  assert.deepEqual([state, finder], ['here', 'server']);
  assert.deepEqual(progress, ['useless asked', 'useless lost', 'server asked', 'server won']);
  const record = await bob.record({ seconds: 60, where: 'next door' });
  assert.ok(await isGood(subtle, record, { namespace: 'chess', id: bob.id, now: Date.now() }));
  const seen = await alice.find(bob.id, { finders: [{ name: 'lan', find: async () => ({ state: 'here', record }) }] });
  assert.equal(seen.finder, 'lan');
});

test('a client without a server opens at once, and says what it cannot do', async () => {
  const surroundings = { WebSocket: /** @type {any} */ (WebSocket), RTCPeerConnection: /** @type {any} */ (class {}), keep: memoryKeep() };
  const alone = await Wigwag.open({ ...surroundings, servers: [], identity: await Identity.make() });
  ends.push(() => alone.close());
  await assert.rejects(alone.connect(BOB), { reason: 'no_finder' });
  await assert.rejects(alone.find(BOB), { reason: 'closed' });
  await assert.rejects(alone.join('den'), { reason: 'closed' });
  assert.equal(alone.id, alone.identity?.id);
  const found = await alone.find(BOB, { finders: [{ name: 'none', find: async () => null }] }).catch(({ reason }) => reason);
  assert.equal(found, 'not_found');
});

test('what a client was opened with says nothing of which device of a peer is called', async () => {
  const server = await Server.start();
  const surroundings = {
    WebSocket: /** @type {any} */ (WebSocket), RTCPeerConnection: /** @type {any} */ (class {}), keep: memoryKeep(), servers: server.url, accept: () => 'not now',
  };
  const [alice, bob] = await Promise.all(['laptop', 'phone'].map(async (device) => Wigwag.open({ ...surroundings, device, identity: await Identity.make() })));
  ends.push(() => [alice, bob].forEach((client) => client.close()), () => server.stop());
  await assert.rejects(alice.connect(bob.id), { reason: 'refused', message: 'not now' });
});

/** Finders of which two do what the test says, with a clock that the test moves. */
function search(defaults = {}) {
  /** @type {{ name: string, search: import('../finders.js').Search, answer: (found: any) => void, fail: (error: Error) => void }[]} */
  const asked = [];
  const ask = (name) => (target, each) => new Promise((answer, fail) => asked.push({ name, search: each, answer, fail }));
  const progress = [];
  let now = 0;
  const timers = new Set();
  const clock = {
    now: () => now,
    setTimeout: (run, ms) => {
      const timer = { run, at: now + ms };
      timers.add(timer);
      return timer;
    },
    clearTimeout: (timer) => void timers.delete(timer),
  };
  const trust = new Trust(subtle, memoryKeep(), () => 'chess');
  const finders = new Finders({
    known: ['lan', 'server'].map((name) => ({ name, find: ask(name), connect: ask(name) })),
    defaults, subtle, trust, identity: null, clock, RTCPeerConnection: undefined,
    ice: () => [],
    add: () => {},
    self: () => ({ id: 'me', device: '', namespace: 'chess' }),
    tell: (target, each) => progress.push(each),
  });
  const pass = (ms) => {
    now += ms;
    for (const timer of [...timers]) if (timer.at <= now && timers.delete(timer)) timer.run();
  };
  return { finders, asked, progress, pass, trust };
}

/** Lets what was answered be taken in. */
function turn() {
  return new Promise((resolve) => setImmediate(resolve));
}
