// The words of codes (`spec/words.txt`): what a person hears or mistypes must not be another word of the list.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const text = readFileSync(new URL('../../../spec/words.txt', import.meta.url), 'utf8');
const words = text.trimEnd().split('\n');

test('the list has 2048 words, each once, in order, one a line', () => {
  assert.equal(words.length, 2048);
  assert.deepEqual(words, [...new Set(words)].sort());
  assert.equal(text, `${words.join('\n')}\n`);
});

test('every word has three to eight letters from a to z', () => {
  assert.deepEqual(words.filter((word) => !/^[a-z]{3,8}$/.test(word)), []);
});

test('one letter more, less or other, or two that changed places, makes no other word', () => {
  const pairs = [];
  words.forEach((word, at) => {
    for (const other of words.slice(at + 1)) if (isNear(word, other)) pairs.push(`${word} ${other}`);
  });
  assert.deepEqual(pairs, []);
});

test('no word is another one with an ending', () => {
  const known = new Set(words);
  const pairs = [];
  for (const word of words) {
    for (const ending of ['s', 'es', 'd', 'ed', 'ing', 'ly', 'est']) {
      if (known.has(word + ending) || (word.endsWith('e') && known.has(word.slice(0, -1) + ending))) pairs.push(`${word} ${ending}`);
    }
  }
  assert.deepEqual(pairs, []);
});

/** @param {string} a @param {string} b */
function isNear(a, b) {
  if (Math.abs(a.length - b.length) > 1) return false;
  let from = 0;
  while (from < a.length && a[from] === b[from]) from += 1;
  const [x, y] = [a.slice(from), b.slice(from)];
  const swapped = x.length > 1 && x[0] === y[1] && x[1] === y[0] && x.slice(2) === y.slice(2);
  return swapped || x.slice(1) === y.slice(1) || x.slice(1) === y || x === y.slice(1);
}
