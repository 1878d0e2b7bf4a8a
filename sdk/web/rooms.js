// The rooms that a client is in: entering them, and whose each message of the server is.

import * as parts from './parts.js';
import { Room } from './room.js';

/**
 * @import { JoinOptions, Wigwag } from './client.js'
 * @import { WigwagError } from './errors.js'
 * @import { Ask, Line } from './line.js'
 * @import { Meshes } from './mesh.js'
 * @import { Options as RoomOptions } from './room.js'
 * @import { Frame } from './terms.js'
 * @import { Veil } from './veil.js'
 *
 * @typedef {object} Around what rooms need of the client around them
 * @property {Line} line
 * @property {Wigwag} client
 * @property {string} key with which calls are signed
 * @property {() => Promise<void>} served resolves when there is a server
 * @property {() => Promise<Meshes>} weave
 */

/** A room that is being joined hears this much before the app has it. */
const EARLY_MAX = 1_000;

export class Rooms {
  /** @param {Around} around */
  constructor(around) {
    this.#around = around;
  }

  #around;
  /** @type {Map<string, Room>} */
  #rooms = new Map();
  /** What came for a room between the answer to our joining and the moment the app has it. @type {Map<string, Frame[]>} */
  #early = new Map();

  get all() {
    return [...this.#rooms.values()];
  }

  /** @param {string} name @param {JoinOptions & RoomOptions & Ask} given @returns {Promise<Room>} */
  async join(name, given) {
    const { create = true, me, password, signal, again: _, secret, mesh, ...options } = given;
    const veil = secret === undefined ? undefined : await this.#veil(secret, name);
    const at = veil?.name ?? name;
    const known = this.#rooms.get(at);
    if (known && mesh) (await this.#around.weave()).add(known, Object(mesh));
    if (known) return known;
    const room = await this.enter({ type: 'room.join', room: at, create, me, password }, { signal, mesh, line: veil });
    // Whoever is alone as the first host has just made it.
    if (room.mine && room.term === 1 && !room.members.length && Object.keys(options).length) await room.set(options);
    return room;
  }

  /**
   * @param {Frame} frame asks for it
   * @param {{ signal?: AbortSignal, mesh?: JoinOptions['mesh'], line?: Line | Veil }} how
   * @returns {Promise<Room>}
   */
  async enter(frame, { signal, mesh, line = this.#around.line }) {
    const meshes = mesh && (await this.#around.weave());
    // What was still under way when we were last in that room is of no use to the next time.
    this.#early.clear();
    const joined = await line.ask(frame, { signal, again: frame.type === 'room.join' });
    const { me, password } = frame;
    const room = this.#rooms.get(joined.room) ?? new Room(line, this.#around.client, joined, { me, password }, (left) => {
      if (this.#rooms.get(left.name) === left) this.#rooms.delete(left.name);
    });
    this.#rooms.set(room.name, room);
    const early = this.#early.get(room.name) ?? [];
    this.#early.delete(room.name);
    if (meshes) meshes.add(room, Object(mesh));
    for (const each of early) room.hear(each);
    return room;
  }

  /** Something that the server says of a room. @param {Frame} frame */
  hear(frame) {
    const room = this.#rooms.get(frame.room);
    if (room) room.hear(frame);
    else this.#early.set(frame.room, [...(this.#early.get(frame.room) ?? []), frame].slice(-EARLY_MAX));
  }

  /** A fresh session is in this room again, or not. @param {string} name @param {Frame | WigwagError} answer */
  rejoined(name, answer) {
    this.#rooms.get(name)?.rejoined(answer);
  }

  /** There is a session: what came for rooms of before is of no use. */
  welcome() {
    this.#early.clear();
  }

  /** @param {string} why */
  end(why) {
    for (const room of this.all) room.end(why);
  }

  /** @param {string} secret @param {string} title */
  async #veil(secret, title) {
    const { line, client, key, served } = this.#around;
    const { Veil } = await parts.veil();
    // Who has no key of its own learns from the server what it is called.
    if (!client.id) await served();
    const told = () => client.emit({ type: 'fault', code: 0, message: 'Something came for a secret room that its secret does not open.' });
    return Veil.make({ line, self: client, key, told }, secret, title);
  }
}
