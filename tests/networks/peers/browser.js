// Peers that are pages in browsers.

import { fileURLToPath } from 'node:url';

import { Peer } from './peer.js';

/** @param {import('../lab/lab.js').Host} host @param {'chromium' | 'firefox'} kind @param {string} pin see `window.js` */
export function browser(host, kind, pin) {
  const peer = new Peer(host, kind === 'chromium' ? 'Chromium' : 'Firefox', process.execPath, [PROGRAM, kind, pin]);
  return Object.assign(peer, {
    /** Runs something in the page. @param {Function} what @param {...any} args */
    run: (what, ...args) => peer.ask('run', { source: String(what), args }),
  });
}

const PROGRAM = fileURLToPath(new URL('window.js', import.meta.url));
