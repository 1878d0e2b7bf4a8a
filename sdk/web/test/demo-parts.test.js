// The parts of the server's page that need no browser: QR codes as somebody else's decoder reads them, files, words, names, links, colours.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import jsqr from 'jsqr';

import { AUTO_BYTES, Incoming, MEMORY_BYTES, Outgoing } from '../../../crates/server/src/http/page/app/drop.js';
import { freshRoom, idOf, isLocal, linkTo, nameOf, roomIn } from '../../../crates/server/src/http/page/app/link.js';
import { initials, short, size, tidyName } from '../../../crates/server/src/http/page/app/names.js';
import { qr } from '../../../crates/server/src/http/page/app/qr.js';
import { Talk, receiptOf } from '../../../crates/server/src/http/page/app/talk.js';

const APP = new URL('../../../crates/server/src/http/page/app/', import.meta.url);

test('a QR code reads as the text that it was made of, in every version', () => {
  const sizes = new Set();
  for (let length = 1; length <= 213; length += 4) {
    const text = Array.from({ length }, (_, at) => 'https://wig.example/#ab3%'[(at * 7 + length) % 25]).join('');
    const code = qr(text);
    assert.ok(code, `a code of ${length} characters`);
    sizes.add(code.length);
    assert.equal(read(code), text);
  }
  assert.deepEqual([...sizes], [21, 25, 29, 33, 37, 41, 45, 49, 53, 57]);
  assert.equal(read(qr('https://wig.example/ä#→')), 'https://wig.example/ä#→');
});

test('a text that is too long for a code has none', () => {
  assert.equal(qr('x'.repeat(214)), null);
});

test('a file arrives whole and checked, and what it is called is only a name', async () => {
  const { sender, receiver } = await sending(new File([bytes(300_000)], '../../.bashrc\u202e', { type: 'text/html' }));
  assert.equal(receiver.name, 'bashrc');
  receiver.accept();
  await until(() => sender.stage === 'done');
  assert.deepEqual(new Uint8Array(await receiver.blob.arrayBuffer()), bytes(300_000));
  assert.equal(receiver.blob.type, 'application/octet-stream', 'nothing that comes may run here');
  const empty = await sending(new File([], 'empty'));
  empty.receiver.accept();
  await until(() => empty.sender.stage === 'done');
  assert.equal(empty.receiver.blob.size, 0);
});

test('a file goes to disk piece by piece, and nothing of it stays in memory', async () => {
  const written = [];
  let closed = 0;
  const disk = { write: async (piece) => void written.push(piece.byteLength), close: async () => (closed += 1), abort: async () => {} };
  const { sender, receiver } = await sending(new File([bytes(200_000)], 'film'));
  receiver.accept(disk);
  assert.equal(receiver.held, 0);
  await until(() => sender.stage === 'done');
  assert.deepEqual([written.reduce((sum, each) => sum + each, 0), closed, receiver.blob, receiver.saved], [200_000, 1, null, true]);
});

test('a disk that is full ends it on both sides', async () => {
  const disk = { write: async () => { throw new Error('full'); }, close: async () => {}, abort: async () => {} };
  const { sender, receiver } = await sending(new File([bytes(200_000)], 'film'));
  receiver.accept(disk);
  await until(() => sender.over && receiver.over);
  assert.match(sender.why, /disk/);
  assert.match(receiver.why, /disk/);
});

test('a sender waits for the receiver, who never holds more than a window of what it has not written', async () => {
  let open = () => {};
  const gate = new Promise((resolve) => (open = resolve));
  const disk = { write: () => gate, close: async () => {}, abort: async () => {} };
  const { sender, receiver, wire } = await sending(new File([new Uint8Array(12 * 1024 * 1024)], 'film'));
  receiver.accept(disk);
  await until(() => wire.bytes > 4 * 1024 * 1024);
  for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
  assert.ok(wire.bytes <= 4.1 * 1024 * 1024 + 65_536, `${wire.bytes} under way`);
  open();
  await until(() => sender.stage === 'done');
});

test('either side may end it, and each is told which', async () => {
  const first = await sending(new File([bytes(100)], 'a'));
  first.receiver.decline();
  await until(() => first.sender.over);
  assert.deepEqual([first.sender.why, first.receiver.why], ['Declined', 'Declined']);
  const second = await sending(new File([bytes(100)], 'a'));
  second.sender.cancel();
  await until(() => second.receiver.over);
  assert.equal(second.receiver.why, 'The sender cancelled it');
  const third = await sending(new File([bytes(100)], 'a'));
  third.wire.cut();
  assert.ok(third.sender.over && third.receiver.over);
});

test('whoever sends more than announced, before it was asked, or something else than it hashed is not believed', async () => {
  for (const [announced, pieces, hash] of [[10, [bytes(11)], ''], [10, [bytes(10)], '0'.repeat(64)], [10, [bytes(9)], '0'.repeat(64)], [1e6, [bytes(70_000)], '']]) {
    const { wire, receiver } = await offered({ name: 'a', size: announced, type: '' });
    receiver.accept();
    for (const piece of pieces) wire.a.send(piece);
    if (hash) wire.a.send({ hash });
    await until(() => receiver.over);
    assert.deepEqual([receiver.stage, receiver.blob, receiver.held], ['ended', null, 0]);
  }
  const early = await offered({ name: 'a', size: 10, type: '' });
  early.wire.a.send(bytes(5));
  await until(() => early.receiver.over);
  assert.equal(early.receiver.stage, 'ended');
});

test('memory is bounded: what does not fit is refused and says so', async () => {
  const { receiver, wire } = await offered({ name: 'a', size: MEMORY_BYTES + 1, type: '' });
  assert.ok(!receiver.fits && AUTO_BYTES < MEMORY_BYTES);
  const said = [];
  wire.a.on('message', ({ data }) => said.push(data));
  receiver.accept();
  await until(() => said.length);
  assert.deepEqual([receiver.stage, said], ['ended', [{ no: 'too_large' }]]);
});

test('what is said waits for those who are not connected yet, and comes once', () => {
  const heard = [];
  const receipts = [];
  const [ann, bob] = [person('ann'), person('bob')];
  const talk = new Talk({ heard: (who, text) => heard.push([who.name, text]), receipt: (said) => receipts.push(receiptOf(said)) });
  bob.connection = null;
  const said = talk.say({ people: [ann, bob], open: [ann] }, 'hello');
  assert.equal(receiptOf(said), 'On its way to ann, bob');
  talk.take(ann, { t: 'got', id: said.id });
  bob.connection = ann.connection;
  talk.opened(bob);
  assert.equal(ann.sent.filter(({ t }) => t === 'said').length, 2, 'one for each, over the one connection of this test');
  talk.take(bob, { t: 'got', id: said.id });
  assert.deepEqual(receipts, ['On its way to bob', 'Delivered to all 2']);
  for (const id of [5, 5, 4, 6]) talk.take(ann, { t: 'said', id, text: `number ${id}` });
  assert.deepEqual(heard, [['ann', 'number 5'], ['ann', 'number 6']]);
  for (const odd of [null, 1, 'text', { t: 'said' }, { t: 'said', id: 'x', text: 'y' }, { t: 'got' }]) talk.take(ann, odd);
  assert.equal(heard.length, 2);
});

test('names are one short line, whatever is sent as one', () => {
  assert.equal(tidyName('  Ann\n\u202eBob \u0000 '), 'Ann Bob');
  assert.equal(tidyName('x'.repeat(100)).length, 32);
  for (const odd of [undefined, 7, {}, '', '\u200b']) assert.equal(tidyName(odd), 'Somebody');
  assert.deepEqual([initials('Amber Heron'), initials('bo'), initials('🦊')], ['AH', 'BO', '🦊']);
  assert.equal(short('abcdefghijklmnopqrst'), 'abcd efgh ijkl');
  assert.deepEqual([size(999), size(1500), size(3_145_728), size(40e6)], ['999 bytes', '1.5 kB', '3.1 MB', '40 MB']);
});

test('a room is in the part of the link that no server is told', () => {
  const id = freshRoom();
  assert.equal(roomIn(`#${id}`), id);
  assert.equal(idOf(nameOf(id)), id);
  for (const other of ['', '#', '#about', '#connect', `#${id}x`]) assert.equal(roomIn(other), null);
  for (const other of ['movie-night', 'demo-', 'demo-movie-night']) assert.equal(idOf(other), null);
  assert.equal(linkTo(id, '', 'http://localhost:8080/?x=1#old'), `http://localhost:8080/#${id}`);
  assert.equal(linkTo(id, 'https://wig.example/base/', 'http://localhost:8080/'), `https://wig.example/base/#${id}`);
  assert.ok(isLocal('http://localhost:1/') && isLocal('http://127.0.0.1/') && isLocal('http://[::1]:8080/') && !isLocal('https://wig.example/'));
});

test('everything written has a contrast of 4.5 with what it is written on, by day and by night', async () => {
  const css = await readFile(new URL('base.css', APP), 'utf8');
  const [day = {}, night = {}] = [...css.matchAll(/:root \{([^}]*)\}/g)].map(([, body]) => Object.fromEntries([...body.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(([, name, colour]) => [name, colour])));
  const inks = Array.from({ length: 8 }, (_, at) => `ink-${at}`);
  const pairs = [
    ...['ink', 'soft', 'link', 'good', 'wait', 'bad', ...inks].flatMap((ink) => [[ink, 'paper'], [ink, 'sheet']]),
    ['main-ink', 'main'], ['main-ink', 'main-over'], ['mine-ink', 'mine'], ['banner-ink', 'banner'], ['paper', 'ink'],
  ];
  for (const theme of [day, { ...day, ...night }]) {
    for (const [ink, ground] of pairs) assert.ok(contrast(theme[ink], theme[ground]) >= 4.5, `${ink} on ${ground}: ${contrast(theme[ink], theme[ground]).toFixed(2)}`);
    for (const mark of ['edge', 'focus']) assert.ok(contrast(theme[mark], theme.paper) >= 3 && contrast(theme[mark], theme.sheet) >= 3, mark);
  }
});

/** By WCAG 2. @param {string} a @param {string} b */
function contrast(a, b) {
  const [bright, dark] = [a, b].map((colour) => {
    const [red, green, blue] = [1, 3, 5].map((at) => {
      const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  }).sort((one, other) => other - one);
  return (bright + 0.05) / (dark + 0.05);
}

/** Two ends of a channel, as the SDK has them. */
class Wire {
  bytes = 0;
  a = new End(this);
  b = new End(this);

  constructor() {
    [this.a.other, this.b.other] = [this.b, this.a];
  }

  open() {
    for (const end of [this.a, this.b]) end.emit('open', {});
  }

  cut() {
    for (const end of [this.a, this.b]) end.close();
  }
}

class End {
  open = true;
  #heard = {};

  constructor(wire) {
    this.wire = wire;
  }

  on(type, run) {
    (this.#heard[type] ??= []).push(run);
  }

  emit(type, event) {
    for (const run of this.#heard[type] ?? []) run(event);
  }

  async send(message) {
    const raw = ArrayBuffer.isView(message);
    if (raw) this.wire.bytes += message.byteLength;
    const data = raw ? message.slice().buffer : JSON.parse(JSON.stringify(message));
    setImmediate(() => this.other.open && this.other.emit('message', { data }));
  }

  close() {
    if (!this.open) return;
    this.open = false;
    this.emit('closed', {});
  }
}

/** A file on its way, as far as the offer. @param {File} file */
async function sending(file) {
  const wire = new Wire();
  let offer;
  const receiver = new Incoming(wire.b, { room: () => MEMORY_BYTES }, (incoming) => (offer = incoming), () => {});
  const sender = new Outgoing({ channel: () => wire.a }, file, () => {});
  wire.open();
  await until(() => offer);
  return { sender, receiver, wire };
}

/** An offer by somebody who may not keep to it. @param {object} word */
async function offered(word) {
  const wire = new Wire();
  let offer;
  const receiver = new Incoming(wire.b, { room: () => MEMORY_BYTES }, (incoming) => (offer = incoming), () => {});
  wire.a.send(word);
  await until(() => offer);
  return { receiver, wire };
}

/** @param {string} name */
function person(name) {
  const sent = [];
  return { key: name, name, sent, connection: { send: async (message) => void sent.push(message) } };
}

/** @param {number} length */
function bytes(length) {
  return Uint8Array.from({ length }, (_, at) => (at * 31 + (at >> 8)) & 255);
}

/** @param {() => any} look */
async function until(look) {
  const deadline = Date.now() + 10_000;
  while (!look()) {
    assert.ok(Date.now() < deadline, `never: ${look}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** What a camera would see, four pixels a module, decoded. @param {boolean[][] | null} code */
function read(code) {
  if (!code) return null;
  const [scale, quiet] = [4, 4];
  const side = (code.length + quiet * 2) * scale;
  const pixels = new Uint8ClampedArray(side * side * 4).fill(255);
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < side; x += 1) {
      if (!code[Math.floor(y / scale) - quiet]?.[Math.floor(x / scale) - quiet]) continue;
      pixels.fill(0, (y * side + x) * 4, (y * side + x) * 4 + 3);
    }
  }
  const found = jsqr.default(pixels, side, side, { inversionAttempts: 'dontInvert' });
  return found && new TextDecoder().decode(Uint8Array.from(found.binaryData));
}
