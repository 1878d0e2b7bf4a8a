// The parts of the server's page that need no browser: QR codes as somebody else's decoder reads them, files, words, names, links, colours.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import jsqr from 'jsqr';

import { freshRoom, idOf, isLocal, linkTo, nameOf, roomIn } from '../../../crates/server/src/http/page/app/link.js';
import { initials, short, size, tidyName } from '../../../crates/server/src/http/page/app/names.js';
import { tidyFile } from '../../../crates/server/src/http/page/app/parcels.js';
import { qr } from '../../../crates/server/src/http/page/app/qr.js';
import { Talk, receiptOf } from '../../../crates/server/src/http/page/app/talk.js';
import { zip, zips } from '../../../crates/server/src/http/page/app/zip.js';

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

test('what a file is called is only a name, however it was sent', () => {
  assert.deepEqual(['../../.bashrc\u202e', 'a\\b', '...', '', 'plain.txt'].map(tidyFile), ['bashrc', 'b', 'file', 'file', 'plain.txt']);
  assert.equal([...tidyFile('ü'.repeat(300))].length, 200);
});

test('several files become one archive, whose list says where each is, how long, and what its sum is', async () => {
  const files = [{ path: 'trip/a.txt', blob: new Blob(['123456789']), modified: Date.UTC(2026, 0, 2, 3, 4, 6) }, { path: 'trip/ü/empty', blob: new Blob([]) }];
  const bytes = Buffer.from(await (await zip(files)).arrayBuffer());
  const end = bytes.length - 22;
  assert.deepEqual([bytes.readUInt32LE(end), bytes.readUInt16LE(end + 10)], [0x0605_4b50, 2]);
  let at = bytes.readUInt32LE(end + 16);
  for (const [path, content, sum] of [['trip/a.txt', '123456789', 0xcbf4_3926], ['trip/ü/empty', '', 0]]) {
    const name = Buffer.from(path);
    assert.deepEqual([bytes.readUInt32LE(at), bytes.readUInt32LE(at + 16), bytes.readUInt32LE(at + 24)], [0x0201_4b50, sum, content.length]);
    assert.equal(bytes.toString('utf8', at + 46, at + 46 + name.length), path);
    const head = bytes.readUInt32LE(at + 42);
    assert.deepEqual([bytes.readUInt32LE(head), bytes.readUInt32LE(head + 14)], [0x0403_4b50, sum]);
    assert.equal(bytes.toString('utf8', head + 30 + name.length, head + 30 + name.length + content.length), content);
    at += 46 + name.length;
  }
  assert.equal(at, end);
  assert.ok(zips({ files: 10, bytes: 1e9 }) && !zips({ files: 70_000, bytes: 0 }) && !zips({ files: 1, bytes: 2 ** 32 }));
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

/** @param {string} name */
function person(name) {
  const sent = [];
  return { key: name, name, sent, connection: { send: async (message) => void sent.push(message) } };
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
