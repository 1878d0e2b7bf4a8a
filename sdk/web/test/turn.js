// A TURN server (coturn) on the loopback, for tests; `null` where none is installed.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PROGRAM = process.env.TURNSERVER ?? '/usr/bin/turnserver';
const START_MS = 20_000;

export const hasTurn = existsSync(PROGRAM);

export class Turn {
  /** @param {string} secret shared with the signaling server @param {string} [address] one of this machine's */
  static async start(secret, address = '127.0.0.1') {
    const folder = await mkdtemp(join(tmpdir(), 'wigwag-turn-'));
    const port = await freePort();
    const child = spawn(PROGRAM, [
      '-n', '--listening-ip', address, '--listening-port', String(port), '--relay-ip', address, '--realm', 'test', '--no-tls', '--no-dtls',
      '--use-auth-secret', '--static-auth-secret', secret, '--allow-loopback-peers', '--cli-password', secret, '--no-cli',
      '--log-file', 'stdout', '--pidfile', join(folder, 'pid'), '--userdb', join(folder, 'db'),
    ], { stdio: 'ignore', cwd: folder });
    const turn = new Turn(child, `turn:${address}:${port}`, folder);
    const deadline = Date.now() + START_MS;
    while (!(await answers(port, address))) {
      if (child.exitCode !== null || Date.now() > deadline) throw new Error('the TURN server does not listen');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return turn;
  }

  constructor(child, url, folder) {
    this.child = child;
    this.url = url;
    this.folder = folder;
    this.ended = once(child, 'exit');
  }

  async stop() {
    this.child.kill('SIGKILL');
    await this.ended;
    await rm(this.folder, { recursive: true });
  }
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  return port;
}

function answers(port, address) {
  return new Promise((resolve) => {
    const socket = connect(port, address, () => resolve(true));
    socket.on('connect', () => socket.destroy()).on('error', () => resolve(false));
  });
}
