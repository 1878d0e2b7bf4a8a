// The server under test in a process of its own: ours, or the one it stands in for.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

/** A running server that speaks `dialect` (all of them, if it is ours), on a free port unless told which. */
export class Server {
  static async start(dialect, { port = 0, discovery = false, patience = 0 } = {}) {
    const server = AGAINST_ORIGINAL
      ? await original(dialect, port, discovery, patience)
      : await wigwag(port, discovery, patience);
    server.again = () => Server.start(dialect, { port: server.port, discovery, patience });
    return server;
  }

  constructor(program, args, env = {}) {
    this.lines = [];
    this.command = [program, ...args].join(' ');
    RUNNING.add(this);
    this.child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...cleaned(process.env), ...env } });
    this.ended = once(this.child, 'exit').finally(() => RUNNING.delete(this));
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => this.lines.push(text));
    }
  }

  /** Where clients of `path` connect to. */
  ws(path) {
    return `ws://127.0.0.1:${this.port}${path}`;
  }

  get log() {
    return this.lines.join('');
  }

  /** Asks it to end, and waits until it has. */
  async stop() {
    this.child.kill('SIGTERM');
    await this.until('its end', () => this.child.exitCode !== null || this.child.signalCode !== null);
  }

  /** Ends it as a power cut would. */
  async kill() {
    this.child.kill('SIGKILL');
    await this.ended;
  }

  /** Waits until `look` finds something, for as long as the server runs. */
  async until(what, look) {
    const deadline = Date.now() + START_MS;
    for (;;) {
      const found = await look();
      if (found) return found;
      if (this.child.exitCode !== null) throw new Error(`the server ended with ${this.child.exitCode}:\n${this.log}`);
      if (Date.now() > deadline) throw new Error(`${what} does not come:\n${this.log}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** What all servers said that run now. */
export function logs() {
  return [...RUNNING].map(({ command, log }) => `$ ${command}\n${log}`).join('\n');
}

const RUNNING = new Set();

// Nothing outlives the tests, however they end; the browsers see to themselves in the same way.
process.on('exit', () => RUNNING.forEach(({ child }) => child.kill('SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));

const AGAINST_ORIGINAL = process.env.AGAINST === 'original';

/** Whether there is anything to test `dialect` against. */
export function available(dialect) {
  return !AGAINST_ORIGINAL || dialect in ORIGINALS;
}

const START_MS = 20_000;

async function wigwag(port, discovery, patience) {
  const args = ['serve', '--listen', `127.0.0.1:${port}`, '--data', ':memory:', '--set', 'server.drain_seconds=1'];
  if (discovery) args.push('--set', 'peerjs.allow_discovery=true');
  if (patience) args.push('--set', `peerjs.expire_timeout_ms=${patience}`);
  const server = new Server(binary(), args);
  server.port = await server.until('its address', () => server.log.match(/listening at=127\.0\.0\.1:(\d+)/)?.[1]);
  await server.until('readiness', async () => {
    const ready = await fetch(`http://127.0.0.1:${server.port}/ready`);
    return ready.ok;
  });
  return server;
}

function binary() {
  const target = process.env.CARGO_TARGET_DIR ?? here('../../../target');
  const path = process.env.WIGWAG_BIN ?? `${target}/debug/wigwag`;
  if (!existsSync(path)) throw new Error(`there is no ${path}: cargo build --bin wigwag, or set WIGWAG_BIN`);
  return path;
}

/** How the servers are started that the libraries were written for. */
const ORIGINALS = {
  peerjs: (port, discovery, patience) => [
    [
      here('../node_modules/.bin/peerjs'), '--port', port, '--path', '/',
      ...(discovery ? ['--allow_discovery'] : []),
      ...(patience ? ['--expire_timeout', String(patience)] : []),
    ],
  ],
  'y-webrtc': (port) => [[here('../node_modules/y-webrtc/bin/server.js')], { PORT: port }],
  tracker: (port) => [['--input-type=module', '--eval', TRACKER, port]],
};

const TRACKER = `
  import Tracker from '${import.meta.resolve('bittorrent-tracker/server')}';
  new Tracker({ udp: false }).listen(Number(process.argv[1]), '127.0.0.1');
`;

async function original(dialect, wanted, discovery, patience) {
  const port = wanted || (await freePort());
  const server = new Server(process.execPath, ...ORIGINALS[dialect](String(port), discovery, patience));
  server.port = port;
  await server.until('an answer', () => answers(port));
  return server;
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  return port;
}

function answers(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true));
    socket.on('connect', () => socket.destroy()).on('error', () => resolve(false));
  });
}

/** The environment without what the server would read. */
function cleaned(env) {
  const read = ['PORT', 'HOST', 'RUST_LOG', 'STATE_DIRECTORY', 'LISTEN_FDS', 'LISTEN_PID', 'LISTEN_FDS_FIRST_FD'];
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !/^(WIGWAG|PEERSERVER)_/.test(name) && !read.includes(name)),
  );
}

function here(path) {
  return fileURLToPath(new URL(path, import.meta.url));
}
