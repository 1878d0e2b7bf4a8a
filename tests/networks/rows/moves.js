// What happens to a connection that stands: the server dies, a machine sleeps, a network becomes another one.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { until } from '../lab/servers.js';

/** @import { Peer, Test, World } from '../world.js' @import { Table } from '../table.js' */

/** While the server carries a connection, it looks for another path after ten seconds, twenty more, forty more; long enough for a busy machine. */
const MEND_MS = 100_000;

/** Short, so that a machine that sleeps is missed soon. */
const IMPATIENT = { 'limits.ping_ms': 1_000, 'limits.idle_ms': 3_000, 'presence.away_after_ms': 1_000, 'presence.gone_after_ms': 4_000 };

/** @param {World} world @param {Table} table */
export function moves(world, table) {
  const each = (/** @type {string} */ row, /** @type {(t: Test, one: Peer, other: Peer) => Promise<string | [string, number]>} */ run, pairs = world.pairs) => {
    for (const [one, other] of pairs) {
      const pair = `${one.kind} → ${other.kind}`;
      test(`${row}: ${pair}`, async (t) => {
        const [found, ms] = [await run(t, one, other)].flat();
        table.note(row, pair, String(found), ms === undefined ? undefined : Number(ms));
      });
    }
  };

  each('the server is killed, and comes back', async (t, one, other) => {
    const { server, id } = await meet(t, world, one, other);
    await server.stop('SIGKILL');
    await talk(one, 'without a server');
    for (const peer of [one, other]) await seen(peer, 'that the server is gone', ({ status }) => status.at(-1) !== 'open');
    await world.server(t, world.stun);
    await seen(other, 'the server again', ({ status }) => status.at(-1) === 'open');
    await seen(one, 'the other here again', ({ presence, status }) => status.at(-1) === 'open' && presence.at(-1) === 'here');
    const { fresh, states } = await one.story();
    assert.deepEqual({ fresh, states }, { fresh: 1, states: ['open'] });
    const again = await one.connect(id);
    assert.deepEqual({ open: again.open, path: again.path }, { open: true, path: 'direct' }, JSON.stringify(again));
    assert.equal((await one.story()).held, 2);
    return 'channel lives';
  });

  each('a page is frozen, and wakes', async (t, one, other) => {
    const { server, me } = await meet(t, world, one, other, IMPATIENT);
    await one.ask('freeze');
    for (const word of ['one', 'two']) await other.say(word);
    assert.equal(await other.run((id) => globalThis.w.signal(id, 'note', 'three'), me), 'delivered');
    await one.ask('wake');
    await seen(one, 'what was said meanwhile', ({ heard }) => heard.includes('two'));
    assert.deepEqual((await one.story()).heard.filter((word) => typeof word === 'string'), ['one', 'two']);
    await talk(one, 'awake');
    assert.deepEqual(server.metrics(['wigwag_resume_misses_total']), [0]);
    return 'nothing lost';
  }, world.pages.filter(([one]) => one.kind === 'Chromium'));

  each('a machine sleeps until the server gives it up, and wakes', async (t, one, other) => {
    await meet(t, world, other, one, IMPATIENT);
    const wake = world.sleep(one);
    await seen(other, 'the sleeper gone', ({ presence }) => presence.at(-1) === 'gone');
    for (const word of ['one', 'two']) await other.say(word);
    wake();
    await seen(other, 'the sleeper here again', ({ presence }) => presence.at(-1) === 'here');
    await seen(one, 'what was said meanwhile', ({ heard }) => heard.includes('two'));
    assert.deepEqual((await one.story()).heard.filter((word) => typeof word === 'string'), ['one', 'two']);
    await talk(other, 'awake');
    const { presence } = await other.story();
    assert.deepEqual(presence.slice(-4), ['here', 'away', 'gone', 'here']);
    return 'nothing lost';
  });

  each('another NAT, without a word', async (t, one, other) => {
    await meet(t, world, one, other);
    await one.host.plug(world.router(t, 3, 'port'));
    return mended(one, other);
  });

  each('another network, another address', async (t, one, other) => {
    await meet(t, world, one, other);
    one.host.unplug();
    await one.host.plug(world.router(t, 3, 'port'));
    const { address } = one.host;
    t.after(() => one.host.renumber(Number(address.split('.')[3])));
    one.host.renumber(77);
    // Firefox closes all that WebRTC has opened when its last address goes. What is left is the server.
    return mended(one, other, one.kind === 'Firefox' ? 'relayed' : 'direct');
  });
}

/** Two homes, a connection, and who watches whom. @param {Test} t @param {World} world @param {Peer} one @param {Peer} other @param {Record<string, string | number>} [settings] */
async function meet(t, world, one, other, settings = {}) {
  const server = await world.server(t, { ...world.stun, ...settings });
  await world.settle(t, [one, other], 'port');
  const { id } = await other.open(server.door);
  const { id: me } = await one.open(server.door, { watch: id });
  await seen(one, 'the other', ({ presence }) => presence.at(-1) === 'here');
  const found = await one.connect(id);
  assert.ok(found.open, JSON.stringify(found));
  return { server, id, me };
}

/** Has a word come back. @param {Peer} peer @param {string} word */
async function talk(peer, word) {
  await peer.say({ call: word });
  await seen(peer, `“${word}” come back`, ({ heard }) => heard.some(({ echo }) => echo === word));
}

/** @param {Peer} one who moved @param {Peer} other @param {string} path in the end @returns {Promise<[string, number]>} */
async function mended(one, other, path = 'direct') {
  const began = Date.now();
  await one.say({ call: 'from elsewhere' });
  await seen(one, 'its word come back', ({ heard }) => heard.some(({ echo }) => echo === 'from elsewhere'));
  const ms = Date.now() - began;
  // Until another path is found the server may carry it.
  for (const peer of [one, other]) await seen(peer, `the connection ${path}`, (story) => story.states.at(-1) === 'open' && story.path === path);
  const stories = await Promise.all([one.story(), other.story()]);
  for (const { states } of stories) assert.ok(!states.includes('closed'), `${states}`);
  // Either may notice it first; who is told of a new path before its own is missed has nothing to mend. A native program sees that its address is another one.
  assert.ok([one, other].some(({ kind }) => kind === 'native') || stories.some(({ states }) => states.includes('mending')), JSON.stringify(stories.map(({ states }) => states)));
  return [path === 'direct' ? 'mended' : `mended, ${path}`, ms];
}

/** @param {Peer} peer @param {string} what @param {(story: Awaited<ReturnType<Peer['story']>>) => boolean} look */
async function seen(peer, what, look) {
  let story = await peer.story();
  await until(`${peer} to see ${what}`, async () => look((story = await peer.story())), () => `${JSON.stringify(story)}\n${peer.log}`, MEND_MS);
}
