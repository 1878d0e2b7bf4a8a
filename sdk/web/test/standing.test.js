// What is asked for again by a fresh session: the names that are wanted now, however the wishes and the server's answers crossed.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Standing } from '../standing.js';
import { seeded } from './seeded.js';

test('what is taken back before the server answered is not asked for again', async () => {
  const { standing, line, stands } = standingOn();
  const added = standing.add(['bob', 'carol']);
  const removed = standing.remove(['bob']);
  line.answer();
  line.answer();
  await Promise.all([added, removed]);
  assert.deepEqual(stands(), ['carol']);
});

test('what is wanted again after that is', async () => {
  const { standing, line, stands } = standingOn();
  const all = [standing.add(['bob']), standing.remove(['bob']), standing.add(['bob'])];
  for (const _ of all) line.answer();
  await Promise.all(all);
  assert.deepEqual(stands(), ['bob']);
});

test('what the server refuses is not asked for again', async () => {
  const { standing, line, stands } = standingOn();
  const added = standing.add(['bob']);
  line.answer(new Error('too many'));
  await assert.rejects(added);
  assert.deepEqual(stands(), []);
});

test('whatever the order of wishes and answers, what stands in the end is what the last wish said', async () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const random = seeded(seed);
    const { standing, line, stands } = standingOn();
    const wanted = new Set();
    const asked = [];
    for (let step = 0; step < 30; step += 1) {
      const name = `peer${Math.floor(random() * 3)}`;
      const chance = random();
      if (chance < 0.4) asked.push(standing.add([name])) && wanted.add(name);
      else if (chance < 0.7) asked.push(standing.remove([name])) && wanted.delete(name);
      else if (line.waiting) line.answer();
      if (random() < 0.3) await Promise.resolve();
    }
    while (line.waiting) line.answer();
    await Promise.all(asked);
    assert.deepEqual(stands().sort(), [...wanted].sort(), `seed ${seed}`);
  }
});

/** A set on a line whose server answers, in order, when the test says so. */
function standingOn() {
  const asks = [];
  const kept = new Map();
  const line = {
    get waiting() {
      return asks.length;
    },
    answer: (error) => {
      const { resolve, reject } = asks.shift();
      if (error) reject(error);
      else resolve();
    },
    ask: () => new Promise((resolve, reject) => asks.push({ resolve, reject })),
    stand: (key, frame) => (frame ? kept.set(key, frame) : kept.delete(key)),
  };
  const standing = new Standing(/** @type {any} */ (line), 'watch', 'unwatch', 'ids');
  return { standing, line, stands: () => [...kept.values()].flatMap(({ ids }) => ids) };
}
