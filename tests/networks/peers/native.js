// Peers that are native programs.

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { Peer } from './peer.js';

/** @param {import('../lab/lab.js').Host} host @param {string} authority whose certificates are trusted for TURN over TLS */
export function native(host, authority) {
  return new Peer(host, 'native', program(), [authority]);
}

function program() {
  const target = process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL('../../../target', import.meta.url));
  const path = process.env.NETWORK_PEER ?? `${target}/debug/examples/network-peer`;
  if (!existsSync(path)) throw new Error(`there is no ${path}: cargo build -p wigwag --example network-peer, or set NETWORK_PEER`);
  return path;
}
