// Messages that come on a data channel before anybody listens wait for whoever does. Without this, what the other side says at once is lost
// to an app that gets its channel from a promise.

const MESSAGES_MAX = 1_000;
const BYTES_MAX = 1024 * 1024;

/**
 * Holds what comes until something listens to `message`. Where more comes than is held, the channel is closed: a gap would be worse.
 * @param {RTCDataChannel} channel
 */
export function hold(channel) {
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
