// A network of nodes: who is in it, what each of them does, and when each was last heard of.

import { Emitter } from './events.js';
import { WigwagError } from './errors.js';

/**
 * @import { Wigwag } from './client.js'
 * @import { Ask, Line } from './line.js'
 * @import { Frame } from './terms.js'
 *
 * @typedef {object} Node
 * @property {string} id
 * @property {string} device empty where it has none
 * @property {string[]} roles
 * @property {any} [me] what it shows of itself
 * @property {Date} [beat] when its last sign of life came
 *
 * @typedef {{ type: 'joined', node: Node }
 *   | { type: 'updated', node: Node }
 *   | { type: 'left', node: Node }
 *   | { type: 'beats', nodes: Node[] }
 *   | { type: 'role', id: string, roles: string[], from: string }
 *   | { type: 'closed', why: string }} NetworkEvent
 *
 * @typedef {object} NetworkOptions
 * @property {any} [me] what the others see of us
 * @property {number} [beatEvery] milliseconds between signs of life; left out, the app gives them by `beat`
 */

/** What comes before the list of nodes is there waits, up to so much. */
const EARLY_MAX = 1_000;

/** @extends {Emitter<NetworkEvent>} */
export class Network extends Emitter {
  /**
   * Becomes a node of a network, which is made where it is not there.
   * @param {Wigwag} client
   * @param {string} name
   * @param {NetworkOptions & Ask} [options]
   */
  static async join(client, name, { me, beatEvery, signal } = {}) {
    /** @type {Network} */
    const network = client.attach(`network ${name}`, (line, detach) => new Network(client, line, name, detach));
    await network.#enter(me, beatEvery, signal);
    return network;
  }

  /** @param {Wigwag} client @param {Line} line @param {string} name @param {() => void} detach @private */
  constructor(client, line, name, detach) {
    super();
    /** @readonly */
    this.name = name;
    this.#client = client;
    this.#line = line;
    this.#detach = detach;
  }

  #client;
  #line;
  #detach;
  /** @type {Map<string, Node> | null} */
  #nodes = null;
  /** @type {Frame[]} */
  #early = [];
  /** @type {any} */
  #timer = null;
  #open = true;

  /** All nodes, this one too. */
  get nodes() {
    return [...(this.#nodes?.values() ?? [])];
  }

  /** Whether we are still in it. */
  get open() {
    return this.#open;
  }

  /** Those that have a role. @param {string} role */
  having(role) {
    return this.nodes.filter(({ roles }) => roles.includes(role));
  }

  /** A sign of life, which may get lost while there is no server. */
  beat() {
    this.#line.mention({ type: 'beat', network: this.name });
  }

  /** Says which roles a node has, all of them; without an id, this one. @param {string[]} roles @param {{ id?: string } & Ask} [options] */
  async setRoles(roles, { id = this.#client.id, signal } = {}) {
    await this.#line.ask({ type: 'role', network: this.name, id, roles }, { signal });
  }

  async leave() {
    if (!this.#open) return;
    this.end('left');
    await this.#line.ask({ type: 'network.leave', network: this.name });
  }

  /** @param {any} me @param {number | undefined} beatEvery @param {AbortSignal} [signal] */
  async #enter(me, beatEvery, signal) {
    const frame = { type: 'network.join', network: this.name, me };
    try {
      this.standing(await this.#line.ask(frame, { again: true, signal }));
    } catch (error) {
      if (!this.#nodes) this.end('refused');
      throw error;
    }
    if (!this.#open) throw new WigwagError('closed', 'This client is closed.');
    this.#line.stand(`network ${this.name}`, frame);
    clearInterval(this.#timer);
    if (beatEvery) this.#timer = setInterval(() => this.beat(), beatEvery);
  }

  /** The whole list: at first, and when something was missed. @param {Frame | WigwagError} answer @package */
  standing(answer) {
    if (answer instanceof WigwagError) return this.end(answer.reason);
    const before = this.#nodes;
    this.#nodes = new Map();
    for (const each of answer.nodes) this.#put(each, before ?? undefined);
    for (const [key, node] of before ?? []) if (!this.#nodes.has(key)) this.emit({ type: 'left', node });
    for (const frame of this.#early.splice(0)) this.hear(frame);
  }

  /** @param {Frame} frame @package */
  hear(frame) {
    const nodes = this.#nodes;
    if (!nodes) return void (this.#early.length < EARLY_MAX && this.#early.push(frame));
    if (frame.type === 'network.nodes') {
      for (const each of frame.left ?? []) {
        const node = nodes.get(keyOf(each));
        nodes.delete(keyOf(each));
        if (node) this.emit({ type: 'left', node });
      }
      for (const each of frame.joined ?? []) this.#put(each, nodes);
    } else if (frame.type === 'beats') {
      const beat = new Date();
      const from = frame.from.flatMap((/** @type {{ id: string, device?: string }} */ each) => nodes.get(keyOf(each)) ?? []);
      for (const node of from) node.beat = beat;
      this.emit({ type: 'beats', nodes: from });
    } else if (frame.type === 'role') {
      for (const node of nodes.values()) if (node.id === frame.id) node.roles = frame.roles;
      this.emit({ type: 'role', id: frame.id, roles: frame.roles, from: frame.from });
    }
  }

  /** We are no longer in it. @param {string} why @package */
  end(why) {
    if (!this.#open) return;
    this.#open = false;
    clearInterval(this.#timer);
    this.#line.stand(`network ${this.name}`, null);
    this.#detach();
    this.emit({ type: 'closed', why });
    this.over();
  }

  /** @param {any} each as the server tells it @param {Map<string, Node>} [before] who is told of already; none at the first list */
  #put(each, before) {
    const key = keyOf(each);
    const known = before?.get(key);
    const node = { id: each.id, device: each.device ?? '', roles: each.roles ?? [], me: each.me, beat: known?.beat };
    const told = known && same(known, node);
    this.#nodes?.set(key, told ? known : node);
    if (before && !told) this.emit({ type: known ? 'updated' : 'joined', node });
  }
}

/** @param {{ id: string, device?: string }} node */
function keyOf({ id, device = '' }) {
  return `${id} ${device}`;
}

/** @param {Node} one @param {Node} other */
function same(one, other) {
  return JSON.stringify([one.roles, one.me]) === JSON.stringify([other.roles, other.me]);
}
