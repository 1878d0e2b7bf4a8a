// What pages and programs meet in: the running server, and an origin of its own for pages, as those of apps have.

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Wigwag } from './program.js';

export class Town {
  #site = createServer((_, answer) => answer.setHeader('content-type', 'text/html').end('<!doctype html><title>test</title>'));
  /** @type {Wigwag} */
  #server;
  /** The server's. */
  port = '';

  /** @param {...string} more what the server is told besides */
  static async open(...more) {
    const town = new Town();
    await once(town.#site.listen(0, '127.0.0.1'), 'listening');
    town.#server = new Wigwag(['serve', '--listen', '127.0.0.1:0', '--data', ':memory:', '--set', 'ice.stun=', ...more], {});
    town.port = await town.#server.told(/listening at=127\.0\.0\.1:(\d+)/);
    return town;
  }

  /** A command under an identity of its own. @param {string[]} args @param {string} [at] the folder in which it runs */
  async command(t, args, at) {
    const home = await mkdtemp(join(tmpdir(), 'wigwag-native-'));
    const command = new Wigwag(args, { XDG_DATA_HOME: home, WIGWAG_SERVER: `127.0.0.1:${this.port}` }, undefined, at);
    t.after(async () => {
      await command.end();
      await rm(home, { recursive: true });
    });
    return command;
  }

  /** A page that shares nothing with others; an empty one, where no address is named. */
  async page(t, browser, address = `http://127.0.0.1:${this.#site.address().port}/`) {
    const context = await browser.createBrowserContext();
    t.after(() => context.close().catch(() => {}));
    const page = await context.newPage();
    await page.goto(address);
    return page;
  }

  async end() {
    await this.#server.end();
    this.#site.close();
  }
}
