// One call for all the ways to find a peer: asks the finders as the race says, believes what is verified, and tells what is being tried.

import { WigwagError, asError } from './errors.js';
import { Race } from './finding.js';
import * as parts from './parts.js';
import { isGood, makeRecord } from './record.js';
import { CONNECT_MS } from './terms.js';

/**
 * @import { CodeSetup, Codes, Invitation, OfferOptions } from './by-code.js'
 * @import { Calls, ConnectOptions } from './calls.js'
 * @import { Found } from './client.js'
 * @import { Connection } from './connection.js'
 * @import { Order, RaceInput, RaceOutput } from './finding.js'
 * @import { Ask, Clock } from './line.js'
 * @import { PeerRecord } from './record.js'
 *
 * Where a peer is, as one finder says.
 * @typedef {Partial<Found> & Pick<Found, 'state'> & { record?: PeerRecord }} Sighting
 *
 * @typedef {object} Search what a finder is told
 * @property {number} ms so long it has
 * @property {AbortSignal} signal nobody waits for it any more
 * @property {string} namespace
 * @property {ConnectOptions & Finding} options as the caller gave them
 * @property {(code: string) => void} showCode hands a text to the person who has to carry it
 *
 * One way to find a peer; see `spec/finding.md` for what it owes.
 * @typedef {object} Finder
 * @property {string} name
 * @property {(target: string) => boolean} [takes] left out, every id
 * @property {number} [ms] its own time
 * @property {(target: string, search: Search) => Promise<Sighting | null>} [find]
 * @property {(target: string, search: Search) => Promise<Connection>} [connect]
 *
 * A finder, or the name of one that is known, or that name with another time.
 * @typedef {string | { name: string, ms?: number } | Finder} Choice
 *
 * @typedef {object} Finding how to search
 * @property {Choice[]} [finders] the most wanted first; whoever is not named is not asked
 * @property {Order} [order]
 * @property {(progress: Progress) => void} [onProgress]
 * @property {(code: string) => void} [showCode] shows a code to a person who has to carry it
 *
 * @typedef {{ finder: string, state: 'asked', ms: number }
 *   | { finder: string, state: 'lost', reason: string }
 *   | { finder: string, state: 'cancelled' }
 *   | { finder: string, state: 'won' }
 *   | { finder: string, state: 'code', code: string }} Progress
 *
 * @typedef {Finding & Ask & { deadline?: number }} FindOptions
 *
 * @typedef {object} FinderSetup
 * @property {Finder[]} known beside `code`
 * @property {Finding} defaults
 * @property {() => { id: string, device: string, namespace: string }} self who this is
 * @property {(target: string, progress: Progress) => void} tell
 * @property {Clock} clock
 *
 * @typedef {Omit<CodeSetup, 'self'> & FinderSetup} Setup
 */

const FIND_MS = 10_000;

/** People carry codes, and take minutes. */
const CODE_MS = 600_000;

/** What came furthest comes first. */
const FURTHEST = ['key_mismatch', 'refused', 'no_path', 'timeout', 'absent', 'not_found'];

export class Finders {
  /** @param {Setup} setup */
  constructor(setup) {
    this.#setup = setup;
    this.#known = [this.#codeFinder(), ...setup.known];
  }

  #setup;
  #known;
  /** @type {Codes | null} */
  #codes = null;
  /** Ends a search, each. @type {Set<() => void>} */
  #searches = new Set();

  /** Ends all searches, and takes offers back. */
  close() {
    for (const end of [...this.#searches]) end();
    this.#codes?.close();
  }

  /**
   * @param {string} target an id or a code
   * @param {ConnectOptions & Finding} [options]
   * @returns {Promise<Connection>} open
   */
  connect(target, options = {}) {
    return this.#search(target, options, {
      can: (finder) => finder.connect !== undefined,
      least: CONNECT_MS,
      ask: async (finder, search) => {
        const connection = await /** @type {NonNullable<Finder['connect']>} */ (finder.connect)(target, search);
        connection.finder ??= finder.name;
        return connection;
      },
      verify: (connection) => {
        if (isCode(target) || connection.peer.id === target) return;
        connection.close('key_mismatch');
        throw new WigwagError('key_mismatch', `This leads to ${connection.peer.id}, and not to ${target}.`);
      },
      unused: (connection) => connection.close('unused'),
    });
  }

  /**
   * @param {string} id
   * @param {FindOptions} [options]
   * @returns {Promise<Found & { finder: string }>}
   */
  async find(id, options = {}) {
    /** @type {(Found & { finder: string }) | null} */
    let best = null;
    const wins = this.#search(id, options, {
      can: (finder) => finder.find !== undefined,
      least: FIND_MS,
      ask: async (finder, search) => {
        const seen = await /** @type {NonNullable<Finder['find']>} */ (finder.find)(id, search);
        if (!seen) throw new WigwagError('not_found', `Nobody called ${id} is known there.`);
        return { devices: [], polite: false, ...seen, id, finder: finder.name };
      },
      verify: async (sighting) => {
        if (sighting.finder !== 'server') await this.#believe(id, sighting.record);
        if (sighting.state === 'here') return;
        best = better(best, sighting);
        throw new WigwagError(sighting.state === 'away' ? 'away' : 'absent', `${id} is not here.`, { lastSeen: sighting.lastSeen });
      },
      unused: () => {},
    });
    return wins.catch((error) => {
      if (best && error.reason !== 'aborted') return best;
      throw error;
    });
  }

  /** An offer code for a person to carry, and the connection that comes of it. @param {OfferOptions} [options] @returns {Promise<Invitation>} */
  async offerCode(options) {
    return (await this.#byCode()).offer(options);
  }

  /** What this peer says of itself, signed, for finders that tell others. @param {{ seconds?: number, where?: any }} [options] @returns {Promise<PeerRecord>} */
  record({ seconds = 3_600, where } = {}) {
    const { identity, subtle, self } = this.#setup;
    if (!identity) return Promise.reject(new WigwagError('unsupported', 'A guest has no key to sign a record with.'));
    const { id, device, namespace } = self();
    const made = Date.now();
    return makeRecord(subtle, identity, { namespace, id: id || identity.id, device, made, until: made + seconds * 1_000, where });
  }

  /** @returns {Finder} */
  #codeFinder() {
    return { name: 'code', ms: CODE_MS, takes: isCode, connect: async (code, search) => (await this.#byCode()).connect(code, search) };
  }

  async #byCode() {
    const { Codes } = await parts.codes();
    return (this.#codes ??= new Codes(this.#setup));
  }

  /** @param {string} id @param {PeerRecord | undefined} record */
  async #believe(id, record) {
    const { subtle, trust, self } = this.#setup;
    const good = record && (await isGood(subtle, record, { namespace: self().namespace, id, now: Date.now() }));
    if (!good || !(await trust.holds(id, record.key))) throw new WigwagError('not_verified', `What was said of ${id} is not proved to come from it.`);
  }

  /**
   * @template Answer
   * @param {string} target
   * @param {Finding & { deadline?: number, signal?: AbortSignal }} options
   * @param {How<Answer>} how
   * @returns {Promise<Answer>}
   */
  #search(target, options, how) {
    const { defaults, clock } = this.#setup;
    const { signal, onProgress = defaults.onProgress, showCode = defaults.showCode } = options;
    const finders = this.#chosen(options.finders ?? defaults.finders).filter((finder) => how.can(finder) && takes(finder, target));
    const deadline = options.deadline ?? Math.max(how.least, ...finders.map(({ ms = 0 }) => ms));
    if (!finders.length) return Promise.reject(new WigwagError('no_finder', `No finder that is switched on knows what to do with "${target.slice(0, 40)}".`));
    const race = new Race({ finders, order: options.order ?? defaults.order, deadline });
    /** @type {Map<string, AbortController>} */
    const running = new Map();
    /** @type {Map<string, WigwagError>} */
    const errors = new Map();
    /** @type {any} */
    let timer = null;
    return new Promise((resolve, reject) => {
      /** @type {Answer | undefined} */
      let answer;
      const progress = (/** @type {Progress} */ news) => {
        this.#setup.tell(target, news);
        harmlessly(() => onProgress?.(news));
      };
      /** @type {RaceOutput[]} */
      const outputs = [];
      let busy = false;
      const tell = (/** @type {RaceInput} */ input) => {
        outputs.push(...race.handle(clock.now(), input));
        clock.clearTimeout(timer);
        if (race.deadline !== Infinity) timer = clock.setTimeout(() => tell({ type: 'tick' }), Math.max(0, Math.ceil(race.deadline - clock.now())));
        // Whoever is told something may call it off at once: that waits its turn.
        if (busy) return;
        busy = true;
        for (let output = outputs.shift(); output; output = outputs.shift()) act(output);
        busy = false;
      };
      const act = (/** @type {RaceOutput} */ output) => {
        if (output.type === 'begin') return begin(output.finder, output.ms);
        if (output.type === 'cancel') {
          progress({ finder: output.finder, state: 'cancelled' });
          return running.get(output.finder)?.abort();
        }
        leave();
        if (output.type === 'lost') return reject(failure(output.tried, errors));
        progress({ finder: output.finder, state: 'won' });
        return resolve(/** @type {Answer} */ (answer));
      };
      const begin = (/** @type {string} */ name, /** @type {number} */ ms) => {
        const finder = /** @type {Finder} */ (finders.find((each) => each.name === name));
        const controller = new AbortController();
        running.set(name, controller);
        progress({ finder: name, state: 'asked', ms });
        const search = {
          ms, signal: controller.signal, namespace: this.#setup.self().namespace, options: { ...defaults, ...options },
          showCode: (/** @type {string} */ code) => {
            progress({ finder: name, state: 'code', code });
            harmlessly(() => showCode?.(code));
          },
        };
        this.#ask(finder, search, how).then((found) => {
          if (controller.signal.aborted) return how.unused(found);
          answer = found;
          return tell({ type: 'won', finder: name });
        }).catch((why) => {
          if (controller.signal.aborted) return;
          const error = asError(why);
          errors.set(name, error);
          progress({ finder: name, state: 'lost', reason: error.reason });
          tell({ type: 'lost', finder: name, reason: error.reason });
        });
      };
      const end = (/** @type {WigwagError} */ error) => {
        leave();
        tell({ type: 'abort' });
        reject(error);
      };
      const abort = () => end(new WigwagError('aborted', 'The search was called off.', { cause: signal?.reason }));
      const close = () => end(new WigwagError('closed', 'This client is closed.'));
      const leave = () => {
        signal?.removeEventListener('abort', abort);
        this.#searches.delete(close);
      };
      if (signal?.aborted) return abort();
      signal?.addEventListener('abort', abort, { once: true });
      this.#searches.add(close);
      tell({ type: 'start' });
    });
  }

  /**
   * @template Answer
   * @param {Finder} finder
   * @param {Search} search
   * @param {How<Answer>} how
   */
  async #ask(finder, search, how) {
    const found = await how.ask(finder, search);
    await how.verify(found);
    return found;
  }

  /** Each name once. @param {Choice[]} [choices] @returns {Finder[]} */
  #chosen(choices = this.#known) {
    /** @type {Map<string, Finder>} */
    const chosen = new Map();
    for (const choice of choices) {
      const given = /** @type {Finder} */ (typeof choice === 'string' ? { name: choice } : choice);
      const known = given.find || given.connect ? undefined : this.#known.find(({ name }) => name === given.name);
      if (!known && !given.find && !given.connect) throw new WigwagError('no_finder', `There is no finder called ${given.name} here.`);
      if (!chosen.has(given.name)) chosen.set(given.name, known ? { ...known, ms: given.ms ?? known.ms } : given);
    }
    return [...chosen.values()];
  }
}

/**
 * @template Answer
 * @typedef {object} How
 * @property {(finder: Finder) => boolean} can
 * @property {number} least how long the search takes where nobody says
 * @property {(finder: Finder, search: Search) => Promise<Answer>} ask
 * @property {(answer: Answer) => void | Promise<void>} verify throws where it is not to be believed
 * @property {(answer: Answer) => void} unused
 */

/**
 * The signaling server as a finder.
 * @param {Calls} calls
 * @param {(id: string, ask: Ask) => Promise<Found>} find
 * @returns {Finder}
 */
export function serverFinder(calls, find) {
  return {
    name: 'server',
    find: (id, { signal }) => find(id, { signal }),
    connect: (id, { ms, signal, options }) => calls.connect(id, { ...options, deadline: ms, signal }),
  };
}

/** Whether a person meant an offer or answer code, though it may be mangled: no id looks like it. @param {string} target */
export function isCode(target) {
  const text = target.replace(/^[^]*[#/=?:]/, '').replace(/[\s-]/g, '');
  return !target.includes('@') && (/^WW[0-9A-Z]{18}/.test(text) || /^ww[0-9a-z]{39}/i.test(text));
}

/** @param {Finder} finder @param {string} target */
function takes(finder, target) {
  return finder.takes ? finder.takes(target) : !isCode(target);
}

/**
 * Of two answers that nobody is here, the one that knows more.
 * @template {Found} Known
 * @param {Known | null} one
 * @param {Known} other
 */
function better(one, other) {
  const rank = (/** @type {Found} */ { state, lastSeen }) => (state === 'away' ? 1e15 : 0) + (lastSeen?.getTime() ?? 0);
  return one && rank(one) >= rank(other) ? one : other;
}

/** Why nobody found it, in the words of the one that came furthest. @param {{ finder: string, reason: string }[]} tried @param {Map<string, WigwagError>} errors */
function failure(tried, errors) {
  const rank = (/** @type {string} */ reason) => (FURTHEST.includes(reason) ? FURTHEST.indexOf(reason) : FURTHEST.length);
  const told = tried.map(({ finder, reason }) => ({ finder, reason, message: errors.get(finder)?.message ?? SILENT[reason] ?? reason }));
  const [alone] = told;
  const known = alone && told.length === 1 ? errors.get(alone.finder) : undefined;
  if (known) return Object.assign(known, { finders: told });
  const furthest = told.reduce((best, each) => (rank(each.reason) <= rank(best.reason) ? each : best));
  const error = errors.get(furthest.finder) ?? new WigwagError(furthest.reason, furthest.message, { at: furthest.reason === 'timeout' ? 'finder' : undefined });
  const message = told.map((each) => `${each.finder}: ${each.message}`).join(' ');
  const { code, retryAfter, lastSeen, at, tried: paths, cause } = error;
  return new WigwagError(error.reason, message, { code, retryAfter, lastSeen, at, tried: paths, cause: cause ?? error, finders: told });
}

/** @type {Readonly<Record<string, string>>} */
const SILENT = { timeout: 'It said nothing in time.', not_asked: 'There was no time left to ask it.' };

/** What an app does with news is its own matter. @param {() => void} run */
function harmlessly(run) {
  try {
    run();
  } catch (error) {
    queueMicrotask(() => { throw error; });
  }
}
