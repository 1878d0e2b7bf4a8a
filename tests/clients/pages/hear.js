// Waiting for events in a page: nothing is lost between the event and the question.

/** Keeps what `emitter` says from now on; `next()` hands it out in order. */
export function hear(emitter, event) {
  return queue((said) => emitter.on(event, said));
}

/** The same for what `listen` passes to the function it is given. */
export function queue(listen) {
  const kept = [];
  const waiting = [];
  listen((said) => {
    if (waiting.length > 0) waiting.shift()(said);
    else kept.push(said);
  });
  return {
    next: () => (kept.length > 0 ? Promise.resolve(kept.shift()) : new Promise((resolve) => waiting.push(resolve))),
  };
}

/** The next `event` of `emitter`, or the error that it says instead. */
export function once(emitter, event) {
  return new Promise((resolve, reject) => {
    emitter.once(event, resolve);
    emitter.once('error', ({ type, message }) => reject(new Error(`${type ?? 'error'}: ${message}`)));
  });
}

/** Waits until `look` is true, asking again each time `emitter` says `event`. */
export function until(emitter, event, look) {
  return new Promise((resolve) => {
    const ask = () => look() && resolve();
    emitter.on(event, ask);
    ask();
  });
}
