// The guides as programs: their blocks of code run in pages of their own, in the order in which they stand, and what they print is compared with what they say.
//
// ```js NAME    runs in the page NAME, as a part of one module        ```js NAME later    the same; what follows does not wait for its end
// ```html NAME …  is the page NAME, and those named after it            ```text NAME       what that page prints, `…` for anything
// A prompt with a text in it shows that text to a person, and one without asks for what was shown in another page.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

const FOLDER = new URL('../../../docs/guide/', import.meta.url);
const SDK = fileURLToPath(new URL('..', import.meta.url));
const STEP_MS = 60_000;

/** The blocks of a guide, with the line at which each begins. @param {string} name */
export async function blocksOf(name) {
  const blocks = [];
  let open = null;
  for (const [at, line] of (await readFile(new URL(name, FOLDER), 'utf8')).split('\n').entries()) {
    const fence = /^\s*```(\S*)\s*(.*)$/.exec(line);
    if (open && fence) {
      blocks.push({ ...open, text: `${open.lines.join('\n')}\n` });
      open = null;
    } else if (open) open.lines.push(line);
    else if (fence) open = { language: fence[1], words: fence[2].split(' ').filter(Boolean), line: at + 1, lines: [] };
  }
  assert.equal(open, null, `${name}: a block does not end`);
  return blocks;
}

/** Runs a guide's pages. @param {string} name @param {{ browser: import('./browser.js').Browser, server: import('./server.js').Server }} world */
export async function runGuide(name, { browser, server }) {
  const blocks = await blocksOf(name);
  const steps = blocks.filter(({ language }) => language === 'js' || language === 'html');
  for (const { words, line } of steps) assert.ok(words[0], `${name}:${line}: which page runs this?`);
  const names = [...new Set(steps.flatMap(({ language, words }) => (language === 'html' ? words : words.slice(0, 1))))];
  const site = new GuideSite(names, steps, (text) => placed(text, server, browser.files));
  await once(site.server.listen(0, '127.0.0.1'), 'listening');
  const pages = new Map();
  const shown = [];
  try {
    for (const each of names) {
      const context = await browser.program.createBrowserContext();
      const page = Object.assign(await context.newPage(), { said: [], faults: [] });
      page.on('console', (message) => page.said.push(message.text()));
      page.on('pageerror', (error) => page.faults.push(String(error?.message ?? error)));
      page.on('dialog', (dialog) => void carry(dialog, each, shown));
      await page.evaluateOnNewDocument(() => {
        const gates = {};
        globalThis.gate = (step) => (gates[step] ??= (() => {
          let open;
          const promise = new Promise((resolve) => (open = resolve));
          return { promise, open };
        })());
        globalThis.done = new Set();
      });
      pages.set(each, page);
    }
    const ended = (at, { words: [page], line }) => until(`${name}:${line}`, pages.get(page), () => pages.get(page).evaluate((step) => globalThis.done.has(step), at));
    for (const block of blocks) {
      const { language, words: [page, later], line } = block;
      const at = steps.indexOf(block);
      if (language === 'html') {
        for (const each of block.words) await pages.get(each).goto(`${site.http}/${each}.html`);
      } else if (language === 'js') {
        await begin(pages.get(page), `${site.http}/${page}`, at);
        if (later !== 'later') await ended(at, block);
      } else if (language === 'text' && page) {
        assert.ok(pages.has(page), `${name}:${line}: there is no page ${page}`);
        for (const wanted of block.text.trimEnd().split('\n')) await until(`${name}:${line}: "${wanted}"`, pages.get(page), async () => isSaid(pages.get(page), wanted));
      }
    }
    for (const [at, step] of steps.entries()) if (step.words[1] === 'later') await ended(at, step);
    for (const [each, { faults }] of pages) assert.deepEqual(faults, [], `${name}: in the page ${each}`);
  } finally {
    await Promise.all([...pages.values()].map((page) => page.browserContext().close()));
    site.server.close();
  }
}

/** Opens a page's gate for a step, after loading its module. */
async function begin(page, url, step) {
  if (!page.url().startsWith(url)) {
    await page.goto(`${url}.html`);
    await page.evaluate((module) => void import(module).catch((error) => {
      // Shown where a page's other faults are.
      setTimeout(() => { throw error; }, 0);
    }), `${url}.js`);
  }
  await page.evaluate((at) => globalThis.gate(at).open(), step);
}

/** A person between two pages: what one shows is typed into another. */
async function carry(dialog, page, shown) {
  if (dialog.defaultValue()) {
    shown.push({ page, text: dialog.defaultValue() });
    return dialog.accept(dialog.defaultValue());
  }
  const deadline = Date.now() + STEP_MS;
  for (;;) {
    const at = shown.findIndex((each) => each.page !== page);
    if (at >= 0 || Date.now() > deadline) return dialog.accept(at >= 0 ? shown.splice(at, 1)[0].text : '');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Whether a page printed a line; `…` stands for anything. */
function isSaid({ said }, wanted) {
  const pattern = new RegExp(`^${wanted.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll('…', '.*')}$`);
  return said.some((line) => pattern.test(line));
}

async function until(what, page, look) {
  const deadline = Date.now() + STEP_MS;
  for (;;) {
    if (await look()) return;
    if (page.faults.length || Date.now() > deadline) assert.fail(`${what} does not come\nfaults: ${page.faults.join('; ')}\nprinted:\n${page.said.join('\n')}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Serves each page, and the module that its blocks make. */
class GuideSite {
  constructor(names, steps, placed) {
    const modules = new Map(names.map((name) => {
      const mine = steps.flatMap((step, at) => (step.language === 'js' && step.words[0] === name ? [`await globalThis.gate(${at}).promise;\n${step.text}globalThis.done.add(${at});\n`] : []));
      return [`/${name}.js`, this.#module(placed(mine.join('')))];
    }));
    const pages = new Map(steps.filter(({ language }) => language === 'html').flatMap(({ words, text }) => words.map((word) => [`/${word}.html`, placed(text)])));
    this.server = createServer(async ({ url }, answer) => {
      const text = modules.has(url) ? await modules.get(url) : pages.get(url) ?? '<!doctype html><title>guide</title>';
      answer.setHeader('content-type', modules.has(url) ? 'text/javascript' : 'text/html; charset=utf-8').end(text);
    });
  }

  get http() {
    return `http://127.0.0.1:${this.server.address().port}`;
  }

  async #module(text) {
    const wigwag = { name: 'wigwag', setup: (made) => made.onResolve({ filter: /^wigwag(\/|$)/ }, ({ path }) => ({ path: `${SDK}${path === 'wigwag' ? 'index' : path.slice(7)}.js` })) };
    const { outputFiles } = await build({
      stdin: { contents: text, resolveDir: SDK, loader: 'js' },
      bundle: true, format: 'esm', target: 'es2022', write: false, logLevel: 'silent', plugins: [wigwag], external: ['http://*'],
    });
    return outputFiles[0].text;
  }
}

/** The same with the server of the test in the place of the reader's. */
function placed(text, { port }, files) {
  const sdk = files?.http ?? `http://127.0.0.1:${port}`;
  return text
    .replaceAll("host: 'wigwag.example.org', port: 443, path: '/', secure: true", `host: '127.0.0.1', port: ${port}, path: '/', secure: false`)
    .replaceAll('http://localhost:8080/wigwag.js', `${sdk}/wigwag.js`)
    .replaceAll('https://wigwag.example.org/wigwag.js', `${sdk}/wigwag.js`)
    .replaceAll('https://wigwag.example.org', `http://127.0.0.1:${port}`)
    .replaceAll('wss://wigwag.example.org', `ws://127.0.0.1:${port}`)
    .replaceAll('http://localhost:8080', `http://127.0.0.1:${port}`);
}
