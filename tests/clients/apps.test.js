// The four apps whose clients are on no registry: small clients that say on the wire what the apps say.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';

import { Server, available } from './support/server.js';
import { inhabit } from './support/world.js';

const browser = 'chromium';
const skip = !available('apps');

describe('Volli in chromium', { skip }, () => {
  const world = inhabit({ browser, library: 'volli', dialect: 'apps' });

  for (const path of ['/', '/volli']) {
    test(`a user finds another by id at ${path} and they talk`, async (t) => {
      const [ann, bob] = await users(t, world.server.ws(path), 2);
      assert.equal(await ann.run((id) => me.discover(id), bob.id), `key of ${bob.id}`);
      await ann.run((id) => me.links.call(id), bob.id);
      await talk(ann, bob);
    });
  }

  test('calling a user who is not there says so', async (t) => {
    const [ann] = await users(t, world.server.ws('/'), 1);
    await ann.run(() => me.links.call('nobody-at-all'));
    assert.equal(await ann.run(() => me.until(() => me.errors[0])), 'User nobody-at-all is not online');
  });

  test('a user whose page closes is found offline', async (t) => {
    const [ann, bob] = await users(t, world.server.ws('/'), 2);
    await bob.page.close();
    await ann.run(async (id) => {
      while (await me.discover(id)) await new Promise((resolve) => setTimeout(resolve, 20));
    }, bob.id);
  });

  for (const end of ['stop', 'kill']) {
    test(`after a server's ${end} users are back under their ids, and what they talk over was never cut`, async (t) => {
      const first = await Server.start('apps');
      t.after(() => first.kill());
      const [ann, bob] = await users(t, first.ws('/'), 2);
      await ann.run((id) => me.links.call(id), bob.id);
      await talk(ann, bob);
      await first[end]();
      await talk(ann, bob);

      const second = await first.again();
      t.after(() => second.kill());
      for (const page of [ann, bob]) await page.run(() => me.until(() => me.registrations === 2));
      assert.equal(await ann.run((id) => me.discover(id), bob.id), `key of ${bob.id}`);
      assert.equal(await bob.run((id) => me.discover(id), ann.id), `key of ${ann.id}`);
      await talk(bob, ann);
    });
  }

  function users(t, url, count) {
    return each(t, world, count, async (page) => {
      page.id = `user-${randomUUID()}`;
      await page.run(start, url, page.id, `key of ${page.id}`);
    });
  }
});

describe('ManaMesh in chromium', { skip }, () => {
  const world = inhabit({ browser, library: 'manamesh', dialect: 'apps' });

  for (const path of ['/signaling', '/']) {
    test(`whoever comes into a room at ${path} calls all who are there, and everybody talks with everybody`, async (t) => {
      const [ann, bob, eve] = await room(t, 3, path);
      assert.deepEqual(await peers(ann), [bob.id, eve.id].sort());
      for (const [one, other] of [[ann, bob], [bob, eve], [eve, ann]]) await talk(one, other);
    });
  }

  test('a page that closes is seen to leave', async (t) => {
    const [ann, bob, eve] = await room(t, 3);
    await bob.page.close();
    await ann.run(() => me.until(() => me.peers.size === 1));
    assert.deepEqual(await peers(ann), [eve.id]);
    await talk(ann, eve);
  });

  test('one that leaves the room and stays connected is seen to leave', async (t) => {
    const [ann, bob] = await room(t, 2);
    await bob.run(() => me.leave());
    await ann.run(() => me.until(() => me.peers.size === 0));
  });

  test('nobody is met from another room', async (t) => {
    const [ann] = await room(t, 1);
    const [bob, eve] = await room(t, 2);
    await talk(bob, eve);
    assert.deepEqual(await peers(ann), []);
  });

  /** Pages that come into a new room one after the other, the earlier ones knowing the later. */
  function room(t, count, path = '/signaling') {
    const name = randomUUID();
    return each(t, world, count, async (page, there) => {
      await page.run(start, world.server.ws(path), name);
      page.id = await page.run(() => me.peerId);
      for (const other of there) await other.run((id) => me.until(() => me.peers.has(id)), page.id);
    });
  }

  function peers(page) {
    return page.run(() => [...me.peers].sort());
  }
});

describe('The watch party in chromium', { skip }, () => {
  const world = inhabit({ browser, library: 'watch-party', dialect: 'apps' });

  for (const path of ['room', 'watchparty']) {
    test(`the host of /${path} and a guest know the same room and talk`, async (t) => {
      const [ann, bob] = await party(t, 2, path);
      const state = await ann.run(() => me.state);
      assert.deepEqual(await bob.run(() => me.state), state);
      assert.equal(state.hostId, ann.id);
      assert.equal(state.controlMode, 'HOST_ONLY');
      assert.deepEqual(state.users.map(({ id, isHost }) => [id, isHost]), [[ann.id, true], [bob.id, false]]);
      await talk(ann, bob);
    });
  }

  test('the host gives control to everybody, and a guest cannot', async (t) => {
    const [ann, bob] = await party(t, 2);
    await bob.run(() => me.tell('CONTROL_MODE_CHANGE', { mode: 'FREE_FOR_ALL' }));
    await bob.run(() => me.until(() => me.errors.length > 0));
    assert.equal(await bob.run(() => me.state.controlMode), 'HOST_ONLY');
    await ann.run(() => me.tell('CONTROL_MODE_CHANGE', { mode: 'FREE_FOR_ALL' }));
    for (const page of [ann, bob]) await page.run(() => me.until(() => me.state.controlMode === 'FREE_FOR_ALL'));
  });

  test('when the host leaves, the one who came next is host for everybody', async (t) => {
    const [ann, bob, eve] = await party(t, 3);
    await ann.run(() => me.tell('LEAVE_ROOM'));
    for (const page of [bob, eve]) {
      const left = await page.run(() => me.until(() => me.left));
      assert.deepEqual(left, { type: 'USER_LEFT', userId: ann.id, newHostId: bob.id });
      assert.deepEqual(await page.run(() => me.state.users.map(({ id, isHost }) => [id, isHost])), [[bob.id, true], [eve.id, false]]);
    }
    assert.equal(await ann.run(() => me.until(() => me.closed)), 1000);
    assert.deepEqual([await bob.run(() => me.isHost), await eve.run(() => me.isHost)], [true, false]);
    await talk(bob, eve);
  });

  test('a host whose page closes is seen to drop out, and the next one is host', async (t) => {
    const [ann, bob] = await party(t, 2);
    await ann.page.close();
    const left = await bob.run(() => me.until(() => me.left));
    assert.deepEqual(left, { type: 'USER_DISCONNECTED', userId: ann.id, newHostId: bob.id });
  });

  test('a page of another site can look at a room, and is told of one that is not there', async (t) => {
    const [ann, bob] = await party(t, 2);
    const look = async (url) => {
      const answer = await fetch(url);
      return { status: answer.status, body: await answer.json() };
    };
    const info = (room) => `http://127.0.0.1:${world.server.port}/room/${room}/info`;
    const { status, body } = await bob.run(look, info(ann.room));
    assert.equal(status, 200);
    assert.equal(body.hostId, ann.id);
    assert.deepEqual(body.users.map(({ id }) => id), [ann.id, bob.id]);
    assert.deepEqual(await bob.run(look, info(randomUUID())), { status: 404, body: { error: 'Room not found' } });
  });

  /** A room that the first page opens and the others come into, one after the other. */
  function party(t, count, path = 'room') {
    const room = randomUUID();
    return each(t, world, count, async (page, there) => {
      Object.assign(page, { id: `user-${there.length}-${randomUUID()}`, room });
      await page.run(async (type, ...to) => {
        globalThis.me = new App(...to);
        await me.start(type);
      }, there.length === 0 ? 'CREATE_ROOM' : 'JOIN_ROOM', world.server.ws(`/${path}/${room}`), room, page.id);
      for (const other of there) await other.run((count) => me.until(() => me.state.users.length === count), there.length + 1);
    });
  }
});

describe('ToM in chromium', { skip }, () => {
  const world = inhabit({ browser, library: 'tom', dialect: 'apps' });

  test('all nodes have the same list, and two of it talk', async (t) => {
    const nodes = await network(t, 3);
    const [ann, bob, eve] = nodes;
    const list = await ann.run(() => me.participants);
    assert.deepEqual(list.map(({ nodeId }) => nodeId).sort(), nodes.map(({ id }) => id).sort());
    for (const node of [bob, eve]) assert.deepEqual(await node.run(() => me.participants), list);
    for (const { username, encryptionKey } of list) assert.equal(encryptionKey, `for ${username}`);
    await ann.run((id) => me.links.call(id), eve.id);
    await talk(ann, eve);
  });

  test('a heartbeat reaches the others', async (t) => {
    const [ann, bob] = await network(t, 2);
    for (const [from, to] of [[ann, bob], [bob, ann]]) await to.run((id) => me.until(() => me.alive.has(id)), from.id);
  });

  test('a node that comes and goes is said to, and is on the list for as long as it is there', async (t) => {
    const [ann, bob] = await network(t, 2);
    await bob.page.close();
    await ann.run(() => me.until(() => me.participants.length === 1));
    assert.deepEqual(await ann.run(() => me.presence), [`join ${bob.id}`, `leave ${bob.id}`]);
  });

  test('everybody learns the role that a node is given', async (t) => {
    const [ann, bob] = await network(t, 2);
    await ann.run((id) => me.assign(id, ['relay', 'observer']), bob.id);
    for (const page of [ann, bob]) {
      assert.deepEqual(await page.run((id) => me.until(() => me.roles.get(id)), bob.id), ['relay', 'observer']);
    }
  });

  test('a signal to a node that is not there is answered with peer not found', async (t) => {
    const [ann] = await network(t, 1);
    await ann.run(() => me.links.call('nobody-at-all'));
    assert.equal(await ann.run(() => me.until(() => me.errors[0])), 'peer not found');
  });

  /** Nodes of a network of their own that all know each other. */
  function network(t, count) {
    const url = world.server.ws(`/tom/${randomUUID()}`);
    return each(t, world, count, async (page, there) => {
      page.id = `node-${randomUUID()}`;
      await page.run(start, url, page.id, page.id, `for ${page.id}`);
      for (const other of [...there, page]) {
        await other.run((count) => me.until(() => me.participants.length === count), there.length + 1);
      }
    });
  }
});

/** `count` pages that arrive one after the other; `arrive` is told of those who are there. */
async function each(t, world, count, arrive) {
  const pages = await world.pages(t, count);
  for (const [i, page] of pages.entries()) await arrive(page, pages.slice(0, i));
  return pages;
}

/** Runs in a page: opens its client, `me`. */
async function start(...to) {
  globalThis.me = new App(...to);
  await me.start();
}

/** Lets a text go each way between two pages that are connected or about to be. */
async function talk(one, other) {
  for (const [from, to] of [[one, other], [other, one]]) {
    const text = `from ${from.id} ${randomUUID()}`;
    await from.run((id, text) => me.links.say(id, text), to.id, text);
    assert.equal(await to.run((id) => me.links.heard(id), from.id), text);
  }
}
