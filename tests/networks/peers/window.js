// A peer that is a page in a browser, without a window: `node window.js chromium|firefox PIN`, to be run in a host of the lab. PIN is the hash of the one
// key that Chromium takes without knowing its authority. Words that it does not know itself go to `page.js`, in the page.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

import puppeteer from 'puppeteer-core';

/** @param {string} kind @param {string} pin */
async function serve(kind, pin) {
  // Keys are made only where the surroundings are safe, and the machine itself counts as that.
  const site = createServer(({ url }, answer) => {
    const file = url === '/page.js' ? 'page.js' : /^\/sdk\/([a-z-]+\.js)$/.exec(url ?? '')?.[1].replace(/^/, '../../../sdk/web/');
    if (!file) return answer.setHeader('content-type', 'text/html').end(PAGE);
    return answer.setHeader('content-type', 'text/javascript').end(readFileSync(new URL(file, import.meta.url)));
  });
  await once(site.listen(0, '127.0.0.1'), 'listening');
  const home = `http://127.0.0.1:${/** @type {any} */ (site.address()).port}/`;
  const program = await puppeteer.launch({ headless: true, acceptInsecureCerts: true, ...KINDS[kind](pin) });
  const self = new Window(program, home);
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.once(signal, () => program.close().finally(() => process.exit(0)));
  createInterface({ input: process.stdin }).on('line', async (line) => {
    const { n, word, args } = JSON.parse(line);
    try {
      say({ re: n, value: (await (word in WORDS ? WORDS[word](self, args) : self.page.evaluate(IN_PAGE, word, args))) ?? null });
    } catch (error) {
      say({ re: n, error: String(error instanceof Error ? error.message : error) });
    }
  }).on('close', () => program.close().finally(() => process.exit(0)));
}

class Window {
  /** @param {import('puppeteer-core').Browser} program @param {string} home */
  constructor(program, home) {
    this.program = program;
    this.home = home;
    /** @type {any} */
    this.page = null;
  }

  /** A page that shares nothing with the one before it. */
  async begin() {
    await this.page?.browserContext().close();
    this.page = await (await this.program.createBrowserContext()).newPage();
    this.devtools = null;
    this.page.on('pageerror', (/** @type {Error} */ error) => console.error(error));
    this.page.on('console', (/** @type {any} */ message) => console.error(message.text()));
    await this.page.goto(this.home);
    await this.page.waitForFunction(() => 'words' in globalThis);
  }

  /** @param {string} method @param {object} [params] */
  async command(method, params) {
    this.devtools ??= await this.page.createCDPSession();
    return this.devtools.send(method, params);
  }
}

const IN_PAGE = (/** @type {string} */ word, /** @type {any} */ args) => /** @type {any} */ (globalThis).words[word](args);

/** What is not for the page to do. @type {Record<string, (self: any, args: any) => any>} */
const WORDS = {
  begin: (self) => self.begin(),
  ...(process.env.SDK === 'files' && { open: (self, args) => self.page.evaluate(IN_PAGE, 'open', { ...args, sdk: '/sdk/index.js' }) }),
  run: (self, { source, args }) => self.page.evaluate(`(${source})(...${JSON.stringify(args)})`),
  freeze: (self) => self.command('Page.setWebLifecycleState', { state: 'frozen' }),
  wake: (self) => self.command('Page.setWebLifecycleState', { state: 'active' }),
  /** Memory after everything that nobody holds was given back, and how many connections of the platform still exist. */
  weigh: async (self) => {
    await self.command('HeapProfiler.enable');
    await self.command('HeapProfiler.collectGarbage');
    const { usedSize } = await self.command('Runtime.getHeapUsage');
    const count = async (/** @type {string} */ what) => {
      const { result } = await self.command('Runtime.evaluate', { expression: `${what}.prototype` });
      const { objects } = await self.command('Runtime.queryObjects', { prototypeObjectId: result.objectId });
      const { result: length } = await self.command('Runtime.callFunctionOn', {
        objectId: objects.objectId, functionDeclaration: 'function () { return this.length }', returnByValue: true,
      });
      await self.command('Runtime.releaseObject', { objectId: objects.objectId });
      return length.value;
    };
    return { heap: usedSize, connections: await count('RTCPeerConnection'), channels: await count('RTCDataChannel'), sockets: await count('WebSocket') };
  },
};

const PAGE = '<!doctype html><title>peer</title><link rel="icon" href="data:,"><script type="module" src="page.js"></script>';

/** @type {Record<string, (pin: string) => any>} */
const KINDS = {
  chromium: (pin) => ({
    browser: 'chrome',
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
      // Candidates carry addresses, so that nothing depends on multicast.
      '--disable-features=WebRtcHideLocalIpsWithMdns',
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE 203.0.113.*, EXCLUDE *.test',
      `--ignore-certificate-errors-spki-list=${pin}`,
    ],
  }),
  firefox: () => ({
    browser: 'firefox',
    executablePath: process.env.FIREFOX ?? '/usr/bin/firefox-esr',
    extraPrefsFirefox: { 'media.peerconnection.ice.obfuscate_host_addresses': false },
  }),
};

/** @param {object} message */
function say(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

await serve(process.argv[2] ?? '', process.argv[3] ?? '');
