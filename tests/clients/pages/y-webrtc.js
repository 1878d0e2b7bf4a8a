import { WebrtcProvider } from 'y-webrtc';
import * as Y from 'yjs';

import { until } from './hear.js';

Object.assign(globalThis, { holds, meets, online, open });

/** Opens `doc` in a room. */
function open(room, signaling, password) {
  globalThis.doc = new Y.Doc();
  globalThis.provider = new WebrtcProvider(room, doc, {
    signaling: [signaling],
    password,
    filterBcConns: false,
    peerOpts: { config: { iceServers: [] } },
  });
  return online();
}

/**
 * Waits until the server has us in the room: it sends even our own words back.
 * Pages that come at the same instant would call each other, and the library then loses all that is said between them.
 */
function online() {
  const server = provider.signalingConns[0];
  return new Promise((resolve) => server.on('message', ({ topic }) => topic === provider.roomName && resolve()));
}

/** Waits until `doc` holds this text. */
function holds(text) {
  return until(doc, 'update', () => doc.getText('page').toString() === text);
}

/** Waits until `count` others are connected by WebRTC; how many are by other means. */
async function meets(count) {
  await until(provider, 'peers', () => provider.room?.webrtcConns.size === count);
  const { webrtcConns, bcConns } = provider.room;
  const open = [...webrtcConns.values()].map(({ peer }) => peer.connected || new Promise((resolve) => peer.once('connect', resolve)));
  await Promise.all(open);
  return bcConns.size;
}
