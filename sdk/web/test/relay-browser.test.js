// Two pages between which ICE finds no path, and the real server that relays: they connect all the same, sealed, and leave the server's way when another opens.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { Browser } from './browser.js';
import { Between } from './nat.js';
import { Server } from './server.js';

/** A quota at which a test need not wait for a large message. */
const FAST = ['limits.relay_bytes_per_second=8388608', 'limits.relay_bytes_burst=4194304'];

/** @type {Server} */
let server;
/** @type {Browser[]} */
const browsers = [];
/** @type {import('puppeteer-core').Page} */
let alice;
/** @type {import('puppeteer-core').Page} */
let bob;
/** In Firefox. @type {import('puppeteer-core').Page} */
let carol;

before(async () => {
  server = await Server.start({ set: FAST });
  for (const name of ['chromium', 'firefox']) browsers.push(await Browser.start(name));
  [alice, bob, carol] = await Promise.all([browsers[0], browsers[0], browsers[1]].map((browser) => browser.page(server.http)));
});
after(async () => {
  await Promise.all(browsers.map((browser) => browser.stop()));
  await server?.stop();
});

for (const [from, to, pages] of [
  ['Chromium', 'Chromium', () => [alice, bob]], ['Chromium', 'Firefox', () => [alice, carol]], ['Firefox', 'Chromium', () => [carol, alice]],
]) {
  test(`where no path leads from ${from} to ${to}, texts, bytes, JSON and a megabyte cross by way of the server`, async () => {
    const [one, two] = pages();
    const id = await open(two);
    await open(one);
    await connect(one, id);
    const got = await one.evaluate(async () => {
      const heard = [];
      const done = new Promise((resolve) => globalThis.c.on('message', ({ data }) => {
        heard.push(data instanceof ArrayBuffer ? [...new Uint8Array(data)] : data);
        if (heard.length === 4) resolve(heard);
      }));
      for (const each of ['text', new Uint8Array([1, 2, 3]), { json: [1] }, 7]) await globalThis.c.send(each);
      const { path } = await globalThis.c.stats();
      return { heard: await done, path, verified: globalThis.c.peer.verified };
    });
    assert.deepEqual(got, { heard: ['text', [1, 2, 3], { json: [1] }, 7], path: 'relayed', verified: 'key' });
    const blob = await one.evaluate(async () => {
      const bytes = new Uint8Array(1_000_000).map((_, at) => (at * 7) % 251);
      const heard = globalThis.c.once('message');
      await globalThis.c.send(bytes);
      const back = new Uint8Array((await heard).data);
      return { length: back.length, same: back.every((byte, at) => byte === bytes[at]) };
    });
    assert.deepEqual(blob, { length: 1_000_000, same: true });
  });
}

test('a channel of its own crosses too, in turns with the others', async () => {
  const id = await open(bob);
  await open(alice);
  await connect(alice, id);
  const got = await alice.evaluate(async () => {
    const channel = globalThis.c.channel('file');
    let bytes = 0;
    const all = new Promise((resolve) => channel.on('message', ({ data }) => (bytes += data.byteLength) === 2_097_152 && resolve()));
    let most = 0;
    const sending = (async () => {
      for (let at = 0; at < 32; at += 1) {
        await channel.send(new Uint8Array(65_536).fill(at));
        most = Math.max(most, channel.waiting);
      }
    })();
    const word = globalThis.c.once('message').then(() => bytes);
    await globalThis.c.send('a word in between');
    const before = await word;
    await Promise.all([sending, all]);
    return { early: before < 2_097_152, bounded: most < 2 * 1_048_576, bytes };
  });
  assert.deepEqual(got, { early: true, bounded: true, bytes: 2_097_152 });
});

test('sound and picture are refused with a reason while there is no direct path, and a channel that may lose something loses nothing', async () => {
  const id = await open(bob);
  await open(alice);
  await connect(alice, id);
  const reasons = await alice.evaluate(async () => {
    const stream = await navigator.mediaDevices.getUserMedia({ video: true });
    const moves = globalThis.c.channel('moves', { ordered: false, maxRetransmits: 0, protocol: 'chess' });
    const back = moves.once('message');
    await moves.once('open');
    await moves.send('e4');
    try {
      globalThis.c.addTrack(stream.getVideoTracks()[0], stream);
    } catch ({ reason }) {
      return [reason, (await back).data];
    }
    return null;
  });
  assert.deepEqual(reasons, ['relayed', 'e4']);
});

test('no word is lost, doubled or out of order when a direct path opens in the middle, dies, and opens again', async () => {
  const between = new Between();
  between.blocked = true;
  try {
    await between.stand([alice, bob]);
    const id = await open(bob, { detoured: true });
    await open(alice, { detoured: true });
    await connect(alice, id, {});
    await alice.evaluate(() => {
      globalThis.heard = [];
      globalThis.paths = [];
      globalThis.c.on('message', ({ data }) => globalThis.heard.push(data));
      globalThis.c.on('path', ({ path }) => globalThis.paths.push(path));
      globalThis.stop = false;
      globalThis.talk = (async () => {
        let at = 0;
        for (; !globalThis.stop; at += 1) {
          await globalThis.c.send(at);
          await new Promise((resolve) => setTimeout(resolve, 2));
        }
        return at;
      })();
    });
    for (const path of ['direct', 'relayed', 'direct']) {
      between.blocked = path === 'relayed';
      await alice.waitForFunction((wanted) => globalThis.paths.at(-1) === wanted, { timeout: 60_000 }, path);
      // Words go on crossing on it.
      const count = await alice.evaluate(() => globalThis.heard.length);
      await alice.waitForFunction((before) => globalThis.heard.length > before + 100, { timeout: 60_000 }, count);
      assert.equal((await alice.evaluate(() => globalThis.c.stats())).path, path);
    }
    const sent = await alice.evaluate(() => {
      globalThis.stop = true;
      return globalThis.talk;
    });
    await alice.waitForFunction((count) => globalThis.heard.length >= count, { timeout: 60_000 }, sent);
    assert.deepEqual(await alice.evaluate(() => globalThis.heard), Array.from({ length: sent }, (_, at) => at));
  } finally {
    between.stop();
  }
});

test('a server that restarts in the middle loses nothing', async () => {
  const data = mkdtempSync(join(tmpdir(), 'wigwag-relay-'));
  let home = await Server.start({ data, set: FAST });
  try {
    const id = await open(bob, { url: home.url });
    await open(alice, { url: home.url });
    await connect(alice, id);
    const all = alice.evaluate(async () => {
      const heard = [];
      const done = new Promise((resolve) => globalThis.c.on('message', ({ data: each }) => heard.push(each.byteLength) === 100 && resolve()));
      for (let at = 1; at <= 100; at += 1) {
        await globalThis.c.send(new Uint8Array(20_000 + at));
        if (at === 30) globalThis.third = true;
      }
      await done;
      return { heard, state: globalThis.c.state };
    });
    await alice.waitForFunction(() => globalThis.third);
    await home.stop();
    home = await Server.start({ data, port: home.port, set: FAST });
    assert.deepEqual(await all, { heard: Array.from({ length: 100 }, (_, at) => 20_001 + at), state: 'open' });
  } finally {
    await home.stop();
    rmSync(data, { recursive: true, force: true });
  }
});

test('a server that relays nothing leaves two peers without a path, and its refusal says so', async () => {
  const home = await Server.start({ set: ['limits.relay_bytes_per_second=0'] });
  try {
    const id = await open(bob, { url: home.url });
    await open(alice, { url: home.url });
    const { reason, message } = await alice.evaluate((whom) => (
      globalThis.w.connect(whom, { deadline: 8_000, rtc: { iceTransportPolicy: 'relay' } }).then(() => ({}), ({ reason: why, message: text }) => ({ reason: why, message: text }))
    ), id);
    assert.equal(reason, 'no_path');
    assert.match(message, /The server relays nothing itself/);
  } finally {
    await home.stop();
  }
});

test('who does not want the server’s way does not get it', async () => {
  const id = await open(bob);
  await open(alice);
  const { reason, message } = await alice.evaluate((whom) => (
    globalThis.w.connect(whom, { deadline: 6_000, relay: 'never', rtc: { iceTransportPolicy: 'relay' } }).then(() => ({}), ({ reason: why, message: text }) => ({ reason: why, message: text }))
  ), id);
  assert.equal(reason, 'no_path');
  assert.match(message, /ruled out here/);
});

/** Opens the page's client, after the one before it; it sends back what it hears. */
function open(page, { url = server.url, detoured = false } = {}) {
  return page.evaluate(async (address, detour) => {
    globalThis.w?.close();
    globalThis.w = await globalThis.lib.Wigwag.open({
      servers: { url: address, name: 'localhost' },
      identity: await globalThis.lib.Identity.make(),
      RTCPeerConnection: detour ? globalThis.Detoured : undefined,
    });
    globalThis.w.on('connection', ({ connection }) => {
      globalThis.last = connection;
      connection.on('message', ({ data }) => connection.send(data));
      connection.on('channel', ({ channel }) => channel.on('message', ({ data }) => channel.send(data)));
    });
    return globalThis.w.id;
  }, url, detoured);
}

/** Connects a page to a peer; as long as nothing else is said, allowed nothing but TURN, where there is none. */
function connect(page, id, rtc = { iceTransportPolicy: 'relay' }) {
  return page.evaluate(async (whom, how) => {
    globalThis.c = await globalThis.w.connect(whom, { rtc: how });
  }, id, rtc);
}
