// The SDK's own files for pages of a test, with the tests' helpers beside them.

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';

export class Site {
  static async start() {
    const site = new Site();
    await once(site.server.listen(0, '127.0.0.1'), 'listening');
    return site;
  }

  constructor() {
    this.server = createServer(serve);
  }

  get http() {
    return `http://127.0.0.1:${this.server.address().port}`;
  }

  stop() {
    this.server.close();
  }
}

async function serve({ url }, answer) {
  const [asked] = url.split('?');
  const name = asked === '/wigwag.js' ? '/index.js' : asked;
  answer.setHeader('access-control-allow-origin', '*').setHeader('content-type', 'text/javascript');
  if (!/^\/(test\/(browser\/)?)?[a-z-]+\.js$/.test(name)) return answer.writeHead(404).end();
  return answer.end(await readFile(new URL(`..${name}`, import.meta.url)));
}
