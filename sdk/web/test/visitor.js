// Somebody who opens the server's page, for tests: the page as it is served, and what it asked for and complained of.

import assert from 'node:assert/strict';

const WAIT_MS = 60_000;

export class Visitor {
  /**
   * Opens the page in a context of its own.
   * @param {import('./browser.js').Browser} browser
   * @param {string} url
   * @param {{ name?: string, dark?: boolean, before?: () => void }} [how] `before` runs in the page before anything of it
   */
  static async open(browser, url, { name = '', dark = false, before } = {}) {
    const context = await browser.program.createBrowserContext();
    const visitor = new Visitor(await context.newPage(), new URL(url).origin);
    const { page } = visitor;
    // Firefox is told by its preferences alone.
    if (dark) await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }]);
    if (before) await page.evaluateOnNewDocument(before);
    await page.goto(url);
    if (name) await visitor.rename(name);
    return visitor;
  }

  /** @param {import('puppeteer-core').Page} page @param {string} origin */
  constructor(page, origin) {
    this.page = page;
    /** What ought not to be there: errors, and requests to anybody else. @type {string[]} */
    this.faults = [];
    page.on('pageerror', (error) => this.faults.push(`error: ${error instanceof Error ? error.message : error}`));
    page.on('console', (message) => ['error', 'warn'].includes(message.type()) && this.faults.push(`console: ${message.text()}`));
    page.on('request', (request) => {
      const url = request.url();
      if (!url.startsWith(origin) && !/^(blob|data):/.test(url)) this.faults.push(`request: ${url}`);
      if (url.includes('#') && !request.isNavigationRequest()) this.faults.push(`fragment: ${url}`);
    });
  }

  get link() {
    return this.page.$eval('#link', (/** @type {any} */ field) => field.value);
  }

  get code() {
    return this.until(() => /** @type {any} */ (document.querySelector('#code-box:not([hidden]) #code span'))?.textContent);
  }

  /** Waits until this is so in the page, in front or behind others, and returns what it found. @param {(...given: any[]) => any} look @param {...any} given */
  async until(look, ...given) {
    try {
      const found = await this.page.waitForFunction(look, { timeout: WAIT_MS, polling: 50 }, ...given);
      return await found.jsonValue();
    } catch (error) {
      const text = await this.page.evaluate(() => document.querySelector('main')?.innerText);
      throw new Error(`${look} is never so; the page says: ${text}\n${this.faults.join('\n')}`, { cause: error });
    }
  }

  /** @param {string} which */
  async view(which) {
    await this.until((wanted) => document.body.dataset.view === wanted, which);
  }

  /** @param {string} name */
  async rename(name) {
    await this.page.waitForSelector('#me:not([hidden])');
    await this.page.$eval('#name', (/** @type {any} */ field, value) => {
      field.value = value;
      field.dispatchEvent(new Event('change'));
    }, name);
  }

  /** Waits until so many can be talked to. @param {number} count */
  async meets(count) {
    await this.until((wanted) => document.querySelectorAll('.person[data-state="open"]').length === wanted, count);
  }

  /** @param {string} text */
  async says(text) {
    await this.page.type('#text', text);
    await this.page.keyboard.press('Enter');
  }

  /** @param {string} text */
  async hears(text) {
    await this.until((wanted) => [...document.querySelectorAll('.log .text, .log .note')].some((entry) => entry.textContent.includes(wanted)), text);
  }

  /** Presses the first button with this beginning that is to be seen. @param {string} label @param {string} [within] */
  async press(label, within = 'body') {
    await this.until((beginning, where) => {
      const found = [...document.querySelectorAll(`${where} button, ${where} a.button`)].find((each) => each.textContent.trim().startsWith(beginning) && each.checkVisibility() && !each.disabled);
      found?.click();
      return Boolean(found);
    }, label, within);
  }

  /** Hands a file of so many bytes over as if it had been chosen; returns its SHA-256. @param {string} name @param {number} length @param {string} [into] which field */
  sendFile(name, length, into = 'files') {
    return this.page.evaluate(async (called, size, where) => {
      const bytes = new Uint8Array(size);
      for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(bytes.subarray(at, Math.min(size, at + 65_536)));
      const chosen = new DataTransfer();
      globalThis.sent = new File([bytes], called);
      chosen.items.add(globalThis.sent);
      const field = document.getElementById(where);
      field.files = chosen.files;
      field.dispatchEvent(new Event('change'));
      return Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)), (byte) => byte.toString(16).padStart(2, '0')).join('');
    }, name, length, into);
  }

  /** The SHA-256 of what a file would be saved as. @param {string} name */
  savedHash(name) {
    return this.until(async (called) => {
      const link = [...document.querySelectorAll('a[download]')].find(({ download }) => download === called);
      if (!link) return null;
      // The policy of the page lets nothing be fetched but from the server, so the bytes are read as a click would.
      const bytes = await new Promise((resolve, reject) => {
        const wanted = globalThis.blobs?.get(link.href);
        if (wanted) wanted.arrayBuffer().then(resolve, reject);
        else reject(new Error('no such blob'));
      });
      return Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)), (byte) => byte.toString(16).padStart(2, '0')).join('');
    }, name);
  }

  /** What a checker of accessibility finds. @param {string} axe its source */
  async barriers(axe) {
    await this.page.evaluate(axe);
    return this.page.evaluate(async () => {
      // What is fading in has not its own colours yet; what turns for ever, such as a sign of waiting, is not waited for.
      const passing = document.getAnimations().filter((each) => each.effect?.getComputedTiming().endTime !== Infinity);
      await Promise.allSettled(passing.map(({ finished }) => finished));
      const { violations } = await globalThis.axe.run(document, { resultTypes: ['violations'] });
      return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join(' | ')}`);
    });
  }

  /** Nothing was amiss until now. */
  clean() {
    assert.deepEqual(this.faults, []);
  }

  async leave() {
    await this.page.browserContext().close();
  }
}

/** Runs in the page beforehand: keeps the blobs for which links are made, so that a test can read what would be saved. */
export function keepBlobs() {
  globalThis.blobs = new Map();
  const make = URL.createObjectURL;
  URL.createObjectURL = (blob) => {
    const url = make.call(URL, blob);
    globalThis.blobs.set(url, blob);
    return url;
  };
}
