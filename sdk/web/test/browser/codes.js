// Connects each pair of browsers by codes, with addresses hidden behind multicast names and shown. Runs in a network namespace of
// its own; ends with 0 if every pair exchanged a word. A code is all that goes from one page to the other.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';

import puppeteer from 'puppeteer-core';

const QUIET = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
  '--disable-sync',
];

const BROWSERS = {
  chromium: (hidden) => ({
    browser: 'chrome',
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: hidden ? [...QUIET] : [...QUIET, '--disable-features=WebRtcHideLocalIpsWithMdns'],
  }),
  firefox: (hidden) => ({
    browser: 'firefox',
    executablePath: process.env.FIREFOX ?? '/usr/bin/firefox-esr',
    extraPrefsFirefox: hidden ? {} : { 'media.peerconnection.ice.obfuscate_host_addresses': false },
  }),
};

const LONGEST = 250;

const site = createServer(async (request, answer) => {
  const [, name] = /^\/(code[a-z-]*|errors|hold)\.js$/.exec(request.url ?? '') ?? [];
  answer.setHeader('content-type', name ? 'text/javascript' : 'text/html');
  answer.end(name ? await readFile(new URL(`../../${name}.js`, import.meta.url)) : '<!doctype html><title>codes</title>');
});
await once(site.listen(0, '127.0.0.1'), 'listening');

let failed = false;
for (const hidden of [true, false]) {
  const launched = await Promise.all(Object.values(BROWSERS).map((options) => puppeteer.launch({ headless: true, ...options(hidden) })));
  try {
    for (const offers of launched) {
      for (const accepts of launched) await connects(offers, accepts, hidden);
    }
  } catch (why) {
    console.log(why);
    failed = true;
  } finally {
    await Promise.all(launched.map((browser) => browser.close()));
  }
}
site.close();
process.exitCode = failed ? 1 : 0;

async function connects(offers, accepts, hidden) {
  const [here, there] = await Promise.all([page(offers), page(accepts)]);
  const offer = await here.evaluate(async () => {
    globalThis.offer = await globalThis.codes.offerCode();
    return globalThis.offer.code;
  });
  const answer = await there.evaluate(async (code) => {
    globalThis.answer = await globalThis.codes.acceptCode(code);
    // Both speak at once and listen late.
    globalThis.heard = globalThis.answer.opened.then(({ channel }) => {
      channel.send('hello');
      return new Promise((resolve) => setTimeout(() => (channel.onmessage = ({ data }) => resolve(data)), 50));
    });
    return globalThis.answer.code;
  }, offer);
  const said = await here.evaluate(async (code) => {
    const { channel } = await globalThis.codes.complete(globalThis.offer, code);
    channel.send('and to you');
    return new Promise((resolve) => setTimeout(() => channel.addEventListener('message', ({ data }) => resolve(data)), 50));
  }, answer);
  assert.equal(said, 'hello');
  assert.equal(await there.evaluate(() => globalThis.heard), 'and to you');
  assert.ok(offer.length < LONGEST && answer.length < LONGEST, `${offer.length} and ${answer.length} characters`);
  const names = await Promise.all([offers, accepts].map((browser) => browser.version()));
  console.log(`${names.join(' to ')}, ${hidden ? 'names' : 'addresses'}: ${offer.length} and ${answer.length} characters`);
  await Promise.all([here.close(), there.close()]);
}

/** A page that holds the SDK's codes and knows no other page. @param {import('puppeteer-core').Browser} browser */
async function page(browser) {
  const opened = await browser.newPage();
  await opened.goto(`http://127.0.0.1:${site.address().port}/`);
  await opened.evaluate(async () => {
    globalThis.codes = await import('/code.js');
  });
  return opened;
}
