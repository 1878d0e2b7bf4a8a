// Transfers between the two sides of the SDK, and between one of them and somebody who does not keep to the rules. What needs a disk is tried in browsers.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';

import { FilePlace, MemoryPlace } from '../files-place.js';
import { receiveFiles } from '../files-receive.js';
import { ANNOUNCED_MAX, LABEL, PIECE_BYTES, WINDOW_BYTES, chainOf, fromReceiver, fromSender, hex, isPath } from '../files-rules.js';
import { sendFiles } from '../files-send.js';
import { gather, numbered } from '../files-source.js';
import { vectors } from './vectors.js';

test('files, folders and empty ones arrive with their paths, whole', async () => {
  const entries = [
    { path: 'photos/a.jpg', file: new File([bytes(200_000)], 'a.jpg', { lastModified: 1_700_000_000_000 }) },
    { path: 'photos/deep/er/empty', file: new File([], 'empty') },
    { path: 'photos/nothing', folder: true },
    { path: 'photos/b', file: new Blob([bytes(PIECE_BYTES)]), executable: true },
  ];
  const { sending, receiving } = await offered(entries);
  assert.deepEqual([receiving.name, receiving.files, receiving.bytes], ['photos', 3, 265_536]);
  const folders = [];
  await receiving.accept(noting(folders));
  const [sent, received] = await Promise.all([sending.done, receiving.done]);
  assert.deepEqual(sent, { files: 3, bytes: 265_536, kept: 3, skipped: 0, left: [] });
  assert.deepEqual(folders, ['photos/nothing']);
  assert.deepEqual(received.map(({ path, size, modified }) => [path, size, modified !== undefined]), [['photos/a.jpg', 200_000, true], ['photos/deep/er/empty', 0, true], ['photos/b', 65_536, false]]);
  for (const [at, made] of [[0, bytes(200_000)], [2, bytes(PIECE_BYTES)]]) {
    assert.deepEqual(new Uint8Array(await received[at].blob.arrayBuffer()), made);
    assert.equal(received[at].blob.type, 'application/octet-stream', 'nothing that comes may run here');
  }
  assert.deepEqual([sending.moved, receiving.moved], [265_536, 265_536]);
});

test('more files than may be announced at once all arrive, and those that are not wanted are not sent', async () => {
  const entries = Array.from({ length: ANNOUNCED_MAX * 2 + 10 }, (_, at) => ({ path: `many/${at}`, file: new Blob([bytes(at)]) }));
  const { sending, receiving, wire } = await offered(entries);
  let most = 0;
  let open = 0;
  wire.spy = ({ type }) => {
    if (type === 'file') open += 1;
    if (type === 'kept' || type === 'skip') open -= 1;
    most = Math.max(most, open);
  };
  await receiving.accept(null, { want: ({ n }) => n % 2 === 0 });
  const { kept, skipped } = await sending.done;
  assert.deepEqual([kept, skipped, (await receiving.done).length], [261, 261, 261]);
  assert.ok(most <= ANNOUNCED_MAX, `${most} announced at once`);
});

test('what was cut goes on where it stopped, over another connection, and is checked from the beginning', async () => {
  const file = new File([bytes(3_000_000)], 'film');
  const place = new MemoryPlace();
  const first = await offered([file]);
  first.receiving.on('progress', ({ moved }) => moved > 1_000_000 && first.wire.cut());
  await first.receiving.accept(place);
  await assert.rejects(first.receiving.done, { reason: 'closed' });
  await assert.rejects(first.sending.done, { reason: 'closed' });
  const second = await offered([file]);
  await second.receiving.accept(place);
  const [received] = await second.receiving.done;
  assert.deepEqual(new Uint8Array(await received.blob.arrayBuffer()), bytes(3_000_000));
  assert.ok(second.wire.bytes < 2_000_000, `${second.wire.bytes} crossed again`);
  assert.equal(second.sending.moved, 3_000_000);
  // Another file of the same name and size begins anew.
  const other = new File([bytes(3_000_000, 7)], 'film');
  const third = await offered([file]);
  third.receiving.on('progress', ({ moved }) => moved > 1_000_000 && third.wire.cut());
  await third.receiving.accept(place);
  await assert.rejects(third.receiving.done);
  const fourth = await offered([other]);
  await fourth.receiving.accept(place);
  const [again] = await fourth.receiving.done;
  assert.deepEqual(new Uint8Array(await again.blob.arrayBuffer()), bytes(3_000_000, 7));
  assert.equal(fourth.wire.bytes, 3_000_000);
});

test('a file goes on only when what came before the cut is written, however slow the disk', async () => {
  const disk = new Uint8Array(3_000_000);
  let closed = 0;
  let turn = Promise.resolve();
  const stream = {
    write: ({ position, data }) => (turn = turn.then(() => new Promise((resolve) => setTimeout(resolve, 5))).then(() => disk.set(data, position))),
    truncate: async () => void disk.fill(0),
    close: async () => void (closed += 1),
    abort: async () => {},
  };
  const place = new FilePlace(stream);
  const file = new File([bytes(3_000_000)], 'film');
  const first = await offered([file]);
  first.receiving.on('progress', ({ moved }) => moved > 300_000 && first.wire.cut());
  await first.receiving.accept(place);
  await assert.rejects(first.sending.done, { reason: 'closed' });
  // What waits for the disk is still on its way there.
  const second = await offered([file]);
  await second.receiving.accept(place);
  await second.sending.done;
  assert.deepEqual([Buffer.compare(disk, bytes(3_000_000)), closed], [0, 1]);
  assert.ok(second.wire.bytes <= 2_700_000, `${second.wire.bytes} crossed again`);
});

test('two transfers that go on with the same bytes in memory do not harm each other', async () => {
  const file = new File([bytes(1_000_000)], 'film');
  const place = new MemoryPlace();
  const cut = await offered([file]);
  cut.receiving.on('progress', ({ moved }) => moved > 500_000 && cut.wire.cut());
  await cut.receiving.accept(place);
  await assert.rejects(cut.receiving.done, { reason: 'closed' });
  const both = await Promise.all([offered([file]), offered([file])]);
  await Promise.all(both.map(({ receiving }) => receiving.accept(place)));
  for (const { receiving } of both) {
    const [{ blob }] = await receiving.done;
    assert.deepEqual(new Uint8Array(await blob.arrayBuffer()), bytes(1_000_000));
  }
});

test('a sender waits for a slow disk, and no more than a window is under way', async () => {
  let open = () => {};
  const gate = new Promise((resolve) => (open = resolve));
  const { sending, receiving, wire } = await offered([new File([new Uint8Array(12 * 1024 * 1024)], 'film')]);
  const place = new MemoryPlace();
  const slow = Object.assign(Object.create(place), {
    begin: (offer) => place.begin(offer),
    look: (file) => place.look(file),
    open: async (file, had) => {
      const sink = await place.open(file, had);
      return { ...sink, write: (piece, hash) => gate.then(() => sink.write(piece, hash)) };
    },
  });
  await receiving.accept(slow);
  await until(() => wire.bytes === WINDOW_BYTES);
  for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
  assert.equal(wire.bytes, WINDOW_BYTES);
  open();
  await sending.done;
});

test('either side may end it, and each is told which', async () => {
  const declined = await offered([new File([bytes(100)], 'a')]);
  declined.receiving.decline();
  await assert.rejects(declined.sending.done, { reason: 'declined', message: 'The other side said no.' });
  assert.equal(declined.receiving.error.message, 'Declined.');
  const cancelled = await offered([new File([bytes(100)], 'a')]);
  cancelled.sending.cancel();
  await assert.rejects(cancelled.receiving.done, { reason: 'cancelled', message: 'The other side ended it.' });
  const cut = await offered([new File([bytes(100)], 'a')]);
  cut.wire.cut();
  for (const each of [cut.sending, cut.receiving]) await assert.rejects(each.done, { reason: 'closed' });
  const calledOff = new AbortController();
  const off = await offered([new File([bytes(100)], 'a')], { signal: calledOff.signal });
  calledOff.abort();
  await assert.rejects(off.receiving.done, { reason: 'cancelled' });
  for (const { wire } of [declined, cancelled, cut, off]) await until(() => !wire.a.open);
});

test('a disk that fails ends it on both sides, and says so', async () => {
  const { sending, receiving } = await offered([new File([bytes(200_000)], 'film')]);
  const fails = async () => { throw new Error('full'); };
  await receiving.accept({ begin: async () => {}, folder: fails, look: async () => null, open: async () => ({ write: fails, whole: fails, part: fails, drop: fails }) });
  await assert.rejects(sending.done, { reason: 'disk' });
  await assert.rejects(receiving.done, { reason: 'disk' });
});

test('memory is bounded: what does not fit is refused, and what was cut off gives way', async () => {
  const place = new MemoryPlace({ most: 1_000_000 });
  const large = await offered([new File([bytes(1_000_001)], 'large')]);
  await large.receiving.accept(place);
  await assert.rejects(large.sending.done, { reason: 'too_large' });
  const cut = await offered([new File([bytes(900_000)], 'cut')]);
  cut.receiving.on('progress', ({ moved }) => moved > 500_000 && cut.wire.cut());
  await cut.receiving.accept(place);
  await assert.rejects(cut.receiving.done);
  const whole = await offered([new File([bytes(800_000)], 'whole')]);
  await whole.receiving.accept(place);
  const [received] = await whole.receiving.done;
  assert.equal(await place.look({ n: 1, path: 'cut', size: 900_000 }), null);
  assert.equal(place.room, 200_000);
  await whole.receiving.forget(received);
  await whole.receiving.forget(received);
  assert.equal(place.room, 1_000_000);
});

test('a file that changes while it is sent is not finished', async () => {
  const file = new File([bytes(200_000)], 'a');
  Object.defineProperty(file, 'slice', { value: () => new Blob([]) });
  const { sending, receiving } = await offered([file]);
  await receiving.accept();
  await assert.rejects(sending.done, { reason: 'changed' });
  await assert.rejects(receiving.done, { reason: 'changed' });
});

const OFFER = { type: 'offer', v: 1, name: 'x', files: 1, bytes: 10 };
const FILE = { type: 'file', n: 1, path: 'a', size: 10 };
const ZEROS = '0'.repeat(64);
const RIGHT = createHash('sha256').update(Buffer.alloc(32)).update(bytes(10)).digest('hex');

/** What a sender says that does not keep to the rules, and what becomes of it. */
const HOSTILE = {
  'what is no word': [[OFFER, 'text'], 'broken'],
  'words before the offer': [[FILE], 'broken', true],
  'an offer of another kind': [[{ ...OFFER, files: '1' }], 'broken', true],
  'a later version': [[{ ...OFFER, v: 2 }], 'broken', true],
  'a name without end': [[{ ...OFFER, name: 'x'.repeat(256) }], 'broken', true],
  'two offers': [[OFFER, OFFER], 'broken'],
  'bytes before the answer': [[OFFER, bytes(10)], 'broken'],
  'a file before the answer': [[OFFER, FILE], 'broken'],
  'a path that leads out': [[OFFER, 'yes', { ...FILE, path: '../a' }], 'bad_path'],
  'a folder that leads out': [[OFFER, 'yes', { type: 'folder', n: 1, path: 'a/../..' }], 'bad_path'],
  'a number out of turn': [[OFFER, 'yes', { ...FILE, n: 2 }], 'broken'],
  'a size of another kind': [[OFFER, 'yes', { ...FILE, size: 1.5 }], 'broken'],
  'more files than offered': [[OFFER, 'yes', { ...FILE, size: 1 }, { ...FILE, n: 2, size: 1 }], 'broken'],
  'more bytes than offered': [[OFFER, 'yes', { ...FILE, size: 11 }], 'broken'],
  'pieces of no file': [[OFFER, 'yes', FILE, 'taken', bytes(10)], 'broken'],
  'a file that was not announced': [[OFFER, 'yes', FILE, 'taken', { type: 'bytes', n: 2, from: 0 }], 'broken'],
  'a beginning that was not asked for': [[OFFER, 'yes', FILE, 'taken', { type: 'bytes', n: 1, from: 10 }], 'broken'],
  'a byte too many': [[OFFER, 'yes', FILE, 'taken', { type: 'bytes', n: 1, from: 0 }, bytes(11)], 'broken'],
  'an empty piece': [[OFFER, 'yes', FILE, 'taken', { type: 'bytes', n: 1, from: 0 }, bytes(0)], 'broken'],
  'a short piece in the middle': [[OFFER, 'yes', FILE, 'taken', { type: 'bytes', n: 1, from: 0 }, bytes(5)], 'broken'],
  'an end too early': [[OFFER, 'yes', FILE, 'taken', { type: 'bytes', n: 1, from: 0 }, { type: 'end', n: 1, hash: ZEROS }], 'broken'],
  'another hash': [[OFFER, 'yes', FILE, 'taken', { type: 'bytes', n: 1, from: 0 }, bytes(10), { type: 'end', n: 1, hash: ZEROS }], 'broken'],
  'a hash that is none': [[OFFER, 'yes', FILE, 'taken', { type: 'bytes', n: 1, from: 0 }, bytes(10), { type: 'end', n: 1, hash: 'x' }], 'broken'],
  'the same file twice': [[OFFER, 'yes', FILE, 'taken', { type: 'bytes', n: 1, from: 0 }, bytes(10), { type: 'bytes', n: 1, from: 0 }], 'broken'],
  'done before all that was offered came': [[{ ...OFFER, files: 2 }, 'yes', FILE, 'taken', { type: 'bytes', n: 1, from: 0 }, bytes(10), { type: 'end', n: 1, hash: RIGHT }, 'kept', { type: 'done' }], 'broken', 'kept'],
  'done before it is': [[OFFER, 'yes', FILE, 'taken', { type: 'done' }], 'broken'],
};

for (const [what, [words, reason, early]] of Object.entries(HOSTILE)) {
  test(`a sender that says ${what} is told ${reason}, and nothing of it stays`, async () => {
    const wire = new Wire();
    const said = [];
    wire.a.on('message', ({ data }) => said.push(data));
    let receiving;
    const place = new MemoryPlace({ most: 1_000 });
    receiveFiles(wire.b, (each) => (receiving = each));
    for (const word of words) {
      if (word === 'yes') await until(() => receiving).then(() => receiving.accept(place));
      else if (['taken', 'kept'].includes(word)) await until(() => said.some(({ type }) => type === word.replace('taken', 'take')));
      else wire.a.send(word);
    }
    await until(() => said.some(({ type }) => type === 'no'));
    assert.deepEqual(said.find(({ type }) => type === 'no'), { type: 'no', reason });
    assert.equal(receiving === undefined, early === true);
    await until(() => place.room === (early === 'kept' ? 990 : 1_000));
    wire.cut();
  });
}

test('a sender that floods past the window is ended, however slow the disk', async () => {
  const wire = new Wire();
  let receiving;
  receiveFiles(wire.b, (each) => (receiving = each));
  wire.a.send({ ...OFFER, bytes: 100e6 });
  await until(() => receiving);
  const never = () => new Promise(() => {});
  await receiving.accept({ begin: async () => {}, folder: never, look: async () => null, open: async () => ({ write: never, whole: never, part: never, drop: never }) });
  wire.a.send({ ...FILE, size: 100e6 });
  let taken = false;
  wire.a.on('message', ({ data }) => (taken ||= data.type === 'take'));
  await until(() => taken);
  wire.a.send({ type: 'bytes', n: 1, from: 0 });
  for (let at = 0; at <= WINDOW_BYTES / PIECE_BYTES; at += 1) wire.a.send(new Uint8Array(PIECE_BYTES));
  await assert.rejects(receiving.done, { reason: 'broken' });
  wire.cut();
});

test('a receiver that answers what was not asked is told that it is broken', async () => {
  const cases = [
    [{ type: 'done' }],
    [{ type: 'accept' }, { type: 'accept' }],
    [{ type: 'accept' }, { type: 'take', n: 2, from: 0 }],
    [{ type: 'accept' }, { type: 'take', n: 1, from: 5, hash: ZEROS }],
    [{ type: 'accept' }, { type: 'take', n: 1, from: 65_536 }],
    [{ type: 'accept' }, { type: 'take', n: 1, from: 0 }, { type: 'take', n: 1, from: 0 }],
    [{ type: 'accept' }, { type: 'got', bytes: 1 }],
    [{ type: 'accept' }, { type: 'kept', n: 1 }],
    [{ type: 'accept' }, { type: 'done' }],
  ];
  for (const words of cases) {
    const wire = new Wire();
    const sending = sendFiles({ channel: () => wire.a }, [new File([bytes(200_000)], 'a')]);
    sending.on('offered', () => words.forEach((word) => wire.b.send(word)));
    wire.open();
    await assert.rejects(sending.done, { reason: 'broken' }, JSON.stringify(words));
    wire.cut();
  }
});

test('words and fields that are not known are passed over', async () => {
  const { sending, receiving, wire } = await offered([new File([bytes(10)], 'a')]);
  for (const end of [wire.a, wire.b]) for (const odd of [{ type: 'later' }, { type: '' }, { type: 'later', n: 'x' }]) end.send(odd);
  await receiving.accept();
  await sending.done;
});

test('chains, paths and words are read as the vectors say', async () => {
  const { chains, paths, messages } = vectors('files.json');
  for (const { size, hash } of chains) {
    const content = Uint8Array.from({ length: size }, (_, at) => (Math.floor((at * at) / 7) + at) % 251);
    assert.equal(hex(await chainOf(new Blob([content]), size)), hash, `${size} bytes`);
  }
  for (const path of paths.good) assert.ok(isPath(path), path);
  for (const path of paths.bad) assert.ok(!isPath(path), path);
  for (const [side, read] of [[messages.sender, fromSender], [messages.receiver, fromReceiver]]) {
    for (const said of side.good) assert.equal(read(said)?.type, said.type);
    for (const said of side.unknown) assert.equal(read(said), null);
    for (const said of side.bad) assert.throws(() => read(said), { reason: 'broken' }, JSON.stringify(said));
    for (const said of side.bad_path ?? []) assert.throws(() => read(said), { reason: 'bad_path' }, JSON.stringify(said));
  }
});

test('a path is relative, of parts that are names, and not endless', () => {
  for (const good of ['a', 'a/b', '.bashrc', 'a b/ü/日本', 'con', 'a:b', Array(32).fill('x').join('/'), 'é'.repeat(127)]) assert.ok(isPath(good), good);
  const bad = ['', '/', '/a', 'a/', 'a//b', '.', '..', 'a/..', 'a/./b', 'a\\b', 'a\0', 'a\nb', 'a\u0085', '\ud800', Array(33).fill('x').join('/'), 'é'.repeat(128)];
  for (const each of bad) assert.ok(!isPath(each), JSON.stringify(each));
  assert.ok(!isPath(Array(32).fill('x'.repeat(255)).join('/')));
});

test('what is gathered has a name, paths that differ, and nothing that cannot be sent', async () => {
  const folder = (path) => Object.defineProperty(new File(['x'], path.split('/').at(-1)), 'webkitRelativePath', { value: path });
  const trip = await gather([folder('trip/a.txt'), folder('trip/b/c.txt'), folder('trip/bad\\name')]);
  assert.deepEqual([trip.name, trip.files, trip.bytes, trip.left], ['trip', 2, 2, ['trip/bad\\name']]);
  const twice = await gather([new File(['x'], 'a.tar.gz'), new File(['y'], 'a.tar.gz')]);
  assert.deepEqual([twice.name, ...twice.entries.map(({ path }) => path)], ['2 files', 'a.tar.gz', 'a.tar (1).gz']);
  assert.equal((await gather(new File(['x'], 'one'))).name, 'one');
  assert.equal((await gather([new File(['x'], 'one')], { name: 'called' })).name, 'called');
  assert.deepEqual(['a/.x', 'a.b/c', '.x'].map((path) => numbered(path, 2)), ['a/.x (2)', 'a.b/c (2)', '.x (2)']);
  const sending = sendFiles({ channel: () => assert.fail('nothing is to be sent') }, []);
  await assert.rejects(sending.done, { reason: 'bad_field' });
});

test('the chain over a file is one of its pieces, from the first on', async () => {
  assert.equal(hex(await chainOf(new Blob([]), 0)), ZEROS);
  const whole = await chainOf(new Blob([bytes(100_000)]), 100_000);
  const sha = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();
  const first = sha(Buffer.alloc(32), bytes(100_000).subarray(0, 65_536));
  assert.equal(hex(whole), sha(first, bytes(100_000).subarray(65_536)).toString('hex'));
});

/** Two ends of a channel, as the SDK has them. */
class Wire {
  bytes = 0;
  spy = () => {};
  a = new End(this);
  b = new End(this);

  constructor() {
    [this.a.other, this.b.other] = [this.b, this.a];
  }

  open() {
    for (const end of [this.a, this.b]) {
      end.open = true;
      end.emit('open', {});
    }
  }

  cut() {
    this.a.close();
  }
}

class End {
  label = LABEL;
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
    this.wire.spy(data ?? {});
    setImmediate(() => this.other.open && this.other.emit('message', { data }));
  }

  close() {
    for (const end of [this, this.other]) {
      if (!end.open) continue;
      end.open = false;
      end.emit('closed', {});
    }
  }
}

/** Files on their way, as far as the offer. */
async function offered(files, options) {
  const wire = new Wire();
  let receiving;
  receiveFiles(wire.b, (each) => (receiving = each));
  const sending = sendFiles({ channel: () => wire.a }, files, options);
  await until(() => receiving);
  return { sending, receiving, wire };
}

/** Memory that notes folders. @param {string[]} folders */
function noting(folders) {
  const place = new MemoryPlace();
  return {
    begin: (offer) => place.begin(offer),
    folder: async (path) => void folders.push(path),
    look: (file) => place.look(file),
    open: (file, had) => place.open(file, had),
  };
}

/** @param {number} length @param {number} [salt] */
function bytes(length, salt = 0) {
  return Uint8Array.from({ length }, (_, at) => (at * 31 + (at >> 8) + salt) & 255);
}

/** @param {() => any} look */
async function until(look) {
  const deadline = Date.now() + 10_000;
  while (!look()) {
    assert.ok(Date.now() < deadline, `never: ${look}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
