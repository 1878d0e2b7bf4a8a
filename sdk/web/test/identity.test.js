// Keys, ids, statements and signatures against the vectors, and identities that are kept.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { advice } from '../advice.js';
import { Identity, helloStatement, nameStatement } from '../identity.js';
import { memoryKeep } from '../keep.js';
import { keyId } from '../keys.js';
import { idForm, parseKey, verifyText } from '../verify.js';
import { testKey, vectors } from './vectors.js';

const { subtle } = globalThis.crypto;

test('every key of the vectors has the id that they say', async () => {
  for (const { key, id } of vectors('keys.json').valid) {
    await parseKey(subtle, key);
    assert.equal(await keyId(subtle, key), id);
  }
  assert.equal(testKey(1).id, vectors('keys.json').valid[0].id);
});

test('what is no key is refused', async () => {
  for (const { text, why } of vectors('keys.json').invalid) {
    await assert.rejects(parseKey(subtle, text), { reason: 'bad_key' }, why);
  }
});

test('a signature of a hello is good exactly where the vectors say so', async () => {
  for (const { why, ok, statement, key, signature, ...hello } of vectors('hello_signatures.json').cases) {
    assert.equal(helloStatement({ ...hello, key }), statement, why);
    assert.equal(await verifyText(subtle, key, statement, signature), ok, why);
  }
});

test('so is the signature of a change of keys', async () => {
  for (const { why, ok, statement, acting, signature, ...change } of vectors('name_signatures.json').cases) {
    assert.equal(nameStatement(change), statement, why);
    assert.equal(await verifyText(subtle, acting, statement, signature), ok, why);
  }
});

test('ids have the form that the vectors say', () => {
  for (const { text, form } of vectors('ids.json').ids.valid) assert.equal(idForm(text), form, text);
});

test('every code asks for what its class says', () => {
  const classes = { 'come back': 'retry', wait: 'slow', prove: 'prove', stop: 'stop', mend: 'mend', server: 'retry' };
  for (const { code, class: kind } of vectors('codes.json').codes) assert.equal(advice(code), classes[kind], String(code));
  for (const code of [0, 1001, 1006, 1011, 1012, 1013]) assert.equal(advice(code), 'retry');
});

for (const kind of ['ed25519', 'p256']) {
  test(`an identity of kind ${kind} signs what can be verified, and can be carried elsewhere`, async () => {
    const identity = await Identity.make({ kind, extractable: true });
    assert.equal(identity.id, await keyId(subtle, identity.key));
    assert.ok(await verifyText(subtle, identity.key, 'text', await identity.sign('text')));
    const again = await Identity.import(await identity.export());
    assert.equal(again.key, identity.key);
    assert.ok(await verifyText(subtle, identity.key, 'text', await again.sign('text')));
    await assert.rejects(again.export());
  });
}

test('an identity is made once and kept, also where two ask at the same moment', async () => {
  const keep = memoryKeep();
  const [one, two] = await Promise.all([Identity.kept({ keep }), Identity.kept({ keep })]);
  const other = await Identity.kept({ keep, name: 'other' });
  assert.equal(one.id, two.id);
  assert.notEqual(one.id, other.id);
});

test('a platform without Ed25519 gets P-256, and one with neither is told so', async () => {
  const without = (...names) => new Proxy(subtle, {
    get: (target, method) => (...args) => {
      if (method === 'generateKey' && names.includes(args[0].name)) return Promise.reject(new DOMException('no', 'NotSupportedError'));
      return target[method](...args);
    },
  });
  assert.match((await Identity.make({ subtle: without('Ed25519') })).key, /^p256:/);
  await assert.rejects(Identity.make({ subtle: without('Ed25519', 'ECDSA') }), { reason: 'unsupported' });
});

test('what is no exported identity is refused', async () => {
  for (const text of ['', 'wigwag-secret:ed25519:AAAA:AAAA', 'wigwag-secret:rsa:AAAA:AAAA']) {
    await assert.rejects(Identity.import(text), { reason: 'bad_key' });
  }
});
