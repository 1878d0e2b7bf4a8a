// Programs of this house in processes of their own, and what they say.

import { spawn } from 'node:child_process';
import { once } from 'node:events';

import { wigwag } from './binary.js';
import { DEADLINE_MS } from './queue.js';

/** `wigwag`, or another program, in a process of its own. */
export class Wigwag {
  /** @param {string[]} args @param {Record<string, string>} env @param {string} [program] @param {string} [cwd] */
  constructor(args, env, program = wigwag(), cwd = undefined) {
    this.child = spawn(program, args, { env, cwd });
    this.out = '';
    this.err = '';
    this.child.stdout.setEncoding('utf8').on('data', (text) => (this.out += text));
    this.child.stderr.setEncoding('utf8').on('data', (text) => (this.err += text));
    this.ended = once(this.child, 'close').then(([code]) => code);
  }

  /** Waits for something on standard error, and returns its first group. */
  told(pattern) {
    return this.#until(() => this.err.match(pattern)?.[1], pattern);
  }

  /** The same of standard output. */
  written(pattern) {
    return this.#until(() => this.out.match(pattern)?.[1], pattern);
  }

  printed(pattern) {
    return this.#until(() => pattern.test(this.out), pattern);
  }

  say(text) {
    this.child.stdin.write(text);
  }

  async #until(look, what) {
    const deadline = Date.now() + DEADLINE_MS;
    for (;;) {
      const seen = look();
      if (seen) return seen;
      if (Date.now() > deadline || this.child.exitCode !== null) throw new Error(`no ${what} in:\n${this.out}\n${this.err}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async end() {
    this.child.kill('SIGKILL');
    await this.ended;
  }
}
