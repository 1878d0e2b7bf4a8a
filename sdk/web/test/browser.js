// Browsers without a window, and pages in them that share nothing, with the SDK as the server serves it; or, with `SDK=files`, as it stands here.

import { once } from 'node:events';
import { createServer } from 'node:http';

import puppeteer from 'puppeteer-core';

import { Site } from './site.js';

export class Browser {
  /** @param {'chromium' | 'firefox'} [name] */
  static async start(name = 'chromium') {
    const site = createServer((_, answer) => answer.setHeader('content-type', 'text/html').end('<!doctype html><title>test</title>'));
    await once(site.listen(0, '127.0.0.1'), 'listening');
    const files = process.env.SDK === 'files' ? await Site.start() : null;
    // A copy, because the library takes flags out of the list that it is given.
    const program = await puppeteer.launch({ headless: !process.env.HEADED, timeout: 60_000, ...structuredClone(KINDS[name]) });
    return new Browser(program, site, files);
  }

  constructor(program, site, files) {
    this.program = program;
    this.site = site;
    this.files = files;
  }

  /** A page of its own origin's storage, in which `lib` is the SDK. @param {string} http of the server */
  async page(http) {
    const context = await this.program.createBrowserContext();
    const page = await context.newPage();
    page.on('pageerror', (error) => console.error('in the page:', error));
    await page.goto(`http://127.0.0.1:${this.site.address().port}/`);
    await this.load(page, http);
    return page;
  }

  /** Loads the SDK into a page, again if it was reloaded. @param {import('puppeteer-core').Page} page @param {string} http of the server */
  async load(page, http) {
    await page.evaluate(async (url) => {
      globalThis.lib = await import(url);
    }, `${this.files?.http ?? http}/wigwag.js`);
  }

  async stop() {
    await this.program.close();
    this.site.close();
    this.files?.stop();
  }
}

const KINDS = {
  chromium: {
    browser: 'chrome',
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
      '--disable-sync',
      // Candidates carry addresses, so that nothing depends on multicast.
      '--disable-features=WebRtcHideLocalIpsWithMdns',
      // Whoever forgets to say which servers it means finds none.
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
      '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream',
    ],
  },
  firefox: {
    browser: 'firefox',
    executablePath: process.env.FIREFOX ?? '/usr/bin/firefox-esr',
    extraPrefsFirefox: {
      'media.peerconnection.ice.obfuscate_host_addresses': false,
      'media.navigator.streams.fake': true,
      'media.navigator.permission.disabled': true,
      'network.dns.disabled': true,
    },
  },
};
