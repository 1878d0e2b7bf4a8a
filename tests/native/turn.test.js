// With a TURN server between the native engine and a browser.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { networkInterfaces } from 'node:os';
import { after, before, describe, test } from 'node:test';

import { Turn, hasTurn } from '../../sdk/web/test/turn.js';
import { BROWSERS, Page, launch } from './support/browser.js';
import { Probe } from './support/probe.js';

const SECRET = 'not a secret';
const LARGEST = 262_144;

for (const name of BROWSERS) {
  describe(`the native engine, ${name} and a TURN server`, { skip: !hasTurn && 'no TURN server is installed' }, () => {
    let browser;
    let turn;
    before(async () => {
      [browser, turn] = await Promise.all([launch(name), Turn.start(SECRET, own())]);
    });
    after(async () => {
      await browser?.close();
      await turn?.stop();
    });

    for (const transport of ['udp', 'tcp']) {
      for (const who of ['native', 'browser', 'both']) {
        // How a browser speaks to its server is its own affair.
        if (who === 'browser' && transport !== 'udp') continue;
        test(`what relays is ${who}, over ${transport}`, async (t) => {
          const server = (transport) => [{ urls: [`${turn.url}?transport=${transport}`], ...credentials() }];
          const probe = new Probe(t, who === 'browser' ? {} : { iceServers: server(transport), policy: 'relay' });
          const page = await Page.open(t, browser, who === 'native' ? {} : { iceServers: server('udp'), iceTransportPolicy: 'relay' });
          probe.trickle((candidate) => page.candidates([candidate]).catch(() => {}));
          page.trickle((candidate) => probe.candidates([candidate]));
          await page.describe(await probe.describe(await page.offer()));
          await Promise.all([probe.open('wigwag'), page.open('wigwag')]);
          await page.send('wigwag', LARGEST, 1);
          assert.equal((await probe.said('wigwag')).sum, LARGEST);
          await probe.ask({ do: 'send', channel: 'wigwag', bytes: LARGEST, fill: 1 });
          assert.equal((await page.said('wigwag')).sum, LARGEST);
          assert.equal((await probe.ask({ do: 'stats' })).path, 'turn');
        });
      }
    }
  });
}

/** An address of this machine that browsers take for one of a server: not the loopback. */
function own() {
  return Object.values(networkInterfaces()).flat().find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
}

/** As a signaling server gives them out. */
function credentials() {
  const username = `${Math.floor(Date.now() / 1000) + 3600}:ann`;
  return { username, credential: createHmac('sha1', SECRET).update(username).digest('base64') };
}
