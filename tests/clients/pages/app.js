// What the clients of the four apps have in common: JSON over the browser's WebSocket, and connections to other pages.

import { queue } from './hear.js';

/** One client; `took(message)` of the app itself sees every frame and keeps what it learns in plain fields. */
export class App {
  #waiting = new Set();

  /** Opens the socket; `closed` is called at its end, however it ends. */
  connect(url, closed = () => {}) {
    return new Promise((resolve, reject) => {
      this.socket = new WebSocket(url);
      this.socket.onopen = resolve;
      this.socket.onmessage = ({ data }) => {
        this.took(JSON.parse(data));
        this.changed();
      };
      this.socket.onclose = ({ code }) => {
        reject(new Error(`closed with ${code}`));
        closed(code);
        this.changed();
      };
    });
  }

  send(message) {
    this.socket.send(JSON.stringify(message));
  }

  /** Waits until `look` finds something, asking again after each change. */
  until(look) {
    return new Promise((resolve) => {
      const ask = () => {
        const found = look();
        if (!found) return;
        this.#waiting.delete(ask);
        resolve(found);
      };
      this.#waiting.add(ask);
      ask();
    });
  }

  changed() {
    for (const ask of [...this.#waiting]) ask();
  }
}

/** Connections to other pages by their ids; `signal(id, kind, content)` carries `offer`, `answer` and `candidate` there. */
export class Links {
  #links = new Map();
  #signal;

  constructor(signal) {
    this.#signal = signal;
  }

  /** Makes the offer. */
  async call(id) {
    const link = this.#with(id);
    link.adopt(link.rtc.createDataChannel('chat'));
    await link.rtc.setLocalDescription();
    this.#signal(id, 'offer', link.rtc.localDescription);
  }

  /** Takes what `id` signaled. The browser itself does one thing after the other, so a candidate waits for its offer. */
  async take(id, kind, content) {
    const { rtc } = this.#with(id);
    if (kind === 'candidate') return rtc.addIceCandidate(content);
    await rtc.setRemoteDescription(content);
    if (kind === 'answer') return;
    await rtc.setLocalDescription();
    this.#signal(id, 'answer', rtc.localDescription);
  }

  async say(id, text) {
    const link = this.#with(id);
    await link.opened;
    link.channel.send(text);
  }

  /** The next text from `id`, for which both may have yet to connect. */
  heard(id) {
    return this.#with(id).heard.next();
  }

  close(id) {
    this.#links.get(id)?.rtc.close();
    this.#links.delete(id);
  }

  #with(id) {
    if (!this.#links.has(id)) this.#links.set(id, new Link((candidate) => this.#signal(id, 'candidate', candidate)));
    return this.#links.get(id);
  }
}

class Link {
  constructor(found) {
    this.rtc = new RTCPeerConnection({ iceServers: [] });
    this.rtc.onicecandidate = ({ candidate }) => candidate && found(candidate);
    this.rtc.ondatachannel = ({ channel }) => this.adopt(channel);
    this.heard = queue((said) => { this.said = said; });
    this.opened = new Promise((resolve) => { this.open = resolve; });
  }

  adopt(channel) {
    this.channel = channel;
    channel.onmessage = ({ data }) => this.said(data);
    if (channel.readyState === 'open') this.open();
    else channel.onopen = this.open;
  }
}
