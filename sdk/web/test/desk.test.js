// What becomes of calls while the module that makes connections is on its way.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Desk } from '../desk.js';

test('what is heard before the module is there waits in order, and only so much of it', async () => {
  const { desk, arrive, calls } = coming();
  for (let at = 0; at < 300; at += 1) desk.hear(signal(at));
  assert.deepEqual(calls.heard, []);
  await arrive();
  desk.hear(signal('later'));
  assert.deepEqual(calls.heard, [...Array.from({ length: 256 }, (_, at) => at), 'later']);
});

test('who connects waits for the module, and its time runs meanwhile', async () => {
  const { desk, arrive, calls } = coming();
  const connected = desk.connect('bob', { deadline: 10_000, meta: 1 });
  await arrive();
  assert.equal(await connected, 'connection to bob');
  const [{ deadline, meta }] = calls.asked;
  assert.ok(deadline <= 10_000 && deadline > 0);
  assert.equal(meta, 1);
});

test('a module that does not come is told, in time and by name, and the next try asks for it again', async () => {
  const { desk, arrive, fail, loads } = coming();
  await assert.rejects(desk.connect('bob', { deadline: 1 }), { reason: 'timeout', at: 'loading' });
  await assert.rejects(desk.connect('bob', { signal: AbortSignal.abort() }), { reason: 'aborted' });
  const connected = assert.rejects(desk.connect('bob'), { reason: 'not_loaded' });
  fail(new Error('no such file'));
  await connected;
  assert.equal(loads(), 1);
  const again = desk.connect('bob');
  await arrive();
  assert.equal(await again, 'connection to bob');
  assert.equal(loads(), 2);
});

test('a client that was closed while the module was on its way makes no calls', async () => {
  const { desk, arrive, calls } = coming();
  desk.hear(signal(1));
  desk.close();
  desk.hear(signal(2));
  await arrive();
  assert.deepEqual([calls.heard, calls.closed], [[], true]);
});

/** A desk whose module comes when the test says so. */
function coming() {
  const calls = {
    heard: [], asked: [], closed: false, connections: [],
    hear: ({ data }) => calls.heard.push(data),
    close: () => (calls.closed = true),
  };
  const finders = { close: () => {}, connect: async (id, options) => (calls.asked.push(options), `connection to ${id}`) };
  const loading = [];
  const load = () => new Promise((resolve, reject) => loading.push({ resolve, reject }));
  const desk = new Desk(() => /** @type {any} */ ({ calls, finders }), load);
  return {
    desk, calls,
    loads: () => loading.length,
    arrive: () => (loading.at(-1).resolve(/** @type {any} */ ({})), desk.ready()),
    fail: (error) => loading.at(-1).reject(error),
  };
}

function signal(data) {
  return { from: 'bob', device: '', kind: 'ww.hail', data, polite: true };
}
