// Files between the program's commands and pages: with the browser SDK, and the server's own page.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { BROWSERS, launch } from './support/browser.js';
import { DEADLINE_MS } from './support/queue.js';
import { Town } from './support/town.js';

const ROOM = 'abcdefgh234567ab';

/** @type {Town} */
let town;
before(async () => { town = await Town.open(); });
after(() => town?.end());

for (const name of BROWSERS) {
  describe(`files between wigwag and ${name}`, () => {
    let browser;
    before(async () => { browser = await launch(name); });
    after(() => browser?.close());

    test('a folder goes from a program to a page by four words', async (t) => {
      const side = await folder(t);
      const film = randomBytes(5_000_000);
      await mkdir(join(side, 'trip/deep'), { recursive: true });
      await writeFile(join(side, 'trip/deep/film ☕.bin'), film);
      await writeFile(join(side, 'trip/empty'), '');
      const sending = await town.command(t, ['send', 'trip'], side);
      const code = await sending.written(/([a-z]+-[a-z]+-[a-z]+-[a-z]+)/);
      const page = await open(t, browser);
      const got = await page.evaluate(async (typed) => {
        const { meetByWords, receiveFiles } = globalThis.files;
        const { connection, offer } = await meetByWords(globalThis.w, typed);
        const files = await new Promise((resolve, reject) => {
          receiveFiles(connection, async (receiving) => {
            await receiving.accept();
            receiving.done.then(resolve, reject);
          });
        });
        const hashed = files.map(async ({ path, blob }) => {
          const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', await blob.arrayBuffer()));
          return [path, Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('')];
        });
        return { offer, files: Object.fromEntries(await Promise.all(hashed)) };
      }, code);
      assert.deepEqual([got.offer.name, got.offer.files, got.offer.bytes], ['trip', 2, 5_000_000]);
      assert.deepEqual(got.files, { 'trip/deep/film ☕.bin': sha256(film), 'trip/empty': sha256('') });
      assert.equal(await sending.ended, 0, sending.out + sending.err);
    });

    test('a file goes from a page to a program by four words, and only what is missing crosses', async (t) => {
      const side = await folder(t);
      const page = await open(t, browser);
      const code = await page.evaluate(() => {
        const { WordCode, gather, meetByWords, sendFiles } = globalThis.files;
        const words = WordCode.make();
        const bytes = new Uint8Array(3_000_000).map((_, i) => (i * 7) % 251);
        globalThis.sent = (async () => {
          const parcel = await gather([new File([bytes], 'film.bin')]);
          const { connection } = await meetByWords(globalThis.w, words, { offer: parcel, name: 'Page' });
          return sendFiles(connection, parcel).done;
        })();
        return words.text;
      });
      const film = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * 7) % 251);
      await writeFile(join(side, 'film.bin.wigwag-part'), film.subarray(0, 2_000_000));
      const receiving = await town.command(t, ['receive', code.toUpperCase().replaceAll('-', ' '), '--json'], side);
      await page.evaluate(() => globalThis.sent.then(() => {}));
      assert.equal(await receiving.ended, 0, receiving.out + receiving.err);
      assert.equal(sha256(await readFile(join(side, 'film.bin'))), sha256(film));
      const done = receiving.out.split('\n').filter(Boolean).map((line) => JSON.parse(line)).find(({ type }) => type === 'done');
      assert.equal(done.crossed, 3_000_000 - Math.floor(2_000_000 / 65_536) * 65_536);
    });

    test('the page of the server gets a file by its link', async (t) => {
      const side = await folder(t);
      await writeFile(join(side, 'notes.txt'), 'from the program');
      const link = `http://127.0.0.1:${town.port}/#${ROOM}`;
      const page = await town.page(t, browser, link);
      const sending = await town.command(t, ['send', 'notes.txt', link], side);
      await page.waitForSelector('a[download="notes.txt"]', { timeout: DEADLINE_MS });
      assert.equal(await sending.ended, 0, sending.out + sending.err);
    });

    test('the page of the server takes four words, and makes them', async (t) => {
      const side = await folder(t);
      await writeFile(join(side, 'notes.txt'), 'from the program');
      const page = await town.page(t, browser, `http://127.0.0.1:${town.port}/`);
      await page.waitForSelector('body[data-view="alone"]', { timeout: DEADLINE_MS });
      const sending = await town.command(t, ['send', 'notes.txt'], side);
      await page.type('#join-code', await sending.written(/([a-z]+-[a-z]+-[a-z]+-[a-z]+)/));
      await page.keyboard.press('Enter');
      await page.waitForSelector('.by-words .file .file button.main', { timeout: DEADLINE_MS });
      await page.$eval('.by-words .file .file button.main', (accept) => accept.click());
      await page.waitForSelector('a[download="notes.txt"]', { timeout: DEADLINE_MS });
      assert.equal(await sending.ended, 0, sending.out + sending.err);
      await page.evaluate(() => {
        const chosen = new DataTransfer();
        chosen.items.add(new File(['from the page'], 'letter.txt'));
        const field = document.getElementById('words-files');
        field.files = chosen.files;
        field.dispatchEvent(new Event('change'));
      });
      const words = await page.waitForSelector('.by-words .code', { timeout: DEADLINE_MS });
      const receiving = await town.command(t, ['receive', '--yes', ...(await words.evaluate(({ textContent }) => textContent)).split(' ')], side);
      assert.equal(await receiving.ended, 0, receiving.out + receiving.err);
      assert.equal(await readFile(join(side, 'letter.txt'), 'utf8'), 'from the page');
    });
  });
}

async function folder(t) {
  const path = await mkdtemp(join(tmpdir(), 'wigwag-files-'));
  t.after(() => rm(path, { recursive: true }));
  return path;
}

/** A page whose `w` is a client of the server, and which knows of files. */
async function open(t, browser) {
  const page = await town.page(t, browser);
  await page.evaluate(async (port) => {
    const { Wigwag: Client } = await import(`http://127.0.0.1:${port}/wigwag.js`);
    globalThis.files = await import(`http://127.0.0.1:${port}/wigwag/files.js`);
    globalThis.w = await Client.open({ servers: `ws://127.0.0.1:${port}/v1` });
  }, town.port);
  return page;
}

function sha256(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}
