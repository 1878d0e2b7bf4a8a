// The parts of the SDK that are loaded when they are needed. `all.js` brings them along for programs that may load nothing later,
// as service workers.

/**
 * @typedef {object} Parts
 * @property {typeof import('./calls.js')} [calls] what makes connections
 * @property {typeof import('./by-code.js')} [codes] connections by codes that people carry
 * @property {typeof import('./mesh.js')} [mesh] what connects all members of a room
 * @property {typeof import('./veil.js')} [veil] what secret rooms are hidden behind
 */

/** @type {Parts} */
const brought = {};

/** From now on these are taken instead of being loaded. @param {Parts} parts */
export function bring(parts) {
  Object.assign(brought, parts);
}

/** @returns {Promise<typeof import('./calls.js')>} */
export async function calls() {
  return brought.calls ?? import('./calls.js');
}

/** @returns {Promise<typeof import('./veil.js')>} */
export async function veil() {
  return brought.veil ?? import('./veil.js');
}

/** @returns {Promise<typeof import('./by-code.js')>} */
export async function codes() {
  return brought.codes ?? import('./by-code.js');
}

/** @returns {Promise<typeof import('./mesh.js')>} */
export async function mesh() {
  return brought.mesh ?? import('./mesh.js');
}
