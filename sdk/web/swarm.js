// A swarm: many who are about the same thing, of whom some are handed out at random.

/**
 * @import { Wigwag } from './client.js'
 * @import { Ask, Line } from './line.js'
 * @import { Frame } from './terms.js'
 *
 * @typedef {object} Crowd
 * @property {{ id: string, device: string }[]} peers some of the others, chosen at random
 * @property {number} complete how many have all that it is about
 * @property {number} incomplete
 *
 * @typedef {object} Announcement
 * @property {number} [want] how many others to hand out
 * @property {boolean} [complete] whether we have all that the swarm is about; left out, as before
 */

export class Swarm {
  /**
   * Enters a swarm, which is made where it is not there; `found` is what the server handed out for that.
   * @param {Wigwag} client
   * @param {string} name
   * @param {Announcement & Ask} [options]
   */
  static async join(client, name, options) {
    /** @type {Swarm} */
    const swarm = client.attach(`swarm ${name}`, (line, detach) => new Swarm(line, name, detach));
    swarm.found = await swarm.announce(options);
    return swarm;
  }

  /** How many are in a swarm that one need not be in. @param {Wigwag} client @param {string} name @param {Ask} [ask] @returns {Promise<Crowd>} */
  static async count(client, name, ask) {
    return crowd(await client.ask({ type: 'swarm.count', swarm: name }, { again: true, ...ask }));
  }

  /** @param {Line} line @param {string} name @param {() => void} detach @private */
  constructor(line, name, detach) {
    /** @readonly */
    this.name = name;
    this.#line = line;
    this.#detach = detach;
  }

  #line;
  #detach;
  /** @type {Crowd} */
  found = { peers: [], complete: 0, incomplete: 0 };
  #complete = false;

  /** Says that we are here, and gets some of the others. @param {Announcement & Ask} [options] @returns {Promise<Crowd>} */
  async announce({ want, complete = this.#complete, signal } = {}) {
    const frame = { type: 'swarm.announce', swarm: this.name, complete };
    const answer = await this.#line.ask({ ...frame, want }, { again: true, signal });
    this.#complete = complete;
    // A fresh session is in it again, and wants nobody.
    this.#line.stand(`swarm ${this.name}`, frame);
    return crowd(answer);
  }

  async leave() {
    this.#line.stand(`swarm ${this.name}`, null);
    this.#detach();
    await this.#line.ask({ type: 'swarm.leave', swarm: this.name });
  }
}

/** @param {Frame} frame @returns {Crowd} */
function crowd({ peers = [], complete, incomplete }) {
  return { peers: peers.map((/** @type {any} */ { id, device = '' }) => ({ id, device })), complete, incomplete };
}
