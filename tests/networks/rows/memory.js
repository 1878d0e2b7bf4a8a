// Many connections, one after the other, leave nothing behind: not in the page, and not in the server.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { until } from '../lab/servers.js';

/** @import { World } from '../world.js' @import { Table } from '../table.js' */

/** How many there are before the first look, and how many at the end; `CYCLES=1000` takes longer and finds slower leaks. */
const CYCLES = Number(process.env.CYCLES ?? 250);
const WARM = CYCLES / 5;

/** More than this for each further connection is a leak: one connection's own objects are many times as large. */
const BYTES_EACH = 1_024;
const SERVER_KB = 4_096;

/** @param {World} world @param {Table} table */
export function memory(world, table) {
  const row = 'connections, one after the other';
  test(`${row}: ${CYCLES} of them leave nothing behind`, { timeout: 900_000 }, async (t) => {
    const [one, other] = [world.alice, world.bob];
    const server = await world.server(t, {});
    await world.settle(t, [one, other], 'port', { together: true });
    const { id } = await other.open(server.door);
    await one.open(server.door);
    const weigh = async () => {
      // What the peers of the test remember for it is not what is weighed.
      for (const peer of [one, other]) await peer.run(() => (/** @type {any} */ (globalThis).heard.length = 0));
      await until('the last to be gone', async () => (await other.story()).held === 0 && (await one.story()).held === 0);
      await until('all that was told to be confirmed', () => server.metrics(['wigwag_queued_frames'])[0] === 0, () => server.log);
      const pages = await Promise.all([one.ask('weigh'), other.ask('weigh')]);
      const gauges = ['wigwag_sessions', 'wigwag_sockets', 'wigwag_rooms', 'wigwag_watches', 'wigwag_stored_signals'];
      return { pages, memory: server.memory(), gauges: server.metrics(gauges) };
    };
    await cycle(one, id, WARM);
    const before = await weigh();
    await cycle(one, id, CYCLES - WARM);
    const after = await weigh();
    const more = CYCLES - WARM;
    console.log(`after ${WARM}: ${JSON.stringify(before)}\nafter ${CYCLES}: ${JSON.stringify(after)}`);
    assert.deepEqual(after.gauges, before.gauges);
    for (const [at, page] of after.pages.entries()) {
      const was = before.pages[at];
      assert.ok(page.heap - was.heap < BYTES_EACH * more, `${[one, other][at]}: ${Math.round((page.heap - was.heap) / more)} bytes stay of each`);
      assert.ok(page.connections <= was.connections + 2 && page.channels <= was.channels + 2 && page.sockets <= was.sockets, JSON.stringify([was, page]));
    }
    assert.ok(after.memory - before.memory < SERVER_KB, `the server grew from ${before.memory} to ${after.memory} KB`);
    table.note(row, `${one.kind} → ${other.kind}`, 'nothing left');
  });
}

/** In portions, because a page is not waited for without end. @param {import('../world.js').Peer} peer @param {string} id @param {number} times */
async function cycle(peer, id, times) {
  for (let done = 0; done < times; done += 25) {
    await peer.run(async (/** @type {string} */ to, /** @type {number} */ count) => {
      for (let at = 0; at < count; at += 1) {
        const connection = await /** @type {any} */ (globalThis).w.connect(to);
        const back = connection.once('message');
        await connection.send({ call: at });
        await back;
        connection.close();
      }
    }, id, Math.min(25, times - done));
  }
}
