// What PeerJS's options and its `util` mean here.

import { validateId } from './peerjs-ids.js';

/** @import { PeerOptions } from './peerjs.js' */

/** What PeerJS tells of the platform, as far as apps ask. */
export const util = Object.freeze({
  supports: Object.freeze({
    browser: typeof globalThis.RTCPeerConnection === 'function',
    webRTC: typeof globalThis.RTCPeerConnection === 'function',
    audioVideo: typeof globalThis.RTCPeerConnection === 'function',
    data: typeof globalThis.RTCPeerConnection === 'function',
    binaryBlob: typeof globalThis.Blob === 'function',
    reliable: true,
  }),
  validateId,
  randomToken: () => Math.random().toString(36).slice(2),
  noop: () => {},
});

/** Where PeerJS's options say that the server is. @param {PeerOptions} options */
export function serversOf({ servers, host, port = 443, path = '/', secure = globalThis.location?.protocol === 'https:' }) {
  if (servers !== undefined || host === undefined) return servers;
  const name = host === '/' ? globalThis.location.hostname : host;
  return `${secure ? 'wss' : 'ws'}://${name}:${port}/${path.replace(/^\/|\/$/g, '')}`;
}

/** A constructor of connections that goes by the app's own configuration. @param {typeof RTCPeerConnection} RTC @param {any} config */
export function configured(RTC, config) {
  if (!config) return RTC;
  return class extends RTC {
    /** @param {RTCConfiguration} [given] */
    constructor(given) {
      super({ ...given, ...config });
    }
  };
}
