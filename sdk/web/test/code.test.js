// Codes as texts and bytes: the vectors that Rust reads as well, and damage by chance.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { CodeError, readCode, writeCode } from '../code.js';
import { seeded } from './seeded.js';
import { vectors } from './vectors.js';

const valid = vectors('join_codes_valid.json').cases;

test('a code gives back what matters of its description', async () => {
  for (const { why, type, answers, tag, code, rebuilt, rebuilt_bytes: bytes } of valid) {
    const read = await readCode(code, { type, answers });
    assert.deepEqual([read.type, read.tag, read.answers], [type, tag, answers], why);
    if (bytes) assert.equal(read.sdp.length, bytes, why);
    else assert.equal(read.sdp, text(rebuilt), why);
  }
});

test('a description becomes the code that every writer makes', async () => {
  for (const { why, type, answers, tag, code, sdp, full, rebuilt } of valid.filter(({ sdp }) => sdp)) {
    const made = await writeCode({ type, sdp: text(sdp) }, answers);
    if (full) assert.equal((await readCode(made.code)).sdp, text(rebuilt), why);
    else assert.deepEqual(made, { code, tag }, why);
  }
});

test('a code is read however it was carried', async () => {
  const { code, cases } = vectors('join_codes_typed.json');
  const meant = await readCode(code);
  for (const { why, text: typed } of cases) assert.deepEqual(await readCode(typed), meant, why);
});

test('what is not the code that is wanted is refused with a reason, and words for a person', async () => {
  for (const { why, text: typed, type, answers, error } of vectors('join_codes_invalid.json').cases) {
    await assert.rejects(readCode(typed, { type, answers }), (refused) => {
      assert.ok(refused instanceof CodeError, `${why}: ${refused}`);
      assert.equal(refused.reason, error, why);
      return refused.message.length > 10;
    });
  }
});

test('each description gets the body that can hold it', async () => {
  for (const { why, type, sdp, body, code, rebuilt, error } of vectors('join_codes_descriptions.json').cases) {
    const made = writeCode({ type, sdp: text(sdp) }, 7);
    if (error) {
      await assert.rejects(made, { reason: error }, why);
      continue;
    }
    const written = await made;
    if (body === 'short') assert.equal(written.code, code, why);
    assert.equal((await readCode(written.code)).sdp, text(rebuilt), why);
  }
});

test('damage by chance is found', async () => {
  const random = seeded(7);
  const pick = (/** @type {number} */ below) => Math.floor(random() * below);
  for (let round = 0; round < 3_000; round += 1) {
    const { code } = valid[pick(valid.length - 2)];
    const at = pick(code.length);
    const sign = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'[pick(32)];
    const next = code[at + 1] ?? '';
    const broken = [
      code.slice(0, at) + sign + code.slice(at + 1),
      code.slice(0, at) + next + code[at] + code.slice(at + 2),
      code.slice(0, at) + code.slice(at + 1),
      code.slice(0, at),
      code.slice(0, at) + sign + code.slice(at),
    ][round % 5] ?? '';
    if (broken === code) continue;
    await assert.rejects(readCode(broken), CodeError, broken);
  }
});

test('a description in full may be as large as its bound, and not larger', async () => {
  const sdp = 'v=0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\na=fingerprint:sha-256 00\r\na=setup:active\r\n';
  const largest = sdp + 'a'.repeat(65536 - sdp.length);
  assert.equal((await readCode((await writeCode({ type: 'offer', sdp: largest })).code)).sdp, largest);
  await assert.rejects(writeCode({ type: 'offer', sdp: `${largest}a` }), { reason: 'too_large' });
  const random = seeded(1);
  const noise = Array.from({ length: 60_000 }, () => String.fromCharCode(33 + Math.floor(random() * 90))).join('');
  await assert.rejects(writeCode({ type: 'offer', sdp: sdp + noise }), { reason: 'too_large' });
});

/** @param {string[]} lines */
function text(lines) {
  return lines.map((line) => `${line}\r\n`).join('');
}
