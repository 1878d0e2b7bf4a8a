// React's hooks for the SDK, made upon a React that is handed in (or another library with the same hooks).
//
// Everything is opened by effects, never while rendering, and what several components hold is opened once. It closes a moment after the
// last of them has let go, so that the unmounting and mounting again of `StrictMode` opens one connection and leaves none behind.

import { Wigwag } from './client.js';
import { WigwagError, asError } from './errors.js';
import { followWay } from './path.js';
import { ENGLISH, say, stateOf } from './sight.js';
import { Shares, same, steady } from './shares.js';
import { NetworkStore } from './store.js';

/**
 * @import { Message } from './channel.js'
 * @import { ClientOptions, JoinOptions } from './client.js'
 * @import { Connection } from './connection.js'
 * @import { Ask, Surroundings } from './line.js'
 * @import { Way } from './path.js'
 * @import { Member, Mode, Options as RoomOptions, Room } from './room.js'
 * @import { Shown, Words } from './sight.js'
 * @import { StorePeer } from './store.js'
 * @import { Status } from './terms.js'
 *
 * @typedef {object} Hooks what is needed of React
 * @property {<T>(first: T) => [T, (next: T | ((last: T) => T)) => void]} useState
 * @property {(run: () => (() => void) | undefined, needs: readonly unknown[]) => void} useEffect
 * @property {<T>(first: T) => { current: T }} useRef
 * @property {<T>(make: () => T, needs: readonly unknown[]) => T} useMemo
 * @property {<T>(subscribe: (run: () => void) => () => void, look: () => T, lookOnServer: () => T) => T} useSyncExternalStore
 *
 * @typedef {object} Opened
 * @property {Wigwag | null} client `null` until there is one
 * @property {WigwagError | null} error why there will be none
 *
 * @typedef {object} Entered
 * @property {Room | null} room `null` until we are in it
 * @property {readonly Member[]} members the others
 * @property {{ id: string, device: string } | null} host
 * @property {boolean} mine whether we are the host
 * @property {Mode | null} mode
 * @property {any} state the shared state
 * @property {string | null} left why we are no longer in it
 * @property {WigwagError | null} error why we did not get in
 *
 * @typedef {{ onSaid?: (said: { from: string, device: string, data: any }) => void } & JoinOptions & RoomOptions} EnterOptions
 *
 * @typedef {StorePeer & { send: (message: Message, options?: { signal?: AbortSignal }) => Promise<void>, retry: () => void }} UsedPeer
 *
 * @typedef {object} Seen
 * @property {Status} server
 * @property {Shown} state
 * @property {string} text the same in words
 * @property {Way | null} way
 */

/** @type {Opened} */
const UNOPENED = Object.freeze({ client: null, error: null });

/** @type {Entered} */
const OUTSIDE = Object.freeze({ room: null, members: [], host: null, mine: false, mode: null, state: null, left: null, error: null });

/** @type {Status} */
const STARTING = Object.freeze({ state: 'connecting' });

const nothing = () => {};

/**
 * @param {Hooks} react
 * @param {{ start?: (options: ClientOptions & Surroundings) => Promise<Wigwag> }} [parts]
 */
export function makeHooks({ useState, useEffect, useRef, useMemo, useSyncExternalStore }, { start = (options) => Wigwag.start(options) } = {}) {
  /** @type {WeakMap<Wigwag, Shares<string, Room>>} */
  const rooms = new WeakMap();
  /** @type {WeakMap<Wigwag, { store: NetworkStore, peers: Shares<string, () => void> }>} */
  const stores = new WeakMap();

  /** What was handed in last, for those who are called later. @template T @param {T} value */
  function useLatest(value) {
    const latest = useRef(value);
    useEffect(() => void (latest.current = value), [value]);
    return latest;
  }

  /** The same object as long as it says the same. @template T @param {T} value @returns {T} */
  function useSteady(value) {
    const [kept, keep] = useState({ value });
    if (steady(kept.value, value)) return kept.value;
    keep({ value });
    return value;
  }

  /**
   * A client, for as long as this component is mounted and the options say the same. Used once, near the root; hand the client on.
   * @param {ClientOptions & Surroundings} [options]
   * @returns {Opened}
   */
  function useWigwag(options = {}) {
    const [opened, set] = useState(UNOPENED);
    const latest = useLatest(options);
    const settled = useSteady(options);
    const own = useRef(/** @type {Shares<object, Wigwag> | null} */ (null));
    useEffect(() => {
      let here = true;
      own.current ??= new Shares({ single: true });
      const accept = settled.accept && ((/** @type {any} */ hail) => latest.current.accept?.(hail) ?? false);
      const { thing, release } = own.current.hold(settled, () => start({ ...settled, ...(accept && { accept }) }), (client) => client.close());
      Promise.resolve(thing).then(
        (client) => here && set({ client, error: null }),
        (error) => here && set({ client: null, error: asError(error) }),
      );
      return () => {
        here = false;
        set(UNOPENED);
        release();
      };
    }, [settled]);
    return opened;
  }

  /**
   * A room, for as long as some component uses it. The options count when it is entered; another secret is another room.
   * @param {Wigwag | null} client
   * @param {string} name
   * @param {EnterOptions} [options]
   * @returns {Entered}
   */
  function useRoom(client, name, options = {}) {
    const [entered, set] = useState(OUTSIDE);
    const latest = useLatest(options);
    const { secret } = options;
    useEffect(() => {
      if (!client) return undefined;
      let here = true;
      const stops = [nothing];
      const shares = rooms.get(client) ?? new Shares();
      rooms.set(client, shares);
      const enter = () => {
        const { onSaid: _, ...how } = latest.current;
        return client.join(name, how);
      };
      // Whoever cannot say goodbye is missed by the server all the same.
      const { thing, release } = shares.hold(JSON.stringify([name, secret]), enter, (room) => void room.leave().catch(nothing));
      Promise.resolve(thing).then((room) => {
        if (!here) return;
        const look = (/** @type {string | null} */ left = null) => set(viewOf(room, left));
        for (const type of /** @type {const} */ (['joined', 'left', 'updated', 'changed', 'host', 'state'])) stops.push(room.on(type, () => look()));
        stops.push(room.on('closed', ({ why }) => look(why)), room.on('said', (said) => latest.current.onSaid?.(said)));
        look(room.open ? null : 'closed');
      }, (error) => here && set({ ...OUTSIDE, error: asError(error) }));
      return () => {
        here = false;
        for (const stop of stops) stop();
        set(OUTSIDE);
        release();
      };
    }, [client, name, secret]);
    return entered;
  }

  /**
   * A peer, connected to whenever it is here, for as long as some component uses it. What waits for it when the last one goes is not sent.
   * @param {Wigwag | null} client
   * @param {string} id
   * @param {{ onMessage?: (message: { from: string, device: string, data: any }) => void }} [options]
   * @returns {UsedPeer}
   */
  function usePeer(client, id, options = {}) {
    const away = useMemo(() => awayPeer(id), [id]);
    const [peer, set] = useState(away);
    const latest = useLatest(options);
    useEffect(() => {
      if (!client) return undefined;
      const known = stores.get(client) ?? { store: new NetworkStore(client, { incoming: 'known' }), peers: new Shares() };
      stores.set(client, known);
      const { store, peers } = known;
      const { release } = peers.hold(id, () => store.add(id), (drop) => {
        drop();
        if (peers.size) return;
        store.close();
        if (stores.get(client) === known) stores.delete(client);
      });
      const stops = [
        store.subscribe(() => set((last) => {
          const next = store.peer(id) ?? away;
          return same(last, next) ? last : next;
        })),
        store.on('message', (message) => message.from === id && latest.current.onMessage?.(message)),
      ];
      return () => {
        for (const stop of stops) stop();
        set(away);
        release();
      };
    }, [client, id, away]);
    const deeds = useMemo(() => ({
      send: (/** @type {Message} */ message, /** @type {{ signal?: AbortSignal }} */ how = {}) => {
        const known = client && stores.get(client);
        return known ? known.store.send(id, message, how) : Promise.reject(new WigwagError('closed', 'There is no client yet, or no more.'));
      },
      retry: () => void (client && stores.get(client)?.store.retry(id)),
    }), [client, id]);
    return useMemo(() => ({ ...(peer.id === id ? peer : away), ...deeds }), [peer, away, deeds]);
  }

  /**
   * The server's status and, with a connection, which way it takes.
   * @param {Wigwag | null} client
   * @param {{ connection?: Connection | null, finder?: string | null, words?: Words }} [options]
   * @returns {Seen}
   */
  function useStatus(client, { connection = null, finder = connection?.finder ?? null, words = ENGLISH } = {}) {
    const [found, set] = useState(/** @type {{ of: Connection | null, way: Way | null }} */ ({ of: null, way: null }));
    const [onStatus, onState] = useMemo(() => [
      (/** @type {() => void} */ run) => client?.on('status', run) ?? nothing,
      (/** @type {() => void} */ run) => connection?.on('state', run) ?? nothing,
    ], [client, connection]);
    const server = useSyncExternalStore(onStatus, () => client?.status ?? STARTING, () => STARTING);
    const state = useSyncExternalStore(onState, () => connection?.state, () => undefined);
    useEffect(() => (connection ? followWay(connection, (way) => set({ of: connection, way })) : undefined), [connection]);
    const way = found.of === connection && state === 'open' ? found.way : null;
    return useMemo(() => {
      const sight = { server: server.state, connection: state, way, finder };
      return { server, state: stateOf(sight), text: say(sight, words), way };
    }, [server, state, way, finder, words]);
  }

  return { useWigwag, useRoom, usePeer, useStatus };
}

/** @param {Room} room @param {string | null} left @returns {Entered} */
function viewOf(room, left) {
  const { members, host, mine, mode, state } = room;
  return { room, members, host, mine, mode, state, left, error: null };
}

/** @param {string} id @returns {StorePeer} */
function awayPeer(id) {
  return { id, state: 'away', path: null, queued: 0, error: null, lastSeen: null };
}
