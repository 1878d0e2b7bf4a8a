// The server's own page in real browsers: people meet, talk, send files and see each other, and nothing else gets out.

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { WebSocket } from 'ws';

import { Wigwag } from '../index.js';
import { Browser } from './browser.js';
import { Server } from './server.js';
import { Visitor, keepBlobs } from './visitor.js';

/** @type {Server} */
let server;
/** @type {Browser} */
let browser;
/** @type {string} */
let axe;

before(async () => {
  axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  server = await Server.start({ set: ['log.filter=debug', 'ice.stun='] });
  browser = await Browser.start();
});
after(async () => {
  await browser?.stop();
  await server?.stop();
});

test('two meet by the link, and talk directly, by name, with verified keys', async () => {
  const [ann, bob] = await pair();
  await ann.hears('Bob');
  await ann.says('Hello Bob, see https://example.org/a.');
  await bob.hears('Hello Bob, see https://example.org/a.');
  await bob.says('Hello Ann');
  await ann.hears('Hello Ann');
  await ann.until(() => document.querySelector('.receipt')?.textContent === 'Delivered');
  await ann.until(() => /^Directly/.test(document.querySelector('.person .way')?.textContent ?? ''));
  await ann.until(() => /found by the server/i.test(document.querySelector('.person .facts')?.textContent ?? ''));
  const card = await ann.until(() => {
    const text = /** @type {HTMLElement | null} */ (document.querySelector('.person'))?.innerText ?? '';
    return /\d+ ms/.test(text) && text;
  });
  assert.match(card, /Bob[\s\S]*Key [a-z2-7]{4} [a-z2-7]{4} [a-z2-7]{4} verified/);
  await ann.rename('Annabel');
  await bob.hears('Ann is now called Annabel.');
  await part(ann, bob);
});

test('nothing of people reaches the log: no room, no name, no word', async () => {
  const [ann, bob] = await pair();
  const room = new URL(await ann.link).hash.slice(1);
  await ann.says('a secret between two');
  await bob.hears('a secret between two');
  await part(ann, bob);
  assert.ok(server.log.includes('answered'), 'the log tells of requests');
  for (const told of [room, 'Ann', 'Bob', 'secret']) assert.ok(!server.log.includes(told), `${told} is in the log`);
});

test('whoever leaves is seen to leave at once', async () => {
  const [ann, bob] = await pair();
  await bob.page.close({ runBeforeUnload: false });
  await ann.hears('Bob left.');
  await ann.meets(0);
  ann.clean();
  await ann.leave();
});

test('two tabs of one browser meet as well', async () => {
  const ann = await visit();
  await ann.view('alone');
  const second = new Visitor(await ann.page.browserContext().newPage(), server.http);
  await second.page.goto(await ann.link);
  await Promise.all([ann.meets(1), second.meets(1)]);
  assert.equal(await ann.page.$eval('.person .tag', ({ textContent }) => textContent), 'your other tab');
  await second.says('from the other tab');
  await ann.hears('from the other tab');
  second.clean();
  await part(ann);
});

test('a file of 3 MB comes by itself, with progress and the right hash, and a larger one asks first', async () => {
  const [ann, bob] = await pair();
  const hash = await ann.sendFile('notes.bin', 3_000_000);
  assert.equal(await bob.savedHash('notes.bin'), hash);
  await ann.until(() => document.querySelector('.progress .words')?.textContent === 'arrived, checked');
  const large = await bob.sendFile('film.bin', 20_000_000);
  await bob.until(() => [...document.querySelectorAll('.words')].some(({ textContent }) => textContent === 'waiting for their yes'));
  await ann.press('Accept', '.file');
  assert.equal(await ann.savedHash('film.bin'), large);
  await bob.sendFile('other.bin', 20_000_000);
  await ann.press('Decline', '.file');
  await bob.until(() => [...document.querySelectorAll('.words')].some(({ textContent }) => textContent === 'Declined'));
  await ann.press('Remove', '.file');
  await ann.until(() => document.querySelector('.log')?.textContent.includes('film.bin was removed.'));
  await part(ann, bob);
});

test('a folder comes as one archive, and what cannot be read is told', async () => {
  const [ann, bob] = await pair();
  await ann.page.evaluate(() => {
    const chosen = ['trip/a.txt', 'trip/day one/b.txt', 'trip/bad\\name'].map((path) => (
      Object.defineProperty(new File([path], path.split('/').at(-1)), 'webkitRelativePath', { value: path })
    ));
    const field = document.getElementById('folder');
    Object.defineProperty(field, 'files', { value: chosen, configurable: true });
    field.dispatchEvent(new Event('change'));
  });
  await ann.hears('Left out, because it cannot be read or has a name that others could not keep: name.');
  await bob.until(() => document.querySelector('a[download="trip.zip"]'));
  const names = await bob.page.evaluate(async () => {
    const bytes = new Uint8Array(await globalThis.blobs.get(document.querySelector('a[download="trip.zip"]').href).arrayBuffer());
    return new TextDecoder().decode(bytes).match(/trip\/[\w /]+\.txt/g);
  });
  assert.deepEqual([...new Set(names)], ['trip/a.txt', 'trip/day one/b.txt']);
  await part(ann, bob);
});

test('a folder that is dropped goes into the one that a person chose, and a film goes on in the file that was chosen', async (t) => {
  const side = await mkdtemp(join(tmpdir(), 'wigwag-page-'));
  t.after(() => rm(side, { recursive: true }));
  await mkdir(join(side, 'trip/deep'), { recursive: true });
  await mkdir(join(side, 'trip/empty'));
  await writeFile(join(side, 'trip/large.bin'), new Uint8Array(9_000_000).fill(7));
  await writeFile(join(side, 'trip/deep/note.txt'), 'hello');
  const [ann, bob] = await pair({ before: chooseOwn });
  const { x, y } = await bob.page.$eval('.log', (log) => log.getBoundingClientRect().toJSON());
  const devtools = await bob.page.createCDPSession();
  const data = { items: [], files: [join(side, 'trip')], dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop']) await devtools.send('Input.dispatchDragEvent', { type, x: x + 20, y: y + 20, data });
  await ann.press('Save in a folder…', '.file');
  await ann.until(() => document.querySelector('.progress .words')?.textContent === 'saved, checked');
  const found = await ann.page.evaluate(async () => {
    const trip = await (await navigator.storage.getDirectory()).getDirectoryHandle('trip');
    const names = [];
    for await (const name of trip.keys()) names.push(name);
    const deep = await trip.getDirectoryHandle('deep');
    return [names.sort(), (await (await trip.getFileHandle('large.bin')).getFile()).size, await (await (await deep.getFileHandle('note.txt')).getFile()).text()];
  });
  assert.deepEqual(found, [['deep', 'empty', 'large.bin'], 9_000_000, 'hello']);

  const hash = await bob.sendFile('film.bin', 40_000_000);
  await ann.press('Save as…', '.said:last-child .file');
  await ann.until(() => /** @type {any} */ (document.querySelector('.said:last-child progress'))?.value > 0.2);
  await ann.press('Cancel', '.said:last-child .file');
  await bob.until(() => document.querySelector('.said:last-child .words')?.textContent === 'Cancelled');
  await bob.page.evaluate(() => {
    // The same file once more.
    const field = /** @type {HTMLInputElement} */ (document.getElementById('files'));
    const again = new DataTransfer();
    again.items.add(globalThis.sent);
    field.files = again.files;
    field.dispatchEvent(new Event('change'));
  });
  await ann.press('Go on', '.said:last-child .file');
  await ann.until(() => document.querySelector('.said:last-child .words')?.textContent === 'saved, checked');
  const saved = await ann.page.evaluate(async () => {
    const file = await (await (await navigator.storage.getDirectory()).getFileHandle('film.bin')).getFile();
    return Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer())), (byte) => byte.toString(16).padStart(2, '0')).join('');
  });
  assert.equal(saved, hash);
  await part(ann, bob);
});

test('a file goes to whoever is told four words, and to nobody else', async () => {
  const ann = await visit({ name: 'Ann' });
  await ann.view('alone');
  const hash = await ann.sendFile('plans.bin', 500_000, 'words-files');
  const words = await ann.until(() => document.querySelector('.by-words .code')?.textContent);
  assert.match(words, /^[a-z]+( [a-z]+){3}$/);
  await ann.until(() => /Waiting for whoever hears/.test(document.querySelector('.by-words [role="status"]')?.textContent ?? ''));
  assert.deepEqual(await ann.barriers(axe), []);
  const bob = await visit({ name: 'Bob' });
  await bob.view('alone');
  await bob.page.type('#join-code', `${words.replace(/^[a-z]+/, 'qqqqqq')}`);
  await bob.press('Join them');
  await bob.until(() => /“qqqqqq” is no word of a code/.test(document.querySelector('#join-wrong:not([hidden])')?.textContent ?? ''));
  await bob.page.$eval('#join-code', (/** @type {any} */ field) => (field.value = ''));
  await bob.page.type('#join-code', words.toUpperCase());
  await bob.press('Join them');
  await bob.until(() => /wants to come to you/.test(document.querySelector('.by-words .words')?.textContent ?? ''));
  assert.deepEqual(await bob.barriers(axe), []);
  await bob.press('Accept', '.by-words');
  assert.equal(await bob.savedHash('plans.bin'), hash);
  await ann.until(() => document.querySelector('.by-words .whom')?.textContent === 'To Bob' && document.querySelector('.by-words .progress .words')?.textContent === 'arrived, checked');
  await Promise.all([ann, bob].map((each) => each.view('alone')));
  await ann.press('Close', '.by-words');
  await bob.press('Remove', '.by-words');
  for (const each of [ann, bob]) await each.until(() => /** @type {HTMLElement} */ (document.getElementById('by-words')).hidden);
  await part(ann, bob);
});

test('a meeting by words may be called off, and whoever comes then finds nobody', async () => {
  const ann = await visit({ name: 'Ann' });
  await ann.view('alone');
  await ann.page.type('#join-code', 'apricot guitar lemon tiger');
  await ann.press('Join them');
  await ann.until(() => /Looking for whoever/.test(document.querySelector('.by-words [role="status"]')?.textContent ?? ''));
  await ann.press('Cancel', '.by-words');
  await ann.until(() => /** @type {HTMLElement} */ (document.getElementById('by-words')).hidden);
  assert.equal(await ann.page.evaluate(() => document.activeElement?.id), 'meet');
  await part(ann);
});

test('where no path leads from one to the other, words and files cross by the relay, and the card says so', async () => {
  const [ann, bob] = await pair({ before: walledIn });
  await ann.says('around the wall');
  await bob.hears('around the wall');
  await ann.until(() => document.querySelector('.person .way')?.textContent === 'Using server relay, end-to-end encrypted');
  const hash = await ann.sendFile('notes.bin', 200_000);
  assert.equal(await bob.savedHash('notes.bin'), hash);
  assert.ok(await ann.page.$eval('.person .acts button', (/** @type {any} */ { hidden }) => hidden), 'no picture is offered');
  await part(ann, bob);
});

test('a picture comes only after a yes, and goes with a hang-up, the camera with it', async () => {
  const [ann, bob] = await pair();
  await ann.press('Video', '.person');
  await bob.press('Decline', '.ask');
  await ann.hears('Bob would rather not now');
  assert.equal(await bob.page.$('.tile'), null);
  await ann.press('Video', '.person');
  await bob.press('Answer with camera', '.ask');
  for (const each of [ann, bob]) await each.until(framesCome);
  await ann.press('Hang up', '.tile');
  await bob.hears('Ann hung up');
  for (const each of [ann, bob]) await each.until(() => !document.querySelector('.tile'));
  await bob.press('Video', '.person');
  await ann.press('Answer without', '.ask');
  await ann.until(framesCome);
  assert.equal(await ann.page.$('.tile.own'), null, 'who answers without a camera shows none');
  await part(ann, bob);
});

test('a camera that may not be used is explained', async () => {
  const [ann, bob] = await pair({
    before: () => {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'));
    },
  });
  await ann.press('Video', '.person');
  await ann.hears('This page may not use your camera or microphone.');
  await part(ann, bob);
});

test('everything goes by keyboard: a name, a message, a file, a call', async () => {
  const ann = await visit();
  await ann.view('alone');
  await tabTo(ann, 'name');
  await ann.page.keyboard.down('Control');
  await ann.page.keyboard.press('a');
  await ann.page.keyboard.up('Control');
  await ann.page.keyboard.type('Key Person');
  await ann.page.keyboard.press('Enter');
  const bob = await visit({ url: await ann.link, name: 'Bob' });
  await Promise.all([ann.meets(1), bob.meets(1)]);
  await bob.hears('Key Person');
  await tabTo(ann, 'text');
  await ann.page.keyboard.type('typed');
  await ann.page.keyboard.press('Enter');
  await bob.hears('typed');
  await ann.page.keyboard.type('sent by the button');
  await tabTo(ann, '', '^Send$');
  await ann.page.keyboard.press('Space');
  await bob.hears('sent by the button');
  await tabTo(ann, 'invite-toggle');
  await ann.page.keyboard.press('Enter');
  await ann.until(() => document.activeElement?.id === 'link');
  await tabTo(ann, '', 'Video');
  await ann.page.keyboard.press('Enter');
  await bob.page.waitForSelector('.ask');
  await tabTo(bob, '', 'Answer with camera');
  await bob.page.keyboard.press('Enter');
  await ann.until(framesCome);
  await part(ann, bob);
});

test('a server that is killed and comes back is told of, and the talk goes on all the while', async (t) => {
  const own = await started(t, { set: ['ice.stun='] });
  const [ann, bob] = await pair({}, own);
  await own.stop('SIGKILL');
  await ann.until(() => /server is away/.test(document.querySelector('#banner:not([hidden])')?.textContent ?? ''));
  await ann.says('still here');
  await bob.hears('still here');
  const again = await started(t, { port: own.port, set: ['ice.stun='] });
  for (const each of [ann, bob]) await each.until(() => document.getElementById('banner')?.hidden);
  await bob.says('and after');
  await ann.hears('and after');
  const carl = await visit({ url: await ann.link, name: 'Carl' });
  await Promise.all([ann.meets(2), bob.meets(2), carl.meets(2)]);
  const notes = await ann.page.$$eval('.note', (all) => all.map(({ textContent }) => textContent));
  assert.ok(!notes.some((note) => /left/.test(note)) && notes.filter((note) => /is here/.test(note)).length === 2, `Bob was here all the time: ${notes}`);
  for (const each of [ann, bob, carl]) await each.leave();
});

test('what is in the way is said in sentences, with what to do', async (t) => {
  const own = await started(t, { set: ['server.public_url=https://wig.example', 'ice.stun='] });
  const cases = [
    [{ before: () => delete globalThis.RTCPeerConnection }, 'This browser cannot connect to others'],
    [{ before: () => Object.defineProperty(globalThis, 'isSecureContext', { value: false }) }, 'This address is not secure enough to meet on'],
    [{ url: own.http }, 'The server goes by another name'],
  ];
  for (const [how, title] of cases) {
    const visitor = await visit(how);
    await visitor.view('trouble');
    assert.equal(await visitor.page.$eval('#trouble-title', ({ textContent }) => textContent), title);
    assert.deepEqual(await visitor.barriers(axe), []);
    await visitor.leave();
  }
});

test('a ninth is told that eight is the limit, and may begin a room of its own', async (t) => {
  const ann = await visit();
  await ann.view('alone');
  const room = `demo-${new URL(await ann.link).hash.slice(1)}`;
  await Promise.all(Array.from({ length: 7 }, async () => {
    const w = await Wigwag.open({ servers: server.url, identity: 'guest', WebSocket });
    await w.join(room);
    t.after(() => w.close());
  }));
  await ann.until(() => document.querySelectorAll('.person').length === 7);
  const ninth = await visit({ url: await ann.link });
  await ninth.view('trouble');
  assert.match(await ninth.page.$eval('#trouble-text', ({ textContent }) => textContent), /8 people/);
  await ninth.press('Begin a new room');
  await ninth.view('alone');
  await part(ann, ninth);
});

test('a server without guests takes the page, which has a key', async (t) => {
  const own = await started(t, { set: ['auth.guests=false', 'ice.stun='] });
  const [ann, bob] = await pair({}, own);
  await part(ann, bob);
});

test('Chromium and Firefox meet by a code that is read aloud, and see each other', async () => {
  const firefox = await Browser.start('firefox');
  try {
    const [ann, bob] = await pair();
    const carl = await Visitor.open(firefox, server.http, { name: 'Carl', before: undefined });
    await carl.view('alone');
    await carl.page.type('#join-code', 'ZZZZ-ZZZZ');
    await carl.press('Join them');
    await carl.until(() => /leads nowhere/.test(document.querySelector('#join-wrong:not([hidden])')?.textContent ?? ''));
    await carl.page.$eval('#join-code', (/** @type {any} */ field) => (field.value = ''));
    await carl.page.type('#join-code', (await ann.code).toLowerCase().replace('-', ' '));
    await carl.press('Join them');
    await Promise.all([ann.meets(2), bob.meets(2), carl.meets(2)]);
    assert.equal(await carl.link, await ann.link);
    await carl.says('from Firefox');
    await Promise.all([ann.hears('from Firefox'), bob.hears('from Firefox')]);
    await ann.sendFile('both.bin', 1_000_000);
    await carl.until(() => document.querySelector('a[download="both.bin"]') !== null);
    await carl.press('Video', '.person');
    const answered = await Promise.any([ann, bob].map(async (each) => {
      await each.page.waitForSelector('.ask', { timeout: 60_000 });
      return each;
    }));
    await answered.press('Answer with camera', '.ask');
    await Promise.all([answered, carl].map((each) => each.until(framesCome)));
    carl.clean();
    await part(ann, bob);
  } finally {
    await firefox.stop();
  }
});

for (const dark of [false, true]) {
  test(`no barriers are found by ${dark ? 'night' : 'day'}: alone, together, with files, in a call`, async () => {
    const ann = await visit({ dark, name: 'Ann' });
    await ann.view('alone');
    await ann.code;
    assert.deepEqual(await ann.barriers(axe), []);
    const bob = await visit({ dark, name: 'Bob', url: await ann.link });
    await ann.meets(1);
    await ann.says('hello');
    await bob.sendFile('a.bin', 1_000);
    await bob.sendFile('b.bin', 20_000_000);
    await ann.press('Invite');
    await ann.until(() => document.querySelectorAll('.file').length === 2 && document.querySelector('a[download]'));
    await bob.press('Video', '.person');
    await ann.page.waitForSelector('.ask');
    assert.deepEqual(await ann.barriers(axe), []);
    await ann.press('Answer with camera', '.ask');
    await ann.until(framesCome);
    assert.deepEqual(await ann.barriers(axe), []);
    await part(ann, bob);
  });
}

/** A server that ends with the test. @param {import('node:test').TestContext} t @param {Parameters<typeof Server.start>[0]} options */
async function started(t, options) {
  const own = await Server.start(options);
  t.after(() => own.stop());
  return own;
}

/** Runs in the page beforehand: nothing but a TURN server would be used, and there is none. */
function walledIn() {
  const RTC = globalThis.RTCPeerConnection;
  globalThis.RTCPeerConnection = class extends RTC {
    constructor(config) {
      super({ ...config, iceTransportPolicy: 'relay' });
    }
  };
}

/** Runs in the page beforehand: what a person would choose is the page's own part of the disk. */
function chooseOwn() {
  globalThis.showDirectoryPicker = () => navigator.storage.getDirectory();
  globalThis.showSaveFilePicker = async ({ suggestedName }) => (await navigator.storage.getDirectory()).getFileHandle(suggestedName, { create: true });
}

/** Whether the picture of somebody else moves. */
function framesCome() {
  return [...document.querySelectorAll('.tile:not(.own)[data-picture="true"] video')].some((video) => video.videoWidth > 0 && video.currentTime > 0.2);
}

/** @param {{ url?: string, name?: string, dark?: boolean, before?: () => void }} [how] */
function visit({ url = server.http, before: first = keepBlobs, ...how } = {}) {
  return Visitor.open(browser, url, { before: first, ...how });
}

/** Ann, and Bob whom she sent the link. @param {{ before?: () => void }} [how] of Ann @param {Server} [at] */
async function pair(how = {}, at = server) {
  const ann = await visit({ url: at.http, name: 'Ann', ...how });
  await ann.view('alone');
  const bob = await visit({ url: await ann.link, name: 'Bob' });
  await Promise.all([ann.meets(1), bob.meets(1)]);
  return [ann, bob];
}

/** @param {...Visitor} visitors */
async function part(...visitors) {
  for (const visitor of visitors) visitor.clean();
  await Promise.all(visitors.map((visitor) => visitor.leave()));
}

/** Presses the tabulator until something has the focus. @param {Visitor} visitor @param {string} id @param {string} [label] a pattern */
async function tabTo({ page }, id, label = '') {
  for (let steps = 0; steps < 80; steps += 1) {
    const found = await page.evaluate((wanted, pattern) => {
      const at = document.activeElement;
      return Boolean(at && (wanted ? at.id === wanted : at.tagName === 'BUTTON' && new RegExp(pattern).test(at.textContent.trim())));
    }, id, label);
    if (found) return;
    await page.keyboard.press('Tab');
  }
  assert.fail(`nobody gets to ${id || label} by keyboard`);
}
