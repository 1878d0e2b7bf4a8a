// A server that means ill has every word of the peers in its hands. It may keep them apart; it never gets between them.

import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';

import { until } from '../lab/servers.js';
import { Peer } from '../peers/peer.js';

/** @import { Page, Test, World } from '../world.js' @import { Table } from '../table.js' */

/** How long a caller waits who is answered by nobody. */
const SILENCE_MS = 2_500;

const EVE = fileURLToPath(new URL('eve.js', import.meta.url));

/** @param {World} world @param {Table} table */
export function hostile(world, table) {
  const each = (/** @type {string} */ row, /** @type {(stage: Stage) => Promise<void>} */ run) => {
    for (const [one, other] of world.pairs) {
      const pair = `${one.kind} → ${other.kind}`;
      test(`${row}: ${pair}`, async (t) => {
        await run(await prepare(t, world, one, other));
        table.note(row, pair, 'caught');
      });
    }
  };

  each('a hostile server, between key ids', async (stage) => {
    const { one, other, eve } = stage;
    let id = await stage.open('fingerprints');
    const found = await one.connect(id);
    assert.deepEqual({ open: found.open, path: found.path, verified: found.verified }, { open: true, path: 'direct', verified: 'key' }, JSON.stringify(found));
    assert.equal(await eve.ask('found'), 0, 'a fingerprint could be read');
    if ('run' in one && 'run' in other) {
      const [ours, theirs] = [await one.run(fingerprints), await other.run(fingerprints)];
      assert.deepEqual(ours, [theirs[1], theirs[0]]);
    }

    id = await stage.open('heed');
    await stage.refused(one.connect(id), { reason: 'key_mismatch' });
    assert.deepEqual((await one.story()).keys, [id]);
    for (const [plot, at] of [['hail', 'peer'], ['sender', 'peer'], ['boxes', 'path']]) {
      id = await stage.open(plot);
      await stage.refused(one.connect(id, { deadline: SILENCE_MS }), { reason: 'timeout', at });
    }
  });

  each('a hostile server that repeats what was said', async (stage) => {
    const { one, other, eve } = stage;
    const id = await stage.open('none');
    assert.ok((await one.connect(id)).open);
    await one.leave();
    await until('the call to end', async () => (await other.story()).held === 0);
    assert.ok((await eve.ask('again')) >= 4);
    // Whatever became of it has happened when a call that comes after it stands.
    assert.ok((await one.connect(id)).open);
    const story = await other.story();
    assert.deepEqual({ calls: story.calls, open: story.states }, { calls: 2, open: ['open'] });
    await eve.ask('plot', { name: 'staleHeed' });
    const { open, reason, at } = await one.connect(id, { deadline: SILENCE_MS });
    assert.deepEqual({ open, reason, at }, { open: false, reason: 'timeout', at: 'peer' });
  });

  each('a hostile server, between names that have met', async (stage) => {
    const { one, other } = stage;
    const names = { one: 'one@example.org', other: 'other@example.org' };
    let id = await stage.open('none', names);
    assert.deepEqual(verdict(await one.connect(id)), { open: true, verified: 'first' });
    id = await stage.open('none', names);
    assert.deepEqual(verdict(await one.connect(id)), { open: true, verified: 'pinned' });
    id = await stage.open('heed', names);
    await stage.refused(one.connect(id), { reason: 'key_mismatch' });
    id = await stage.open('hail', names);
    await stage.refused(one.connect(id, { deadline: SILENCE_MS }), { reason: 'timeout', at: 'peer' });
    assert.deepEqual((await other.story()).keys, [names.one]);
  });

  each('a hostile server, between names whose key was told', async (stage) => {
    const { one } = stage;
    const id = await stage.open('heed', { one: 'one@example.org', other: 'other@example.org' });
    const { key } = stage;
    await stage.refused(one.connect(id, { key }), { reason: 'key_mismatch' });
    await stage.eve.ask('plot', { name: 'none' });
    assert.deepEqual(verdict(await one.connect(id, { key })), { open: true, verified: 'pinned' });
  });
}

/** Two peers whose only way to each other's words is Eve's. @param {Test} t @param {World} world @param {Page} one @param {Page} other */
async function prepare(t, world, one, other) {
  const server = await world.server(t, {});
  const place = world.elsewhere;
  const eve = new Peer(place, 'a hostile server', process.execPath, [EVE, place.address, server.door.url]);
  t.after(() => eve.stop());
  await eve.ask('found');
  await world.settle(t, [one, other], 'port', { together: true });
  // The page itself comes from an honest place: who is given other code has lost before it begins.
  return new Stage(eve, one, other, { ...server.door, url: `ws://${place.address}/v1` });
}

class Stage {
  /** @param {Peer} eve @param {Page} one @param {Page} other @param {import('../peers/peer.js').Door} door */
  constructor(eve, one, other, door) {
    this.eve = eve;
    this.one = one;
    this.other = other;
    this.door = door;
    this.key = '';
  }

  /** Lets both in anew, and tells Eve what to do. @param {string} plot @param {{ one?: string, other?: string }} [names] */
  async open(plot, names = {}) {
    const [{ id, key }] = await Promise.all([this.other.open(this.door, { id: names.other }), this.one.open(this.door, { id: names.one })]);
    await this.eve.ask('plot', { name: plot });
    this.key = key;
    return id;
  }

  /** @param {Promise<import('../peers/peer.js').Outcome>} call @param {{ reason: string, at?: string }} expected */
  async refused(call, expected) {
    const { open, reason, at } = await call;
    assert.deepEqual({ open, reason, at }, { open: false, at: undefined, ...expected });
    // Nobody has a connection of it: not with the peer, and not with anybody else.
    for (const peer of [this.one, this.other]) assert.equal((await peer.story()).path, null);
    assert.equal((await this.other.story()).calls, 0);
  }
}

/** @param {import('../peers/peer.js').Outcome} outcome */
function verdict({ open, verified }) {
  return { open, verified };
}

/** In the page: of the connection's own certificate, and of the one that it saw at the other end. */
function fingerprints() {
  const { currentLocalDescription: ours, currentRemoteDescription: theirs } = /** @type {any} */ (globalThis).last.raw;
  return [ours, theirs].map(({ sdp }) => /a=fingerprint:(.*)/.exec(sdp)?.[1].trim().toLowerCase());
}
