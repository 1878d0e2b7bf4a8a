// A room's secret, made well, and on its way in a link: behind the `#`, where no server sees it.

import { base64url } from './keys.js';

const FIELD = 'wigwag';

/** A secret for a room: 43 letters, digits, `-` and `_` that nobody guesses. */
export function roomSecret() {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

/** A link to a page that carries a secret. @param {string} secret @param {string} [page] left out, this one */
export function secretLink(secret, page = location.href) {
  const link = new URL(page);
  link.hash = `${new URLSearchParams({ [FIELD]: secret })}`;
  return link.href;
}

/** The secret that a link carries, `null` where it carries none. @param {string} [link] left out, this page's */
export function linkedSecret(link = location.href) {
  return new URLSearchParams(new URL(link).hash.slice(1)).get(FIELD);
}
