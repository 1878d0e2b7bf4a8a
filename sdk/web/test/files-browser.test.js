// Files between real browsers: into folders on a disk, on after a cut, and to somebody who was told a few words.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Browser } from './browser.js';
import { Server } from './server.js';

/** @type {Server} */
let server;
/** @type {Browser[]} */
let browsers = [];

before(async () => {
  server = await Server.start({ set: ['ice.stun='] });
  browsers = await Promise.all([Browser.start('chromium'), Browser.start('firefox')]);
});
after(async () => {
  await Promise.all(browsers.map((browser) => browser.stop()));
  await server?.stop();
});

for (const [sends, takes] of [['Chromium', 'Firefox'], ['Firefox', 'Chromium']]) {
  test(`a folder goes from ${sends} to the disk of ${takes}, and on where a cut stopped it`, async () => {
    const [one, two] = await pair(sends, takes);
    const id = await two.evaluate(receiveIntoFolder);
    await one.evaluate(connectAndMake, id);
    const first = await one.evaluate(async () => globalThis.files.sendFiles(globalThis.connection, globalThis.entries).done.then(() => 'done', ({ reason }) => reason));
    assert.equal(first, 'closed');
    const cut = await until(two, async () => {
      const tree = await globalThis.tree();
      return globalThis.over && globalThis.part >= 2_000_000 && tree;
    });
    assert.deepEqual(Object.keys(cut).filter((path) => !path.endsWith('/')), ['photos/large.bin.wigwag-part'], 'what is not whole has a name that tells');
    await one.evaluate(connectAgain, id);
    const sent = await one.evaluate(() => globalThis.files.sendFiles(globalThis.connection, globalThis.entries).done);
    assert.deepEqual(sent, { files: 3, bytes: 6_000_005, kept: 3, skipped: 0, left: [] });
    const { begun, went } = await two.evaluate(() => ({ begun: globalThis.begun, went: globalThis.went }));
    assert.ok(begun >= 2_000_000, `it went on at ${begun}`);
    assert.deepEqual(went, ['photos/large.bin', 'photos/deep/small.txt', 'photos/none']);
    const hash = await one.evaluate(() => globalThis.hash(globalThis.entries[0].file));
    assert.deepEqual(await two.evaluate(() => globalThis.tree()), {
      'photos/deep/small.txt': await one.evaluate(() => globalThis.hash(globalThis.entries[1].file)),
      'photos/empty/': null,
      'photos/large.bin': hash,
      'photos/none': await one.evaluate(() => globalThis.hash(globalThis.entries[2].file)),
    });
    // What is there already is not sent again; what is another of the same name and size is put beside it.
    await one.evaluate(connectAgain, id);
    await one.evaluate(async () => {
      globalThis.entries[1].file = new Blob(['olleh']);
      await globalThis.files.sendFiles(globalThis.connection, globalThis.entries).done;
    });
    assert.equal(await two.evaluate(() => globalThis.begun), 6_000_000);
    const tree = await two.evaluate(() => globalThis.tree());
    assert.equal(tree['photos/large.bin'], hash);
    assert.equal(tree['photos/deep/small (1).txt'], await one.evaluate(() => globalThis.hash(globalThis.entries[1].file)));
    assert.equal(Object.keys(tree).length, 5);
    for (const page of [one, two]) await page.browserContext().close();
  });

  test(`${sends} and ${takes} meet by words, whoever comes first, and nobody else can`, async () => {
    const [one, two] = await pair(sends, takes);
    const words = await one.evaluate(() => String(globalThis.files.WordCode.make()));
    for (const sendsFirst of [true, false]) {
      const meets = [() => one.evaluate(sendByWords, words), () => two.evaluate(receiveByWords, words.toUpperCase().replaceAll('-', ' '))];
      const [firstOne, secondOne] = sendsFirst ? meets : meets.toReversed();
      const waiting = firstOne();
      await until(sendsFirst ? one : two, () => globalThis.entered);
      const results = await Promise.all([waiting, secondOne()]);
      const [sent, received] = sendsFirst ? results : results.toReversed();
      assert.deepEqual(sent, { with: 'Taker', kept: 1 });
      assert.deepEqual(received, { with: 'Sender', offer: { name: 'note.txt', files: 1, bytes: 5 }, text: 'hello', path: 'note.txt' });
      for (const page of [one, two]) await page.evaluate(() => (globalThis.entered = false));
    }
    assert.equal(await two.evaluate(async (wrong) => globalThis.files.meetByWords(globalThis.w, wrong).catch(({ reason }) => reason), 'zebra zzzz apricot guitar'), 'bad_word');
    const off = await two.evaluate(async () => {
      const abort = new AbortController();
      const meeting = globalThis.files.meetByWords(globalThis.w, globalThis.files.WordCode.make(), { signal: abort.signal, entered: () => abort.abort() });
      return meeting.catch(({ reason }) => reason);
    });
    assert.equal(off, 'aborted');
    assert.equal(await two.evaluate(() => globalThis.w.rooms.length), 0);
    for (const page of [one, two]) await page.browserContext().close();
  });
}

test('two who share words go on where a call fails', async () => {
  const pages = await pair('Chromium', 'Firefox');
  await Promise.all(pages.map((page) => page.evaluate(async (url) => {
    globalThis.w.close();
    globalThis.calls = 0;
    const accept = () => (globalThis.calls += 1) > 1 || 'Not yet.';
    globalThis.w = await globalThis.lib.Wigwag.open({ servers: url, accept });
  }, server.url)));
  const words = await pages[0].evaluate(() => String(globalThis.files.WordCode.make()));
  const [sent, received] = await Promise.all([pages[0].evaluate(sendByWords, words), pages[1].evaluate(receiveByWords, words)]);
  assert.deepEqual([sent.kept, received.text], [1, 'hello']);
  const calls = await Promise.all(pages.map((page) => page.evaluate(() => globalThis.calls)));
  assert.deepEqual(calls.sort(), [0, 2]);
  for (const page of pages) await page.browserContext().close();
});

/** A page in each, with a client and helpers. @param {...string} names */
function pair(...names) {
  return Promise.all(names.map(async (name) => {
    const browser = browsers[name === 'Chromium' ? 0 : 1];
    const page = await browser.page(server.http);
    const from = browser.files?.http ?? `${server.http}/wigwag`;
    await page.evaluate(async (url, module) => {
      globalThis.files = await import(`${module}/files.js`);
      globalThis.w = await globalThis.lib.Wigwag.open({ servers: url });
      globalThis.hash = async (blob) => {
        const sum = new Uint8Array(await crypto.subtle.digest('SHA-256', await blob.arrayBuffer()));
        return Array.from(sum, (byte) => byte.toString(16).padStart(2, '0')).join('');
      };
    }, server.url, from);
    return page;
  }));
}

/** In the page: takes everything into a folder, and cuts the first connection in the middle. */
async function receiveIntoFolder() {
  const top = await navigator.storage.getDirectory();
  const folder = await top.getDirectoryHandle('taken', { create: true });
  globalThis.went = [];
  globalThis.w.on('connection', ({ connection }) => {
    globalThis.files.receiveFiles(connection, (receiving) => {
      globalThis.begun = null;
      receiving.on('progress', ({ moved }) => {
        globalThis.begun ??= moved;
        if (globalThis.over || moved < 3_000_000) return;
        connection.close();
        receiving.done.catch(() => (globalThis.over = true));
      });
      receiving.on('file', ({ path }) => globalThis.went.push(path));
      void receiving.accept(folder);
    });
  });
  globalThis.tree = async () => {
    const found = {};
    const walk = async (from, path) => {
      let empty = true;
      for await (const each of from.values()) {
        empty = false;
        if (each.kind === 'directory') await walk(each, `${path}${each.name}/`);
        // Chromium writes beside a file until it is closed.
        else if (!each.name.endsWith('.crswap')) {
          const file = await each.getFile();
          found[path + each.name] = await globalThis.hash(file);
          if (each.name.endsWith('-part')) globalThis.part = file.size;
        }
      }
      if (empty && path) found[path] = null;
    };
    await walk(folder, '');
    return Object.fromEntries(Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1)));
  };
  return globalThis.w.id;
}

/** In the page. @param {string} id */
async function connectAndMake(id) {
  const bytes = new Uint8Array(6_000_000);
  for (let at = 0; at < bytes.length; at += 60_000) crypto.getRandomValues(bytes.subarray(at, at + 60_000));
  globalThis.entries = [
    { path: 'photos/large.bin', file: new Blob([bytes]) },
    { path: 'photos/deep/small.txt', file: new Blob(['hello']) },
    { path: 'photos/none', file: new Blob([]) },
    { path: 'photos/empty', folder: true },
  ];
  globalThis.connection = await globalThis.w.connect(id);
}

/** In the page. @param {string} id */
async function connectAgain(id) {
  globalThis.connection.close();
  globalThis.connection = await globalThis.w.connect(id);
}

/** In the page. @param {string} words */
async function sendByWords(words) {
  const parcel = await globalThis.files.gather(new File(['hello'], 'note.txt'));
  const { connection, name } = await globalThis.files.meetByWords(globalThis.w, words, { offer: parcel, name: 'Sender', entered: () => (globalThis.entered = true) });
  const { kept } = await globalThis.files.sendFiles(connection, parcel).done;
  return { with: name, kept };
}

/** In the page. @param {string} words */
async function receiveByWords(words) {
  const { connection, name, offer } = await globalThis.files.meetByWords(globalThis.w, words, { name: 'Taker', entered: () => (globalThis.entered = true) });
  const [{ path, blob }] = await new Promise((resolve) => {
    globalThis.files.receiveFiles(connection, (receiving) => {
      void receiving.accept();
      resolve(receiving.done);
    });
  });
  return { with: name, offer, text: await blob.text(), path };
}

/** @param {import('puppeteer-core').Page} page @param {() => any} look in the page */
async function until(page, look) {
  const found = await page.waitForFunction(look, { timeout: 30_000, polling: 50 });
  return found.jsonValue();
}
