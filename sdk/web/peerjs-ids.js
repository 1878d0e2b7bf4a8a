// PeerJS's ids in ours. A peer that asks for no id is called by its key. A word that an app chooses is a room that the peer of that name holds as its host,
// for as long as it is here: who looks for the word enters, sees who the host is, and leaves in the same breath.

import { WigwagError } from './errors.js';
import { Identity } from './identity.js';
import { makeKeys } from './keys.js';
import { idForm } from './verify.js';

/**
 * @import { Wigwag } from './client.js'
 * @import { Keep } from './keep.js'
 * @import { Room } from './room.js'
 */

/** How many keys of earlier peers are kept in this browser. */
const KEPT = 256;

/** A claim that met somebody who was only looking is made so often. */
const CLAIMS = 4;

/** A room's host sends visitors away that stay, from this number on. */
const VISITORS_MAX = 32;

/** Whether PeerJS takes it: letters and digits, in words that single blanks, underscores or hyphens set apart. @param {string} id */
export function validateId(id) {
  return /^[A-Za-z0-9]+(?:[ _-][A-Za-z0-9]+)*$/.test(id) && id.length <= 120;
}

/** Whether an id is a key's, which nobody else can have. @param {string} id */
export function isKeyId(id) {
  return idForm(id) === 'key';
}

/**
 * The identity of the peer that wants to be called `id`: the one that it had in this browser before, or a new one. `null` for the id of a key that is not here.
 * @param {string | undefined} id left out, the new key's own
 * @param {Keep} keep
 * @returns {Promise<Identity | null>}
 */
export async function identityOf(id, keep) {
  const kept = id === undefined ? undefined : await keep.read(slot(id));
  if (kept?.id === id && kept?.pair) return Identity.of(kept.pair);
  if (id !== undefined && isKeyId(id)) return null;
  const { pair } = await makeKeys(crypto.subtle);
  const identity = await Identity.of(pair);
  const called = id ?? identity.id;
  // In a place that others may need too: what was there belonged to a peer of long ago.
  await keep.write(slot(called), { id: called, pair });
  return identity;
}

/**
 * Takes a word, or the id of a key for one page alone. Throws `taken` where another has it. Resolves with the room that is the claim to a word.
 * @param {Wigwag} w
 * @param {string} id
 * @returns {Promise<Room | null>}
 */
export async function claim(w, id) {
  if (isKeyId(id)) {
    const { devices } = await w.find(id);
    if (devices.some(({ device, state }) => state === 'here' && device !== w.device)) throw taken(id);
    return null;
  }
  for (let left = CLAIMS; ; left -= 1) {
    const room = await w.join(roomOf(id), { me: { peerjs: id }, linger: 0 });
    if (room.mine) return guarded(room);
    const host = room.members.find((member) => member.id === room.host.id && member.device === room.host.device);
    await room.leave();
    if (!left || host?.me?.peerjs === id) throw taken(id);
  }
}

/**
 * Where the peer is that is called so; throws `not_found` where there is none.
 * @param {Wigwag} w
 * @param {string} id
 * @returns {Promise<{ id: string, device: string | undefined }>}
 */
export async function resolve(w, id) {
  if (isKeyId(id)) return { id, device: undefined };
  const nobody = new WigwagError('not_found', `Nobody is called ${id} here.`);
  if (!validateId(id)) throw nobody;
  const room = roomOf(id);
  // The server carries both out in this order, so that nobody ever finds us inside.
  const entering = w.ask({ type: 'room.join', room }, { again: true });
  const leaving = w.ask({ type: 'room.leave', room }, { again: true }).catch(() => {
    // Where there is no room there is none to leave.
  });
  const [{ host, members }] = await Promise.all([entering, leaving]);
  const holder = members.find((/** @type {any} */ member) => member.id === host.id && (member.device ?? '') === (host.device ?? ''));
  if (!holder) throw nobody;
  return { id: host.id, device: host.device ?? '' };
}

/** @param {string} id */
function roomOf(id) {
  return `peerjs/${id}`;
}

/** Nobody has a reason to stay in the room: whoever does might fill it. @param {Room} room */
function guarded(room) {
  room.on('joined', () => {
    for (const { id } of room.members.slice(0, Math.max(0, room.members.length - VISITORS_MAX))) {
      room.kick(id).catch(() => {
        // It has left, or the claim is lost, which is told elsewhere.
      });
    }
  });
  return room;
}

/** @param {string} id */
function taken(id) {
  return new WigwagError('taken', `The id ${id} is taken.`);
}

/** @param {string} id */
function slot(id) {
  let hash = 0x811c9dc5;
  for (let at = 0; at < id.length; at += 1) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193);
  return `peerjs ${(hash >>> 0) % KEPT}`;
}
