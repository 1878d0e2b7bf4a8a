// Two pages that share nothing but the real server, in Chromium and in Firefox: they connect, or are told why not.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { WebSocket, WebSocketServer } from 'ws';

import { Identity } from '../identity.js';
import { makeHeed, makeShare, readHail } from '../sealed.js';
import { Browser } from './browser.js';
import { Server } from './server.js';
import { Turn, hasTurn } from './turn.js';

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
  server = await Server.start();
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
  test(`${from} connects to ${to}, and texts, bytes and JSON cross in order`, async () => {
    const [one, two] = pages();
    const id = await open(two, { listen: true });
    await open(one);
    const got = await one.evaluate(async (whom) => {
      const connection = await globalThis.w.connect(whom);
      const heard = [];
      const done = new Promise((resolve) => connection.on('message', ({ data }) => {
        heard.push(data instanceof ArrayBuffer ? [...new Uint8Array(data)] : data);
        if (heard.length === 4) resolve(heard);
      }));
      for (const each of ['text', new Uint8Array([1, 2, 3]), { json: [1] }, 7]) await connection.send(each);
      const { path, local, rtt } = await connection.stats();
      return { heard: await done, path, local, verified: connection.peer.verified, rtt: typeof rtt };
    }, id);
    assert.deepEqual(got, { heard: ['text', [1, 2, 3], { json: [1] }, 7], path: 'direct', local: 'host', verified: 'key', rtt: 'number' });
  });
}

for (const [name, at] of [['Chromium', 0], ['Firefox', 1]]) {
  test(`${name} keeps who it is over a reload, where nobody can copy it`, async () => {
    const page = await browsers[at].page(server.http);
    const visit = () => page.evaluate(async (url) => {
      const client = await globalThis.lib.Wigwag.open({ servers: { url, name: 'localhost' } });
      const copied = await client.identity.export().then(() => true, () => false);
      return { id: client.id, device: client.device, copied };
    }, server.url);
    const first = await visit();
    await page.reload();
    await browsers[at].load(page, server.http);
    assert.deepEqual(await visit(), { ...first, copied: false });
    const other = await browsers[at].page(server.http);
    assert.notEqual(await other.evaluate(async () => (await globalThis.lib.Identity.kept()).id), first.id);
  });
}

test('where there is no direct way, a TURN server is one, with credentials that the server made', { skip: !hasTurn }, async () => {
  const turn = await Turn.start('a-shared-secret');
  let home;
  try {
    home = await Server.start({ set: [`ice.turn=${turn.url}`, 'ice.secret=a-shared-secret'] });
    const to = await open(bob, { listen: true, url: home.url });
    await open(alice, { url: home.url });
    const got = await alice.evaluate(async (id) => {
      const connection = await globalThis.w.connect(id, { rtc: { iceTransportPolicy: 'relay' } });
      const heard = connection.once('message');
      await connection.send('through the relay');
      const { path, local } = await connection.stats();
      return { data: (await heard).data, path, local };
    }, to);
    assert.deepEqual(got, { data: 'through the relay', path: 'turn', local: 'relay' });
  } finally {
    await Promise.all([turn.stop(), home?.stop()]);
  }
});

test('four megabytes cross with backpressure, and a channel of its own too', async () => {
  const to = await open(bob, { listen: true });
  await open(alice);
  const received = await alice.evaluate(async (id) => {
    const connection = await globalThis.w.connect(id);
    const channel = connection.channel('file');
    await channel.once('open');
    const echoed = new Promise((resolve) => {
      let bytes = 0;
      channel.on('message', ({ data }) => (bytes += data.byteLength) === 4_194_304 && resolve(bytes));
    });
    let most = 0;
    for (let at = 0; at < 64; at += 1) {
      await channel.send(new Uint8Array(65_536).fill(at));
      most = Math.max(most, channel.waiting);
    }
    return { bytes: await echoed, bounded: most < 2 * 1_048_576 };
  }, to);
  assert.deepEqual(received, { bytes: 4_194_304, bounded: true });
});

test('both call at the same moment, and one connection comes of it', async () => {
  const both = (page, id, moment) => page.evaluate(async (whom, at) => {
    await new Promise((resolve) => setTimeout(resolve, at - Date.now()));
    const late = globalThis.w.connections.length > 0;
    const connection = await globalThis.w.connect(whom);
    connection.on('message', () => {});
    await connection.send('hello');
    await new Promise((resolve) => setTimeout(resolve, 0));
    return late ? 'late' : globalThis.w.connections.filter(({ state }) => state === 'open').length;
  }, id, moment);
  const once = async () => {
    const [a, b] = [await open(alice, { listen: true }), await open(bob, { listen: true })];
    // The two pages are told one after the other, so they agree on a moment.
    const moment = Date.now() + 500;
    return Promise.all([both(alice, b, moment), both(bob, a, moment)]);
  };
  let seen = await once();
  // Where a page missed the moment and was called before, it was not the same one.
  for (let tries = 1; seen.includes('late') && tries < 20; tries += 1) seen = await once();
  assert.deepEqual(seen, [1, 1]);
});

test('a picture is added while we talk, and both sides may add at once', async () => {
  const to = await open(bob, { listen: true });
  await open(alice);
  const tracks = await alice.evaluate(async (id) => {
    const connection = await globalThis.w.connect(id);
    const track = connection.once('track');
    const stream = await navigator.mediaDevices.getUserMedia({ video: true });
    connection.addTrack(stream.getVideoTracks()[0], stream);
    await connection.send('add yours');
    const { track: theirs, streams } = await track;
    return [theirs.kind, streams.length];
  }, to);
  assert.deepEqual(tracks, ['video', 1]);
});

test('both look for another path at once, and no word is lost', async () => {
  const to = await open(carol, { listen: true });
  await open(alice);
  const got = await alice.evaluate(async (id) => {
    const connection = await globalThis.w.connect(id);
    const ufrag = () => /a=ice-ufrag:(\S+)/.exec(connection.raw.localDescription.sdp)[1];
    const [before, heard] = [ufrag(), []];
    const all = new Promise((resolve) => connection.on('message', ({ data }) => heard.push(data) === 60 && resolve()));
    await connection.send('mend');
    connection.mend();
    for (let at = 0; at < 30; at += 1) await connection.send(at);
    const settled = () => ufrag() !== before && connection.raw.signalingState === 'stable';
    while (!settled()) await new Promise((resolve) => setTimeout(resolve, 20));
    for (let at = 30; at < 60; at += 1) await connection.send(at);
    await all;
    return { heard, state: connection.state };
  }, to);
  assert.deepEqual(got, { heard: Array.from({ length: 60 }, (_, at) => at), state: 'open' });
});

test('whoever was called may look for another path too, also where the two browsers differ', async () => {
  const to = await open(alice, { listen: true });
  await open(carol);
  const got = await carol.evaluate(async (id) => {
    const connection = await globalThis.w.connect(id);
    const ufrag = () => /a=ice-ufrag:(\S+)/.exec(connection.raw.remoteDescription.sdp)[1];
    const before = ufrag();
    await connection.send('mend');
    while (ufrag() === before || connection.raw.signalingState !== 'stable') await new Promise((resolve) => setTimeout(resolve, 20));
    const heard = connection.once('message');
    await connection.send('still here');
    return { data: (await heard).data, state: connection.state };
  }, to);
  assert.deepEqual(got, { data: 'still here', state: 'open' });
  assert.equal(await alice.evaluate(() => globalThis.last.state), 'open');
});

test('what the server renews of its TURN servers is used by the next search for a path, on both sides', async () => {
  const renewed = { type: 'ice', servers: [{ urls: ['turn:127.0.0.1:3479'], username: 'fresh', credential: 'c' }] };
  const server = await hostile((frame) => (frame.kind === 'renew' ? renewed : frame));
  const to = await open(carol, { listen: true, url: server.url });
  const from = await open(alice, { url: server.url });
  const inUse = (connection) => globalThis[connection].raw.getConfiguration().iceServers.some(({ username }) => username === 'fresh');
  await alice.evaluate(async (id) => (globalThis.c = await globalThis.w.connect(id)), to);
  for (const [page, id] of [[alice, from], [carol, to]]) {
    await page.evaluate(async (self) => {
      const renewal = globalThis.w.once('ice');
      await globalThis.w.signal(self, 'renew', null);
      await renewal;
    }, id);
  }
  assert.deepEqual([await alice.evaluate(inUse, 'c'), await carol.evaluate(inUse, 'last')], [false, false]);
  await alice.evaluate(async () => {
    const ufrag = () => /a=ice-ufrag:(\S+)/.exec(globalThis.c.raw.remoteDescription.sdp)[1];
    const before = ufrag();
    globalThis.c.mend();
    while (ufrag() === before) await new Promise((resolve) => setTimeout(resolve, 20));
  });
  assert.deepEqual([await alice.evaluate(inUse, 'c'), await carol.evaluate(inUse, 'last')], [true, true]);
  const echoed = await alice.evaluate(async () => {
    const heard = globalThis.c.once('message');
    await globalThis.c.send('still here');
    return (await heard).data;
  });
  assert.equal(echoed, 'still here');
  server.stop();
});

test('a page that was frozen has missed nothing when it wakes', async () => {
  const home = await Server.start();
  const [id] = [await open(alice, { url: home.url }), await open(bob, { url: home.url })];
  await alice.evaluate(() => {
    globalThis.w.on('fresh', () => (globalThis.fresh = true));
    globalThis.heard = globalThis.w.once('signal');
  });
  const devtools = await alice.createCDPSession();
  await devtools.send('Page.setWebLifecycleState', { state: 'frozen' });
  await bob.evaluate((whom) => globalThis.w.signal(whom, 'note', 'while you slept'), id);
  await devtools.send('Page.setWebLifecycleState', { state: 'active' });
  assert.equal(await alice.evaluate(async () => (await globalThis.heard).data), 'while you slept');
  assert.ok(!(await alice.evaluate(() => globalThis.fresh)));
  await home.stop();
});

test('nobody, somebody who left, and somebody who declines are told apart', async () => {
  const to = await open(bob, { accept: 'Busy, call later.' });
  await open(alice);
  const why = (id) => alice.evaluate((whom) => globalThis.w.connect(whom).then(() => null, ({ reason, message, lastSeen }) => ({
    reason, message, seen: lastSeen instanceof Date,
  })), id);
  assert.deepEqual(await why(to), { reason: 'refused', message: 'Busy, call later.', seen: false });
  assert.equal((await why('nobody@example.org')).reason, 'not_found');
  await bob.evaluate(() => globalThis.w.close());
  // Its goodbye is on its way; until it is there, the server takes it for somebody who is slow.
  await alice.evaluate(async (id) => {
    while ((await globalThis.w.find(id)).state === 'here') await new Promise((resolve) => setTimeout(resolve, 20));
  }, to);
  const gone = await why(to);
  assert.ok(gone.reason === 'absent' ? gone.seen : gone.reason === 'not_found', JSON.stringify(gone));
});

test('who never answers, and who can be reached by no path, are told apart', async () => {
  const to = await open(bob, { accept: 'never' });
  await open(alice);
  const why = (id, options) => alice.evaluate((whom, how) => globalThis.w.connect(whom, how).then(() => null, ({ reason, at, tried }) => ({
    reason, at, tried,
  })), id, options);
  assert.deepEqual(await why(to, { deadline: 500 }), { reason: 'timeout', at: 'peer' });
  const there = await open(bob, { listen: true });
  // Allowed nothing but a relay, where there is none.
  assert.deepEqual(await why(there, { deadline: 2_000, rtc: { iceTransportPolicy: 'relay' } }), { reason: 'no_path', tried: [] });
});

test('a connection outlives the server, and ends on both sides when one ends it', async () => {
  const home = await Server.start();
  const to = await open(bob, { listen: true, url: home.url });
  await open(alice, { url: home.url });
  await alice.evaluate(async (id) => (globalThis.c = await globalThis.w.connect(id)), to);
  await home.stop('SIGKILL');
  const echoed = await alice.evaluate(async () => {
    const heard = globalThis.c.once('message');
    await globalThis.c.send('still here');
    return (await heard).data;
  });
  assert.equal(echoed, 'still here');
  const left = bob.evaluate(() => globalThis.last.once('closed').then(({ reason }) => reason));
  await alice.evaluate(() => globalThis.c.close());
  assert.equal(await left, 'left');
});

test('a server that answers in a peer’s place is caught, and so is one that changes what is sealed', async () => {
  const to = await open(bob, { listen: true });
  const eve = await Identity.make();
  const liar = await hostile(async (frame, { id, device }) => {
    if (frame.type !== 'signal' || frame.kind !== 'ww.heed') return frame;
    const back = { namespace: 'default', from: frame.from, device: frame.device ?? '', to: id, toDevice: device };
    const { share } = await makeShare(crypto.subtle);
    const heed = await makeHeed(crypto.subtle, eve, back, share, liar.hail);
    return { ...frame, data: heed.data };
  });
  const spoiler = await hostile((frame) => (frame.kind === 'ww.sealed' ? { ...frame, data: { ...frame.data, box: frame.data.box.replace(/^./, (c) => (c === 'A' ? 'B' : 'A')) } } : frame));
  const why = (page, id) => page.evaluate((whom) => globalThis.w.connect(whom, { deadline: 2_000 }).then(() => null, ({ reason, at }) => ({ reason, at })), id);
  await open(alice, { url: liar.url });
  const told = alice.evaluate(() => globalThis.w.once('key').then(({ id }) => id));
  assert.deepEqual(await why(alice, to), { reason: 'key_mismatch' });
  assert.equal(await told, to);
  await open(alice, { url: spoiler.url });
  assert.deepEqual(await why(alice, to), { reason: 'timeout', at: 'path' });
  liar.stop();
  spoiler.stop();
});

test('a hundred connections leave nothing behind', async () => {
  const to = await open(bob, { listen: true });
  await open(alice);
  const round = (count) => alice.evaluate(async (id, times) => {
    for (let at = 0; at < times; at += 1) {
      const connection = await globalThis.w.connect(id);
      const closed = connection.once('closed');
      connection.close();
      await closed;
    }
    return { held: globalThis.w.connections.length };
  }, to, count);
  assert.deepEqual(await round(100), { held: 0 });
  await bob.waitForFunction(() => globalThis.w.connections.length === 0, { timeout: 10_000 });
});

/** Opens the page's client, after the one before it, and returns its id. */
function open(page, { listen = false, accept = null, url = server.url } = {}) {
  return page.evaluate(async (address, listens, answer) => {
    globalThis.w?.close();
    const options = { servers: { url: address, name: 'localhost' }, identity: await globalThis.lib.Identity.make() };
    if (answer === 'never') options.accept = () => new Promise(() => {});
    else if (answer) options.accept = () => answer;
    globalThis.w = await globalThis.lib.Wigwag.open(options);
    if (listens) {
      globalThis.w.on('connection', ({ connection }) => {
        globalThis.last = connection;
        connection.on('message', async ({ data }) => {
          if (data === 'mend') {
            connection.mend();
          } else if (data === 'add yours') {
            const stream = await navigator.mediaDevices.getUserMedia({ video: true });
            connection.addTrack(stream.getVideoTracks()[0], stream);
          } else {
            await connection.send(data);
          }
        });
        connection.on('channel', ({ channel }) => channel.on('message', ({ data }) => channel.send(data)));
      });
    }
    return globalThis.w.id;
  }, url, listen, accept);
}

/** A server that passes everything on, and may change what goes to the client. */
async function hostile(change) {
  const doors = new WebSocketServer({ host: '127.0.0.1', port: 0, handleProtocols: () => 'wigwag.1' });
  await new Promise((resolve) => doors.once('listening', resolve));
  const evil = { url: `ws://127.0.0.1:${doors.address().port}/v1`, hail: null, stop: () => doors.close() };
  doors.on('connection', (down) => {
    const up = new WebSocket(server.url, 'wigwag.1');
    const self = { id: '', device: '' };
    let turn = Promise.resolve();
    down.on('message', (bytes) => {
      const frame = JSON.parse(String(bytes));
      turn = turn.then(async () => {
        if (frame.kind === 'ww.hail') {
          evil.hail = await readHail(crypto.subtle, { namespace: 'default', from: self.id, device: self.device, to: frame.to }, frame.data);
        }
        up.send(String(bytes));
      });
    });
    up.on('message', (bytes) => {
      const frame = JSON.parse(String(bytes));
      if (frame.type === 'welcome') Object.assign(self, { id: frame.id, device: frame.device });
      turn = turn.then(async () => down.send(JSON.stringify(await change(frame, self))));
    });
    down.on('close', () => up.close());
    up.on('close', () => down.close());
  });
  return evil;
}
