import { createRelayManager, createTopicStrategy, makeSocket, selfId } from '@trystero-p2p/core';
import { joinRoom as joinByTorrent } from '@trystero-p2p/torrent';

import { queue } from './hear.js';

Object.assign(globalThis, { join, selfId });

/** Enters `room`, where others `wave` at each other. */
function join(strategy, url, name, password) {
  const config = {
    appId: 'flags',
    password,
    relayConfig: { urls: [url] },
    rtcConfig: { iceServers: [] },
  };
  globalThis.room = strategies[strategy](config, name);
  globalThis.joined = queue((said) => { room.onPeerJoin = said; });
  globalThis.left = queue((said) => { room.onPeerLeave = said; });
  globalThis.wave = room.makeAction('wave');
  globalThis.waved = queue((said) => { wave.onMessage = (data, { peerId }) => said({ from: peerId, data }); });
}

const relays = createRelayManager((relay) => relay.socket);
const listeners = relays.scoped();

/** The relay strategy: Trystero's own rooms, handshakes and sockets over topics of a relay. */
const joinByRelay = createTopicStrategy({
  init: ({ relayConfig }) => relayConfig.urls.map((url) => {
    const relay = relays.register(url, () => makeSocket(url, (text) => {
      const { topic, payload } = JSON.parse(text);
      listeners.forKey(url)[topic]?.(topic, payload);
    }));
    return relay.ready;
  }),
  subscribeTopic: (relay, topic, heard) => {
    listeners.forRelay(relay)[topic] = heard;
    relay.send(JSON.stringify({ type: 'subscribe', topic }));
    return () => {
      delete listeners.forRelay(relay)[topic];
      relay.send(JSON.stringify({ type: 'unsubscribe', topic }));
    };
  },
  publishTopic: (relay, topic, payload) => relay.send(JSON.stringify({ type: 'publish', topic, payload })),
});

const strategies = { torrent: joinByTorrent, relay: joinByRelay };
