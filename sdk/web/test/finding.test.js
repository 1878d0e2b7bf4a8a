// The machine that tries several finders: `spec/vectors/finding.json`, and what holds whatever happens in whichever order.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Race } from '../finding.js';
import { seeded } from './seeded.js';
import { vectors } from './vectors.js';

const SEEDS = Number(process.env.SEEDS ?? 2_000);

for (const { why, order, deadline, finders, steps } of vectors('finding.json').cases) {
  test(why, () => {
    const race = new Race({ finders, order, deadline });
    for (const { at, input, outputs, next } of steps) {
      assert.deepEqual(race.handle(at, input), outputs, `at ${at}`);
      assert.equal(race.deadline, next ?? Infinity, `when to come back, at ${at}`);
    }
  });
}

test(`whatever happens, everybody who began is let go, and there is one end in time (${SEEDS} seeds)`, () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    try {
      holds(seed);
    } catch (error) {
      error.message = `seed ${seed}: ${error.message}`;
      throw error;
    }
  }
});

/** One search in which finders answer, are silent and talk out of turn. @param {number} seed */
function holds(seed) {
  const random = seeded(seed);
  const below = (/** @type {number} */ end) => Math.floor(random() * end);
  const order = random() < 0.5 ? 'race' : 'ladder';
  const finders = Array.from({ length: below(5) }, (_, at) => ({ name: `f${at}`, ...(random() < 0.5 && { ms: below(1_500) }) }));
  const deadline = below(2_000);
  const race = new Race({ finders, order, deadline });
  const began = [];
  const running = new Set();
  let end = null;
  let now = below(100);
  const from = now;
  const tell = (input) => {
    const before = new Set(running);
    if (input.type === 'won' || input.type === 'lost') running.delete(input.finder);
    for (const output of race.handle(now, input)) {
      assert.equal(end, null, 'nothing follows the end');
      if (output.type === 'begin') {
        assert.ok(!began.includes(output.finder), 'who begins, begins once');
        assert.ok(output.ms >= 0 && now + output.ms <= from + deadline, 'no time goes beyond the deadline');
        if (order === 'ladder') assert.equal(running.size, 0, 'a ladder asks one at a time');
        began.push(output.finder);
        running.add(output.finder);
      } else if (output.type === 'cancel') {
        assert.ok(running.delete(output.finder), 'only who runs is cancelled');
      } else {
        end = output;
        if (output.type === 'won') assert.ok(input.type === 'won' && input.finder === output.finder && before.has(output.finder), 'who wins has just said so');
        else assert.deepEqual(output.tried.map(({ finder }) => finder), finders.map(({ name }) => name), 'everybody is accounted for');
      }
    }
    if (input.type === 'abort') end ??= input;
  };
  tell({ type: 'start' });
  assert.deepEqual(began, finders.map(({ name }) => name).slice(0, order === 'race' ? undefined : 1), 'a race asks all, a ladder the first');
  while (!end) {
    const due = race.deadline;
    assert.ok(due <= from + deadline + 250, 'it wants to be asked in time');
    const wait = below(600);
    now = Math.min(now + wait, Math.max(due, now));
    const finder = `f${below(5)}`;
    const chance = random();
    if (now === due || chance < 0.3) tell({ type: 'tick' });
    else if (chance < 0.4) tell({ type: 'won', finder });
    else if (chance < 0.8) tell({ type: 'lost', finder, reason: 'absent' });
    else if (chance < 0.85) tell({ type: 'abort' });
  }
  assert.equal(running.size, 0, 'nobody runs on');
  assert.equal(race.deadline, Infinity, 'it wants to be asked no more');
}
