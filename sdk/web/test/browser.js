// Chromium without a window, and pages in it that share nothing, with the SDK as the server serves it.

import { once } from 'node:events';
import { createServer } from 'node:http';

import puppeteer from 'puppeteer-core';

export class Browser {
  static async start() {
    const site = createServer((_, answer) => answer.setHeader('content-type', 'text/html').end('<!doctype html><title>test</title>'));
    await once(site.listen(0, '127.0.0.1'), 'listening');
    const chromium = await puppeteer.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      headless: !process.env.HEADED,
      args: [
        '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
        '--disable-sync',
        // Candidates carry addresses, so that nothing depends on multicast.
        '--disable-features=WebRtcHideLocalIpsWithMdns',
        // Whoever forgets to say which servers it means finds none.
        '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
        '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream',
        '--js-flags=--expose-gc',
      ],
    });
    return new Browser(chromium, site);
  }

  constructor(chromium, site) {
    this.chromium = chromium;
    this.site = site;
  }

  /** A page of its own origin's storage, in which `lib` is the SDK. @param {string} http of the server */
  async page(http) {
    const context = await this.chromium.createBrowserContext();
    const page = await context.newPage();
    page.on('pageerror', (error) => console.error('in the page:', error));
    await page.goto(`http://127.0.0.1:${this.site.address().port}/`);
    await page.evaluate(async (url) => {
      globalThis.lib = await import(url);
    }, `${http}/wigwag.js`);
    return page;
  }

  async stop() {
    await this.chromium.close();
    this.site.close();
  }
}
