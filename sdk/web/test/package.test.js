// The package as apps get it: its types fit a strict program, and its entries are there.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';

import { build } from 'esbuild';

const run = promisify(execFile);
const HERE = fileURLToPath(new URL('..', import.meta.url));

test('what is packed has every entry, and a strict program can be written against it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'wigwag-package-'));
  try {
    await run('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: HERE });
    const { name, version, exports } = JSON.parse(await readFile(join(HERE, 'package.json'), 'utf8'));
    await run('tar', ['xzf', `${name}-${version}.tgz`], { cwd: folder });
    await mkdir(join(folder, 'node_modules'));
    await rename(join(folder, 'package'), join(folder, 'node_modules', name));
    for (const entry of Object.values(exports)) {
      const files = typeof entry === 'string' ? [entry] : Object.values(entry);
      for (const file of files) await readFile(join(folder, 'node_modules', name, file));
      if (typeof entry !== 'string') assert.equal(Object.keys(entry)[0], 'types');
    }
    await writeFile(join(folder, 'package.json'), '{"type":"module"}');
    await writeFile(join(folder, 'program.ts'), PROGRAM);
    const options = ['--strict', '--noEmit', '--module', 'nodenext', '--target', 'es2022', '--lib', 'es2023,dom,dom.iterable'];
    await run(join(HERE, 'node_modules/.bin/tsc'), [...options, 'program.ts'], { cwd: folder }).catch(({ stdout }) => assert.fail(stdout));
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('what an app loads first is small, and what makes connections comes later', async () => {
  const { first, later } = await weigh(`export * from './index.js'`);
  assert.ok(first < 15_000, `${first} bytes, compressed`);
  assert.ok(later > 0, 'nothing was left for later');
});

test('the entry with everything in it loads nothing later', async () => {
  const { metafile } = await bundle(`export * from './all.js'`, { splitting: false });
  const outputs = Object.values(metafile.outputs);
  assert.deepEqual(outputs.map(({ imports }) => imports), [[]]);
});

const PROGRAM = `
import { Identity, Wigwag, WigwagError, roomSecret, type Connection, type Finder, type Invitation } from 'wigwag';
import { WordCode, gather, meetByWords, receiveFiles, sendFiles, type Received } from 'wigwag/files';
import { Network } from 'wigwag/network';
import { Swarm } from 'wigwag/swarm';
const w = await Wigwag.open({ servers: 'wss://wigwag.example.org/v1', identity: await Identity.make() });
const room = await w.join('den', { mode: 'FREE_FOR_ALL' });
room.on('joined', ({ member }) => member.id.toUpperCase());
const den = await w.join({ secret: roomSecret(), mesh: { max: 8, accept: (member) => member.id !== 'eve' } });
den.on('connected', ({ member, connection }) => connection.send(member.key ?? member.id));
const reached: number = await den.send({ a: 1 });
reached.toFixed();
for await (const event of room) if (event.type === 'said') event.from.length;
const connection: Connection = await w.connect('bob@example.org', { deadline: 5_000 });
connection.on('message', ({ data }) => data);
const stop: () => void = w.on('presence', (event) => event.lastSeen?.getTime());
try {
  await connection.send({ a: 1 });
} catch (error) {
  if (error instanceof WigwagError) error.reason.length;
}
stop();
const friends: Finder = {
  name: 'friends',
  find: async (id, { signal }) => (signal.aborted ? null : { state: 'here', record: await w.record({ seconds: 60, where: id }) }),
};
const { finder } = await w.find('bob@example.org', { finders: [friends, { name: 'server', ms: 500 }], order: 'ladder' });
finder.length;
w.on('finding', ({ target, progress }) => target.length + progress.finder.length);
const invitation: Invitation = await w.offerCode();
(await w.connect(invitation.code, { showCode: (code) => code.length })).peer.id.length;
const network = await Network.join(w, 'tom', { beatEvery: 1_000 });
network.on('joined', ({ node }) => node.roles.length);
(await Swarm.join(w, 'file', { want: 3 })).found.peers.length;
const parcel = await gather([new File([], 'a')]);
const { connection: met, offer } = await meetByWords(w, WordCode.make(), { offer: parcel, name: 'Al' });
sendFiles(met, parcel).on('progress', ({ moved, bytes }) => moved / bytes);
(offer?.files ?? 0).toFixed();
receiveFiles(connection, async (receiving) => {
  await receiving.accept(await navigator.storage.getDirectory(), { want: ({ path, size }) => size < 1e9 && path.length > 0 });
  const received: Received[] = await receiving.done;
  received[0]?.blob?.size;
});
// @ts-expect-error: a finder has a name
await w.connect('bob@example.org', { finders: [{ find: async () => null }] });
// @ts-expect-error: there is no such order
await w.connect('bob@example.org', { order: 'any' });
// @ts-expect-error: there is no such event
w.on('nonsense', () => {});
// @ts-expect-error: there is no such mode
await room.setMode('EVERYBODY');
`;

/** Bytes of an entry as a bundler splits it, compressed: those that a page needs to begin, and those that come when they are needed. @param {string} entry */
async function weigh(entry) {
  const { outputFiles, metafile } = await bundle(entry, { splitting: true });
  const outputs = new Map(Object.entries(metafile.outputs).map(([path, output]) => [join(HERE, path), output]));
  const weight = new Map(outputFiles.map(({ path, contents }) => [path, gzipSync(contents).length]));
  const first = new Set();
  const take = (path) => {
    if (first.has(path)) return;
    first.add(path);
    for (const { path: next, kind } of outputs.get(path).imports) if (kind === 'import-statement') take(join(HERE, next));
  };
  take([...outputs].find(([, { entryPoint }]) => entryPoint?.endsWith('<stdin>'))[0]);
  const sum = (paths) => paths.reduce((total, path) => total + weight.get(path), 0);
  return { first: sum([...first]), later: sum([...weight.keys()].filter((path) => !first.has(path))) };
}

/** @param {string} entry @param {object} options */
function bundle(entry, options) {
  return build({
    stdin: { contents: entry, resolveDir: HERE }, absWorkingDir: HERE, outdir: join(HERE, 'bundle'), bundle: true, minify: true, format: 'esm',
    platform: 'browser', target: 'es2022', metafile: true, write: false, ...options,
  });
}
