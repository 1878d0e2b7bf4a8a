// Where the servers are, if the app does not say: what a person chose, what the page or the build says, and else the server this file came from.

/** @import { Server } from './terms.js' */

const KEPT = 'wigwag.url';

/**
 * The servers to use.
 * @param {string | Server | (string | Server)[]} [given] by the app
 * @returns {Server[]}
 */
export function servers(given) {
  const list = given === undefined ? [chosenServer() ?? pageServer() ?? builtServer() ?? servingServer() ?? []].flat() : [given].flat();
  return list.map((server) => (typeof server === 'string' ? { url: socketUrl(server) } : { ...server, url: socketUrl(server.url) }));
}

/**
 * The URL of a server's WebSocket: `example.org`, `https://example.org` and `wss://example.org/v1` mean the same.
 * @param {string} text
 */
export function socketUrl(text) {
  const near = /^(localhost|127\.|\[::1\])/.test(text);
  const url = new URL(/^[a-z]+:\/\//i.test(text) ? text : `${near ? 'ws' : 'wss'}://${text}`);
  if (!['ws:', 'wss:', 'http:', 'https:'].includes(url.protocol)) throw new TypeError(`${text} is no address of a server`);
  url.protocol = url.protocol.replace('http', 'ws');
  if (!url.pathname.endsWith('/v1')) url.pathname = `${url.pathname.replace(/\/$/, '')}/v1`;
  url.hash = '';
  return url.href;
}

/** The server that a person chose in this browser, if any. @returns {string | undefined} */
export function chosenServer() {
  try {
    return socketUrl(storage()?.getItem(KEPT) ?? '');
  } catch {
    // Nothing was chosen, or something else wrote there what is no address: nobody shall be locked out by it.
    return undefined;
  }
}

/** Remembers a server that a person chose; `null` forgets it. @param {string | null} url */
export function chooseServer(url) {
  if (url === null) storage()?.removeItem(KEPT);
  else storage()?.setItem(KEPT, socketUrl(url));
}

/** `<meta name="wigwag-url" content="…">`, several separated by blanks. */
function pageServer() {
  if (typeof document === 'undefined') return undefined;
  const content = document.querySelector('meta[name="wigwag-url"]')?.getAttribute('content')?.trim();
  return content ? content.split(/\s+/) : undefined;
}

/** `VITE_WIGWAG_URL` at build time. */
function builtServer() {
  // @ts-expect-error: bundlers put this here, and nothing else does.
  const url = import.meta.env?.VITE_WIGWAG_URL;
  return typeof url === 'string' && url ? url.split(/\s+/) : undefined;
}

/** Where this very file came from, if that was a Wigwag server. */
function servingServer() {
  const found = /^(https?:\/\/.+)\/wigwag\/(?:[0-9a-f]+\/)?settings\.js$/.exec(import.meta.url);
  return found?.[1];
}

/** Local storage, where there is one and the page may use it. */
function storage() {
  try {
    return globalThis.localStorage;
  } catch {
    return undefined;
  }
}
