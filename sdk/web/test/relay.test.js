// What carries a connection, with a server between two of them that loses sessions, refuses, restarts and falls silent.

import assert from 'node:assert/strict';
import { mock, test } from 'node:test';

import { WigwagError } from '../errors.js';
import { Pace } from '../pace.js';
import { Link } from '../relay.js';
import { seeded } from './seeded.js';

const LIMITS = { frame_bytes: 65_536, relay_bytes_per_second: 1_000_000, relay_bytes_burst: 500_000, relay_frames_per_second: 100 };

test('two sides that take up the relay are open to each other, and words cross in order', async () => {
  const world = new World();
  const { one, two } = world;
  one.link.use('relay');
  await world.pass(100);
  // A box that comes over the relay takes it up on the other side as well.
  assert.deepEqual([one.link.carrier, two.link.carrier, one.told, two.told], ['relay', 'relay', ['moved relay', 'heard relay'], ['moved relay', 'heard relay']]);
  for (let at = 0; at < 20; at += 1) one.say(`t${at}`);
  two.say('tback');
  await world.pass(1_000);
  assert.deepEqual(two.heard, Array.from({ length: 20 }, (_, at) => `t${at}`));
  assert.deepEqual(one.heard, ['tback']);
  // What is written in one go travels together.
  assert.ok(world.posted < 12, `${world.posted}`);
  world.end();
});

test('a session that is lost with what was under way costs no word', async () => {
  const world = new World();
  world.one.link.use('relay');
  await world.pass(100);
  for (let round = 0; round < 5; round += 1) {
    world.one.say(`t${'x'.repeat(60_000)}${round}`);
    await world.pass(5);
    world.loseSessions();
    await world.pass(50);
    world.online = false;
    world.one.link.line();
    world.two.link.line();
    await world.pass(1_000);
    world.online = true;
    world.one.link.line();
    world.two.link.line();
  }
  await world.pass(20_000);
  assert.deepEqual(world.two.heard.map((text) => text.at(-1)), ['0', '1', '2', '3', '4']);
  world.end();
});

test('a refusal for its rate is waited out, and nothing is sent meanwhile', async () => {
  const world = new World();
  world.one.link.use('relay');
  await world.pass(100);
  world.answer = () => Promise.reject(new WigwagError('rate_limited', 'Wait.', { code: 4100, retryAfter: 3_000 }));
  world.one.say('tlate');
  await world.pass(100);
  world.answer = null;
  const posted = world.posted;
  await world.pass(2_500);
  assert.equal(world.posted, posted);
  await world.pass(1_000);
  assert.deepEqual(world.two.heard, ['tlate']);
  world.end();
});

test('a peer without a session is silent at once, asked from time to time, and heard again when it is back', async () => {
  const world = new World();
  world.one.link.use('relay');
  await world.pass(100);
  world.answer = () => Promise.resolve('absent');
  world.one.say('tfor later');
  await world.pass(100);
  assert.equal(world.one.told.at(-1), 'silent absent');
  const posted = world.posted;
  await world.pass(12_000);
  assert.ok(world.posted - posted >= 3 && world.posted - posted <= 6, `${world.posted - posted}`);
  world.answer = null;
  await world.pass(4_000);
  assert.equal(world.one.told.at(-1), 'heard relay');
  assert.deepEqual(world.two.heard, ['tfor later']);
  world.end();
});

test('silence is noticed: of a server within seconds, of a peer after it was asked', async () => {
  for (const [change, within, word] of [
    [(world) => { world.online = false; world.one.link.line(); }, 3_500, 'silent offline'],
    [(world) => { world.two.link.close(); }, 31_000, 'silent silent'],
  ]) {
    const world = new World();
    world.one.link.use('relay');
    await world.pass(100);
    change(world);
    await world.pass(within);
    assert.equal(world.one.told.at(-1), word);
    world.end();
  }
});

test('a server that relays no longer is left alone', async () => {
  for (const code of [4305, 4401]) {
    const world = new World();
    world.answer = () => Promise.reject(new WigwagError('switched_off', 'No.', { code }));
    world.one.link.use('relay');
    await world.pass(100);
    assert.equal(world.one.told.at(-1), 'refused');
    world.end();
  }
});

test('who has no direct path any more takes the other along, and back', async () => {
  const world = new World();
  const { one, two } = world;
  world.join();
  one.link.use('direct');
  two.link.use('direct');
  one.say('tone');
  await world.pass(100);
  one.link.use('relay');
  await world.pass(500);
  assert.deepEqual([one.link.carrier, two.link.carrier], ['relay', 'relay']);
  two.say('ttwo');
  one.say('tthree');
  await world.pass(500);
  one.link.use('direct');
  await world.pass(500);
  assert.deepEqual([one.link.carrier, two.link.carrier], ['direct', 'direct']);
  assert.deepEqual([one.heard, two.heard], [['ttwo'], ['tone', 'tthree']]);
  world.end();
});

test('who breaks the rules of the stream is told of, and nothing of it is heard', async () => {
  const world = new World();
  world.one.link.use('relay');
  await world.pass(100);
  const box = new Uint8Array(25 + 5);
  box.set([9, 0, 0, 0xff, 0xff], 25);
  new DataView(box.buffer).setBigUint64(9, 100_000n);
  world.two.link.relayed(box);
  assert.equal(world.two.told.at(-1), 'broken failed');
  world.end();
});

test('in fifteen worlds of lost sessions, refusals and changing ways every word arrives once and in order', async () => {
  for (let seed = 1; seed <= 15; seed += 1) {
    const random = seeded(seed);
    const world = new World();
    world.join();
    world.one.link.use('relay');
    let said = 0;
    for (let step = 0; step < 40; step += 1) {
      for (const side of [world.one, world.two]) side.say(`t${String(said).padStart(5, '0')}${'x'.repeat(Math.floor(random() ** 4 * 50_000))}`);
      said += 1;
      const chance = random();
      if (chance < 0.1) world.loseSessions();
      else if (chance < 0.2) world.answer = () => Promise.reject(new WigwagError('queue_full', 'Full.', { code: 4115 }));
      else if (chance < 0.3) world.one.link.use('direct');
      else if (chance < 0.4) world.one.link.use('relay');
      else if (chance < 0.5) world.two.link.use(random() < 0.5 ? 'direct' : 'relay');
      else if (chance < 0.6) world.answer = () => Promise.resolve('absent');
      else world.answer = null;
      await world.pass(10 + Math.floor(random() * 400));
    }
    world.answer = null;
    for (let wait = 0; wait < 60 && Math.min(world.one.heard.length, world.two.heard.length) < said; wait += 1) await world.pass(1_000);
    const numbers = Array.from({ length: said }, (_, at) => at);
    for (const { heard } of [world.one, world.two]) assert.deepEqual(heard.map((text) => Number(text.slice(1, 6))), numbers, `seed ${seed}`);
    world.end();
  }
});

/** Two sides, a server between them, and their time. */
class World {
  constructor() {
    mock.timers.reset();
    mock.timers.enable({ apis: ['setTimeout'] });
    this.now = 0;
    this.online = true;
    this.posted = 0;
    this.session = 0;
    /** What the server says instead of carrying a box. */
    this.answer = null;
    this.one = this.#side(true);
    this.two = this.#side(false);
    this.one.other = this.two;
    this.two.other = this.one;
  }

  /** A data channel between the two. */
  join() {
    const raws = [this.one, this.two].map(({ link }) => {
      const raw = { readyState: 'open', bufferedAmount: 0, send: () => {} };
      link.attach(raw);
      return raw;
    });
    for (const [from, to] of [[raws[0], raws[1]], [raws[1], raws[0]]]) {
      from.send = (box) => setTimeout(() => to.onmessage?.({ data: box.buffer }), 5);
    }
  }

  /** The server forgets everything, and what was under way with it. */
  loseSessions() {
    this.session += 1;
  }

  async pass(ms) {
    for (let left = ms; left > 0; left -= 5) {
      this.now += Math.min(5, left);
      mock.timers.tick(Math.min(5, left));
      // What promises have to do is done between two ticks.
      for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  end() {
    this.one.link.close();
    this.two.link.close();
    mock.timers.reset();
  }

  #side(hails) {
    const pace = new Pace();
    pace.told(0, LIMITS);
    const side = { heard: [], told: [], say: (text) => side.link.main.send(text) };
    side.link = new Link({ hails, pace, online: () => this.online, now: () => this.now, post: (box) => this.#post(side, box) }, {
      opened: () => {},
      heard: (by) => side.told.push(`heard ${by}`),
      moved: (carrier) => side.told.push(`moved ${carrier}`),
      silent: (reason) => side.told.push(`silent ${reason}`),
      refused: () => side.told.push('refused'),
      broken: ({ reason }) => side.told.push(`broken ${reason}`),
    });
    side.link.main.opened();
    side.link.main.onmessage = ({ data }) => side.heard.push(data);
    return side;
  }

  #post(side, box) {
    this.posted += 1;
    const { session, answer } = this;
    return new Promise((resolve, reject) => setTimeout(() => {
      if (session !== this.session) return reject(new WigwagError('unknown', 'The session was lost.'));
      if (answer) return answer().then(resolve, reject);
      side.other.link.relayed(box);
      return resolve('delivered');
    }, 20));
  }
}
