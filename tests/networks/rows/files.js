// A large file from one program to another, over a network that loses packets, while the sender moves to another network.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { binary, cleaned, NAME, until } from '../lab/servers.js';

/** @import { Space } from '../lab/lab.js' @import { Test, World } from '../world.js' @import { Table } from '../table.js' */

const FILE_MB = Number(process.env.FILE_MB ?? 128);

/** Well above what both programs need, and well below the file. */
const MEMORY_MB = 80;

/** Long enough for a megabyte a second. */
const PATIENCE_MS = 60_000 + FILE_MB * 1_000;

/** @param {World} world @param {Table} table */
export function files(world, table) {
  const row = 'a large file, 1 % loss, and the sender moves';
  test(`${row}: native → native`, async (t) => {
    await world.server(t, world.stun);
    await world.settle(t, [world.dora, world.emil], { loses: 1 });
    const folder = mkdtempSync(join(tmpdir(), 'wigwag-lab-files-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const [file, into] = [join(folder, 'large'), join(folder, 'into')];
    mkdirSync(into);
    world.home.run('dd', ['if=/dev/urandom', `of=${file}`, 'bs=1M', `count=${FILE_MB}`, 'status=none']);

    const sender = new Command(t, world.dora.host, join(folder, 'dora'), ['send', file]);
    const [, code] = await sender.said(/receive .*?((?:[a-z]+-){3}[a-z]+)\n/);
    const began = Date.now();
    const receiver = new Command(t, world.emil.host, join(folder, 'emil'), ['receive', code, '--into', into, '--yes']);
    const arrived = () => statSync(join(into, 'large.wigwag-part'), { throwIfNoEntry: false })?.size ?? 0;
    await until('a third of the file', () => arrived() > FILE_MB * 1024 * 1024 / 3, () => receiver.log, PATIENCE_MS);

    const { host } = world.dora;
    host.unplug();
    await host.plug(world.router(t, 3, { loses: 1 }));
    const { address } = host;
    t.after(() => host.renumber(Number(address.split('.')[3])));
    host.renumber(77);

    let memory = 0;
    for (const command of [sender, receiver]) {
      await until('the end', () => {
        memory = Math.max(memory, sender.memory(), receiver.memory());
        return command.child.exitCode !== null;
      }, () => `${sender.log}\n${receiver.log}`, PATIENCE_MS);
      assert.equal(command.child.exitCode, 0, command.log);
    }
    const ms = Date.now() - began;
    assert.equal(await hash(join(into, 'large')), await hash(file));
    assert.ok(memory < MEMORY_MB, `${memory.toFixed(0)} MB of memory`);
    console.log(`${FILE_MB} MB in ${(ms / 1_000).toFixed(1)} s, ${(FILE_MB / ms * 1_000).toFixed(1)} MB/s; at most ${memory.toFixed(0)} MB of memory`);
    table.note(row, 'native → native', 'whole');
  });
}

/** A command of `wigwag` in a host, under an identity of its own. */
class Command {
  /** @param {Test} t @param {Space} host @param {string} home @param {string[]} args */
  constructor(t, host, home, args) {
    mkdirSync(home);
    const env = { ...cleaned(), HOME: home, XDG_DATA_HOME: home, WIGWAG_SERVER: `ws://${NAME}/v1` };
    this.child = host.start(binary(), args, { stdio: ['ignore', 'pipe', 'pipe'], env });
    this.log = '';
    for (const stream of [this.child.stdout, this.child.stderr]) stream?.setEncoding('utf8').on('data', (text) => (this.log += text));
    const ended = once(this.child, 'exit');
    t.after(async () => {
      this.child.kill('SIGKILL');
      await ended;
    });
  }

  /** Waits until it says something like this. @param {RegExp} what @returns {Promise<string[]>} */
  async said(what) {
    const found = await until(`${what}`, () => what.exec(this.log), () => this.log);
    return [...(found ?? [])];
  }

  /** The most memory that it has held, in megabytes; 0 once it is gone. */
  memory() {
    try {
      return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${this.child.pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
    } catch {
      return 0;
    }
  }
}

/** @param {string} path */
async function hash(path) {
  const made = createHash('sha256');
  for await (const piece of createReadStream(path)) made.update(piece);
  return made.digest('hex');
}
