// The three calls of codes, over a stand-in for WebRTC that fails in every way. Real browsers are in `browser/`.

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';

import { acceptCode, complete, offerCode } from '../code.js';
import { vectors } from './vectors.js';

const [chromium, firefox] = ['Chromium, one network, hidden addresses', 'Firefox, one network, hidden addresses'];

afterEach(() => Stand.made.forEach((stand) => stand.close()));

test('two sides connect, and say how', async () => {
  const { offer, answer } = await pair();
  const [here, there] = await Promise.all([complete(offer, answer.code), answer.opened]);
  assert.equal(here.channel, offer.channel);
  assert.equal(there.channel.readyState, 'open');
  assert.match(offer.connection.remote.sdp, /a=setup:active/);
});

test('a wrong paste leaves the offer as it was', async () => {
  const { offer, answer } = await pair();
  await assert.rejects(complete(offer, 'hello'), { reason: 'not_a_code' });
  await assert.rejects(complete(offer, offer.code), { reason: 'not_an_answer' });
  await assert.rejects(complete(offer, answer.code.slice(0, -2)), { reason: 'cut_short' });
  await assert.rejects(complete(offer, valid(firefox, 'answer').code), { reason: 'other_offer' });
  assert.equal(offer.connection.signalingState, 'stable');
  await complete(offer, answer.code);
});

test('an offer is answered once', async () => {
  const { offer, answer } = await pair();
  await complete(offer, answer.code);
  await assert.rejects(complete(offer, answer.code), { reason: 'answered' });
  assert.notEqual(offer.connection.signalingState, 'closed');
});

test('an acceptor refuses what is no offer before it opens anything', async () => {
  const opened = Stand.made.length;
  await assert.rejects(acceptCode(valid(chromium, 'answer').code, { PeerConnection: Stand }), { reason: 'not_an_offer' });
  assert.equal(Stand.made.length, opened);
});

test('candidates that do not end in time make a code of those that came', async () => {
  const { code, connection } = await offerCode({ PeerConnection: stand({ gathers: 'forever' }), gatherMs: 20 });
  assert.ok(code.startsWith('WW'));
  connection.close();
});

test('without a network there is no code, and nothing stays open', async () => {
  await refused({ gathers: 'nothing' }, 'no_candidates');
  await refused({ gathers: 'nothing', ends: true }, 'no_candidates');
});

test('without WebRTC it says so', async () => {
  await assert.rejects(offerCode(), { reason: 'unsupported' });
  await assert.rejects(acceptCode(valid(chromium, 'offer').code), { reason: 'unsupported' });
});

test('a code that the platform does not take is not usable, and nothing stays open', async () => {
  const PeerConnection = stand({ takes: false });
  await assert.rejects(acceptCode(valid(chromium, 'offer').code, { PeerConnection }), { reason: 'not_usable' });
  assert.equal(Stand.made.at(-1)?.signalingState, 'closed');
});

test('the offerer gives up when there is no path, or when its time is over', async () => {
  for (const [end, reason] of [['failed', 'no_path'], ['connecting', 'timeout']]) {
    const { offer, answer } = await pair({ ends: end });
    await assert.rejects(complete(offer, answer.code, { deadlineMs: 30 }), { reason });
    assert.equal(offer.connection.signalingState, 'closed');
  }
});

test('the acceptor waits through failures until its own time is over', async () => {
  const offer = valid(chromium, 'offer').code;
  const answer = await acceptCode(offer, { PeerConnection: Stand, deadlineMs: 40 });
  answer.connection.become('failed');
  await assert.rejects(answer.opened, { reason: 'timeout', at: 'peer' });
  assert.equal(answer.connection.signalingState, 'closed');
});

test('an acceptor knocks with every candidate until it is let in', { timeout: 10_000 }, async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const answer = await acceptCode(valid(chromium, 'offer').code, { PeerConnection: Stand });
  assert.deepEqual(answer.connection.tried, []);
  t.mock.timers.tick(6_000);
  t.mock.timers.tick(6_000);
  const tried = answer.connection.tried.map((each) => each.candidate);
  assert.equal(tried.length, 4);
  assert.deepEqual(tried.map((line) => line.match(/generation \d+$/)?.[0]), ['generation 1', 'generation 1', 'generation 2', 'generation 2']);
  answer.connection.become('connected');
  t.mock.timers.tick(60_000);
  assert.equal(answer.connection.tried.length, 4);
  answer.close();
  t.mock.timers.tick(250);
  await assert.rejects(answer.opened, { reason: 'closed' });
});

test('a signal ends every wait', async () => {
  const stop = new AbortController();
  const { offer, answer } = await pair({ ends: 'connecting' }, stop.signal);
  const waiting = complete(offer, answer.code, { signal: stop.signal });
  const gathering = offerCode({ PeerConnection: stand({ gathers: 'forever' }), signal: stop.signal });
  setTimeout(() => stop.abort(new Error('enough')));
  await assert.rejects(waiting, { reason: 'aborted' });
  await assert.rejects(gathering, { reason: 'aborted' });
  await assert.rejects(answer.opened, { reason: 'aborted' });
  await assert.rejects(offerCode({ PeerConnection: Stand, signal: stop.signal }), { reason: 'aborted' });
});

test('listeners of the app are there before anything happens', async () => {
  const seen = [];
  const PeerConnection = Stand;
  await offerCode({ PeerConnection, prepare: (connection) => seen.push(connection.signalingState), label: 'chat' });
  await acceptCode(valid(chromium, 'offer').code, { PeerConnection, prepare: (connection) => seen.push(connection.remote) });
  assert.deepEqual(seen, ['stable', null]);
  assert.equal(Stand.made.at(-2)?.channel?.label, 'chat');
});

test('what comes before the app listens waits for it, in order, however it listens', async () => {
  for (const listen of [
    (channel, handler) => channel.addEventListener('message', handler),
    (channel, handler) => (channel.onmessage = handler),
  ]) {
    const { offer, answer } = await pair();
    say(offer.channel, 'early');
    const [here, there] = await Promise.all([complete(offer, answer.code), answer.opened]);
    for (const { channel } of [here, there]) say(channel, 'later');
    const heard = [[], []];
    [here, there].forEach(({ channel }, at) => {
      listen(channel, ({ data }) => heard[at].push(data));
      say(channel, 'now');
    });
    await Promise.resolve();
    for (const { channel } of [here, there]) say(channel, 'then');
    assert.deepEqual(heard, [['early', 'later', 'now', 'then'], ['later', 'now', 'then']]);
    assert.deepEqual(Object.keys(Object.getOwnPropertyDescriptors(here.channel)).filter((name) => name === 'addEventListener'), []);
  }
});

test('a channel on which too much comes before anybody listens is closed', async () => {
  for (const [text, most] of [['x', 1_000], ['x'.repeat(10_000), 52]]) {
    const { offer, answer } = await pair();
    const { channel } = await complete(offer, answer.code);
    for (let at = 0; at < most; at += 1) say(channel, text);
    assert.equal(channel.readyState, 'open');
    say(channel, text);
    assert.equal(channel.readyState, 'closed');
  }
});

/** @param {object} plan @param {string} reason */
async function refused(plan, reason) {
  const PeerConnection = stand(plan);
  await assert.rejects(offerCode({ PeerConnection, gatherMs: 20 }), { reason });
  assert.equal(Stand.made.at(-1)?.signalingState, 'closed');
}

/** An offer and its answer, of two stand-ins that know each other. @param {object} [plan] @param {AbortSignal} [signal] */
async function pair(plan, signal) {
  const offer = await offerCode({ PeerConnection: stand(plan ?? {}) });
  const answer = await acceptCode(offer.code, { PeerConnection: Stand, signal });
  offer.connection.other = answer.connection;
  return { offer, answer };
}

/** @param {string} whose @param {string} type */
function valid(whose, type) {
  return vectors('join_codes_valid.json').cases.find(({ why }) => why === `${whose}: ${type}`);
}

/** @param {object} plan */
function stand(plan) {
  return class extends Stand {
    plan = plan;
  };
}

/** What WebRTC does that these calls use, without a network. */
class Stand extends EventTarget {
  /** @type {Stand[]} */
  static made = [];
  /** What goes how: `gathers` (all, forever, nothing), `takes` (descriptions), `ends` (the state that is reached). */
  plan = {};
  signalingState = 'stable';
  connectionState = 'new';
  iceGatheringState = 'new';
  localDescription = null;
  remote = null;
  tried = [];
  other = null;
  channel = null;

  constructor() {
    super();
    Stand.made.push(this);
  }

  createDataChannel(label) {
    this.channel = Object.assign(new StandChannel(), { label, readyState: 'connecting' });
    return this.channel;
  }

  async createOffer() {
    return { type: 'offer', sdp: real('offer') };
  }

  async createAnswer() {
    return { type: 'answer', sdp: real('answer') };
  }

  async setLocalDescription({ type, sdp }) {
    const { gathers = 'all', ends = false } = this.plan;
    this.localDescription = { type, sdp: gathers === 'nothing' ? sdp.replace(/a=candidate.*\r\n/g, '') : sdp };
    if (gathers === 'forever' || (gathers === 'nothing' && !ends)) return;
    setTimeout(() => {
      this.iceGatheringState = 'complete';
      this.dispatchEvent(new Event('icegatheringstatechange'));
    });
  }

  async setRemoteDescription(description) {
    if (this.plan.takes === false) throw new Error('cannot be parsed');
    this.remote = description;
    if (description.type === 'answer') setTimeout(() => this.reach(this.plan.ends ?? 'connected'));
  }

  async addIceCandidate(candidate) {
    this.tried.push(candidate);
  }

  reach(state) {
    this.become(state);
    if (state !== 'connected') return;
    this.other.become(state);
    const channel = this.other.createDataChannel('theirs');
    this.other.dispatchEvent(Object.assign(new Event('datachannel'), { channel }));
    for (const each of [this.channel, channel]) {
      each.readyState = 'open';
      each.dispatchEvent(new Event('open'));
    }
  }

  become(state) {
    this.connectionState = state;
    this.dispatchEvent(new Event('connectionstatechange'));
  }

  close() {
    this.signalingState = 'closed';
  }
}

/** A data channel with one listener of its own kind, as platforms have it. */
class StandChannel extends EventTarget {
  #handler = null;

  get onmessage() {
    return this.#handler;
  }

  set onmessage(handler) {
    if (!this.#handler) this.addEventListener('message', (event) => this.#handler(event));
    this.#handler = handler;
  }

  close() {
    this.readyState = 'closed';
  }
}

/** @param {EventTarget} channel @param {string} data */
function say(channel, data) {
  channel.dispatchEvent(new MessageEvent('message', { data }));
}

/** A description that a browser made. @param {'offer' | 'answer'} type */
function real(type) {
  return valid(chromium, type).sdp.map((line) => `${line}\r\n`).join('');
}
