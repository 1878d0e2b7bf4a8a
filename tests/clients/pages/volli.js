// Volli's client as its protocol asks for one: users call each other by id.

import { App, Links } from './app.js';

const REQUEST_MS = 5_000;
const RETRY_MS = 1_000;
const ATTEMPTS = 5;

class Volli extends App {
  /** How often the server confirmed the id. */
  registrations = 0;
  errors = [];
  links = new Links((to, kind, content) => {
    const type = kind === 'candidate' ? 'ice-candidate' : kind;
    this.send({ type, from: this.userId, to, [kind]: content });
  });
  #pending = new Map();
  #attempt = 0;

  constructor(url, userId, publicKey) {
    super();
    Object.assign(this, { url, userId, publicKey });
  }

  async start() {
    await this.connect(this.url, () => this.#again());
    await this.#request('registered', this.userId, { type: 'register', userId: this.userId, publicKey: this.publicKey });
    this.#attempt = 0;
    this.registrations += 1;
    this.changed();
  }

  /** The public key of a user, or nothing if they are offline. */
  async discover(userId) {
    const found = await this.#request('discover-response', userId, { type: 'discover', userId });
    return found.online ? found.publicKey : undefined;
  }

  took(message) {
    switch (message.type) {
      case 'registered':
      case 'discover-response': {
        const key = `${message.type} ${message.userId}`;
        this.#pending.get(key)?.(message);
        this.#pending.delete(key);
        break;
      }
      case 'offer':
      case 'answer':
        this.links.take(message.from, message.type, message[message.type]);
        break;
      case 'ice-candidate':
        this.links.take(message.from, 'candidate', message.candidate);
        break;
      case 'error':
        this.errors.push(message.message);
        break;
    }
  }

  #request(answer, userId, message) {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`no ${answer} for ${userId}`)), REQUEST_MS);
      this.#pending.set(`${answer} ${userId}`, (message) => {
        clearTimeout(late);
        resolve(message);
      });
      this.send(message);
    });
  }

  #again() {
    if (this.#attempt === ATTEMPTS) return;
    this.#attempt += 1;
    // The next end of a socket is the next attempt, so there is nothing to do about a failure here.
    setTimeout(() => this.start().catch(console.warn), RETRY_MS * this.#attempt);
  }
}

Object.assign(globalThis, { App: Volli });
