// What stands between a page and a program: their UDP goes through this process, which can hold all of it back.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';

export class Gate {
  blocked = true;
  #sockets = [];

  /** Gives a page `Gated`: what it makes reaches others by ports of this process, and tells nobody where it is itself. */
  async stand(page) {
    await page.exposeFunction('detour', (address, port) => this.#detour(address, port));
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
