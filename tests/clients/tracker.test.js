// The WebTorrent client of bittorrent-tracker, changed in nothing but the announce URL.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';

import { inhabit } from './support/world.js';

describe('bittorrent-tracker in chromium', () => {
  const world = inhabit({ browser: 'chromium', library: 'tracker', dialect: 'tracker' });

  for (const path of ['/tracker', '/announce', '/']) {
    test(`two clients of one torrent meet at ${path}`, async (t) => {
      const [ann, bob] = await world.pages(t, 2);
      const [at, torrent] = [world.server.ws(path), infoHash()];
      const seed = await start(ann, at, torrent, 0);
      assert.deepEqual([seed.complete, seed.incomplete], [1, 0]);
      const leech = await start(bob, at, torrent, 1);
      assert.deepEqual([leech.complete, leech.incomplete], [1, 1]);
      assert.equal(await ann.run(async () => (await met).id), leech.peerId);
      assert.equal(await bob.run(async () => (await met).id), seed.peerId);
      await says(ann, bob, 'a piece');
      await says(bob, ann, 'another');
      for (const page of [ann, bob]) assert.deepEqual(await page.run(() => warnings), []);
    });
  }

  test('a scrape counts who is there, and no longer who stopped', async (t) => {
    const [ann, bob] = await world.pages(t, 2);
    const [at, torrent] = [world.server.ws('/tracker'), infoHash()];
    await start(ann, at, torrent, 0);
    await start(bob, at, torrent, 1);
    assert.deepEqual(await scrape(ann), { infoHash: torrent, complete: 1, incomplete: 1 });
    const told = await bob.run(async () => {
      const update = once(tracker, 'update');
      tracker.stop();
      const { complete, incomplete } = await update;
      return { complete, incomplete };
    });
    assert.deepEqual(told, { complete: 1, incomplete: 0 });
    assert.deepEqual(await scrape(ann), { infoHash: torrent, complete: 1, incomplete: 0 });
  });

  test('a download that completes is counted', async (t) => {
    const ann = await world.page(t);
    const torrent = infoHash();
    await start(ann, world.server.ws('/tracker'), torrent, 1);
    const told = await ann.run(async () => {
      const update = once(tracker, 'update');
      tracker.complete({ left: 0 });
      const { complete, incomplete } = await update;
      return { complete, incomplete };
    });
    assert.deepEqual(told, { complete: 1, incomplete: 0 });
  });

  test('two torrents over one socket keep apart', async (t) => {
    const [ann, bob] = await world.pages(t, 2);
    const at = world.server.ws('/tracker');
    const [first, second] = [infoHash(), infoHash()];
    await start(ann, at, first, 1);
    assert.equal((await start(ann, at, second, 1)).incomplete, 1);
    const { incomplete, peerId } = await start(bob, at, second, 1);
    assert.equal(incomplete, 2);
    assert.equal(await ann.run(async () => (await met).id), peerId);
  });
});

function infoHash() {
  return randomBytes(20).toString('hex');
}

/** What the tracker tells who starts with `left` bytes to go. */
function start(page, at, torrent, left) {
  return page.run((...to) => announce(...to), at, torrent, left);
}

function scrape(page) {
  return page.run(async () => {
    const answer = once(tracker, 'scrape');
    tracker.scrape();
    const { infoHash, complete, incomplete } = await answer;
    return { infoHash, complete, incomplete };
  });
}

async function says(from, to, message) {
  await from.run(async (message) => (await met).send(message), message);
  assert.equal(await to.run(async () => new TextDecoder().decode(await heard.next())), message);
}
