// A web site on this machine alone: one empty page per library or app, which is bundled when first asked for.

import { createServer } from 'node:http';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

/** Serves `/LIBRARY` for each `pages/LIBRARY.js`. */
export class Site {
  static async open() {
    const site = new Site(createServer((request, response) => site.#answer(request, response)));
    site.server.listen(0, '127.0.0.1');
    await once(site.server, 'listening');
    return site;
  }

  constructor(server) {
    this.server = server;
    this.bundles = new Map();
  }

  page(library) {
    return `http://127.0.0.1:${this.server.address().port}/${library}`;
  }

  close() {
    this.server.closeAllConnections();
    this.server.close();
  }

  async #answer(request, response) {
    const name = request.url.slice(1);
    if (/^[a-z-]+$/.test(name)) {
      response.setHeader('content-type', 'text/html');
      response.end(`<!doctype html><title>${name}</title><link rel="icon" href="data:,"><script src="${name}.js"></script>`);
    } else if (/^[a-z-]+\.js$/.test(name)) {
      response.setHeader('content-type', 'text/javascript');
      response.end(await this.#bundle(name));
    } else {
      response.writeHead(404).end();
    }
  }

  #bundle(name) {
    if (!this.bundles.has(name)) this.bundles.set(name, bundle(name));
    return this.bundles.get(name);
  }
}

/** What an application's bundler does; the libraries are as they were published. */
async function bundle(name) {
  const built = await build({
    entryPoints: [fileURLToPath(new URL(`../pages/${name}`, import.meta.url))],
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    define: { global: 'globalThis', 'process.browser': 'true', 'process.env.NODE_ENV': '"production"' },
    logLevel: 'warning',
  });
  return built.outputFiles[0].contents;
}
