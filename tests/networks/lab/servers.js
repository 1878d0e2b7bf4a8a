// The real servers, in public places of the lab: ours, and coturn for STUN and TURN.

import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const START_MS = 20_000;

/** What the servers are called. Firefox takes no address for TURN over TLS. */
export const NAME = 'wigwag.test';
export const TURN_NAME = 'turn.wigwag.test';

/** A process in a place, with what it said. */
class Program {
  /** Starts it, and waits until it listens. @param {import('./lab.js').Space} space @param {string} path @param {string[]} args @param {...number} ports */
  static async start(space, path, args, ...ports) {
    const program = new this(space, path, args);
    await until(`${path} to be ready`, () => {
      if (program.child.exitCode !== null) throw new Error(`${path} ended:\n${program.log}`);
      const sockets = readFileSync(`/proc/${program.child.pid}/net/tcp`, 'utf8');
      return ports.every((port) => new RegExp(`:${port.toString(16).padStart(4, '0')} [0-9A-F]{8}:0000 0A `, 'i').test(sockets));
    }, () => program.log);
    return program;
  }

  /** @param {import('./lab.js').Space} space @param {string} path @param {string[]} args */
  constructor(space, path, args) {
    this.space = space;
    this.log = '';
    this.child = space.start(path, args, { stdio: ['ignore', 'pipe', 'pipe'], env: cleaned() });
    this.ended = once(this.child, 'exit');
    for (const stream of [this.child.stdout, this.child.stderr]) stream?.setEncoding('utf8').on('data', (text) => (this.log += text));
  }

  /** @param {NodeJS.Signals} [signal] */
  async stop(signal = 'SIGKILL') {
    this.child.kill(signal);
    await this.ended;
  }
}

/** A signaling server at port 80. */
export class Wigwag extends Program {
  /** @param {import('./lab.js').Space} space @param {Record<string, string | number>} [settings] */
  static async at(space, settings = {}) {
    // Left to itself it names a STUN server of the real internet.
    const all = { 'server.name': NAME, 'ice.stun': '', 'server.drain_seconds': 1, ...settings };
    const set = Object.entries(all).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
    const args = ['serve', '--listen', `${space.address}:80`, '--data', ':memory:', ...set];
    return /** @type {Promise<Wigwag>} */ (this.start(space, binary(), args, 80));
  }

  /** What peers need in order to come here. */
  get door() {
    return { http: `http://${this.space.address}`, url: `ws://${this.space.address}/v1`, name: NAME };
  }

  /** Numbers from its metrics. @param {string[]} names @returns {number[]} */
  metrics(names) {
    const lines = this.space.read(`${this.door.http}/metrics`).split('\n');
    return names.map((name) => {
      const line = lines.find((each) => each.startsWith(`${name} `));
      if (line === undefined) throw new Error(`the server has no metric ${name}`);
      return Number(line.split(' ')[1]);
    });
  }

  /** Memory that it holds, in kilobytes. */
  memory() {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.child.pid}/status`, 'utf8'))?.[1]);
  }
}

export const SECRET = 'known-to-both-servers';

/** A TURN server, which is a STUN server too: at port 3478, and with a certificate at 443 for TLS. */
export class Turn extends Program {
  /** @param {import('./lab.js').Space} space @param {{ folder: string, certificate: string, key: string }} paths */
  static async at(space, { folder, certificate, key }) {
    return /** @type {Promise<Turn>} */ (this.start(space, process.env.TURNSERVER ?? 'turnserver', [
      '-n', '--listening-ip', space.address, '--relay-ip', space.address, '--listening-port', '3478', '--tls-listening-port', '443',
      '--cert', certificate, '--pkey', key, '--no-dtls', '--realm', 'lab', '--use-auth-secret', '--static-auth-secret', SECRET, '--no-cli',
      '--log-file', 'stdout', '--simple-log', '--pidfile', `${folder}/pid`, '--userdb', `${folder}/users`,
    ], 3478, 443));
  }
}

/**
 * Waits until something is so, for a time that a busy machine needs.
 * @template T
 * @param {string} what
 * @param {() => T | Promise<T>} look
 * @param {() => string} [more] to be told where it does not come
 * @param {number} [ms]
 * @returns {Promise<T>}
 */
export async function until(what, look, more = () => '', ms = START_MS) {
  const deadline = Date.now() + ms;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}\n${more()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export function binary() {
  const target = process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL('../../../target', import.meta.url));
  const path = process.env.WIGWAG_BIN ?? `${target}/debug/wigwag`;
  if (!existsSync(path)) throw new Error(`there is no ${path}: cargo build --bin wigwag, or set WIGWAG_BIN`);
  return path;
}

/** The environment without what the server would read. */
export function cleaned() {
  const read = ['PORT', 'HOST', 'RUST_LOG', 'STATE_DIRECTORY', 'LISTEN_FDS', 'LISTEN_PID', 'LISTEN_FDS_FIRST_FD'];
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('WIGWAG_') && !read.includes(name)));
}
