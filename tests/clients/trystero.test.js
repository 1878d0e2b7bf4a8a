// Trystero, changed in nothing but the URL of its tracker or relay.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';

import { available } from './support/server.js';
import { inhabit } from './support/world.js';

for (const [strategy, dialect, paths] of [
  ['torrent', 'tracker', ['/tracker', '/']],
  ['relay', 'relay', ['/relay', '/']],
]) {
  describe(`Trystero's ${strategy} strategy in chromium`, { skip: !available(dialect) }, () => {
    const world = inhabit({ browser: 'chromium', library: 'trystero', dialect });

    for (const [path, password] of [...paths.map((path) => [path]), [paths[0], 'a secret']]) {
      test(`two pages in a room act on each other at ${path}${password ? ' behind a password' : ''}`, async (t) => {
        const [ann, bob] = await world.pages(t, 2);
        const room = randomUUID();
        for (const page of [ann, bob]) await page.run((...to) => join(...to), strategy, world.server.ws(path), room, password);
        const [annId, bobId] = [await ann.run(() => selfId), await bob.run(() => selfId)];
        assert.equal(await ann.run(() => joined.next()), bobId);
        assert.equal(await bob.run(() => joined.next()), annId);
        await ann.run(() => wave.send({ flag: 'red' }));
        assert.deepEqual(await bob.run(() => waved.next()), { from: annId, data: { flag: 'red' } });
        await bob.run(() => wave.send({ flag: 'green' }));
        assert.deepEqual(await ann.run(() => waved.next()), { from: bobId, data: { flag: 'green' } });
      });
    }

    test('who leaves the room is seen to leave', async (t) => {
      const [ann, bob] = await world.pages(t, 2);
      const room = randomUUID();
      for (const page of [ann, bob]) await page.run((...to) => join(...to), strategy, world.server.ws(paths[0]), room);
      for (const page of [ann, bob]) await page.run(() => joined.next());
      await bob.run(() => room.leave());
      assert.equal(await ann.run(() => left.next()), await bob.run(() => selfId));
    });
  });
}
