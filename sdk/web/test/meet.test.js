// What two sign over an open channel, byte for byte. Two browsers that do it are in `by-code.test.js`.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { keyId } from '../keys.js';
import { fingerprints, statement } from '../meet.js';
import { verifyText } from '../verify.js';
import { testKey, vectors } from './vectors.js';

const { subtle } = globalThis.crypto;

for (const { why, offerer, acceptor, fingerprints: prints, offers, namespace, id, test_key: number, key, statement: text, signature, guest } of vectors('channel_proofs.json').cases) {
  test(why, async () => {
    assert.deepEqual([offerer, acceptor].map((lines) => fingerprints(lines.map((line) => `${line}\r\n`).join(''))), prints);
    assert.equal(statement(offers, namespace, id, key, prints), text);
    assert.equal(testKey(number).key, key);
    assert.equal(testKey(number).sign(text), signature);
    assert.ok(await verifyText(subtle, key, text, signature));
    assert.equal(`~${(await keyId(subtle, prints.join('\n'))).slice(0, 20)}`, guest);
  });
}
