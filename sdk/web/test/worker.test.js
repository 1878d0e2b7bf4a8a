// The SDK where a program may load nothing later: a service worker hears a call, and answers it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { WebSocket } from 'ws';

import { Identity, Wigwag, memoryKeep } from '../index.js';
import { Browser } from './browser.js';
import { Server } from './server.js';
import { Site } from './site.js';

/** @type {Server} */
let server;
/** @type {Site} */
let site;
/** @type {Browser} */
let browser;
/** @type {Wigwag} */
let client;

before(async () => {
  [server, site, browser] = await Promise.all([Server.start(), Site.start(), Browser.start()]);
  const surroundings = { WebSocket: /** @type {any} */ (WebSocket), RTCPeerConnection: Never, keep: memoryKeep(), identity: await Identity.make() };
  client = await Wigwag.open({ servers: server.url, ...surroundings });
});
after(async () => {
  client?.close();
  await Promise.all([browser?.stop(), server?.stop()]);
  site?.stop();
});

test('a service worker with the entry that has everything takes part in calls', async () => {
  const id = await serve('worker-all.js');
  await assert.rejects(client.connect(id), { reason: 'refused', message: 'no, says all.js' });
});

test('with the small entry it is told what it lacks, and everything else works', async () => {
  const id = await serve('worker-index.js');
  assert.equal((await client.find(id)).state, 'here');
  await assert.rejects(client.connect(id, { deadline: 500 }), { reason: 'timeout', at: 'peer' });
  const failed = client.once('signal');
  await client.signal(id, 'connect', null);
  assert.equal((await failed).data, 'not_loaded');
});

/** Starts a service worker. Resolves with the id that it has at the server. @param {string} script */
async function serve(script) {
  const context = await browser.program.createBrowserContext();
  const page = await context.newPage();
  await page.goto(`${site.http}/index.js`);
  return page.evaluate(async (url) => {
    const registration = await navigator.serviceWorker.register(url, { type: 'module' });
    const told = new Promise((resolve, reject) => {
      navigator.serviceWorker.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data.id));
    });
    (registration.installing ?? registration.waiting ?? registration.active)?.postMessage('who are you?');
    return told;
  }, `/test/browser/${script}?${new URLSearchParams({ server: server.url })}`);
}

/** Stands for WebRTC where no connection may come about. */
class Never {
  constructor() {
    assert.fail('a connection was made');
  }
}
