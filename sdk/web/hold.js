// That no word is lost on a fresh data channel: what comes before anybody listens waits for whoever does, and what is sent waits until it can go.

/** So long it is asked whether a channel is open, before its word is taken for it. */
const OPEN_MS = 2_000;

/** A channel that its platform tells nothing of for so long is not told of at all. */
const UNTOLD_MS = 200;

const LOOK_MS = 10;

const MESSAGES_MAX = 1_000;
const BYTES_MAX = 1024 * 1024;

/** @type {WeakSet<RTCDataChannel>} */
const HELD = new WeakSet();

/**
 * Holds what comes until something listens to `message`. Where more comes than is held, the channel is closed: a gap would be worse.
 * @param {RTCDataChannel} channel
 */
export function hold(channel) {
  if (HELD.has(channel)) return;
  HELD.add(channel);
  /** @type {any[]} */
  let held = [];
  let bytes = 0;
  let holding = true;
  const { addEventListener: listen } = channel;
  const keep = (/** @type {MessageEvent} */ event) => {
    event.stopImmediatePropagation();
    bytes += event.data.size ?? event.data.byteLength ?? event.data.length * 2;
    if (held.push(event.data) <= MESSAGES_MAX && bytes <= BYTES_MAX) return;
    held = [];
    release();
    channel.close();
  };
  const release = () => {
    if (!holding) return;
    holding = false;
    channel.removeEventListener('message', keep);
    const own = /** @type {any} */ (channel);
    if (Object.hasOwn(own, 'addEventListener')) delete own.addEventListener;
    if (Object.hasOwn(own, 'onmessage') && Object.getOwnPropertyDescriptor(own, 'onmessage')?.set === heard) delete own.onmessage;
    for (const data of held.splice(0)) channel.dispatchEvent(new MessageEvent('message', { data }));
  };
  // Told in a turn of their own, so that whoever begins to listen is done with that first.
  const soon = () => queueMicrotask(release);
  const heard = (/** @type {any} */ handler) => {
    delete (/** @type {any} */ (channel).onmessage);
    channel.onmessage = handler;
    soon();
  };
  channel.binaryType = 'arraybuffer';
  channel.addEventListener('message', keep);
  Object.defineProperty(channel, 'addEventListener', {
    configurable: true,
    value: (/** @type {any} */ type, /** @type {any} */ handler, /** @type {any} */ options) => {
      listen.call(channel, type, handler, options);
      if (type === 'message') soon();
    },
  });
  Object.defineProperty(channel, 'onmessage', { configurable: true, get: () => null, set: heard });
}

/**
 * Resolves when a channel that the other side opened is open in truth. Chromium says so a moment before, and loses what is sent in that moment without a
 * word; its statistics know better.
 * @param {RTCPeerConnection} connection
 * @param {RTCDataChannel} channel
 */
export async function trulyOpen(connection, channel) {
  const began = performance.now();
  for (let now = began; channel.readyState === 'open' && now - began < OPEN_MS; now = performance.now()) {
    const report = (await connection.getStats?.().catch(() => null)) ?? new Map();
    const told = [...report.values()].find(({ type, dataChannelIdentifier }) => type === 'data-channel' && dataChannelIdentifier === channel.id);
    if (told ? told.state === 'open' : now - began >= UNTOLD_MS) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
