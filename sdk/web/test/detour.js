// A detour for UDP: what is sent to a port of it goes through this process, which can hold all of it back.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';

export class Detour {
  blocked = false;
  #sockets = [];

  /** A port at the same address that leads to this one; each sender has a port of its own there, as behind a router. */
  async around(address, port) {
    const back = new Map();
    const front = await this.#open(address, async (bytes, from) => {
      const key = `${from.address} ${from.port}`;
      if (!back.has(key)) back.set(key, this.#open(address, (answer) => front.send(answer, from.port, from.address)));
      (await back.get(key)).send(bytes, port, address);
    });
    return front.address().port;
  }

  stop() {
    for (const socket of this.#sockets.splice(0)) socket.close();
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
