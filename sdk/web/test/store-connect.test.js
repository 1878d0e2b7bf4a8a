// The store with real clients: two pages of Chromium, the real server, and what was said before the other came.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Browser } from './browser.js';
import { Server } from './server.js';
import { Site } from './site.js';

/** @type {[Server, Site, Browser]} */
let parts;
/** @type {import('puppeteer-core').Page[]} */
let pages;

before(async () => {
  parts = await Promise.all([Server.start(), Site.start(), Browser.start()]);
  pages = await Promise.all([1, 2].map(() => parts[2].page(parts[1].http)));
  await Promise.all(pages.map((page) => page.evaluate(async (at) => {
    const { NetworkStore } = await import(`${at}/store.js`);
    globalThis.me = await globalThis.lib.Identity.make();
    globalThis.heard = [];
    globalThis.opens = async (url) => {
      globalThis.w = await globalThis.lib.Wigwag.open({ servers: { url, name: 'localhost' }, identity: globalThis.me });
      globalThis.store = new NetworkStore(globalThis.w);
      globalThis.store.on('message', ({ data }) => globalThis.heard.push(data));
    };
    // Resolves when the value is as wished.
    globalThis.until = (fits) => new Promise((resolve) => {
      const look = (value) => fits(value) && resolve();
      globalThis.store.subscribe(look);
    });
  }, parts[1].http)));
});
after(async () => {
  const [server, site, browser] = parts ?? [];
  await browser?.stop();
  site?.stop();
  await server?.stop();
});

test('what was said before a peer came is delivered when it does, both ways, and again after it was gone', async () => {
  const [alice, bob] = pages;
  const { url } = parts[0];
  const ids = await Promise.all(pages.map((page) => page.evaluate(() => globalThis.me.id)));
  await alice.evaluate(async (address, id) => {
    await globalThis.opens(address);
    globalThis.store.add(id);
    globalThis.sent = Promise.all(['one', 'two', 'three'].map((each) => globalThis.store.send(id, each)));
  }, url, ids[1]);
  assert.equal(await alice.evaluate((id) => globalThis.store.peer(id).queued, ids[1]), 3);
  await bob.evaluate(async (address) => {
    await globalThis.opens(address);
    await globalThis.until(({ peers }) => peers[0]?.state === 'open' && peers[0].path === 'direct');
  }, url);
  await alice.evaluate(() => globalThis.sent);
  await bob.waitForFunction(() => globalThis.heard.length === 3);
  await bob.evaluate((id) => globalThis.store.send(id, 'back'), ids[0]);
  await alice.waitForFunction(() => globalThis.heard.length === 1);
  await bob.evaluate(() => {
    globalThis.store.close();
    globalThis.w.close();
  });
  await alice.evaluate(() => globalThis.until(({ peers }) => peers[0].state === 'away'));
  await alice.evaluate((id) => void (globalThis.sent = globalThis.store.send(id, 'four')), ids[1]);
  await bob.evaluate((address) => globalThis.opens(address), url);
  await alice.evaluate(() => globalThis.sent);
  await bob.waitForFunction(() => globalThis.heard.length === 4);
  assert.deepEqual(await Promise.all(pages.map((page) => page.evaluate(() => globalThis.heard))), [['back'], ['one', 'two', 'three', 'four']]);
});
