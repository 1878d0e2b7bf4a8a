// Things that several hold: opened for the first, closed a moment after the last has let go.

/**
 * @template Thing
 * @typedef {object} Share
 * @property {number} holders
 * @property {Thing | Promise<Thing>} thing
 * @property {(thing: Thing) => void} close
 * @property {{ thing: Thing } | null} here the thing once it is there
 */

/** @template Key @template Thing */
export class Shares {
  /** @param {{ single?: boolean }} [options] `single`: what nobody holds is closed before another is opened */
  constructor({ single = false } = {}) {
    this.#single = single;
  }

  #single;
  /** @type {Map<Key, Share<Thing>>} */
  #shares = new Map();
  /** What is closed as soon as it is open. @type {Map<Key, Promise<void>>} */
  #ending = new Map();

  get size() {
    return this.#shares.size;
  }

  /**
   * @param {Key} key
   * @param {() => Thing | Promise<Thing>} open
   * @param {(thing: Thing) => void} close
   * @returns {{ thing: Thing | Promise<Thing>, release: () => void }}
   */
  hold(key, open, close) {
    if (this.#single) for (const [other, idle] of this.#shares) if (other !== key && !idle.holders) this.#end(other, idle);
    const share = this.#shares.get(key) ?? this.#open(key, open, close);
    share.holders += 1;
    let held = true;
    const release = () => {
      if (!held) return;
      held = false;
      share.holders -= 1;
      // Whoever holds it again in the same breath gets the same.
      queueMicrotask(() => {
        if (!share.holders && this.#shares.get(key) === share) this.#end(key, share);
      });
    };
    return { thing: share.thing, release };
  }

  /** @param {Key} key @param {() => Thing | Promise<Thing>} open @param {(thing: Thing) => void} close */
  #open(key, open, close) {
    // The one before it is gone first: the two would get in each other's way.
    const thing = this.#ending.get(key)?.then(open) ?? open();
    /** @type {Share<Thing>} */
    const share = { holders: 0, thing, close, here: null };
    this.#shares.set(key, share);
    if (thing instanceof Promise) {
      thing.then((opened) => (share.here = { thing: opened }), () => {
        // What failed is tried anew by the next holder.
        if (this.#shares.get(key) === share) this.#shares.delete(key);
      });
    } else {
      share.here = { thing };
    }
    return share;
  }

  /** @param {Key} key @param {Share<Thing>} share */
  #end(key, share) {
    this.#shares.delete(key);
    if (share.here) return share.close(share.here.thing);
    const ending = Promise.resolve(share.thing).then(share.close, () => {}).finally(() => {
      if (this.#ending.get(key) === ending) this.#ending.delete(key);
    });
    this.#ending.set(key, ending);
    return undefined;
  }
}

/** Whether two objects have the same fields. @param {Record<string, any>} one @param {Record<string, any>} two */
export function same(one, two) {
  const names = Object.keys(one);
  return names.length === Object.keys(two).length && names.every((name) => Object.hasOwn(two, name) && Object.is(one[name], two[name]));
}

/** Whether two values say the same: plain data by what is in it, functions not at all, all else by being the same. @param {any} one @param {any} two @returns {boolean} */
export function steady(one, two) {
  if (Object.is(one, two) || (typeof one === 'function' && typeof two === 'function')) return true;
  if (!plain(one) || !plain(two) || Array.isArray(one) !== Array.isArray(two)) return false;
  const names = Object.keys(one);
  return names.length === Object.keys(two).length && names.every((name) => Object.hasOwn(two, name) && steady(one[name], two[name]));
}

/** @param {any} value */
function plain(value) {
  return Array.isArray(value) || (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype);
}
