// Clients that have no server connect by codes: as the same connections as any, and with keys that are proved.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Browser } from './browser.js';
import { Site } from './site.js';

/** @type {Site} */
let site;
/** @type {Browser[]} */
let browsers = [];
/** @type {import('puppeteer-core').Page} */
let alice;
/** In Firefox. @type {import('puppeteer-core').Page} */
let bob;
/** @type {import('puppeteer-core').Page} */
let eve;

before(async () => {
  site = await Site.start();
  browsers = await Promise.all(/** @type {const} */ (['chromium', 'firefox']).map((name) => Browser.start(name)));
  [alice, bob, eve] = await Promise.all([browsers[0], browsers[1], browsers[0]].map((browser) => browser.page(site.http)));
  for (const page of [alice, bob, eve]) {
    await page.evaluate(async (at) => {
      globalThis.codes = await import(`${at}/code.js`);
      globalThis.trulyOpen = (await import(`${at}/hold.js`)).trulyOpen;
      globalThis.start = async (options = {}) => {
        globalThis.w?.close();
        globalThis.w = await globalThis.lib.Wigwag.open({ servers: [], ...options });
        return globalThis.w.id;
      };
      globalThis.listens = (connection) => {
        globalThis.c = connection;
        globalThis.heard = [];
        globalThis.next = new Promise((resolve) => connection.on('message', ({ data }) => {
          globalThis.heard.push(data);
          if (data === 'last') resolve(globalThis.heard);
        }));
        const { peer: { id, key, verified }, finder, state } = connection;
        return { id, key: Boolean(key), verified, finder, state };
      };
    }, site.http);
  }
});
after(async () => {
  await Promise.all(browsers.map((browser) => browser.stop()));
  site?.stop();
});

for (const [one, two, pages] of [['Chromium', 'Firefox', () => [alice, bob]], ['Firefox', 'Chromium', () => [bob, alice]]]) {
  test(`${one} and ${two} connect by pasted codes, prove their keys, and have a connection like any other`, async () => {
    const [here, there] = pages();
    const ids = await Promise.all([start(here), start(there)]);
    const { offerer, acceptor } = await connect(here, there, 'hello at once');
    assert.deepEqual(offerer, { id: ids[1], key: true, verified: 'key', finder: 'code', state: 'open' });
    assert.deepEqual(acceptor, { id: ids[0], key: true, verified: 'key', finder: 'code', state: 'open' });
    await here.evaluate(async () => {
      for (const each of [{ json: [1] }, 'last']) await globalThis.c.send(each);
    });
    assert.deepEqual(await there.evaluate(() => globalThis.next), [{ json: [1] }, 'last']);
    await there.evaluate(() => globalThis.c.send('last'));
    assert.deepEqual(await here.evaluate(() => globalThis.next), ['hello at once', 'last']);
    const { path, listed } = await here.evaluate(async () => ({ path: (await globalThis.c.stats()).path, listed: globalThis.w.connections.includes(globalThis.c) }));
    assert.deepEqual([path, listed], ['direct', true]);
  });
}

test('a server that cannot be reached is no hindrance', async () => {
  await alice.evaluate(async () => {
    globalThis.w.close();
    globalThis.w = await globalThis.lib.Wigwag.start({ servers: 'ws://127.0.0.1:9' });
  });
  await start(bob);
  assert.equal((await connect(alice, bob)).acceptor.verified, 'key');
});

test('tracks and channels are agreed upon over the connection itself', async () => {
  const got = await bob.evaluate(() => {
    globalThis.came = new Promise((resolve) => {
      const all = [];
      for (const type of ['track', 'channel']) globalThis.c.on(type, (event) => all.push(event.track?.kind ?? event.channel.label) === 2 && resolve(all.sort()));
    });
  }).then(() => alice.evaluate(async () => {
    const context = new AudioContext();
    globalThis.c.addTrack(context.createMediaStreamDestination().stream.getAudioTracks()[0]);
    globalThis.c.channel('side');
  })).then(() => bob.evaluate(() => globalThis.came));
  assert.deepEqual(got, ['audio', 'side']);
});

test('whoever leaves is seen to leave, and is listed no more', async () => {
  await bob.evaluate(() => {
    globalThis.left = globalThis.c.once('closed').then(({ reason }) => [reason, globalThis.w.connections.length]);
  });
  await alice.evaluate(() => globalThis.c.close());
  assert.deepEqual(await bob.evaluate(() => globalThis.left), ['left', 0]);
  assert.equal(await alice.evaluate(() => globalThis.w.connections.length), 0);
});

test('guests prove nothing and say so, and have one id for the two ends', async () => {
  await Promise.all([start(alice, { identity: 'guest' }), start(bob, { identity: 'guest' })]);
  const { offerer, acceptor } = await connect(alice, bob);
  assert.deepEqual([offerer.verified, acceptor.verified, offerer.key], ['guest', 'guest', false]);
  assert.match(offerer.id, /^~[a-z2-7]{20}$/);
  assert.equal(offerer.id, acceptor.id);
});

test('where a key is expected, nobody else will do', async () => {
  await Promise.all([start(alice), start(bob)]);
  const key = await bob.evaluate(() => globalThis.w.identity.key);
  for (const [expected, outcome] of [[key, 'open'], [await alice.evaluate(() => globalThis.w.identity.key), 'key_mismatch']]) {
    const offer = await alice.evaluate(async (who) => (globalThis.mine = await globalThis.w.offerCode({ key: who })).code, expected);
    const { answer } = await accept(bob, offer);
    assert.equal(await alice.evaluate((code) => globalThis.w.connect(code).then(({ state }) => state, ({ reason }) => reason), answer), outcome);
  }
});

test('a name is believed where it is pinned to that key, and else the key speaks for itself', async () => {
  const id = await start(alice, { id: 'alice@example.org' });
  assert.equal(id, 'alice@example.org');
  await start(bob);
  const before = (await connect(alice, bob)).acceptor;
  assert.deepEqual([before.verified, before.id.length], ['key', 32]);
  await bob.evaluate(() => globalThis.w.trust('alice@example.org', globalThis.c.peer.key));
  const { acceptor } = await connect(alice, bob);
  assert.deepEqual([acceptor.id, acceptor.verified], ['alice@example.org', 'pinned']);
});

test('somebody who changed both codes and passes everything on is caught, and believed by nobody', async () => {
  await Promise.all([start(alice), start(bob)]);
  const offer = await alice.evaluate(async () => (globalThis.mine = await globalThis.w.offerCode()).code);
  const forged = await eve.evaluate(async (code) => {
    const ends = { left: [], right: [] };
    // What comes on one side goes out on the other, channel by channel.
    const pipe = (side, pc, channel) => {
      const label = channel.label;
      globalThis.trulyOpen(pc, channel).then(() => (ends[side][label] = channel));
      const other = side === 'left' ? 'right' : 'left';
      channel.onmessage = ({ data }) => {
        const send = () => ends[other][label]?.readyState === 'open' && (ends[other][label].send(data), true);
        const again = () => send() || setTimeout(again, 10);
        again();
      };
    };
    const watch = (side) => (pc) => pc.addEventListener('datachannel', ({ channel }) => {
      pipe(side, pc, channel);
      const other = side === 'left' ? globalThis.right?.connection : globalThis.left?.connection;
      if (channel.label === 'wigwag.signals') pipe('right', other, other.createDataChannel(channel.label, { protocol: channel.protocol }));
    });
    globalThis.left = await globalThis.codes.acceptCode(code, { prepare: watch('left') });
    globalThis.right = await globalThis.codes.offerCode({ protocol: 'wigwag.1', prepare: watch('right') });
    pipe('right', globalThis.right.connection, globalThis.right.channel);
    return { offer: globalThis.right.code, answer: globalThis.left.code };
  }, offer);
  const accepting = await bob.evaluateHandle(async (code) => {
    let failed;
    const shown = new Promise((resolve) => {
      failed = globalThis.w.connect(code, { showCode: resolve }).then(({ peer: { verified } }) => verified, ({ reason }) => reason);
    });
    return { answer: await shown, failed };
  }, forged.offer);
  const answer = await bob.evaluate(({ answer: code }) => code, accepting);
  await eve.evaluate((code) => globalThis.codes.complete(globalThis.right, code), answer);
  const here = await alice.evaluate((code) => globalThis.w.connect(code).then(({ peer: { verified } }) => verified, ({ reason }) => reason), forged.answer);
  const outcomes = [here, await bob.evaluate(({ failed }) => failed, accepting)];
  // Who is the first to see it hangs up, and may leave the other with somebody who proved nothing.
  assert.ok(outcomes.includes('key_mismatch') && outcomes.every((each) => each === 'key_mismatch' || each === 'guest'), outcomes.join());
});

test('a program that knows only codes is a guest, whichever side it is on', async () => {
  await start(alice);
  const offered = await eve.evaluate(async () => (globalThis.raw = await globalThis.codes.offerCode()).code);
  const accepting = await accept(alice, offered);
  await eve.evaluate(async (code) => {
    globalThis.opened = await globalThis.codes.complete(globalThis.raw, code);
    globalThis.opened.channel.send('as it is');
    globalThis.opened.channel.send('last');
  }, accepting.answer);
  const { verified } = await accepting.connection();
  assert.equal(verified, 'guest');
  assert.deepEqual(await alice.evaluate(() => globalThis.next), ['as it is', 'last']);
  await alice.evaluate(() => globalThis.c.send('plain'));
  assert.equal(await eve.evaluate(() => new Promise((resolve) => (globalThis.opened.channel.onmessage = ({ data }) => resolve(data)))), 'plain');

  const code = await alice.evaluate(async () => (globalThis.mine = await globalThis.w.offerCode()).code);
  const answer = await eve.evaluate(async (text) => {
    globalThis.raw = await globalThis.codes.acceptCode(text);
    globalThis.raw.opened.then(({ channel }) => channel.send('last'));
    return globalThis.raw.code;
  }, code);
  const guest = await alice.evaluate(async (text) => globalThis.listens(await globalThis.w.connect(text)), answer);
  assert.equal(guest.verified, 'guest');
  assert.deepEqual(await alice.evaluate(() => globalThis.next), ['last']);
});

test('a paste that is no use is told in words, and the offer lives on', async () => {
  await Promise.all([start(alice), start(bob)]);
  const offer = await alice.evaluate(async () => (globalThis.mine = await globalThis.w.offerCode()).code);
  const reasons = (page, ...texts) => page.evaluate((all) => Promise.all(all.map((text) => globalThis.w.connect(text).catch(({ reason }) => reason))), texts);
  assert.deepEqual(await reasons(alice, offer, offer.slice(0, -3)), ['own_code', 'cut_short']);
  assert.deepEqual(await reasons(bob, offer), ['bad_field']);
  const { answer, connection } = await accept(bob, offer);
  assert.deepEqual(await reasons(bob, answer), ['other_offer']);
  const opened = alice.evaluate(() => globalThis.mine.opened.then(({ state }) => state));
  await alice.evaluate((text) => globalThis.mine.complete(text).then(() => {}), answer);
  assert.deepEqual([await opened, (await connection()).state], ['open', 'open']);
});

test('a client that closes takes its offers back, and so does whoever made one', async () => {
  await start(alice);
  const reasons = await alice.evaluate(async () => {
    const controller = new AbortController();
    const offers = await Promise.all([{}, { signal: controller.signal }, {}].map((options) => globalThis.w.offerCode(options)));
    offers[0].close();
    controller.abort();
    globalThis.w.close();
    return Promise.all(offers.map(({ opened }) => opened.catch(({ reason }) => reason)));
  });
  assert.deepEqual(reasons, ['closed', 'aborted', 'closed']);
});

/** @param {import('puppeteer-core').Page} page @param {object} [options] */
function start(page, options) {
  return page.evaluate((given) => globalThis.start(given), options);
}

/** Two pages connect by their clients; the one that accepts may say something at once. What each says of the other. */
async function connect(here, there, word = '') {
  const offer = await here.evaluate(async () => (globalThis.mine = await globalThis.w.offerCode()).code);
  const { answer, connection } = await accept(there, offer, word);
  const offerer = await here.evaluate(async (code) => globalThis.listens(await globalThis.w.connect(code)), answer);
  return { offerer, acceptor: await connection() };
}

/** A page accepts an offer. */
async function accept(page, offer, word = '') {
  const answer = await page.evaluate((code, first) => new Promise((resolve, reject) => {
    globalThis.accepted = globalThis.w.connect(code, { showCode: resolve }).then((connection) => {
      const seen = globalThis.listens(connection);
      if (first) connection.send(first);
      return seen;
    });
    globalThis.accepted.catch(reject);
  }), offer, word);
  return { answer, connection: () => page.evaluate(() => globalThis.accepted) };
}
