// Whether two peers come together, and by which way, or why not.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { until } from '../lab/servers.js';

/** @import { Peer, World } from '../world.js' @import { Table } from '../table.js' */

/** Shorter than a peer's own patience: where there is no way, waiting longer finds none. */
const HOPELESS_MS = 4_000;

/** So long a path that comes late may take: relayed peers look for one again after ten seconds. */
const MOVE_MS = 45_000;

/** A server that carries no data itself. */
const NO_RELAY = { 'limits.relay_bytes_per_second': 0 };

/** @param {World} world @param {Table} table */
export function reach(world, table) {
  const rows = [
    {
      name: 'one LAN, nothing else but the server',
      kind: world.only, together: true, settings: {},
      finds: { path: 'direct', ours: ['host'], theirs: ['host', 'prflx'] },
    },
    {
      name: 'two homes, STUN',
      kind: 'port', settings: world.stun,
      finds: { path: 'direct', ours: ['srflx', 'prflx'], theirs: ['srflx', 'prflx'] },
    },
    {
      name: 'two homes, STUN, 5 % loss and 80 ms each way',
      kind: 'port', settings: world.stun, faults: { delay: 40, loss: 5 },
      finds: { path: 'direct', ours: ['srflx', 'prflx'], theirs: ['srflx', 'prflx'] },
    },
    {
      name: 'symmetric NATs, STUN alone',
      kind: 'symmetric', settings: world.stun,
      finds: { path: 'relayed', ours: [null], theirs: [null] },
    },
    {
      name: 'symmetric NATs, STUN alone, no relay',
      kind: 'symmetric', settings: { ...world.stun, ...NO_RELAY },
      lacks: { reason: 'no_path', tried: ['direct'], says: /TURN server/ },
    },
    {
      name: 'symmetric NATs, TURN',
      kind: 'symmetric', settings: world.relays,
      finds: { path: 'turn', ours: ['relay', 'prflx'], theirs: ['relay', 'prflx'] },
    },
    {
      name: 'no UDP, TURN by UDP alone',
      kind: 'web', settings: world.relays,
      finds: { path: 'relayed', ours: [null], theirs: [null] },
    },
    {
      name: 'no UDP, TURN by TLS at port 443',
      kind: 'web', settings: world.disguised,
      finds: { path: 'turn', ours: ['relay'], theirs: ['relay'] },
    },
    {
      name: 'nothing but the server',
      kind: world.only, settings: { ...world.stun, ...world.disguised },
      finds: { path: 'relayed', ours: [null], theirs: [null] },
    },
    {
      name: 'nothing but the server, no relay',
      kind: world.only, settings: { ...world.stun, ...world.disguised, ...NO_RELAY },
      lacks: { reason: 'no_path', tried: ['direct'], says: /ours:? host[;,] theirs:? host/i },
    },
  ];
  for (const row of rows) {
    for (const [one, other] of world.pairs) {
      const pair = `${one.kind} → ${other.kind}`;
      test(`${row.name}: ${pair}`, async (t) => {
        const server = await world.server(t, row.settings);
        await world.settle(t, [one, other], row.kind, row);
        const [{ id }] = await Promise.all([other.open(server.door), one.open(server.door)]);
        const found = await one.connect(id, row.lacks ? { deadline: HOPELESS_MS } : {});
        const { open, ms, path, reason } = found;
        // Over a bad cable the server may carry it for the first moments.
        const early = row.faults !== undefined && path === 'relayed';
        table.note(row.name, pair, open ? `${early ? row.finds.path : path}` : `\`${reason}\``, open ? ms : undefined);
        if (row.finds) {
          if (early) return moved(one, other, row.finds.path);
          assert.ok(open, `${JSON.stringify(found)}\n${one.log}\n${other.log}`);
          assert.deepEqual({ path, verified: found.verified }, { path: row.finds.path, verified: 'key' });
          // A native program is told what its end is from, not as what it is seen.
          const ours = one.kind === 'native' ? ['host', 'relay', null] : row.finds.ours;
          assert.ok(ours.includes(found.local ?? null) && row.finds.theirs.includes(found.remote ?? null), JSON.stringify(found));
          const { path: theirPath, states } = await other.story();
          assert.deepEqual({ theirPath, states }, { theirPath: path, states: ['open'] });
        } else {
          assert.deepEqual({ open, reason }, { open: false, reason: row.lacks.reason }, `${JSON.stringify(found)}\n${one.log}\n${other.log}`);
          if (found.tried) assert.deepEqual(found.tried, row.lacks.tried);
          assert.match(found.message ?? '', row.lacks.says);
        }
      });
    }
  }
}

/** A connection takes the better path when there is one. @param {Peer} one @param {Peer} other @param {string} path */
async function moved(one, other, path) {
  for (const peer of [one, other]) {
    await until(`${peer} to be on a ${path} path`, async () => (await peer.story()).path === path, () => peer.log, MOVE_MS);
  }
}
