// The watch party's client as its protocol asks for one: a room with a host, whose state every change brings along.

import { App, Links } from './app.js';

const SIGNALS = { WEBRTC_OFFER: 'offer', WEBRTC_ANSWER: 'answer', WEBRTC_ICE_CANDIDATE: 'candidate' };

class WatchParty extends App {
  errors = [];
  links = new Links((targetUserId, kind, content) => {
    const type = Object.keys(SIGNALS).find((type) => SIGNALS[type] === kind);
    this.tell(type, { targetUserId, [kind]: content });
  });

  constructor(url, roomId, userId) {
    super();
    Object.assign(this, { url, roomId, userId });
  }

  /** Opens the room, or comes into one that is there. */
  async start(type) {
    await this.connect(this.url, (code) => { this.closed = code; });
    this.tell(type, { userName: this.userId });
    await this.until(() => this.state);
  }

  tell(type, fields = {}) {
    this.send({ type, roomId: this.roomId, userId: this.userId, timestamp: Date.now(), ...fields });
  }

  get isHost() {
    return this.state.hostId === this.userId;
  }

  took(message) {
    if (message.roomState) this.state = message.roomState;
    const { type } = message;
    if (type in SIGNALS) this.links.take(message.userId, SIGNALS[type], message[SIGNALS[type]]);
    // Those who are there call whoever comes.
    if (type === 'USER_JOINED') this.links.call(message.joinedUser.id);
    if (type === 'USER_LEFT' || type === 'USER_DISCONNECTED') {
      this.links.close(message.leftUserId);
      this.left = { type, userId: message.leftUserId, newHostId: message.newHostId };
    }
    if (type === 'ERROR') this.errors.push(message.error);
  }
}

Object.assign(globalThis, { App: WatchParty });
