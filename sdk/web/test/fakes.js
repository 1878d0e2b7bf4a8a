// A client and connections that do what a test says, for what is built upon them.

import { Emitter } from '../events.js';

/** In the place of a `Connection`. */
export class FakeConnection extends Emitter {
  constructor(id, { device = 'd', path = 'direct', state = 'open', finder = null } = {}) {
    super();
    this.peer = { id, device, key: 'k', verified: 'key' };
    this.finder = finder;
    this.path = path;
    this.state = state;
    this.sent = [];
  }

  async stats() {
    return { path: this.path };
  }

  async send(message) {
    if (this.refusal) throw this.refusal;
    this.sent.push(message);
  }

  set(state) {
    this.state = state;
    this.emit({ type: 'state', state });
  }

  says(data) {
    this.emit({ type: 'message', data });
  }

  close(why = 'closed') {
    if (this.state === 'closed') return;
    this.why = why;
    this.set('closed');
    this.emit({ type: 'closed', reason: why, error: null });
    this.over();
  }
}

/** In the place of a `Wigwag`. */
export class FakeClient extends Emitter {
  status = { state: 'open', server: 'wss://example.org/v1' };
  id = 'me@example.org';
  /** What was asked, in order. */
  asked = [];
  /** Dials that wait for their answer. */
  dials = [];
  rooms = [];
  connections = [];
  closed = false;

  async watch(id) {
    this.asked.push(`watch ${id}`);
  }

  async unwatch(id) {
    this.asked.push(`unwatch ${id}`);
  }

  connect(id, options = {}) {
    this.asked.push(`connect ${id}`);
    return new Promise((resolve, reject) => {
      this.dials.push({ id, options, resolve, reject });
      options.signal?.addEventListener('abort', () => reject(new Error('called off')));
    });
  }

  close() {
    this.closed = true;
    this.over();
  }

  /** The server tells where somebody is. */
  tells(id, state, lastSeen) {
    this.emit({ type: 'presence', id, state, lastSeen });
  }

  stands(status) {
    this.status = status;
    this.emit({ type: 'status', status });
  }

  /** The last dial ends in a connection. */
  answers(options) {
    const { id, resolve } = this.dials.at(-1);
    const connection = new FakeConnection(id, options);
    resolve(connection);
    return connection;
  }
}

/** A clock whose timers run when the test says so. */
export class FakeClock {
  timers = new Map();
  #next = 1;

  setTimeout = (run, ms) => {
    this.timers.set(this.#next, { run, ms });
    return this.#next++;
  };

  clearTimeout = (timer) => void this.timers.delete(timer);

  /** Runs all that wait now; returns how long they waited. */
  ring() {
    const due = [...this.timers.values()];
    this.timers.clear();
    for (const { run } of due) run();
    return due.map(({ ms }) => ms);
  }
}

/** Everything that was promised and needs no time has come. */
export async function settled() {
  await new Promise((resolve) => setImmediate(resolve));
}
