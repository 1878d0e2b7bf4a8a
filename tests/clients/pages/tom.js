// ToM's client as its protocol asks for one: nodes that all know each other.

import { App, Links } from './app.js';

const HEARTBEAT_MS = 1_000;

class Tom extends App {
  participants = [];
  /** Who was said to come and to go, in order. */
  presence = [];
  /** From whom a heartbeat came. */
  alive = new Set();
  roles = new Map();
  errors = [];
  links = new Links((to, kind, content) => {
    this.send({ type: 'signal', from: this.nodeId, to, payload: { kind, content } });
  });

  constructor(url, nodeId, username, encryptionKey) {
    super();
    Object.assign(this, { url, nodeId, username, encryptionKey });
  }

  async start() {
    await this.connect(this.url, () => clearInterval(this.heart));
    const { nodeId, username, encryptionKey } = this;
    this.send({ type: 'register', nodeId, username, publicKey: `key of ${nodeId}`, encryptionKey });
    this.heart = setInterval(() => this.send({ type: 'heartbeat' }), HEARTBEAT_MS);
    await this.until(() => this.participants.some((node) => node.nodeId === nodeId));
  }

  assign(nodeId, roles) {
    this.send({ type: 'role-assign', nodeId, roles });
  }

  took(message) {
    switch (message.type) {
      case 'participants':
        this.participants = message.participants;
        break;
      case 'presence':
        this.presence.push(`${message.action} ${message.nodeId}`);
        break;
      case 'heartbeat':
        this.alive.add(message.from);
        break;
      case 'role-assign':
        this.roles.set(message.nodeId, message.roles);
        break;
      case 'signal':
        this.links.take(message.from, message.payload.kind, message.payload.content);
        break;
      case 'error':
        this.errors.push(message.error);
        break;
    }
  }
}

Object.assign(globalThis, { App: Tom });
