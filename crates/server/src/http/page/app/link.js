// The link by which people meet. The room stands behind the `#`, which browsers tell no server when they ask for the page.

const LETTERS = 'abcdefghijklmnopqrstuvwxyz234567';
const ROOM = /^[a-z2-7]{16}$/;
const PREFIX = 'demo-';

/** The room that an address names, if it does. @param {string} hash `location.hash` */
export function roomIn(hash) {
  const id = hash.slice(1);
  return ROOM.test(id) ? id : null;
}

/** A room that nobody can guess. */
export function freshRoom() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => LETTERS[byte & 31]).join('');
}

/** What the server calls a room. @param {string} id */
export function nameOf(id) {
  return PREFIX + id;
}

/** The other way round; `null` for a room of another app. @param {string} name */
export function idOf(name) {
  return name.startsWith(PREFIX) ? roomIn(`#${name.slice(PREFIX.length)}`) : null;
}

/**
 * The link to a room: at the server's own address where the operator gave it one, else where the page was opened.
 * @param {string} id
 * @param {string | undefined} own
 * @param {string} here `location.href`
 */
export function linkTo(id, own, here) {
  const url = new URL(own || here);
  url.search = '';
  url.hash = id;
  return url.href;
}

/** Whether a link leads only where it was made. @param {string} link */
export function isLocal(link) {
  return /^(localhost|.*\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(link).hostname);
}
