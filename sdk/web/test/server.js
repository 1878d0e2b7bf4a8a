// The real server in a process of its own, for tests.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const START_MS = 20_000;

export class Server {
  /** Starts one at a free port, or at this. @param {{ port?: number, data?: string, set?: string[] }} [options] */
  static async start({ port = 0, data = ':memory:', set = [] } = {}) {
    const args = ['serve', '--listen', `127.0.0.1:${port}`, '--data', data, ...set.flatMap((each) => ['--set', each])];
    const server = new Server(spawn(binary(), args, { stdio: ['ignore', 'pipe', 'pipe'], env: cleaned() }));
    server.port = await server.#until('its address', () => server.log.match(/listening at=127\.0\.0\.1:(\d+)/)?.[1]);
    await server.#until('readiness', () => fetch(`${server.http}/ready`).then(({ ok }) => ok, () => false));
    return server;
  }

  constructor(child) {
    this.child = child;
    this.log = '';
    this.ended = once(child, 'exit');
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (this.log += text));
  }

  get http() {
    return `http://127.0.0.1:${this.port}`;
  }

  get url() {
    return `ws://127.0.0.1:${this.port}/v1`;
  }

  /** Ends it: at the operator's wish, or as a power cut would. @param {NodeJS.Signals} [signal] */
  async stop(signal = 'SIGTERM') {
    this.child.kill(signal);
    await this.ended;
  }

  async #until(what, look) {
    const deadline = Date.now() + START_MS;
    for (;;) {
      const found = await look();
      if (found) return found;
      if (this.child.exitCode !== null || Date.now() > deadline) throw new Error(`${what} does not come:\n${this.log}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

/** Where the server is. */
export function binary() {
  const target = process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL('../../../target', import.meta.url));
  const path = process.env.WIGWAG_BIN ?? `${target}/debug/wigwag`;
  if (!existsSync(path)) throw new Error(`there is no ${path}: cargo build --bin wigwag, or set WIGWAG_BIN`);
  return path;
}

/** The environment without what the server would read. */
function cleaned() {
  const read = ['PORT', 'HOST', 'RUST_LOG', 'STATE_DIRECTORY', 'LISTEN_FDS', 'LISTEN_PID', 'LISTEN_FDS_FIRST_FD'];
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('WIGWAG_') && !read.includes(name)));
}
