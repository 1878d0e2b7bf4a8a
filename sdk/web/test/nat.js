// What stands between two pages: their UDP goes through this process, which can hold all of it back.

import { Detour } from './detour.js';

export class Between extends Detour {
  /** Has two pages find each other through here only. @param {import('puppeteer-core').Page[]} pages */
  async stand(pages) {
    for (const page of pages) {
      await page.exposeFunction('detour', (address, port) => this.around(address, port));
      await page.evaluate(() => {
        const Platform = globalThis.RTCPeerConnection;
        globalThis.Detoured = class extends Platform {
          /** Candidates come one by one, so that each can be led here. */
          setRemoteDescription(description) {
            const sdp = description.sdp.replace(/^a=candidate:.*\r\n/gm, '');
            return super.setRemoteDescription({ type: description.type, sdp });
          }

          async addIceCandidate(candidate) {
            const words = candidate.candidate.split(' ');
            if (words[2]?.toLowerCase() !== 'udp') return undefined;
            words[5] = await globalThis.detour(words[4], Number(words[5]));
            return super.addIceCandidate({ candidate: words.join(' '), sdpMid: candidate.sdpMid, sdpMLineIndex: candidate.sdpMLineIndex });
          }
        };
      });
    }
  }
}
