// What a group of tests lives in: one browser, one server, and a page per peer that ends with its test.

import { after, before } from 'node:test';

import { launch } from './browser.js';
import { Server, logs } from './server.js';
import { Site } from './site.js';

/** Opens a world before the tests of the current suite and closes it behind them. */
export function inhabit({ browser, library, dialect, ...settings }) {
  const world = new World(library);
  before(async () => {
    world.site = await Site.open();
    world.browser = await launch(browser);
    world.server = await Server.start(dialect, settings);
  });
  after(async () => {
    await world.browser?.close();
    await world.server?.kill();
    world.site?.close();
  });
  return world;
}

class World {
  constructor(library) {
    this.library = library;
  }

  /** `count` pages that share nothing, as on as many machines. */
  pages(t, count) {
    return Promise.all(Array.from({ length: count }, () => this.page(t)));
  }

  async page(t) {
    const context = await this.browser.createBrowserContext();
    t.after(() => context.close());
    const page = await context.newPage();
    page.setDefaultTimeout(DEADLINE_MS);
    const peer = new Peer(page);
    await page.goto(this.site.page(this.library));
    return peer;
  }
}

/** One page, seen from the test. */
class Peer {
  constructor(page) {
    this.page = page;
    this.console = [];
    page.on('console', (message) => this.console.push(message.text()));
    page.on('pageerror', (error) => this.console.push(String(error)));
  }

  /** Runs `what` in the page and waits for its promise, but not for ever. */
  async run(what, ...args) {
    // Made here, because here the stack still has the line of the test.
    const failure = new Error();
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not within ${DEADLINE_MS / 1000} s`)), DEADLINE_MS);
    });
    try {
      return await Promise.race([this.page.evaluate(what, ...args), late]);
    } catch (error) {
      failure.message = [error.message, '── run in the page ──', what, '── its console ──', ...this.console, '── servers ──', logs()].join('\n');
      throw failure;
    } finally {
      clearTimeout(timer);
    }
  }
}

// Trystero says that it is there four times in two seconds and then a minute later: who comes together only then has
// come together.
const DEADLINE_MS = 90_000;
