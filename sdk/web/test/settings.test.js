// Where the servers come from where an app does not say, and what a person may type.

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

import { Wigwag } from '../index.js';
import { chooseServer, chosenServer, servers, socketUrl } from '../settings.js';

afterEach(() => {
  delete globalThis.document;
  Object.defineProperty(globalThis, 'localStorage', { configurable: true, value: undefined });
});

test('what a person types is one address, however it is written', () => {
  for (const [typed, url] of [
    ['example.org', 'wss://example.org/v1'],
    ['example.org:8443/wig', 'wss://example.org:8443/wig/v1'],
    ['https://example.org', 'wss://example.org/v1'],
    ['http://example.org/', 'ws://example.org/v1'],
    ['wss://example.org/v1', 'wss://example.org/v1'],
    ['wss://example.org/#here', 'wss://example.org/v1'],
    ['localhost:8080', 'ws://localhost:8080/v1'],
    ['127.0.0.1:8080', 'ws://127.0.0.1:8080/v1'],
    ['[::1]:8080', 'ws://[::1]:8080/v1'],
  ]) assert.equal(socketUrl(typed), url, typed);
  for (const typed of ['', 'ftp://example.org', 'https://', 'two words']) assert.throws(() => socketUrl(typed), TypeError, typed);
});

test('what the app says counts, then what a person chose, then the page, then the build, then where the files came from', async () => {
  const told = () => servers().map(({ url }) => url);
  assert.deepEqual(told(), []);
  const built = await bundled({ 'import.meta.env': '{"VITE_WIGWAG_URL":"built.example.org other.example.org"}' });
  assert.deepEqual(built.servers(), [{ url: 'wss://built.example.org/v1' }, { url: 'wss://other.example.org/v1' }]);
  const served = await bundled({ 'import.meta.url': '"https://served.example.org/wigwag/0123abcd/settings.js"' });
  assert.deepEqual(served.servers(), [{ url: 'wss://served.example.org/v1' }]);
  page('page.example.org  second.example.org');
  for (const { servers: each } of [{ servers }, built, served]) assert.deepEqual(each().map(({ url }) => url), ['wss://page.example.org/v1', 'wss://second.example.org/v1']);
  storage();
  chooseServer('chosen.example.org');
  for (const { servers: each } of [{ servers }, built]) assert.deepEqual(each().map(({ url }) => url), ['wss://chosen.example.org/v1']);
  assert.deepEqual(servers(['given.example.org', { url: 'lan.local', name: 'lan' }]), [{ url: 'wss://given.example.org/v1' }, { url: 'wss://lan.local/v1', name: 'lan' }]);
  chooseServer(null);
  assert.deepEqual(told(), ['wss://page.example.org/v1', 'wss://second.example.org/v1']);
});

test('a build by a bundler that knows no environment, and files that no server serves, say nothing', async () => {
  const built = await bundled({ 'import.meta.env': '{"VITE_WIGWAG_URL":""}', 'import.meta.url': '"https://cdn.example.org/settings.js"' });
  assert.deepEqual([built.servers(), (await bundled({ 'import.meta.env': 'undefined' })).servers()], [[], []]);
});

test('a choice is checked when it is made, and passed over where something else wrote it', () => {
  const kept = storage();
  assert.throws(() => chooseServer('two words'), TypeError);
  assert.equal(chosenServer(), undefined);
  chooseServer('https://example.org');
  assert.deepEqual([chosenServer(), [...kept]], ['wss://example.org/v1', [['wigwag.url', 'wss://example.org/v1']]]);
  kept.set('wigwag.url', 'two words');
  page('page.example.org');
  assert.equal(chosenServer(), undefined);
  assert.deepEqual(servers(), [{ url: 'wss://page.example.org/v1' }]);
});

test('a page that may keep nothing has its servers all the same', () => {
  Object.defineProperty(globalThis, 'localStorage', { configurable: true, get: () => { throw new Error('forbidden'); } });
  page('page.example.org');
  assert.deepEqual([chosenServer(), servers()], [undefined, [{ url: 'wss://page.example.org/v1' }]]);
});

test('without any server a client says so', async () => {
  await assert.rejects(Wigwag.start({ identity: 'guest' }), { reason: 'no_server' });
});

/** A page with this `<meta name="wigwag-url">`. @param {string} content */
function page(content) {
  const meta = { getAttribute: (/** @type {string} */ name) => (name === 'content' ? content : null) };
  globalThis.document = /** @type {any} */ ({ querySelector: (/** @type {string} */ which) => (which === 'meta[name="wigwag-url"]' ? meta : null) });
}

/** A local storage, as a map. */
function storage() {
  const kept = new Map();
  const value = { getItem: (name) => kept.get(name) ?? null, setItem: (name, text) => void kept.set(name, text), removeItem: (name) => void kept.delete(name) };
  Object.defineProperty(globalThis, 'localStorage', { configurable: true, value });
  return kept;
}

/** The module as a bundler with these definitions makes it. @param {Record<string, string>} define */
async function bundled(define) {
  const entryPoints = [fileURLToPath(new URL('../settings.js', import.meta.url))];
  const { outputFiles } = await build({ entryPoints, bundle: true, format: 'esm', write: false, define });
  return import(`data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`);
}
