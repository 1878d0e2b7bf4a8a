// PeerJS, changed in nothing but the server it is told of.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';

import { BROWSERS } from './support/browser.js';
import { Server } from './support/server.js';
import { inhabit } from './support/world.js';

for (const browser of BROWSERS) {
  describe(`PeerJS in ${browser}`, () => {
    const world = inhabit({ browser, library: 'peerjs', dialect: 'peerjs', discovery: true });

    test('messages of every kind go both ways over a data connection', async (t) => {
      const { ann, bob } = await acquainted(t, world, world.server);
      assert.deepEqual(await bob.run(() => conn.metadata), { topic: 'flags' });
      for (const [from, to] of [[ann, bob], [bob, ann]]) {
        await says(from, to, 'a text');
        await says(from, to, { nested: [1, null, 'é'] });
        await from.run(() => conn.send(new Uint8Array(100_000).fill(7)));
        const sum = await to.run(async () => new Uint8Array(await heard.next()).reduce((sum, byte) => sum + byte, 0));
        assert.equal(sum, 700_000);
      }
    });

    test('a peer that asks for no id is given one', async (t) => {
      const ann = await world.page(t);
      const id = await ann.run((options) => once(new Peer(options), 'open'), options(world.server));
      assert.match(id, /^[0-9A-Za-z]+(?:[ _-][0-9A-Za-z]+)*$/);
    });

    test('a call is answered, and pictures arrive at both ends', async (t) => {
      const [ann, bob] = await world.pages(t, 2);
      await arrive(ann, world.server);
      const id = await arrive(bob, world.server);
      await bob.run(() => {
        peer.on('call', (call) => {
          globalThis.seen = watch(call);
          call.answer(film());
        });
      });
      const seen = await ann.run((id) => watch(peer.call(id, film())), id);
      assert.deepEqual(seen, { width: 64, height: 48 });
      assert.deepEqual(await bob.run(() => globalThis.seen), { width: 64, height: 48 });
    });

    test('who disconnected comes back under the same id and can be reached', async (t) => {
      const [ann, bob] = await world.pages(t, 2);
      await arrive(ann, world.server);
      const id = await arrive(bob, world.server);
      await disconnect(bob);
      assert.equal(await reconnect(bob), id);
      await connect(ann, bob, id);
      await says(bob, ann, 'here again');
    });

    for (const end of ['stop', 'kill']) {
      test(`a data connection outlives a server's ${end}, and the next server knows both ends`, async (t) => {
        const first = await Server.start('peerjs');
        t.after(() => first.kill());
        const { ann, bob, annId, bobId } = await acquainted(t, world, first);
        for (const page of [ann, bob]) await page.run(() => { globalThis.cut = hear(peer, 'disconnected'); });
        await first[end]();
        for (const page of [ann, bob]) await page.run(() => cut.next());
        await says(ann, bob, 'still there?');
        await says(bob, ann, 'as if nothing had happened');

        const second = await first.again();
        t.after(() => second.kill());
        assert.equal(await reconnect(ann), annId);
        assert.equal(await reconnect(bob), bobId);
        await says(ann, bob, 'and after the restart');
        await connect(bob, ann, annId);
        await says(bob, ann, 'over a connection of today');
      });
    }

    test('a data connection outlives the signaling of one of its ends', async (t) => {
      const { ann, bob, bobId } = await acquainted(t, world, world.server);
      await disconnect(bob);
      // That the server finds nobody proves that it has long dealt with the end of the socket.
      assert.equal(await ann.run(call, bobId), 'peer-unavailable');
      await says(ann, bob, 'still there?');
      await says(bob, ann, 'still here');
    });

    test('calling a peer that is not there ends in peer-unavailable', async (t) => {
      const ann = await world.page(t);
      await arrive(ann, world.server);
      assert.equal(await ann.run(call, name()), 'peer-unavailable');
      assert.equal(await ann.run(() => peer.open), true);
    });

    test('an offer waits for a peer that comes a moment later', async (t) => {
      // How long it waits is the operator's to say; five seconds may be short for a page on a busy machine.
      const server = await Server.start('peerjs', { patience: 60_000 });
      t.after(() => server.stop());
      const [ann, bob] = await world.pages(t, 2);
      await arrive(ann, server);
      const id = name();
      await ann.run((id) => { globalThis.opened = talk(peer.connect(id)); }, id);
      await arrive(bob, server, id);
      await ann.run(() => opened);
      await says(bob, ann, 'sorry to be late');
    });

    test('an id that somebody holds is unavailable-id to everybody else', async (t) => {
      const [ann, bob] = await world.pages(t, 2);
      const id = await arrive(ann, world.server);
      const type = await bob.run(async (id, options) => {
        const refused = await hear(new Peer(id, options), 'error').next();
        return refused.type;
      }, id, options(world.server));
      assert.equal(type, 'unavailable-id');
      assert.equal(await ann.run(() => peer.open), true);
    });

    test('the list of all peers has whoever is there, where discovery is on', async (t) => {
      const [ann, bob] = await world.pages(t, 2);
      const ids = [await arrive(ann, world.server), await arrive(bob, world.server)];
      const listed = await ann.run(() => new Promise((resolve) => peer.listAllPeers(resolve)));
      assert.deepEqual(ids.filter((id) => !listed.includes(id)), []);
    });

    test('nobody can list the peers of a server whose discovery is off', async (t) => {
      const server = await Server.start('peerjs');
      t.after(() => server.kill());
      const ann = await world.page(t);
      await arrive(ann, server);
      const refusal = await ann.run(async (port) => {
        const errors = hear(peer, 'error');
        peer.listAllPeers();
        const { type } = await errors.next();
        // The library keeps the reason to itself.
        const { status } = await fetch(`http://127.0.0.1:${port}/peerjs/peers`);
        return { type, status };
      }, server.port);
      assert.deepEqual(refusal, { type: 'server-error', status: 401 });
    });
  });
}

/** What an application passes to `new Peer`. */
function options({ port }) {
  return { host: '127.0.0.1', port: Number(port), path: '/', config: { iceServers: [] } };
}

function name() {
  return `peer-${randomUUID()}`;
}

/** Opens the page's `peer`, ready to be called, under an id that is returned. */
async function arrive(page, server, id = name()) {
  const opened = await page.run((id, options) => {
    globalThis.peer = new Peer(id, options);
    answering(peer);
    return once(peer, 'open');
  }, id, options(server));
  assert.equal(opened, id);
  return id;
}

/** Two pages with an open data connection between them. */
async function acquainted(t, world, server) {
  const [ann, bob] = await world.pages(t, 2);
  const annId = await arrive(ann, server);
  const bobId = await arrive(bob, server);
  await connect(ann, bob, bobId);
  return { ann, bob, annId, bobId };
}

/** Opens a new data connection from `caller` to `called`. */
async function connect(caller, called, id) {
  await called.run(() => answering(peer));
  await caller.run((id) => talk(peer.connect(id, { metadata: { topic: 'flags' }, reliable: true })), id);
  await called.run(() => reached);
}

async function says(from, to, message) {
  await from.run((message) => conn.send(message), message);
  assert.deepEqual(await to.run(() => heard.next()), message);
}

function disconnect(page) {
  return page.run(() => {
    const cut = hear(peer, 'disconnected').next();
    peer.disconnect();
    return cut;
  });
}

function reconnect(page) {
  return page.run(() => {
    const open = hear(peer, 'open').next();
    peer.reconnect();
    return open;
  });
}

/** Runs in a page: calls a peer that is expected not to answer. */
async function call(id) {
  const errors = hear(peer, 'error');
  peer.connect(id);
  return (await errors.next()).type;
}
