// ManaMesh's client as its protocol asks for one: whoever comes into a room calls all who are there.

import { App, Links } from './app.js';

class ManaMesh extends App {
  peers = new Set();
  links = new Links((peerId, kind, payload) => {
    const type = kind === 'candidate' ? 'ice-candidate' : kind;
    this.send({ type, roomId: this.roomId, peerId, payload });
  });

  constructor(url, roomId) {
    super();
    Object.assign(this, { url, roomId });
  }

  async start() {
    await this.connect(this.url);
    this.send({ type: 'join', roomId: this.roomId });
    await this.until(() => this.peerId);
  }

  leave() {
    this.send({ type: 'leave' });
  }

  took({ type, peerId, peers, payload }) {
    switch (type) {
      case 'joined':
        this.peerId = peerId;
        this.peers = new Set(peers);
        for (const peer of peers) this.links.call(peer);
        break;
      case 'peer-joined':
        this.peers.add(peerId);
        break;
      case 'peer-left':
        this.peers.delete(peerId);
        this.links.close(peerId);
        break;
      case 'offer':
      case 'answer':
        this.links.take(peerId, type, payload);
        break;
      case 'ice-candidate':
        this.links.take(peerId, 'candidate', payload);
        break;
      default:
        throw new Error(`unexpected ${type}`);
    }
  }
}

Object.assign(globalThis, { App: ManaMesh });
