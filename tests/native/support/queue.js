// What was told and not asked for yet, and who waits for it.

/** Nothing in these tests should need so long. */
export const DEADLINE_MS = 60_000;

export class Queue {
  #told = [];
  #waiting = [];
  /** Everything that ever was told, for whoever looks for a mistake. */
  history = [];

  put(item) {
    this.history.push(item);
    const place = this.#waiting.findIndex(({ fits }) => fits(item));
    if (place < 0) this.#told.push(item);
    else this.#waiting.splice(place, 1)[0].resolve(item);
  }

  /** The first that fits, told by now or later. */
  next(fits, what = String(fits)) {
    const place = this.#told.findIndex(fits);
    if (place >= 0) return Promise.resolve(this.#told.splice(place, 1)[0]);
    // Made here, because here the stack still has the line of the test.
    const failure = new Error();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        failure.message = `${what} did not come; what came: ${JSON.stringify(this.history.slice(-30), null, 1)}`;
        reject(failure);
      }, DEADLINE_MS);
      this.#waiting.push({ fits, resolve: (item) => (clearTimeout(timer), resolve(item)) });
    });
  }
}
