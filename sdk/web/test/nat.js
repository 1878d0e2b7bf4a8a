// What stands between two pages: their UDP goes through this process, which can hold all of it back.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';

export class Between {
  blocked = false;
  #sockets = [];

  /** Has two pages find each other through here only. @param {import('puppeteer-core').Page[]} pages */
  async stand(pages) {
    for (const page of pages) {
      await page.exposeFunction('detour', (address, port) => this.#detour(address, port));
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

  stop() {
    for (const socket of this.#sockets.splice(0)) socket.close();
  }

  /** A port at the same address that leads to this one; each sender has a port of its own there, as behind a router. */
  async #detour(address, port) {
    const back = new Map();
    const front = await this.#open(address, async (bytes, from) => {
      const key = `${from.address} ${from.port}`;
      if (!back.has(key)) back.set(key, this.#open(address, (answer) => front.send(answer, from.port, from.address)));
      (await back.get(key)).send(bytes, port, address);
    });
    return front.address().port;
  }

  async #open(address, heard) {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    this.#sockets.push(socket);
    socket.on('message', (bytes, from) => this.blocked || heard(bytes, from));
    // A port that is closed by now is no matter.
    socket.on('error', () => {});
    socket.bind(0, address);
    await once(socket, 'listening');
    return socket;
  }
}
