// Five pages in one room, four in Chromium and one in Firefox, each connected to all others; and what becomes of them when the server dies.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Browser } from './browser.js';
import { Server } from './server.js';

const LIMIT_MS = 60_000;

/** @type {Server} */
let server;
/** @type {Browser[]} */
const browsers = [];
/** By the order of their ids: of two, the later one calls. @type {{ id: string, page: import('puppeteer-core').Page }[]} */
let pages;

before(async () => {
  server = await Server.start();
  for (const name of ['chromium', 'firefox']) browsers.push(await Browser.start(name));
  const [chromium, firefox] = browsers;
  const made = [];
  for (const browser of [chromium, chromium, chromium, chromium, firefox]) made.push(await browser.page(server.http));
  pages = (await Promise.all(made.map(async (page) => ({ page, id: await open(page) })))).sort((one, other) => (one.id < other.id ? -1 : 1));
});
after(async () => {
  await Promise.all(browsers.map((browser) => browser.stop()));
  await server?.stop();
});

test('all are connected to all, each pair once, and a text reaches everybody', async () => {
  // The first takes no call of the second for now: nobody answers it.
  await Promise.all(pages.map(({ page }, at) => join(page, at === 0 ? pages[1].id : null)));
  await Promise.all(pages.map(({ page }, at) => connected(page, at < 2 ? 3 : 4)));
  await pages[0].page.evaluate(() => globalThis.admit());
  await Promise.all(pages.map(({ page }) => connected(page, 4)));
  for (const { page } of pages) {
    const held = await page.evaluate(() => [globalThis.w.connections.length, globalThis.room.connections.length, globalThis.stray]);
    assert.deepEqual(held, [4, 4, 0]);
  }
  const heard = pages.map(({ page }) => page.evaluate(() => globalThis.heard(4)));
  for (const { page, id } of pages) assert.equal(await page.evaluate((text) => globalThis.room.send(text), `from ${id}`), 4);
  for (const [at, texts] of (await within(Promise.all(heard), 'all texts')).entries()) {
    const others = pages.filter((_, place) => place !== at);
    assert.deepEqual(texts.sort(), others.map(({ id }) => `${id}: from ${id}`));
  }
});

test('without a server, a pair that looks for another path, and one that was torn, are mended through a neighbour', async () => {
  await server.stop('SIGKILL');
  await Promise.all(pages.map(({ page }) => page.waitForFunction(() => globalThis.w.status.state !== 'open')));
  const [one, two, three, four] = pages;
  const restarted = one.page.evaluate((id) => {
    const connection = globalThis.room.connection({ id });
    const ufrag = () => /a=ice-ufrag:(\S+)/.exec(connection.raw.remoteDescription.sdp)[1];
    const before = ufrag();
    connection.mend();
    return new Promise((resolve) => {
      const look = () => (ufrag() === before ? setTimeout(look, 20) : resolve(true));
      look();
    });
  }, two.id);
  assert.equal(await within(restarted, 'the restart'), true);
  await heardBy(one, two);
  const again = [[three, four], [four, three]].map(([here, there]) => here.page.evaluate((id) => {
    const before = globalThis.room.connection({ id });
    return new Promise((resolve) => {
      globalThis.room.on('connected', ({ member, connection }) => member.id === id && connection !== before && resolve(true));
    });
  }, there.id));
  await three.page.evaluate((id) => globalThis.room.connection({ id }).raw.close(), four.id);
  assert.deepEqual(await within(Promise.all(again), 'the torn pair'), [true, true]);
  await heardBy(three, four);
  await heardBy(four, three);
});

test('without a server, two members that had no connection yet get one', async () => {
  const again = await Server.start({ port: server.port });
  server = again;
  await Promise.all(pages.map(({ page }) => page.waitForFunction(() => globalThis.w.status.state === 'open' && globalThis.room.members.length === 4)));
  const [one, two] = pages;
  // They enter anew, and the first takes no call of the second until the server is dead.
  for (const { page } of [one, two]) await page.evaluate(() => globalThis.room.leave());
  await join(one.page, two.id);
  await join(two.page, null);
  await Promise.all([one, two].map(({ page }) => connected(page, 3)));
  await one.page.waitForFunction(() => globalThis.awaited > 0);
  await server.stop('SIGKILL');
  await Promise.all(pages.map(({ page }) => page.waitForFunction(() => globalThis.w.status.state !== 'open')));
  await one.page.evaluate(() => globalThis.forget());
  await Promise.all(pages.map(({ page }) => connected(page, 4)));
  await heardBy(one, two);
});

test('the server returns: rooms and presence are back, and what is new goes over it', async () => {
  server = await Server.start({ port: server.port });
  await Promise.all(pages.map(({ page }) => page.waitForFunction(() => globalThis.w.status.state === 'open' && globalThis.room.members.length === 4)));
  for (const { page } of pages) assert.equal(await page.evaluate(() => globalThis.room.connections.filter(({ state }) => state === 'open').length), 4);
  const [one, two] = pages;
  assert.equal(await one.page.evaluate(async (id) => (await globalThis.w.find(id)).state, two.id), 'here');
  const said = two.page.evaluate(() => globalThis.room.once('said').then(({ data }) => data));
  await one.page.evaluate(() => globalThis.room.say('back'));
  assert.equal(await within(said, 'what was said'), 'back');
});

test('who leaves holds nothing of the mesh, and the others let go too', async () => {
  const [one, ...others] = pages;
  assert.deepEqual(await one.page.evaluate(async () => {
    await globalThis.room.leave();
    return [globalThis.w.connections.length, globalThis.room.connections.length];
  }), [0, 0]);
  await Promise.all(others.map(({ page }) => connected(page, 3)));
});

test('in a secret room the mesh expects the keys that members show there, of guests too', async () => {
  const [one, two, three] = pages;
  const secret = 'a secret that four walls keep';
  const enter = ({ page }, title) => page.evaluate(async (url, words, name) => {
    globalThis.w.close();
    globalThis.w = await globalThis.lib.Wigwag.open({ servers: { url, name: 'localhost' }, identity: 'guest' });
    globalThis.room = await globalThis.w.join(name, { secret: words, mesh: true });
  }, server.url, secret, title);
  await enter(one, 'den');
  await enter(two, 'den');
  await enter(three, 'another den');
  await Promise.all([connected(one.page, 1), connected(two.page, 1)]);
  assert.deepEqual(await one.page.evaluate(() => globalThis.room.connections.map(({ peer }) => peer.verified)), ['pinned']);
  assert.equal(await three.page.evaluate(() => globalThis.room.members.length), 0);
});

test('a room that was entered by a code has its mesh, and entering and leaving leave nothing behind', async () => {
  const [one, two] = pages;
  const code = await one.page.evaluate(async () => {
    await globalThis.room.leave();
    globalThis.room = await globalThis.w.create({ code: true, mesh: true });
    return globalThis.room.code;
  });
  for (let round = 0; round < 10; round += 1) {
    await two.page.evaluate(async (text) => {
      await globalThis.room.leave();
      globalThis.room = await globalThis.w.joinByCode(text, { mesh: true });
    }, code);
    await Promise.all([connected(one.page, 1), connected(two.page, 1)]);
  }
  await two.page.evaluate(() => globalThis.room.leave());
  await Promise.all([one, two].map(({ page }) => page.waitForFunction(() => globalThis.w.connections.length === 0, { timeout: LIMIT_MS })));
});

/** Opens a page's client. */
function open(page) {
  return page.evaluate(async (url) => {
    globalThis.stray = 0;
    globalThis.w = await globalThis.lib.Wigwag.open({ servers: { url, name: 'localhost' }, identity: await globalThis.lib.Identity.make() });
    globalThis.w.on('connection', () => (globalThis.stray += 1));
    return globalThis.w.id;
  }, server.url);
}

/** Enters the room; who is `shy` of somebody answers its calls when the test says so. */
function join(page, shy) {
  return page.evaluate(async (id) => {
    let shyOf = id;
    globalThis.awaited = 0;
    const waiting = [];
    const accept = (member) => {
      if (member.id !== shyOf) return true;
      globalThis.awaited += 1;
      return new Promise((resolve) => waiting.push(resolve));
    };
    globalThis.admit = () => {
      shyOf = null;
      for (const resolve of waiting.splice(0)) resolve(true);
    };
    // The calls that waited are never answered; the next one is.
    globalThis.forget = () => (shyOf = null);
    globalThis.room = await globalThis.w.join('den', { mode: 'FREE_FOR_ALL', mesh: { accept, deadline: 3_000 } });
    globalThis.room.on('message', ({ member, connection, data }) => data === 'ping' && connection.send('pong'));
    globalThis.heard = (count) => new Promise((resolve) => {
      const texts = [];
      globalThis.room.on('message', ({ member, data }) => texts.push(`${member.id}: ${data}`) === count && resolve(texts));
    });
  }, shy);
}

/** So many of the page's connections are open. */
function connected(page, count) {
  const open = (many) => globalThis.room.connections.filter(({ state }) => state === 'open').length === many;
  return page.waitForFunction(open, { timeout: LIMIT_MS, polling: 50 }, count);
}

/** A word goes there, and one comes back. */
async function heardBy(here, there) {
  const answer = await within(here.page.evaluate(async (id) => {
    const connection = globalThis.room.connection({ id });
    const heard = connection.once('message');
    await connection.send('ping');
    return (await heard).data;
  }, there.id), 'a word and its answer');
  assert.equal(answer, 'pong');
}

/** @template Value @param {Promise<Value>} promise @param {string} what @returns {Promise<Value>} */
async function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`${what} does not come`)), LIMIT_MS)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
