// `spec/mesh.md`, the post: members that are connected carry sealed signals for each other when the server does not.

import { utf8 } from './keys.js';

/**
 * @import { Heard } from './calls.js'
 * @import { Clock } from './line.js'
 *
 * @typedef {{ id: string, device: string }} Party
 *
 * @typedef {Pick<RTCDataChannel, 'send' | 'readyState' | 'bufferedAmount'> & { onopen: any, onmessage: any }} PostChannel
 *
 * @typedef {{ type: 'near', peers: Party[] }
 *   | { type: 'pass', to: string, device: string, kind: string, data: any }
 *   | { type: 'post', from: string, device: string, kind: string, data: any }} PostMessage
 *
 * @typedef {object} Office What the post needs of the mesh around it.
 * @property {() => Party} self
 * @property {(party: Party) => boolean} member whether it is in the room, as far as we know
 * @property {(party: Party, key: string) => Promise<boolean>} believes whether a key that somebody brought can be held against something
 * @property {(heard: Heard) => void} hear takes a signal
 * @property {() => void} changed somebody is near to others than before
 * @property {Clock} clock
 * @property {() => number} random
 *
 * @typedef {object} Neighbour
 * @property {Party} party
 * @property {PostChannel} channel
 * @property {() => boolean} open whether the connection has a path now
 * @property {Map<string, Party>} near
 * @property {Budget} own what it says for itself
 * @property {Budget} carried what it brings from others
 */

const MESSAGE_BYTES = 65_536;
const WAITING_BYTES = 262_144;
const PEERS_MAX = 256;
const GATHER_MS = 200;
const ROUTE_MS = 10_000;

/** Calls whose way is remembered. */
const ROUTES_MAX = 256;

const KINDS = new Set(['ww.hail', 'ww.heed', 'ww.decline', 'ww.sealed']);

/** The post of one mesh. */
export class Near {
  /** @param {Office} office */
  constructor(office) {
    this.#office = office;
  }

  #office;
  /** @type {Map<string, Neighbour>} */
  #neighbours = new Map();
  /** By which neighbour a call goes, when it last did, and when it last came so. @type {Map<string, { way: string, at: number, came: number }>} */
  #routes = new Map();
  /** Keys are looked up one after the other, because the order of signals has a meaning. */
  #turn = Promise.resolve();
  /** @type {any} */
  #gathering = null;

  /** @param {Party} party @param {PostChannel} channel @param {() => boolean} open whether its connection has a path now */
  add(party, channel, open) {
    /** @type {Neighbour} */
    const neighbour = { party, channel, open, near: new Map(), own: new Budget(512, 128), carried: new Budget(4_096, 1_024) };
    this.#neighbours.set(partyKey(party), neighbour);
    channel.onmessage = (/** @type {MessageEvent} */ { data }) => this.#take(neighbour, data);
    channel.onopen = () => {
      this.#tell(neighbour);
      this.news();
    };
    if (channel.readyState === 'open') this.#tell(neighbour);
    this.news();
  }

  /** @param {Party} party */
  remove(party) {
    const neighbour = this.#neighbours.get(partyKey(party));
    if (!neighbour) return;
    this.#neighbours.delete(partyKey(party));
    neighbour.channel.onmessage = neighbour.channel.onopen = null;
    this.news();
  }

  /** Our connections are others than before: the neighbours are told soon. */
  news() {
    if (!this.#neighbours.size) return;
    this.#gathering ??= this.#office.clock.setTimeout(() => {
      this.#gathering = null;
      for (const neighbour of this.#neighbours.values()) this.#tell(neighbour);
    }, GATHER_MS);
  }

  close() {
    for (const { party } of [...this.#neighbours.values()]) this.remove(party);
    this.#office.clock.clearTimeout(this.#gathering);
    this.#routes.clear();
  }

  /** Whether somebody near says that it is connected to this party, or to any device of this id. @param {string} id @param {string} [device] */
  reaches(id, device) {
    return this.#ways(id, device).length > 0;
  }

  /** Whether a signal of this call came by the post just now. @param {string} call */
  came(call) {
    return this.#office.clock.now() - (this.#routes.get(call)?.came ?? -Infinity) < ROUTE_MS;
  }

  /**
   * Hands a signal to somebody who can hand it on. Returns whether there is anybody.
   * @param {string} to
   * @param {string | undefined} device left out, every device that somebody is connected to
   * @param {string} kind
   * @param {any} data
   */
  pass(to, device, kind, data) {
    const ways = this.#ways(to, device);
    const parties = new Map(ways.map(({ party }) => [partyKey(party), party]));
    let passed = false;
    for (const [key, party] of parties) {
      const able = ways.filter(({ party: reached }) => partyKey(reached) === key).map(({ neighbour }) => neighbour);
      const neighbour = this.#choose(data.call, able);
      const text = JSON.stringify({ type: 'pass', to, device: party.device || undefined, kind, data });
      if (utf8(text).length > MESSAGE_BYTES || !put(neighbour.channel, text)) continue;
      this.#route(data.call, neighbour, false);
      passed = true;
    }
    return passed;
  }

  /** @param {string} id @param {string} [device] */
  #ways(id, device) {
    const ways = [];
    for (const neighbour of this.#neighbours.values()) {
      if (!carries(neighbour)) continue;
      for (const party of neighbour.near.values()) {
        if (party.id === id && (device === undefined || party.device === device)) ways.push({ neighbour, party });
      }
    }
    return ways;
  }

  /** @param {string} call @param {Neighbour[]} able at least one */
  #choose(call, able) {
    const route = this.#routes.get(call);
    const known = route && this.#office.clock.now() - route.at < ROUTE_MS && able.find(({ party }) => partyKey(party) === route.way);
    return known || /** @type {Neighbour} */ (able[Math.floor(this.#office.random() * able.length)]);
  }

  /** @param {string} call @param {Neighbour} neighbour @param {boolean} came */
  #route(call, { party }, came) {
    const now = this.#office.clock.now();
    const before = this.#routes.get(call);
    this.#routes.delete(call);
    this.#routes.set(call, { way: partyKey(party), at: now, came: came ? now : before?.came ?? -Infinity });
    for (const oldest of this.#routes.keys()) {
      if (this.#routes.size <= ROUTES_MAX) break;
      this.#routes.delete(oldest);
    }
  }

  /** @param {Neighbour} neighbour @param {unknown} text */
  #take(neighbour, text) {
    // Before anything is read: a `post` begins as we write it, and whoever writes it otherwise pays as for its own.
    const carried = typeof text === 'string' && text.startsWith('{"type":"post"');
    const budget = carried ? neighbour.carried : neighbour.own;
    const message = budget.take(this.#office.clock.now()) ? readPost(text) : null;
    if (carried && message?.type !== 'post') return;
    if (message?.type === 'near') {
      neighbour.near = new Map(message.peers.map((party) => [partyKey(party), party]));
      this.#office.changed();
    } else if (message?.type === 'pass') {
      const target = this.#neighbours.get(partyKey({ id: message.to, device: message.device }));
      if (!target || target === neighbour || !carries(target) || target.channel.bufferedAmount >= WAITING_BYTES) return;
      const { id: from, device } = neighbour.party;
      put(target.channel, JSON.stringify({ type: 'post', from, device: device || undefined, kind: message.kind, data: message.data }));
    } else if (message?.type === 'post') {
      this.#turn = this.#turn.then(() => this.#receive(neighbour, message)).catch(() => {
        // What cannot be held against anything is passed over.
      });
    }
  }

  /** @param {Neighbour} neighbour @param {Extract<PostMessage, { type: 'post' }>} message */
  async #receive(neighbour, { from, device, kind, data }) {
    const self = this.#office.self();
    const party = { id: from, device };
    if (partyKey(party) === partyKey(self) || !this.#office.member(party)) return;
    if (kind !== 'ww.sealed' && !(typeof data.key === 'string' && (await this.#office.believes(party, data.key)))) return;
    if (this.#neighbours.get(partyKey(neighbour.party)) !== neighbour) return;
    this.#route(data.call, neighbour, true);
    this.#office.hear({ from, device, kind, data, polite: isPolite(self, party) });
  }

  /** @param {Neighbour} neighbour */
  #tell(neighbour) {
    const others = [...this.#neighbours.values()].filter((other) => other !== neighbour && carries(other)).slice(0, PEERS_MAX);
    const peers = others.map(({ party: { id, device } }) => ({ id, device: device || undefined }));
    put(neighbour.channel, JSON.stringify({ type: 'near', peers }));
  }
}

/** So many at once, and so many per second. */
class Budget {
  /** @param {number} burst @param {number} perSecond */
  constructor(burst, perSecond) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#left = burst;
  }

  #burst;
  #perSecond;
  #left;
  #at = -Infinity;

  /** Whether there is one left, which is taken. @param {number} now */
  take(now) {
    this.#left = Math.min(this.#burst, this.#left + (Math.max(0, now - this.#at) / 1_000) * this.#perSecond);
    this.#at = now;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}

/** What a text of the post says; `null` where it is to be passed over. @param {unknown} text @returns {PostMessage | null} */
export function readPost(text) {
  if (typeof text !== 'string' || text.length > MESSAGE_BYTES || utf8(text).length > MESSAGE_BYTES) return null;
  let message;
  try {
    message = JSON.parse(text);
  } catch {
    return null;
  }
  const { type, peers, to, from, device = '', kind, data } = Object(message);
  if (type === 'near') {
    if (!Array.isArray(peers) || peers.length > PEERS_MAX) return null;
    const parties = peers.map((peer) => partyOf(Object(peer).id, Object(peer).device));
    return parties.every((party) => party !== null) ? { type, peers: parties } : null;
  }
  const party = partyOf(type === 'pass' ? to : from, device);
  if (!party || !KINDS.has(kind) || typeof Object(data).call !== 'string') return null;
  if (type === 'pass') return { type, to: party.id, device: party.device, kind, data };
  return type === 'post' ? { type, from: party.id, device: party.device, kind, data } : null;
}

/** Whether we give way to the other, as the server would say. @param {Party} self @param {Party} other */
export function isPolite(self, other) {
  const order = compare(self.id, other.id) || compare(self.device, other.device);
  return order < 0;
}

/** @param {Party} party */
export function partyKey({ id, device }) {
  return `${id} ${device}`;
}

/** @param {unknown} id @param {unknown} [device] @returns {Party | null} */
function partyOf(id, device = '') {
  const good = typeof id === 'string' && id.length > 0 && id.length <= 128 && typeof device === 'string' && device.length <= 32;
  return good ? { id, device } : null;
}

/** Byte for byte. @param {string} one @param {string} other */
function compare(one, other) {
  const [a, b] = [utf8(one), utf8(other)];
  const at = a.findIndex((byte, place) => byte !== b[place]);
  return at < 0 ? a.length - b.length : (a[at] ?? 0) - (b[at] ?? -1);
}

/** Whether anything can go there now. @param {Neighbour} neighbour */
function carries({ channel, open }) {
  return channel.readyState === 'open' && open();
}

/** @param {PostChannel} channel @param {string} text */
function put(channel, text) {
  if (channel.readyState !== 'open') return false;
  try {
    channel.send(text);
    return true;
  } catch {
    // The platform has no room: whoever sent it tries again.
    return false;
  }
}
