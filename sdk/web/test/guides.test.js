// Every piece of code in the guides runs, and does what the guide says.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { Browser } from './browser.js';
import { blocksOf, runGuide } from './guides.js';
import { Server, binary } from './server.js';
import { hasTurn } from './turn.js';

const run = promisify(execFile);
const FOLDER = new URL('../../../docs/guide/', import.meta.url);
const GUIDES = (await readdir(FOLDER)).filter((name) => name.endsWith('.md')).sort();

/** @type {Server} */
let server;
/** @type {Browser} */
let browser;

before(async () => {
  [server, browser] = await Promise.all([Server.start(), Browser.start()]);
});
after(async () => {
  await Promise.all([browser?.stop(), server?.stop()]);
});

for (const name of GUIDES) {
  test(`${name} does in pages what it says`, (t) => runs(name, t));
}

async function runs(name) {
  const blocks = await blocksOf(name);
  for (const { language, line } of blocks) assert.ok(KNOWN.includes(language), `${name}:${line}: nothing checks a block of \`${language}\``);
  if (blocks.some(({ language }) => language === 'js' || language === 'html')) await runGuide(name, { browser, server });
}

test('configurations in the guides are understood', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'wigwag-guides-'));
  try {
    const [file, secret] = [join(folder, 'wigwag.toml'), join(folder, 'secret')];
    await writeFile(secret, 'a-secret-of-enough-letters\n');
    for (const { name, text, line } of await all('toml')) {
      await writeFile(file, text.replaceAll(/"\/etc\/[\w-]+-(secret|token)"/g, JSON.stringify(secret)));
      const said = await run(binary(), ['config', 'check', '--config', file]).then(() => '', ({ stdout, stderr }) => `${stdout}${stderr}`);
      // The certificates are on the reader's machine, and not here.
      const wrong = said.split('\n').filter((each) => each.startsWith('error:') && !/cannot read \/etc\//.test(each));
      assert.deepEqual(wrong, [], `${name}:${line}`);
      if (said && !/cannot read \/etc\//.test(said)) assert.fail(`${name}:${line}: ${said}`);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('commands in the guides have the options that they are given', async () => {
  for (const { name, text, line } of await all('sh')) {
    for (const command of text.replaceAll('\\\n', ' ').split('\n').filter((each) => /^(\S+\/)?wigwag(\s|$)/.test(each))) {
      const words = command.replace(/\s+#.*$/, '').split(/\s+/).slice(1);
      const subs = words.slice(0, Math.max(0, words.findIndex((word) => word.startsWith('-')) + 1 || words.length + 1)).filter((word) => /^[a-z]+$/.test(word));
      const { stdout } = await help(subs);
      for (const flag of words.filter((word) => word.startsWith('--'))) {
        assert.ok(stdout.includes(flag.split('=')[0]), `${name}:${line}: ${command}: no ${flag}`);
      }
    }
  }
});

test('what the guides tell a TURN server is known to one', { skip: !hasTurn }, async () => {
  const known = await run(process.env.TURNSERVER ?? '/usr/bin/turnserver', ['-h']).then(({ stdout, stderr }) => stdout + stderr, ({ stdout, stderr }) => stdout + stderr);
  for (const { name, text, line } of await all('conf')) {
    for (const key of text.trim().split('\n').map((each) => each.split('=')[0])) assert.ok(known.includes(`--${key}`), `${name}:${line}: ${key}`);
  }
});

test('every reason of the SDK has a line in the guide to errors', async () => {
  const folder = new URL('../', import.meta.url);
  const text = await readFile(new URL('errors.md', FOLDER), 'utf8');
  const reasons = new Set();
  for (const name of (await readdir(folder)).filter((each) => each.endsWith('.js'))) {
    const module = await readFile(new URL(name, folder), 'utf8');
    for (const [, reason] of module.matchAll(/new (?:WigwagError|CodeError)\(\s*'([a-z_]+)'/g)) reasons.add(reason);
  }
  assert.ok(reasons.size > 15);
  assert.deepEqual([...reasons].filter((reason) => !text.includes(`\`${reason}\``)), []);
});

const KNOWN = ['js', 'html', 'text', 'toml', 'sh', 'conf'];

async function all(language) {
  const found = [];
  for (const name of GUIDES) for (const block of await blocksOf(name)) if (block.language === language) found.push({ name, ...block });
  return found;
}

/** What a command says of itself; an argument is no command. */
async function help(subs) {
  for (let left = subs.length; left >= 0; left -= 1) {
    const said = await run(binary(), [...subs.slice(0, left), '--help']).catch(() => null);
    if (said) return said;
  }
  return assert.fail('there is no help');
}
