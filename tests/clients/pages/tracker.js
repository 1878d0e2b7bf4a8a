import Tracker from 'bittorrent-tracker/client';

import { hear, once } from './hear.js';

Object.assign(globalThis, { announce, hear, once });

/** Makes the page a client of one torrent; `met` is the next peer that it connects to. */
function announce(url, infoHash, left) {
  const bytes = crypto.getRandomValues(new Uint8Array(20));
  const peerId = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  globalThis.tracker = new Tracker({
    infoHash,
    peerId,
    announce: [url],
    rtcConfig: { iceServers: [] },
    getAnnounceOpts: () => ({ uploaded: 0, downloaded: 0, left }),
  });
  const peers = hear(tracker, 'peer');
  globalThis.warnings = [];
  tracker.on('warning', (warning) => warnings.push(String(warning)));
  globalThis.met = peers.next().then(async (peer) => {
    globalThis.heard = hear(peer, 'data');
    await once(peer, 'connect');
    return peer;
  });
  const update = once(tracker, 'update');
  tracker.start();
  return update.then(({ complete, incomplete }) => ({ peerId, complete, incomplete }));
}
