// The native client's commands opposite a page with the browser SDK, over the running server.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { examplePage } from './support/binary.js';
import { BROWSERS, launch } from './support/browser.js';
import { Wigwag } from './support/program.js';
import { DEADLINE_MS } from './support/queue.js';
import { Town } from './support/town.js';

/** @type {Town} */
let town;
before(async () => { town = await Town.open(); });
after(() => town?.end());

test('the example of a page and a program: every page that looks on sees what another one raises', async (t) => {
  const program = new Wigwag([`127.0.0.1:${town.port}`], {}, examplePage());
  t.after(() => program.end());
  const link = await program.written(/^Open (\S+)/m);
  const browser = await launch('chromium');
  t.after(() => browser.close());
  const [one, other] = [await look(browser, link), await look(browser, link)];
  await press(one);
  await program.printed(/raised it to 1/);
  await shows(other, '1');
  await press(other);
  await shows(one, '2');
});

for (const name of BROWSERS) {
  describe(`wigwag pipe and ${name}`, () => {
    let browser;
    before(async () => { browser = await launch(name); });
    after(() => browser?.close());

    test('a page connects to a program, and bytes cross both ways', async (t) => {
      const pipe = await town.command(t, ['pipe']);
      const id = await pipe.told(/^I am (\S+)/m);
      const page = await open(t, browser);
      const told = page.evaluate(async (whom) => {
        const connection = await globalThis.w.connect(whom);
        const heard = connection.once('message');
        await connection.send(new TextEncoder().encode('from the page\n'));
        const { data } = await heard;
        const text = new TextDecoder().decode(data);
        await connection.send(null);
        return { text, verified: connection.peer.verified };
      }, id);
      await pipe.printed(/from the page\n/);
      pipe.child.stdin.end('from the program\n');
      assert.deepEqual(await told, { text: 'from the program\n', verified: 'key' });
      assert.equal(await pipe.ended, 0);
    });

    test('a program connects to a page, and the page hears who it is', async (t) => {
      const page = await open(t, browser);
      const id = await page.evaluate(() => {
        globalThis.heard = new Promise((resolve) => globalThis.w.on('connection', ({ connection }) => {
          connection.on('message', ({ data }) => {
            if (!(data instanceof ArrayBuffer)) return;
            resolve({ text: new TextDecoder().decode(data), from: connection.peer.id });
            connection.send(new TextEncoder().encode('back'));
            connection.send(null);
          });
        }));
        return globalThis.w.id;
      });
      const pipe = await town.command(t, ['pipe', id]);
      pipe.child.stdin.end('hello');
      const { text, from } = await page.evaluate(() => globalThis.heard);
      assert.equal(text, 'hello');
      assert.match(from, /^[a-z2-7]{32}$/);
      assert.equal(await pipe.ended, 0);
      assert.equal(pipe.out, 'back');
    });
  });
}

/** The example's page, connected to its program. */
async function look(browser, link) {
  const page = await browser.newPage();
  await page.goto(link);
  await page.waitForSelector('#raise:enabled', { timeout: DEADLINE_MS });
  return page;
}

/** Only one page is in front, and browsers draw no others: what follows needs no drawing. */
const press = (page) => page.evaluate(() => document.querySelector('#raise').click());
const shows = (page, count) => page.waitForFunction(
  (wanted) => document.querySelector('#count').value === wanted, { timeout: DEADLINE_MS, polling: 'mutation' }, count);

/** A page whose `w` is a client of the server. */
async function open(t, browser) {
  const page = await town.page(t, browser);
  await page.evaluate(async (port) => {
    const { Wigwag } = await import(`http://127.0.0.1:${port}/wigwag.js`);
    globalThis.w = await Wigwag.open({ servers: `ws://127.0.0.1:${port}/v1` });
  }, town.port);
  return page;
}
