// A native program and a page between which no path leads: they talk by way of the running server, and leave it when a path appears.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { launch } from './support/browser.js';
import { Gate } from './support/gate.js';
import { Town } from './support/town.js';

/** @type {Town} */
let town;
let browser;

before(async () => {
  browser = await launch('chromium');
  town = await Town.open('--set', 'limits.relay_bytes_per_second=8388608', '--set', 'limits.relay_bytes_burst=4194304');
});
after(async () => {
  await browser?.close();
  await town?.end();
});

test('where no path leads, a page and a program talk by way of the server', async (t) => {
  const pipe = await town.command(t, ['pipe']);
  const id = await pipe.told(/^I am (\S+)/m);
  const page = await open(t);
  const told = page.evaluate(async (whom) => {
    // Nothing but TURN, and there is none.
    const connection = await globalThis.w.connect(whom, { rtc: { iceTransportPolicy: 'relay' } });
    const heard = connection.once('message');
    const line = new TextEncoder().encode(`${'from the page '.repeat(10_000)}\n`);
    await connection.send(line);
    const { data } = await heard;
    const { path } = await connection.stats();
    await connection.send(null);
    return { text: new TextDecoder().decode(data), path };
  }, id);
  await pipe.printed(/(from the page ){10000}\n/);
  pipe.child.stdin.end('from the program\n');
  assert.deepEqual(await told, { text: 'from the program\n', path: 'relayed' });
  assert.equal(await pipe.ended, 0);
});

test('a program that calls a page goes by way of the server, too', async (t) => {
  const page = await open(t, { closed: true });
  const id = await page.evaluate(() => {
    globalThis.w.on('connection', ({ connection }) => connection.on('message', ({ data }) => {
      connection.send(data instanceof ArrayBuffer ? data : null);
    }));
    return globalThis.w.id;
  });
  const pipe = await town.command(t, ['pipe', id]);
  pipe.child.stdin.end('there and back');
  assert.equal(await pipe.ended, 0);
  assert.equal(pipe.out, 'there and back');
});

test('a file goes by way of the server, from a program and to one', async (t) => {
  const side = await mkdtemp(join(tmpdir(), 'wigwag-relayed-'));
  t.after(() => rm(side, { recursive: true }));
  const film = Uint8Array.from({ length: 1_500_000 }, (_, i) => (i * 7) % 251);
  await writeFile(join(side, 'film.bin'), film);
  const page = await open(t, { closed: true });
  const sending = await town.command(t, ['send', 'film.bin'], side);
  const code = await sending.written(/([a-z]+-[a-z]+-[a-z]+-[a-z]+)/);
  const got = await page.evaluate(async (typed) => {
    const { meetByWords, receiveFiles } = globalThis.files;
    const { connection } = await meetByWords(globalThis.w, typed);
    const [{ blob }] = await new Promise((resolve, reject) => {
      receiveFiles(connection, async (receiving) => {
        await receiving.accept();
        receiving.done.then(resolve, reject);
      });
    });
    const { path } = await connection.stats();
    globalThis.blob = blob;
    return { path, same: new Uint8Array(await blob.arrayBuffer()).every((byte, i) => byte === (i * 7) % 251), size: blob.size };
  }, code);
  assert.deepEqual(got, { path: 'relayed', same: true, size: 1_500_000 });
  assert.equal(await sending.ended, 0, sending.out + sending.err);

  const words = await page.evaluate(() => {
    const { WordCode, gather, meetByWords, sendFiles } = globalThis.files;
    const made = WordCode.make();
    globalThis.sent = (async () => {
      const parcel = await gather([new File([globalThis.blob], 'back.bin')]);
      const { connection } = await meetByWords(globalThis.w, made, { offer: parcel, name: 'Page' });
      await sendFiles(connection, parcel).done;
      return (await connection.stats()).path;
    })();
    return made.text;
  });
  const receiving = await town.command(t, ['receive', words, '--yes'], side);
  assert.equal(await page.evaluate(() => globalThis.sent), 'relayed');
  assert.equal(await receiving.ended, 0, receiving.out + receiving.err);
  assert.deepEqual(new Uint8Array(await readFile(join(side, 'back.bin'))), film);
});

test('no line is lost, doubled or out of order when a direct path opens in the middle, dies, and opens again', async (t) => {
  const gate = new Gate();
  t.after(() => gate.stop());
  const pipe = await town.command(t, ['pipe']);
  const id = await pipe.told(/^I am (\S+)/m);
  const page = await open(t);
  await gate.stand(page);
  await page.evaluate(async (whom, port) => {
    const { Wigwag } = await import(`http://127.0.0.1:${port}/wigwag.js`);
    globalThis.w.close();
    globalThis.w = await Wigwag.open({ servers: `ws://127.0.0.1:${port}/v1`, RTCPeerConnection: globalThis.Gated });
    globalThis.c = await globalThis.w.connect(whom);
    globalThis.heard = '';
    globalThis.paths = [];
    globalThis.c.on('message', ({ data }) => {
      if (data instanceof ArrayBuffer) globalThis.heard += new TextDecoder().decode(data);
    });
    globalThis.c.on('path', ({ path }) => globalThis.paths.push(path));
    globalThis.talk = (async () => {
      let at = 0;
      for (; !globalThis.enough; at += 1) {
        await globalThis.c.send(new TextEncoder().encode(`${at}\n`));
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      return at;
    })();
  }, id, town.port);
  let said = 0;
  const talking = setInterval(() => pipe.say(`${said++}\n`), 5);
  t.after(() => clearInterval(talking));
  for (const path of ['direct', 'relayed', 'direct']) {
    gate.blocked = path === 'relayed';
    await page.waitForFunction((wanted) => globalThis.paths.at(-1) === wanted, { timeout: 60_000 }, path);
    // Lines go on crossing on it, both ways.
    const here = pipe.out.length;
    const there = await page.evaluate(() => globalThis.heard.length);
    await page.waitForFunction((before) => globalThis.heard.length > before + 200, { timeout: 60_000 }, there);
    await pipe.printed({ test: (out) => out.length > here + 200 });
  }
  clearInterval(talking);
  const count = await page.evaluate(() => {
    globalThis.enough = true;
    return globalThis.talk;
  });
  const lines = (last) => Array.from({ length: last }, (_, at) => `${at}\n`).join('');
  await page.waitForFunction((length) => globalThis.heard.length >= length, { timeout: 60_000 }, lines(said).length);
  await pipe.printed({ test: (out) => out.length >= lines(count).length });
  assert.equal(await page.evaluate(() => globalThis.heard), lines(said));
  assert.equal(pipe.out, lines(count));
});

/** A page whose `w` is a client of the server; `closed`: nothing but TURN is allowed, and there is none. */
async function open(t, { closed = false } = {}) {
  const page = await town.page(t, browser);
  await page.evaluate(async (port, none) => {
    const { Wigwag } = await import(`http://127.0.0.1:${port}/wigwag.js`);
    class Closed extends RTCPeerConnection {
      constructor(config) {
        super({ ...config, iceTransportPolicy: 'relay' });
      }
    }
    globalThis.files = await import(`http://127.0.0.1:${port}/wigwag/files.js`);
    globalThis.w = await Wigwag.open({ servers: `ws://127.0.0.1:${port}/v1`, RTCPeerConnection: none ? Closed : undefined });
  }, town.port, closed);
  return page;
}
