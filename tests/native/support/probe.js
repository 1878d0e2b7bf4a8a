// The native end: `rtc-probe` in a process of its own, which speaks JSON lines.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

import { probe } from './binary.js';
import { Queue } from './queue.js';

export class Probe {
  #asked = 0;
  #told = new Queue();

  /** @param t the test that it ends with @param config what `rtc-probe` is told */
  constructor(t, config = {}) {
    this.child = spawn(probe(), [JSON.stringify(config)], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.ended = once(this.child, 'exit');
    createInterface({ input: this.child.stdout }).on('line', (line) => this.#told.put(JSON.parse(line)));
    t.after(() => this.child.kill('SIGKILL'));
  }

  /** Gives an order and waits for its answer. */
  async ask(order) {
    const answer = await this.try(order);
    if (answer.error) throw new Error(answer.error);
    return answer;
  }

  /** The same, where a refusal is an answer too. */
  try(order) {
    const n = ++this.#asked;
    const answer = this.#told.next(({ re }) => re === n, `the answer to ${order.do}`);
    this.child.stdin.write(`${JSON.stringify({ n, ...order })}\n`);
    return answer;
  }

  async offer(restart = false) {
    return (await this.ask({ do: 'offer', restart })).description;
  }

  async describe(description) {
    return (await this.ask({ do: 'describe', description })).description;
  }

  /** What it said last, with all candidates. */
  async local() {
    await this.gathered();
    return (await this.ask({ do: 'local' })).description;
  }

  candidates(candidates) {
    return this.ask({ do: 'candidates', candidates });
  }

  open(channel) {
    return this.#told.next(({ open }) => open === channel, `${channel} being open`);
  }

  ice(state) {
    return this.#told.next(({ ice }) => ice === state, `ICE ${state}`);
  }

  gathered() {
    return this.#told.next(({ gathered }) => gathered, 'the end of gathering');
  }

  said(channel) {
    return this.#told.next(({ from }) => from === channel, `a message on ${channel}`);
  }

  channel(label) {
    return this.#told.next(({ channel }) => channel === label, `the channel ${label}`);
  }

  ends(label) {
    return this.#told.next(({ ended }) => ended === label, `the end of ${label}`);
  }

  closed() {
    return this.#told.next(({ closed }) => closed, 'the end');
  }

  /** Hands each candidate that is found from now on to this one. */
  trickle(take) {
    const each = ({ candidate }) => {
      take(candidate);
      this.#told.next(({ candidate }) => candidate).then(each, () => {});
    };
    this.#told.next(({ candidate }) => candidate).then(each, () => {});
  }
}
