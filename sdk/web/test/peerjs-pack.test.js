// What a PeerJS app may send arrives as PeerJS would hand it over, in whatever parts it travels; what nobody packed is refused.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { EventEmitter, PeerError } from '../peerjs-events.js';
import { validateId } from '../peerjs-ids.js';
import { Joiner, pack, parts, unpack } from '../peerjs-pack.js';
import { seeded } from './seeded.js';

test('values of every kind cross, bytes as an ArrayBuffer', async () => {
  for (const value of [
    null, true, false, 0, 1, -1, 127, 128, -300, 2 ** 31, -(2 ** 40), Number.MAX_SAFE_INTEGER, 1.5, -0.25, 1e300, NaN, Infinity, -Infinity,
    '', 'text', 'é😀\u0000', [], [1, [2, [3]]], {}, { a: 1, 'a b': { c: [null, 'x'] } }, [{ id: 1 }, { id: 2 }],
  ]) {
    assert.deepEqual(unpack(pack(value)), value);
  }
  assert.ok(Object.is(unpack(pack(-0)), -0));
  const bytes = Uint8Array.of(1, 2, 3, 250);
  for (const each of [bytes, bytes.buffer, new DataView(bytes.buffer), new Uint8Array([9, 1, 2, 3, 250]).subarray(1)]) {
    assert.deepEqual(unpack(pack(each)), bytes.buffer);
  }
  const floats = Float32Array.of(0.5, -2);
  const got = unpack(pack({ name: 'wave', samples: floats, list: [bytes] }));
  assert.deepEqual([...new Float32Array(got.samples)], [0.5, -2]);
  assert.deepEqual([...new Uint8Array(got.list[0])], [...bytes]);
});

test('blobs and files cross as their bytes, also deep inside, and what was sent is what it was then', async () => {
  const mine = Uint8Array.of(7);
  const packed = pack({ file: new Blob(['hello']), list: [mine, new Blob([])] });
  mine[0] = 8;
  const got = unpack(await packed);
  assert.equal(new TextDecoder().decode(got.file), 'hello');
  assert.deepEqual([...new Uint8Array(got.list[0])], [7]);
  assert.equal(got.list[1].byteLength, 0);
});

test('what PeerJS changes is changed in the same way', () => {
  assert.equal(unpack(pack(undefined)), null);
  assert.deepEqual(unpack(pack({ a: undefined })), { a: null });
  const date = new Date(0);
  assert.equal(unpack(pack(date)), date.toString());
  class Point {
    constructor() {
      this.x = 1;
    }
  }
  assert.deepEqual(unpack(pack(new Point())), { x: 1 });
});

test('what cannot be sent is refused at once', () => {
  const ring = [];
  ring.push(ring);
  for (const value of [() => {}, Symbol('x'), 1n, new Map(), new Set(), /x/, new Error('x'), Promise.resolve(), ring, { deep: new Map() }]) {
    assert.throws(() => pack(value), TypeError);
  }
});

test('a field of any name is a field and nothing else', () => {
  const got = unpack(pack(JSON.parse('{"__proto__": {"polluted": true}, "constructor": 1}')));
  assert.deepEqual(Object.keys(got), ['__proto__', 'constructor']);
  assert.equal({}.polluted, undefined);
});

test('a message is put together from its parts in whatever order they come, among others', () => {
  const random = seeded(7);
  const messages = [0, 1, 32_766, 32_767, 32_768, 100_000, 300_001].map((size) => Uint8Array.from({ length: size }, () => random() * 256));
  const all = messages.flatMap((message, number) => [...parts(message, number)]);
  for (const part of all) assert.ok(part.byteLength <= 32_768);
  all.sort(() => random() - 0.5);
  const joiner = new Joiner();
  const whole = all.map((part) => joiner.take(part.buffer)).filter(Boolean).sort((a, b) => a.byteLength - b.byteLength);
  assert.deepEqual(whole, messages);
});

test('parts that do not fit, or are too many, are refused', () => {
  const [first, second] = parts(new Uint8Array(50_000), 1);
  const again = new Joiner();
  again.take(first.buffer);
  assert.throws(() => again.take(first.buffer), TypeError);
  const other = new Uint8Array(second);
  new DataView(other.buffer).setUint32(9, 9);
  assert.throws(() => again.take(other.buffer), TypeError);
  const many = new Joiner();
  for (let number = 0; number < 16; number += 1) many.take([...parts(new Uint8Array(50_000), number)][0].buffer);
  assert.throws(() => many.take([...parts(new Uint8Array(50_000), 16)][0].buffer), RangeError);
  for (const bytes of [[], [2], [1, 0, 0, 0, 1]]) assert.throws(() => new Joiner().take(Uint8Array.from(bytes).buffer), TypeError);
});

test('no bytes do more than be refused', () => {
  const random = seeded(3);
  const samples = [pack({ a: [1, 'two', new Uint8Array(3)], b: { c: null, d: 1.5 } }), pack([[[[]]]])];
  for (let round = 0; round < 20_000; round += 1) {
    const bytes = round % 2 ? samples[round % 3 ? 0 : 1].slice() : Uint8Array.from({ length: random() * 40 }, () => random() * 16);
    for (let at = 0; at < 2 && bytes.length; at += 1) bytes[Math.floor(random() * bytes.length)] = random() * 256;
    try {
      unpack(bytes);
    } catch (error) {
      assert.ok(error instanceof TypeError, String(error));
    }
  }
  assert.throws(() => unpack(new Uint8Array(1_000).fill(7)), TypeError);
  assert.throws(() => unpack(Uint8Array.of(7, 255, 255, 255, 255, 15)), /cut short/);
});

test('ids are words as PeerJS takes them', () => {
  for (const good of ['a', 'A9', 'a-b', 'a_b c', '550e8400-e29b-41d4-a716-446655440000']) assert.ok(validateId(good), good);
  for (const bad of ['', '-a', 'a-', 'a--b', 'a -b', 'a.b', 'ä', 'a@b', ' a', 'a\n', 'a'.repeat(121)]) assert.ok(!validateId(bad), bad);
});

test('listeners come, go and are called as in PeerJS, and one that throws harms nobody else', async () => {
  const emitter = new EventEmitter();
  const heard = [];
  const note = function note(value) {
    heard.push([this === emitter, value]);
  };
  assert.equal(emitter.on('x', note).once('x', note), emitter);
  assert.deepEqual([emitter.listenerCount('x'), emitter.eventNames()], [2, ['x']]);
  assert.equal(emitter.emit('x', 1), true);
  emitter.emit('x', 2);
  assert.deepEqual(heard, [[true, 1], [true, 1], [true, 2]]);
  emitter.off('x', note);
  assert.equal(emitter.emit('x', 3), false);
  const context = {};
  emitter.addListener('y', function own() { assert.equal(this, context); heard.push('y'); }, context).removeAllListeners('x');
  emitter.emit('y');
  assert.equal(heard.at(-1), 'y');
  emitter.removeAllListeners();
  assert.deepEqual(emitter.listeners('y'), []);
});

test('an error says what it is in PeerJS’s word and in ours', () => {
  const cause = Object.assign(new Error('No way.'), { reason: 'no_path' });
  const error = new PeerError('negotiation-failed', cause);
  assert.deepEqual([error.type, error.reason, error.message, error.cause, error instanceof Error], ['negotiation-failed', 'no_path', 'No way.', cause, true]);
});
