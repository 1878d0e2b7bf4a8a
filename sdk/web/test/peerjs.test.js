// Apps written for PeerJS, with another import, in Chromium and in Firefox against the real server.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Browser } from './browser.js';
import { Server } from './server.js';
import { Site } from './site.js';

/** @type {Server} */
let server;
/** @type {Site} */
let site;
/** @type {Record<string, Browser>} */
const browsers = {};

before(async () => {
  [server, site] = await Promise.all([Server.start(), Site.start()]);
  for (const name of ['chromium', 'firefox']) browsers[name] = await Browser.start(name);
});
after(async () => {
  await Promise.all(Object.values(browsers).map((browser) => browser.stop()));
  await server?.stop();
  site?.stop();
});

for (const [from, to] of [['chromium', 'chromium'], ['chromium', 'firefox'], ['firefox', 'chromium']]) {
  test(`PeerJS’s first example runs from ${from} to ${to} with only the import changed`, async (t) => {
    const [one, two] = await pages(t, from, to);
    const word = `another-peers-id-${from}-${to}`;
    const heard = two.evaluate((url, id, options) => import(url).then(({ Peer }) => new Promise((resolve) => {
      const peer = new Peer(id, options);
      globalThis.ready = new Promise((done) => peer.on('open', done));
      peer.on('connection', (conn) => {
        conn.on('data', (data) => {
          resolve(data);
          conn.send('hello!');
        });
      });
    })), `${site.http}/peerjs.js`, word, options());
    await two.waitForFunction(() => globalThis.ready);
    assert.equal(await two.evaluate(() => globalThis.ready), word);
    const back = await one.evaluate((url, id, options) => import(url).then(({ Peer }) => new Promise((resolve) => {
      const peer = new Peer(options);
      const conn = peer.connect(id);
      conn.on('open', () => {
        conn.on('data', resolve);
        conn.send('hi!');
      });
    })), `${site.http}/peerjs.js`, word, options());
    assert.deepEqual([await heard, back], ['hi!', 'hello!']);
  });

  test(`data of all kinds crosses from ${from} to ${to} and back`, async (t) => {
    const [one, two] = await pages(t, from, to);
    const [, id] = [await open(one), await open(two)];
    await two.evaluate(() => globalThis.peer.on('connection', (conn) => {
      globalThis.conn = conn;
      conn.on('data', (data) => conn.send(data));
    }));
    const got = await one.evaluate(async (whom) => {
      const conn = globalThis.peer.connect(whom, { label: 'chat', metadata: { topic: 'flags', n: [1] }, reliable: true });
      await new Promise((resolve) => conn.on('open', resolve));
      const echo = (value) => new Promise((resolve) => {
        conn.once('data', resolve);
        conn.send(value);
      });
      const bytes = (buffer) => [buffer instanceof ArrayBuffer, ...new Uint8Array(buffer)];
      const nested = await echo({ who: { é: [null, -7, 0.5, true] }, wave: Float32Array.of(0.5, 2), part: [new Uint8Array([9])] });
      const large = await echo(new Uint8Array(3_000_000).map((_, at) => at % 251));
      return {
        text: await echo('a text'),
        number: await echo(42),
        bytes: bytes(await echo(new Uint8Array([1, 2, 3]))),
        blob: bytes(await echo(new Blob(['hi']))),
        file: new TextDecoder().decode((await echo({ name: 'a.txt', file: new File(['content'], 'a.txt') })).file),
        nested: [nested.who, [...new Float32Array(nested.wave)], bytes(nested.part[0])],
        large: [large.byteLength, new Uint8Array(large).every((byte, at) => byte === at % 251)],
        conn: [conn.open, conn.type, conn.label, conn.serialization, conn.reliable, conn.peer === whom, conn.bufferSize, conn.dataChannel.readyState, conn.peerConnection.signalingState],
      };
    }, id);
    assert.deepEqual(got, {
      text: 'a text', number: 42, bytes: [true, 1, 2, 3], blob: [true, 104, 105], file: 'content',
      nested: [{ é: [null, -7, 0.5, true] }, [0.5, 2], [true, 9]], large: [3_000_000, true],
      conn: [true, 'data', 'chat', 'binary', true, true, 0, 'open', 'stable'],
    });
    assert.deepEqual(await two.evaluate(() => [globalThis.conn.metadata, globalThis.conn.label]), [{ topic: 'flags', n: [1] }, 'chat']);
  });

  test(`a call from ${from} to ${to} is answered, pictures arrive at both ends, and whoever hangs up ends it for both`, async (t) => {
    const [one, two] = await pages(t, from, to);
    const [, id] = [await open(one), await open(two)];
    await Promise.all([one, two].map((page) => page.evaluate(() => {
      globalThis.film = () => navigator.mediaDevices.getUserMedia({ video: true, audio: true });
      globalThis.watch = (call) => new Promise((resolve) => call.on('stream', async (stream) => {
        const video = Object.assign(document.createElement('video'), { muted: true, srcObject: stream });
        await video.play();
        resolve([video.videoWidth > 0, stream.getTracks().map(({ kind }) => kind).sort()]);
      }));
    })));
    await two.evaluate(() => globalThis.peer.on('call', async (call) => {
      globalThis.call = call;
      globalThis.seen = globalThis.watch(call);
      globalThis.ended = new Promise((resolve) => call.on('close', () => resolve('closed')));
      call.answer(await globalThis.film());
    }));
    const seen = await one.evaluate(async (whom) => {
      globalThis.call = globalThis.peer.call(whom, await globalThis.film(), { metadata: 'ring' });
      return globalThis.watch(globalThis.call);
    }, id);
    const both = [true, ['audio', 'video']];
    assert.deepEqual([seen, await two.evaluate(() => globalThis.seen)], [both, both]);
    assert.deepEqual(await two.evaluate(() => [globalThis.call.metadata, globalThis.call.type, globalThis.call.open]), ['ring', 'media', true]);
    await one.evaluate(() => globalThis.call.close());
    assert.equal(await two.evaluate(() => globalThis.ended), 'closed');
    assert.equal(await one.evaluate(() => Object.keys(globalThis.peer.connections).length), 0);
    // The same stream again, and both talk besides.
    const again = await one.evaluate(async (whom) => {
      const call = globalThis.peer.call(whom, await globalThis.film());
      const conn = globalThis.peer.connect(whom);
      await new Promise((resolve) => conn.on('open', resolve));
      return [await globalThis.watch(call), call.peerConnection === conn.peerConnection];
    }, id);
    assert.deepEqual(again, [both, true]);
  });
}

test('a call that is not taken ends for the caller, and one that is given up ends for the callee', async (t) => {
  const [one, two] = await pages(t, 'chromium', 'chromium');
  const [, id] = [await open(one), await open(two)];
  await two.evaluate(() => {
    globalThis.calls = 0;
    globalThis.given = new Promise((resolve) => globalThis.peer.on('call', (call) => {
      globalThis.calls += 1;
      if (globalThis.calls === 1) call.close();
      else call.on('close', () => resolve(call.open));
    }));
  });
  const ended = await one.evaluate(async (whom) => {
    const stream = await navigator.mediaDevices.getUserMedia({ video: true });
    const call = globalThis.peer.call(whom, stream);
    await new Promise((resolve) => call.on('close', resolve));
    const second = globalThis.peer.call(whom, stream);
    while (!second.peerConnection) await new Promise((resolve) => setTimeout(resolve, 10));
    second.close();
    return call.open;
  }, id);
  assert.equal(ended, false);
  assert.equal(await two.evaluate(() => globalThis.given), false);
});

test('both connect to each other at once, by their own words, and each gets both connections', async (t) => {
  const [one, two] = await pages(t, 'chromium', 'firefox');
  await open(one, 'left-one');
  await open(two, 'right-one');
  for (const page of [one, two]) {
    await page.evaluate(() => {
      globalThis.came = new Promise((resolve) => globalThis.peer.on('connection', (conn) => conn.on('data', (data) => resolve([conn.peer, data]))));
    });
  }
  const moment = Date.now() + 500;
  const both = (page, whom) => page.evaluate(async (id, at) => {
    await new Promise((resolve) => setTimeout(resolve, at - Date.now()));
    const conn = globalThis.peer.connect(id);
    await new Promise((resolve) => conn.on('open', resolve));
    conn.send('from me');
    return globalThis.came;
  }, whom, moment);
  assert.deepEqual(await Promise.all([both(one, 'right-one'), both(two, 'left-one')]), [['right-one', 'from me'], ['left-one', 'from me']]);
});

test('a connection closes on both sides, after everything that was sent, and leaves nothing behind', async (t) => {
  const [one, two] = await pages(t, 'chromium', 'chromium');
  const [, id] = [await open(one), await open(two)];
  const got = two.evaluate(() => new Promise((resolve) => globalThis.peer.on('connection', (conn) => {
    const sizes = [];
    conn.on('data', (data) => sizes.push(data.byteLength));
    conn.on('close', () => resolve({ sizes, open: conn.open, left: Object.keys(globalThis.peer.connections).length }));
  })));
  const early = await one.evaluate(async (whom) => {
    const conn = globalThis.peer.connect(whom, { label: 'file' });
    const type = await new Promise((resolve) => {
      conn.on('error', (error) => resolve(error.type));
      conn.send('too early');
    });
    await new Promise((resolve) => conn.on('open', resolve));
    for (let at = 0; at < 4; at += 1) conn.send(new Uint8Array(500_000));
    const buffered = conn.bufferSize;
    conn.close({ flush: true });
    return [type, buffered > 0];
  }, id);
  assert.deepEqual(early, ['not-open-yet', true]);
  assert.deepEqual(await got, { sizes: [500_000, 500_000, 500_000, 500_000], open: false, left: 0 });
});

test('who is not there is peer-unavailable, and who is about to come is waited for', async (t) => {
  const [one, two] = await pages(t, 'chromium', 'chromium');
  await open(one);
  const error = await one.evaluate(() => new Promise((resolve) => {
    globalThis.peer.on('error', ({ type, reason, message }) => resolve({ type, reason, message, open: globalThis.peer.open }));
    globalThis.peer.connect('nobody-at-all');
  }));
  assert.deepEqual([error.type, error.reason, error.open, error.message.split(' ').at(-1)], ['peer-unavailable', 'not_found', true, 'nobody-at-all']);
  const opened = one.evaluate(() => new Promise((resolve) => globalThis.peer.connect('late-one').on('open', () => resolve('open'))));
  await open(two, 'late-one');
  assert.equal(await opened, 'open');
});

test('a word belongs to the peer that has it, is free when that peer goes, and no other page can speak in its name', async (t) => {
  const [one, two, three] = await pages(t, 'chromium', 'firefox', 'chromium');
  await open(one, 'the-host');
  assert.deepEqual(await fails(two, 'the-host'), { type: 'unavailable-id', destroyed: true });
  const id = await open(three);
  // One that claims the word in its hail without having it.
  const why = await two.evaluate(async (url, options, whom) => {
    const { Wigwag, Identity } = await import(url.replace('peerjs.js', 'wigwag.js'));
    const w = await Wigwag.open({ servers: `ws://${options.host}:${options.port}`, identity: await Identity.make() });
    const error = await w.connect(whom, { meta: { peerjs: 'the-host' } }).catch((reason) => reason);
    w.close();
    return error.reason;
  }, `${site.http}/peerjs.js`, options(), id);
  assert.equal(why, 'refused');
  await one.evaluate(() => globalThis.peer.disconnect());
  assert.equal(await open(two, 'the-host'), 'the-host');
  // Back again, the first finds it taken and keeps what it has.
  assert.equal(await one.evaluate(() => new Promise((resolve) => {
    globalThis.peer.on('error', ({ type }) => resolve(type));
    globalThis.peer.reconnect();
  })), 'unavailable-id');
  assert.deepEqual(await one.evaluate(() => [globalThis.peer.disconnected, globalThis.peer.destroyed]), [true, false]);
});

for (const name of ['chromium', 'firefox']) {
  test(`over a reload ${name} keeps an id that the app gives, and gets another where it gives none`, async (t) => {
    const [page] = await pages(t, name);
    const [first, given] = [await open(page), await open(page, 'my-own')];
    await page.reload();
    assert.equal(await open(page, 'my-own'), given);
    // An id that it was given once and kept is its own too, though nobody else could have it.
    assert.equal(await open(page, first), first);
    assert.notEqual(await open(page), first);
    const [other] = await pages(t, name);
    assert.deepEqual(await fails(other, first), { type: 'unavailable-id', destroyed: true });
  });
}

test('of a tab and its copy one has the id, and the other is told', async (t) => {
  const [first] = await pages(t, 'chromium');
  await open(first, 'copied');
  const told = first.evaluate(() => new Promise((resolve) => {
    globalThis.peer.on('error', ({ type }) => type === 'network' || resolve([type, globalThis.peer.destroyed]));
  }));
  const second = await first.browserContext().newPage();
  await second.goto(first.url());
  await second.evaluate((device) => sessionStorage.setItem('wigwag.device', device), await first.evaluate(() => sessionStorage.getItem('wigwag.device')));
  assert.equal(await open(second, 'copied'), 'copied');
  assert.deepEqual(await told, ['unavailable-id', false]);
});

test('ids that cannot be, and a second peer of the same page, are refused', async (t) => {
  const [page] = await pages(t, 'chromium');
  assert.deepEqual(await fails(page, 'no spaces at the end '), { type: 'invalid-id', destroyed: true });
  await open(page, 'twice');
  assert.deepEqual(await fails(page, 'twice'), { type: 'unavailable-id', destroyed: true });
});

test('connections outlive a disconnect and a restart of the server, and the peer is back under its id', async (t) => {
  const home = await Server.start();
  const [one, two] = await pages(t, 'chromium', 'chromium');
  await open(one, 'here-one', home);
  await open(two, 'there-one', home);
  await two.evaluate(() => globalThis.peer.on('connection', (conn) => conn.on('data', (data) => conn.send(data))));
  await one.evaluate(async () => {
    globalThis.conn = globalThis.peer.connect('there-one');
    await new Promise((resolve) => globalThis.conn.on('open', resolve));
    globalThis.events = [];
    globalThis.peer.on('disconnected', (id) => globalThis.events.push(`disconnected ${id}`));
    globalThis.peer.on('error', ({ type }) => globalThis.events.push(type));
    globalThis.peer.on('open', (id) => globalThis.events.push(`open ${id}`));
  });
  const echo = () => one.evaluate(() => new Promise((resolve) => {
    globalThis.conn.once('data', resolve);
    globalThis.conn.send('still here');
  }));
  await home.stop('SIGKILL');
  await one.waitForFunction(() => globalThis.events.length === 2);
  assert.equal(await echo(), 'still here');
  const next = await Server.start({ port: home.port });
  for (const page of [one, two]) await page.evaluate(() => globalThis.peer.disconnected && globalThis.peer.reconnect());
  for (const page of [one, two]) await page.waitForFunction(() => globalThis.peer.open);
  assert.deepEqual(await one.evaluate(() => globalThis.events), ['network', 'disconnected here-one', 'open here-one']);
  await one.evaluate(() => globalThis.peer.disconnect());
  assert.equal(await echo(), 'still here');
  const refused = await one.evaluate(() => {
    const made = globalThis.peer.connect('there-one');
    return [made === undefined, globalThis.events.slice(3)];
  });
  assert.deepEqual(refused, [true, ['disconnected here-one', 'disconnected']]);
  assert.equal(await two.evaluate(() => new Promise((resolve) => {
    globalThis.peer.on('error', ({ type }) => resolve(type));
    globalThis.peer.connect('here-one');
  }).then((type) => type)), 'peer-unavailable');
  await one.evaluate(() => globalThis.peer.reconnect());
  await one.waitForFunction(() => globalThis.peer.open);
  assert.equal(await echo(), 'still here');
  await next.stop();
});

test('where no path leads to the peer data goes over the server, and a call says why it cannot', async (t) => {
  const home = await Server.start({ set: ['limits.relay_bytes_per_second=8388608', 'limits.relay_bytes_burst=4194304'] });
  const [one, two] = await pages(t, 'chromium', 'firefox');
  const blocked = { iceTransportPolicy: 'relay' };
  const [, id] = [await open(one, null, home, blocked), await open(two, null, home, blocked)];
  await two.evaluate(() => {
    globalThis.peer.on('connection', (conn) => conn.on('data', (data) => conn.send(data)));
    globalThis.peer.on('call', (call) => call.answer());
  });
  const got = await one.evaluate(async (whom) => {
    const conn = globalThis.peer.connect(whom, { label: 'around', reliable: false });
    await new Promise((resolve) => conn.on('open', resolve));
    const back = new Promise((resolve) => conn.once('data', resolve));
    conn.send({ file: new Uint8Array(100_000).fill(7) });
    const bytes = new Uint8Array((await back).file);
    const call = globalThis.peer.call(whom, await navigator.mediaDevices.getUserMedia({ video: true }));
    const error = await new Promise((resolve) => call.on('error', resolve));
    return [bytes.length, bytes.every((byte) => byte === 7), error.type, error.reason, conn.open];
  }, id);
  assert.deepEqual(got, [100_000, true, 'negotiation-failed', 'relayed', true]);
  await home.stop();
});

test('a page that imports it from a server needs to name none', { skip: process.env.SDK === 'files' && 'needs a server with these modules' }, async (t) => {
  const [page] = await pages(t, 'chromium');
  const id = await page.evaluate((url) => import(url).then(({ default: Peer }) => new Promise((resolve) => new Peer('no-options').on('open', resolve))), `${server.http}/wigwag/peerjs.js`);
  assert.equal(id, 'no-options');
});

test('nobody is listed, and a destroyed peer ends its connections and stays destroyed', async (t) => {
  const [one, two] = await pages(t, 'chromium', 'chromium');
  const [, id] = [await open(one), await open(two)];
  await two.evaluate(() => {
    globalThis.ended = new Promise((resolve) => globalThis.peer.on('connection', (conn) => conn.on('close', () => resolve('closed'))));
  });
  const got = await one.evaluate(async (whom) => {
    const { peer } = globalThis;
    const types = [];
    peer.on('error', ({ type }) => types.push(type));
    peer.listAllPeers(() => types.push('listed'));
    const conn = peer.connect(whom);
    await new Promise((resolve) => conn.on('open', resolve));
    const found = peer.getConnection(whom, conn.connectionId) === conn && peer.connections[whom][0] === conn;
    const closed = new Promise((resolve) => peer.on('close', () => resolve([peer.open, peer.destroyed, conn.open])));
    peer.destroy();
    let thrown = false;
    try {
      peer.reconnect();
    } catch {
      thrown = true;
    }
    return [types, found, await closed, thrown, peer.connect(whom) === undefined];
  }, id);
  assert.deepEqual(got, [['server-error', 'disconnected'], true, [false, true, false], true, true]);
  assert.equal(await two.evaluate(() => globalThis.ended), 'closed');
});

/** Pages of their own, closed after the test. */
async function pages(t, ...names) {
  const made = await Promise.all(names.map((name) => browsers[name].page(site.http)));
  t.after(() => Promise.all(made.map((page) => page.browserContext().close())));
  return made;
}

function options(at = server) {
  return { host: '127.0.0.1', port: at.port, path: '/', secure: false };
}

/** Makes the page's peer, in the place of the one before, and returns its id when it is open. */
function open(page, id, at = server, config = undefined) {
  return page.evaluate(async (url, word, given) => {
    const { Peer } = await import(url);
    globalThis.peer?.destroy();
    globalThis.peer = word ? new Peer(word, given) : new Peer(given);
    return new Promise((resolve, reject) => {
      globalThis.peer.on('open', resolve);
      globalThis.peer.on('error', ({ type, message }) => reject(new Error(`${type}: ${message}`)));
    });
  }, `${site.http}/peerjs.js`, id ?? null, { ...options(at), ...(config && { config }) });
}

/** Makes another peer in the page, which does not become anything. */
function fails(page, id) {
  return page.evaluate(async (url, word, given) => {
    const { Peer } = await import(url);
    const peer = new Peer(word, given);
    const type = await new Promise((resolve) => {
      peer.on('error', (error) => resolve(error.type));
      peer.on('open', () => resolve('open'));
    });
    return new Promise((resolve) => setTimeout(() => resolve({ type, destroyed: peer.destroyed }), 0));
  }, `${site.http}/peerjs.js`, id, options());
}
