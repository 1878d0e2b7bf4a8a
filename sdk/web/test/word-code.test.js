// Codes of words: what people type, what becomes of it, and the secret that comes of it.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { Secret } from '../secret.js';
import { TITLE, WordCode } from '../word-code.js';
import { WORDS } from '../words.js';
import { vectors } from './vectors.js';

test('the list is the one of the specification', () => {
  assert.equal(`${WORDS.join('\n')}\n`, readFileSync(new URL('../../../spec/words.txt', import.meta.url), 'utf8'));
});

test('a new code has four words of the list, and reads as itself', () => {
  const code = WordCode.make();
  assert.equal(code.words.length, 4);
  assert.equal(WordCode.read(String(code)).text, code.text);
  assert.notEqual(WordCode.make().text, code.text);
  assert.equal(WordCode.make(6).words.length, 6);
  for (const count of [3, 33, Number.NaN]) assert.throws(() => WordCode.make(count), { reason: 'bad_field' });
});

test('whatever stands between words separates them, and capitals are no others', () => {
  for (const text of ['apricot-guitar-lemon-tiger', '  Apricot guitar, LEMON\ttiger.\n', 'apricot/guitar/lemon/tiger']) {
    assert.equal(WordCode.read(text).text, 'apricot-guitar-lemon-tiger');
  }
});

test('a mistyped word is told at once, with the one that was meant', () => {
  for (const [typed, meant] of [['aprcot', 'apricot'], ['giutar', 'guitar'], ['lemn', 'lemon'], ['tigers', 'tiger'], ['umbr', 'umbrella']]) {
    assert.throws(() => WordCode.read(`${typed} guitar lemon tiger`), { reason: 'bad_word', word: typed, suggestion: meant });
  }
  assert.throws(() => WordCode.read('xqzzwkv guitar lemon tiger'), { reason: 'bad_word', suggestion: undefined });
  assert.throws(() => WordCode.read(`${'x'.repeat(100_000)} guitar lemon tiger`), { reason: 'bad_word' });
  for (const text of ['', '-', 'apricot guitar lemon']) assert.throws(() => WordCode.read(text), { reason: 'too_short' });
  assert.throws(() => WordCode.read('apricot '.repeat(10_000)), { reason: 'too_long' });
});

test('a code of words is told from the join code of a room', () => {
  for (const text of ['apricot guitar lemon tiger', 'aprcot-guitar-lemon', 'APRICOT Guitar lemon tiger']) assert.ok(WordCode.isLike(text), text);
  for (const text of ['', 'K7PM-3XTD', 'KPMF-XTDA', 'k7pm 3xtd', 'kpmf xtda', 'a1 b2 c3 d4']) assert.ok(!WordCode.isLike(text), text);
});

test('codes, their secrets and their rooms are those of the vectors', async () => {
  const { codes, bad_codes: bad } = vectors('files.json');
  for (const { typed, code, secret, room } of codes) {
    const read = WordCode.read(typed);
    assert.deepEqual([read.text, await read.secret()], [code, secret]);
    assert.equal((await Secret.make(crypto.subtle, secret, TITLE)).name, room);
  }
  for (const { typed, word } of bad) assert.throws(() => WordCode.read(typed), { word });
});
