// A program that wants to be reached, in a host of the lab, as the rows of the table see it: a process that is told words and answers them, a line of
// JSON each, `{ n, word, args }` and `{ re, value }` or `{ re, error }`. What is at the other end is its own affair: a browser, or a native program.

import { once } from 'node:events';
import { createInterface } from 'node:readline';

const ANSWER_MS = 60_000;

/**
 * @typedef {{ http: string, url: string, name: string }} Door of a server
 *
 * @typedef {object} Outcome of a call
 * @property {boolean} open
 * @property {number} ms until it was open, or until it was said why not
 * @property {string} [path]
 * @property {string} [local] kind of our candidate
 * @property {string} [remote]
 * @property {string} [verified]
 * @property {string} [reason]
 * @property {string} [at]
 * @property {string[]} [tried]
 * @property {string} [message]
 */

export class Peer {
  /** @param {import('../lab/lab.js').Host} host @param {string} kind as the table names it @param {string} program @param {string[]} args */
  constructor(host, kind, program, args) {
    this.host = host;
    this.kind = kind;
    this.child = host.start(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.ended = once(this.child, 'exit');
    this.log = '';
    this.child.stderr?.setEncoding('utf8').on('data', (text) => (this.log = (this.log + text).slice(-8_000)));
    createInterface({ input: /** @type {any} */ (this.child.stdout) }).on('line', (line) => this.#hear(line));
    this.ended.then(([code, signal]) => this.#lost(`it ended with ${code ?? signal}`));
    // Whoever asks is told by the end of the process.
    this.child.stdin?.on('error', () => {});
  }

  /** @type {Map<number, { resolve: (value: any) => void, reject: (error: Error) => void }>} */
  #asked = new Map();
  #n = 0;
  #gone = '';

  toString() {
    return `${this.host.name} (${this.kind})`;
  }

  /** Begins anew, as a program that was just started. */
  begin() {
    return this.ask('begin');
  }

  /**
   * Goes to a server. Whoever calls gets its words back. Resolves with the id.
   * @param {Door} door
   * @param {{ id?: string, watch?: string }} [options]
   * @returns {Promise<{ id: string, key: string }>}
   */
  open(door, options = {}) {
    return this.ask('open', { door, ...options });
  }

  /**
   * Calls a peer and has a word come back.
   * @param {string} to
   * @param {{ deadline?: number, key?: string }} [options]
   * @returns {Promise<Outcome>}
   */
  connect(to, options = {}) {
    return this.ask('connect', { to, options });
  }

  /** Says something on the last connection. @param {any} data */
  say(data) {
    return this.ask('say', { data });
  }

  /**
   * What happened since it was opened: words heard on connections, the states of the last connection, of the presence of whom it watches, of the
   * way to the server; and what the last connection says of itself now.
   * @returns {Promise<{ heard: any[], states: string[], presence: string[], status: string[], keys: string[], calls: number, path: string | null, held: number, fresh: number, ended: string | null }>}
   */
  story() {
    return this.ask('story');
  }

  /** Ends the last connection. */
  leave() {
    return this.ask('leave');
  }

  /** @param {string} word @param {object} [args] @returns {Promise<any>} */
  ask(word, args = {}) {
    // Made here, because here the stack still has the line of the test.
    const failure = new Error();
    return new Promise((resolve, reject) => {
      const n = (this.#n += 1);
      const end = (/** @type {string} */ text) => {
        failure.message = `${this}, ${word}: ${text}\n${this.log}`;
        reject(failure);
      };
      if (this.#gone) return end(this.#gone);
      const timer = setTimeout(() => end(`no answer in ${ANSWER_MS / 1000} s`), ANSWER_MS);
      const done = () => (clearTimeout(timer), this.#asked.delete(n));
      this.#asked.set(n, { resolve: (value) => (done(), resolve(value)), reject: ({ message }) => (done(), end(message)) });
      this.child.stdin?.write(`${JSON.stringify({ n, word, args })}\n`);
    });
  }

  /** Ends the process, and waits until it is gone. */
  async stop() {
    this.child.kill('SIGTERM');
    await this.ended;
  }

  /** @param {string} line */
  #hear(line) {
    const { re, value, error } = JSON.parse(line);
    const asked = this.#asked.get(re);
    if (error === undefined) asked?.resolve(value);
    else asked?.reject(new Error(error));
  }

  /** @param {string} why */
  #lost(why) {
    this.#gone = why;
    for (const { reject } of [...this.#asked.values()]) reject(new Error(why));
  }
}
