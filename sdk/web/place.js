// Whether a server is the one that its user meant: nothing is signed for another.

/** @import { Server } from './terms.js' */

/**
 * Whether a server that calls itself `name` is the one that the user meant.
 * @param {Server} server
 * @param {string} name
 */
export function isMeant(server, name) {
  if (server.name !== undefined) return server.name === name;
  let host = '';
  try {
    host = new URL(server.url).hostname.toLowerCase();
  } catch {
    return false;
  }
  return host === name.toLowerCase() || (name === 'localhost' && isNear(host));
}

/** Whether an address is loopback or private: only there may a server have no name of its own. @param {string} host */
function isNear(host) {
  if (host === 'localhost' || host.endsWith('.localhost') || host.endsWith('.local')) return true;
  const v6 = host.startsWith('[') ? host.slice(1, -1) : '';
  if (v6) return v6 === '::1' || /^f[cd]/.test(v6) || /^fe[89ab]/.test(v6);
  const v4 = /^(\d+)\.(\d+)\.\d+\.\d+$/.exec(host);
  if (!v4) return false;
  const [a, b] = [Number(v4[1]), Number(v4[2])];
  return a === 127 || a === 10 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168) || (a === 169 && b === 254);
}
