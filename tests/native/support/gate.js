// What stands between a page and a program: their UDP goes through this process, which can hold all of it back.

import { Detour } from '../../../sdk/web/test/detour.js';

export class Gate extends Detour {
  blocked = true;

  /** Gives a page `Gated`: what it makes reaches others by ports of this process, and tells nobody where it is itself. */
  async stand(page) {
    await page.exposeFunction('detour', (address, port) => this.around(address, port));
    await page.evaluate(() => {
      const without = (sdp) => sdp.replace(/^a=candidate:.*\r\n/gm, '');
      globalThis.Gated = class extends RTCPeerConnection {
        constructor(config) {
          super(config);
          // Before anybody else hears of it.
          this.addEventListener('icecandidate', (event) => event.stopImmediatePropagation());
        }

        get localDescription() {
          const known = super.localDescription;
          return known && { type: known.type, sdp: without(known.sdp) };
        }

        async setRemoteDescription(description) {
          await super.setRemoteDescription({ type: description.type, sdp: without(description.sdp) });
          for (const [, candidate] of description.sdp.matchAll(/^a=(candidate:.*)\r\n/gm)) await this.addIceCandidate({ candidate, sdpMid: '0' });
        }

        async addIceCandidate({ candidate, sdpMid, sdpMLineIndex }) {
          const words = candidate.split(' ');
          if (words[2]?.toLowerCase() !== 'udp') return;
          words[5] = await globalThis.detour(words[4], Number(words[5]));
          await super.addIceCandidate({ candidate: words.join(' '), sdpMid, sdpMLineIndex });
        }
      };
    });
  }
}
