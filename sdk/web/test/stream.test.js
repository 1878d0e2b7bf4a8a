// The stream and its records over carriers that lose, repeat, hold up and change: everything arrives once, in order, within the windows.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { WigwagError } from '../errors.js';
import { Pace } from '../pace.js';
import { Records } from '../records.js';
import { Seal, readHail, readHeed } from '../sealed.js';
import { HEADER_BYTES, Stream } from '../stream.js';
import { seeded } from './seeded.js';
import { shareOf } from './shares.js';
import { vectors } from './vectors.js';

const SEEDS = Number(process.env.SEEDS ?? 60);
const RELAY = { chunk: 16_384, window: 131_072, lossy: true };
const { boxes, bad_boxes: badBoxes, streams, bad_streams: badStreams, sealed } = vectors('relay.json');

test('the boxes of the vectors are read and written byte for byte', () => {
  for (const { hex, flags, ack, limit, from, piece } of boxes) {
    const stream = new Stream(once(bytes('00'.repeat(4_096))));
    // Everything that these acknowledge has been sent.
    while (stream.box(0, { chunk: 4_096 }));
    const told = stream.take(0, bytes(hex));
    assert.deepEqual([told.cut, told.bytes && hexOf(told.bytes)], [(flags & 2) !== 0, piece || null], hex);
    assert.equal(stream.counts.sent, ack);
    assert.equal(stream.counts.received, from + piece.length / 2);
    assert.ok(limit >= 32_768);
    assert.equal(stream.deadline(), flags & 1 ? 0 : piece ? 100 : Infinity);
  }
  const first = new Stream(once(bytes('0102')));
  first.ask();
  assert.equal(hexOf(first.box(0, { chunk: 16, lossy: true, cut: true })), '03000000000000000000000000001000000000000000000000' + '0102');
  assert.equal(first.box(0, { chunk: 16 }), null);
});

test('a box that breaks the rules is passed over, and changes nothing', () => {
  for (const { hex } of badBoxes) {
    const stream = new Stream(() => null);
    assert.equal(stream.take(0, bytes(hex)), null, hex);
    assert.deepEqual([stream.counts, stream.deadline()], [{ sent: 0, received: 0 }, Infinity]);
  }
});

test('the streams of the vectors are read in any pieces, and written byte for byte', () => {
  for (const { hails, hex, reads, written } of streams) {
    for (const step of [1, 7, 1_000_000]) {
      const records = new Records({ hails: !hails, wake: () => {} });
      const all = bytes(hex);
      const told = [];
      for (let at = 0; at < all.length; at += step) told.push(...records.take(all.subarray(at, at + step)));
      assert.deepEqual(told.map(shown), reads);
    }
    if (written) assert.equal(hexOf(write(hails, reads)), hex);
  }
  for (const { hails, hex } of badStreams) {
    const records = new Records({ hails: !hails, wake: () => {} });
    assert.throws(() => records.take(bytes(hex)), WigwagError, hex);
  }
});

test('relayed boxes are sealed and opened as the vectors have them, and with keys of their own', async () => {
  const { hailer, heeder, hail, heed, boxes: signals } = vectors('sealed.json');
  const { subtle } = globalThis.crypto;
  const { to_device: toDevice, ...rest } = heeder.pair;
  const asked = await readHail(subtle, hailer.pair, hail.data);
  const answered = await readHeed(subtle, { ...rest, toDevice }, heed.data, asked);
  const [one, two] = [await shareOf(hailer.share), await shareOf(heeder.share)];
  const make = (hails) => Seal.make(subtle, { hails, secret: hails ? one.secret : two.secret, hail: asked, heed: answered });
  const [from, to] = [await make(true), await make(false)];
  for (const { who, hex, data } of sealed) {
    const [mine, theirs] = who === 'hailer' ? [from, to] : [to, from];
    assert.deepEqual(await mine.sealBytes(bytes(hex)), data);
    assert.equal(await theirs.open(data), null);
    assert.equal(hexOf(await theirs.openBytes(data)), hex);
    // Twice, back to its sender, or with a bit changed it does not open.
    assert.equal(await theirs.openBytes(data), null);
    assert.equal(await mine.openBytes({ ...data, i: data.i + 100 }), null);
  }
  assert.equal(await (await make(false)).openBytes(signals[0].data), null);
});

test(`in ${SEEDS} worlds everything that is written arrives once and in order, whatever the carriers do`, () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) new World(seed).run();
});

test('a peer that takes nothing in stops the sender within the window, and is asked from time to time', () => {
  const stream = new Stream(() => new Uint8Array(16_384));
  let sent = 0;
  let asked = 0;
  for (let now = 0; now < 60_000; now += 50) {
    for (let box = stream.box(now, RELAY); box; box = stream.box(now, RELAY)) {
      sent = Math.max(sent, Number(new DataView(box.buffer).getBigUint64(17)) + box.length - HEADER_BYTES);
      asked += box[0] & 1;
    }
  }
  assert.equal(sent, 32_768);
  assert.ok(asked >= 6 && asked <= 12, `${asked}`);
  // Leave for more is taken up to the relay's own window.
  const leave = new Uint8Array(HEADER_BYTES);
  new DataView(leave.buffer).setBigUint64(9, 10_000_000n);
  stream.take(60_000, leave);
  for (let box = stream.box(60_001, RELAY); box; box = stream.box(60_001, RELAY)) {
    sent = Math.max(sent, Number(new DataView(box.buffer).getBigUint64(17)) + box.length - HEADER_BYTES);
  }
  assert.equal(sent, 131_072);
});

test('channels take turns, so that a word does not wait for a megabyte', () => {
  const records = new Records({ hails: true, wake: () => {} });
  const other = new Records({ hails: false, wake: () => {} });
  records.main.opened();
  const files = Array.from({ length: 12 }, (_, at) => records.open(`file ${at}`));
  for (const file of files) {
    file.opened();
    file.send(new Uint8Array(1_000_000));
  }
  let pulled = 0;
  const heard = [];
  for (let record = records.pull(); record; record = records.pull()) {
    if (pulled === 20) records.main.send('tword');
    pulled += 1;
    for (const told of other.take(record)) if (told.type === 'message') heard.push([typeof told.data === 'string' ? told.data : told.data.byteLength, pulled]);
  }
  const [word, at] = heard[0];
  assert.equal(word, 'tword');
  assert.ok(at < 40, `${at}`);
  assert.deepEqual(heard.slice(1).map(([size]) => size), Array(12).fill(1_000_000));
  assert.ok(files.every(({ bufferedAmount }) => bufferedAmount === 0));
});

test('no bytes make the reader of records do anything but read or refuse', () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const random = seeded(seed);
    const records = new Records({ hails: seed % 2 === 0, wake: () => {} });
    try {
      for (let at = 0; at < 50; at += 1) records.take(Uint8Array.from({ length: 40 }, () => Math.floor(random() ** 3 * 256)));
    } catch (error) {
      assert.ok(error instanceof WigwagError, `${error}`);
    }
  }
});

test('the pace that is kept is never more than the server allows, and not much less', () => {
  for (let seed = 1; seed <= 40; seed += 1) {
    const random = seeded(seed);
    const limits = {
      frame_bytes: 65_536, frames_per_second: 50,
      relay_bytes_per_second: 20_000 + Math.floor(random() * 500_000), relay_bytes_burst: 60_000 + Math.floor(random() * 500_000),
      relay_frames_per_second: 5 + Math.floor(random() * 40),
    };
    const pace = new Pace();
    pace.told(0, limits);
    let [bytesHave, framesHave, spent, at] = [limits.relay_bytes_burst, limits.relay_frames_per_second * 2, 0, 0];
    for (let now = 0; now < 20_000; now += 1 + Math.floor(random() * 20)) {
      bytesHave = Math.min(limits.relay_bytes_burst, bytesHave + ((now - at) / 1_000) * limits.relay_bytes_per_second);
      framesHave = Math.min(limits.relay_frames_per_second * 2, framesHave + ((now - at) / 1_000) * limits.relay_frames_per_second);
      at = now;
      while (pace.wait(now) === 0) {
        const size = Math.floor(random() * pace.chunk);
        pace.spend(now, size);
        // What the server charges: the data as it is written, and 128 more.
        const data = JSON.stringify({ v: 1, call: 'A'.repeat(22), i: 123_456, box: 'A'.repeat(Math.ceil(((size + 41) * 4) / 3)) });
        bytesHave -= data.length + 128;
        framesHave -= 1;
        spent += 1;
        assert.ok(bytesHave >= 0 && framesHave >= 0, `seed ${seed} at ${now}`);
      }
    }
    assert.ok(spent > 30, `seed ${seed}: ${spent}`);
  }
});

test('where nothing is relayed, or frames are too small for it, there is no pace', () => {
  const limits = { frame_bytes: 65_536, relay_bytes_per_second: 1_000, relay_bytes_burst: 100_000, relay_frames_per_second: 20 };
  for (const [told, chunk] of [
    [limits, 16_384], [{ ...limits, relay_bytes_per_second: 0 }, 0], [{}, 0], [{ ...limits, frame_bytes: 700 }, 0], [{ ...limits, frame_bytes: 4_096 }, 2_647],
    [{ ...limits, relay_bytes_burst: 20_000 }, 3_709],
  ]) {
    const pace = new Pace();
    pace.told(0, told);
    assert.equal(pace.chunk, chunk);
  }
});

/** Two streams, and carriers that do what they like. */
class World {
  constructor(seed) {
    this.random = seeded(seed);
    this.now = 0;
    this.sides = [true, false].map(() => {
      const side = { written: 0, total: 20_000 + Math.floor(this.random() * 250_000), read: 0, carrier: 'relay', wire: [], lost: 0 };
      side.stream = new Stream(() => this.#more(side));
      side.stream.ask();
      return side;
    });
  }

  run() {
    const { sides: [one, two], random } = this;
    for (let step = 0; one.read < two.total || two.read < one.total; step += 1) {
      assert.ok(step < 20_000, 'it never ends');
      this.now += 1 + Math.floor(random() * 60);
      // After a while the world calms down, so that what is left can arrive.
      const wild = step < 400;
      for (const [side, other] of [[one, two], [two, one]]) {
        if (wild && random() < 0.01) this.#move(side);
        this.#send(side, other, wild);
      }
      for (const [side, other] of [[one, two], [two, one]]) this.#deliver(side, other, wild);
    }
    assert.equal(one.stream.counts.received, two.total);
  }

  /** Another carrier. What was relayed meanwhile may be lost; a data channel holds up what it has, and loses nothing. */
  #move(side) {
    side.carrier = side.carrier === 'relay' ? 'direct' : 'relay';
    if (this.random() < 0.5) side.wire = side.wire.filter(({ lossy }) => !lossy).map((each) => ({ ...each, at: each.at + 800 }));
    side.stream.again();
    side.stream.ask();
  }

  #send(side, other, wild) {
    const lossy = side.carrier === 'relay';
    const carrier = lossy ? RELAY : { chunk: 32_768 };
    for (let count = 0; count < 4; count += 1) {
      const box = side.stream.box(this.now, carrier);
      if (!box) break;
      const end = Number(new DataView(box.buffer).getBigUint64(17)) + box.length - HEADER_BYTES;
      if (lossy) assert.ok(end - side.stream.counts.sent <= RELAY.window);
      if (!(wild && lossy && this.random() < 0.1)) this.#put(other, box, lossy);
      if (wild && lossy && this.random() < 0.02) side.stream.again();
    }
  }

  #put(side, box, lossy) {
    const at = this.now + Math.floor(this.random() * (lossy ? 400 : 50));
    // What a data channel has, it hands out in order.
    side.last = lossy ? side.last : Math.max(at, side.last ?? 0, ...side.wire.map((each) => (each.lossy ? 0 : each.at)));
    side.wire.push({ box, lossy, at: lossy ? at : side.last });
  }

  #deliver(side, other, wild) {
    const due = side.wire.filter(({ at }) => at <= this.now);
    if (!due.length) return;
    side.wire = side.wire.filter(({ at }) => at > this.now);
    // Over the server they may come twice and in any order; over the data channel they do not.
    const relayed = due.filter(({ lossy }) => lossy);
    if (wild && this.random() < 0.1) due.push(...relayed);
    if (wild && this.random() < 0.1) due.sort((a, b) => Number(b.lossy) - Number(a.lossy) || (a.lossy ? b.at - a.at : 0));
    for (const { box } of due) {
      const taken = side.stream.take(this.now, box);
      for (const byte of taken?.bytes ?? []) {
        if (byte !== (side.read * 31) % 253) assert.fail(`byte ${side.read} is another one`);
        side.read += 1;
      }
    }
    assert.ok(side.read <= other.total);
  }

  #more(side) {
    if (side.written >= side.total || this.random() < 0.1) return null;
    const size = Math.min(side.total - side.written, 1 + Math.floor(this.random() * 9_000));
    const piece = Uint8Array.from({ length: size }, (_, at) => ((side.written + at) * 31) % 253);
    side.written += size;
    return piece;
  }
}

/** What a side writes that does what another was told. */
function write(hails, reads) {
  const records = new Records({ hails, wake: () => {} });
  records.main.opened();
  const pipes = new Map([['wigwag', records.main]]);
  const all = [];
  for (const { open, protocol, on, text, hex, close } of reads) {
    if (open !== undefined) {
      const pipe = records.open(open, protocol);
      pipe.opened();
      pipes.set(open, pipe);
    } else if (close !== undefined) {
      pipes.get(close).close();
    } else {
      pipes.get(on).send(text ?? bytes(hex));
    }
    for (let record = records.pull(); record; record = records.pull()) all.push(...record);
  }
  return Uint8Array.from(all);
}

function shown({ type, pipe, data }) {
  if (type === 'open' && pipe.protocol) return { open: pipe.label, protocol: pipe.protocol };
  if (type !== 'message') return { [type]: pipe.label };
  return typeof data === 'string' ? { on: pipe.label, text: data } : { on: pipe.label, hex: hexOf(new Uint8Array(data)) };
}

function once(piece) {
  let left = piece;
  return () => {
    const next = left;
    left = null;
    return next;
  };
}

function bytes(hex) {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}

function hexOf(data) {
  return Buffer.from(data).toString('hex');
}
