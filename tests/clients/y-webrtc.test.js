// yjs over y-webrtc, changed in nothing but the signaling URL.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';

import { BROWSERS } from './support/browser.js';
import { Server } from './support/server.js';
import { inhabit } from './support/world.js';

for (const browser of BROWSERS) {
  describe(`y-webrtc in ${browser}`, () => {
    const world = inhabit({ browser, library: 'y-webrtc', dialect: 'y-webrtc' });

    for (const [path, password] of [['/yjs'], ['/yjs', 'a secret'], ['/']]) {
      test(`two documents converge at ${path}${password ? ' behind a password' : ''}`, async (t) => {
        const [ann, bob] = await world.pages(t, 2);
        const room = randomUUID();
        for (const page of [ann, bob]) await page.run((...to) => open(...to), room, world.server.ws(path), password);
        // The two have no other way to each other than the one that the server opened.
        for (const page of [ann, bob]) assert.equal(await page.run(() => meets(1)), 0);
        await ann.run(() => doc.getText('page').insert(0, 'flags'));
        await bob.run(() => holds('flags'));
        await bob.run(() => doc.getText('page').insert(0, 'two '));
        await ann.run(() => holds('two flags'));
      });
    }

    test('three documents converge, whoever wrote first', async (t) => {
      const [ann, bob, eve] = await world.pages(t, 3);
      const [room, at] = [randomUUID(), world.server.ws('/yjs')];
      for (const page of [ann, bob]) await page.run((...to) => open(...to), room, at);
      await ann.run(() => doc.getText('page').insert(0, 'read me'));
      await bob.run(() => holds('read me'));
      await eve.run((...to) => open(...to), room, at);
      await eve.run(() => holds('read me'));
      for (const page of [ann, bob, eve]) assert.equal(await page.run(() => meets(2)), 0);
    });

    test('documents that met stay together without the server, and meet others when it is back', async (t) => {
      const first = await Server.start('y-webrtc');
      t.after(() => first.kill());
      const [ann, bob, eve] = await world.pages(t, 3);
      const [room, at] = [randomUUID(), first.ws('/yjs')];
      for (const page of [ann, bob]) await page.run((...to) => open(...to), room, at);
      for (const page of [ann, bob]) await page.run(() => meets(1));
      await first.kill();
      for (const page of [ann, bob]) await page.run(() => { globalThis.back = online(); });
      await ann.run(() => doc.getText('page').insert(0, 'alone'));
      await bob.run(() => holds('alone'));

      const second = await first.again();
      t.after(() => second.kill());
      for (const page of [ann, bob]) await page.run(() => back);
      await eve.run((...to) => open(...to), room, at);
      await eve.run(() => holds('alone'));
      for (const page of [ann, bob, eve]) await page.run(() => meets(2));
    });

    test('a password keeps a room to those who know it', async (t) => {
      const [ann, bob, eve] = await world.pages(t, 3);
      const [room, at] = [randomUUID(), world.server.ws('/yjs')];
      await ann.run((...to) => open(...to), room, at, 'a secret');
      await eve.run((...to) => open(...to), room, at, 'a guess');
      await bob.run((...to) => open(...to), room, at, 'a secret');
      for (const page of [ann, bob]) await page.run(() => meets(1));
      await ann.run(() => doc.getText('page').insert(0, 'ours'));
      await bob.run(() => holds('ours'));
      assert.equal(await eve.run(() => provider.room.webrtcConns.size), 0);
      assert.equal(await eve.run(() => doc.getText('page').toString()), '');
    });
  });
}
