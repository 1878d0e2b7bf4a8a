// A native program and a page meet by two codes, with no server: what a person would carry, these tests carry.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { byCode } from './support/binary.js';
import { BROWSERS, launch } from './support/browser.js';
import { Wigwag } from './support/program.js';

const SDK = fileURLToPath(new URL('../../sdk/web', import.meta.url));

/** Serves the SDK's files, and an empty page beside them. */
const site = createServer((question, answer) => {
  const [, name] = /^\/([a-z-]+\.js)$/.exec(question.url) ?? [];
  answer.setHeader('content-type', name ? 'text/javascript' : 'text/html');
  if (!name) return answer.end('<!doctype html><title>test</title>');
  return createReadStream(`${SDK}/${name}`).on('error', () => answer.writeHead(404).end()).pipe(answer);
});

before(() => once(site.listen(0, '127.0.0.1'), 'listening'));
after(() => site.close());

for (const name of BROWSERS) {
  describe(`a program and ${name}`, () => {
    let browser;
    before(async () => { browser = await launch(name); });
    after(() => browser?.close());

    test('the program offers, the page answers', async (t) => {
      const program = start(t);
      const offer = await program.written(/other side: (WW\S+)/);
      const page = await open(t, browser);
      program.say('WW000000\n');
      await program.printed(/more than the code/);
      const answer = await page.evaluate((code) => new Promise((resolve, reject) => {
        globalThis.connected = globalThis.w.connect(code, { showCode: resolve });
        globalThis.connected.catch(reject);
      }), offer);
      program.say(`${answer}\n`);
      await talk(page, program);
    });

    test('the page offers, the program answers', async (t) => {
      const page = await open(t, browser);
      const offer = await page.evaluate(async () => {
        globalThis.offer = await globalThis.w.offerCode();
        return globalThis.offer.code;
      });
      const program = start(t, [offer]);
      const answer = await program.written(/Give this back: (WW\S+)/);
      await page.evaluate((code) => { globalThis.connected = globalThis.offer.complete(code); }, answer);
      await talk(page, program);
    });
  });
}

/** Both know who the other is, and hear each other; then the page leaves, and the program ends. */
async function talk(page, program) {
  const peer = await page.evaluate(async () => {
    globalThis.c = await globalThis.connected;
    globalThis.heard = globalThis.c.once('message');
    return { verified: globalThis.c.peer.verified, finder: globalThis.c.finder };
  });
  assert.deepEqual(peer, { verified: 'key', finder: 'code' });
  assert.match(await program.written(/You talk with (.*)/), /^[a-z2-7]{32} \(Key, Some\(Direct\)\)/);
  program.say('from the program\n');
  assert.equal(await page.evaluate(async () => (await globalThis.heard).data), 'from the program');
  await page.evaluate(() => globalThis.c.send('from the page'));
  await program.printed(/> from the page/);
  await page.evaluate(() => globalThis.c.close());
  assert.equal(await program.ended, 0);
}

function start(t, args = []) {
  const program = new Wigwag(args, {}, byCode());
  t.after(() => program.end());
  return program;
}

/** A page whose `w` is a client of no server. */
async function open(t, browser) {
  const context = await browser.createBrowserContext();
  t.after(() => context.close().catch(() => {}));
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${site.address().port}/`);
  await page.evaluate(async () => {
    const { Wigwag } = await import('/index.js');
    globalThis.w = await Wigwag.open({ servers: [] });
  });
  return page;
}
