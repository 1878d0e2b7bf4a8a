// What the rows live in: peers at home in a lab, and the servers that a row asks for.

import { certify } from './lab/certificate.js';
import { Lab } from './lab/lab.js';
import { NAME, SECRET, TURN_NAME, Turn, Wigwag } from './lab/servers.js';
import { browser } from './peers/browser.js';
import { native } from './peers/native.js';

/** @typedef {import('./peers/peer.js').Peer} Peer @typedef {ReturnType<typeof browser>} Page @typedef {import('node:test').TestContext} Test */

export class World {
  static async make() {
    const world = new World();
    const papers = certify(TURN_NAME);
    world.turn = await Turn.at(world.lab.server('turn', 20), papers);
    world.home = world.lab.server('home', 10);
    world.elsewhere = world.lab.server('elsewhere', 66);
    world.lab.names = { [TURN_NAME]: world.turn.space.address, [NAME]: world.home.address };
    world.alice = browser(world.lab.host('alice', 11), 'chromium', papers.pin);
    world.bob = browser(world.lab.host('bob', 12), 'chromium', papers.pin);
    world.carol = browser(world.lab.host('carol', 13), 'firefox', papers.pin);
    world.dora = native(world.lab.host('dora', 14), papers.authority);
    world.emil = native(world.lab.host('emil', 15), papers.authority);
    await Promise.all(world.peers.map((each) => each.begin()));
    return world;
  }

  constructor() {
    this.lab = Lab.up();
  }

  get peers() {
    return [this.alice, this.bob, this.carol, this.dora, this.emil];
  }

  /** Pages that call pages. @returns {[Page, Page][]} */
  get pages() {
    return [[this.alice, this.bob], [this.alice, this.carol], [this.carol, this.alice]];
  }

  /** Who calls whom. @returns {[Peer, Peer][]} */
  get pairs() {
    return [
      ...this.pages, [this.dora, this.emil], [this.dora, this.alice], [this.alice, this.dora], [this.dora, this.carol], [this.carol, this.dora],
    ];
  }

  /** Settings that name coturn as the STUN server. */
  get stun() {
    return { 'ice.stun': `stun:${this.turn.space.address}:3478` };
  }

  /** Settings that name it as the TURN server, by UDP. */
  get relays() {
    return { ...this.stun, 'ice.turn': `turn:${this.turn.space.address}:3478`, 'ice.secret': SECRET };
  }

  /** The same by TLS, at the port of the web. */
  get disguised() {
    return { 'ice.turn': `turns:${TURN_NAME}:443?transport=tcp`, 'ice.secret': SECRET };
  }

  /** What a router lets through that knows our server alone. @returns {import('./lab/kinds.js').Kind} */
  get only() {
    return { only: `${this.home.address}:80` };
  }

  /** A signaling server for one test. @param {Test} t @param {Record<string, string | number>} [settings] */
  async server(t, settings) {
    const server = await Wigwag.at(this.home, settings);
    t.after(() => server.stop());
    return server;
  }

  /**
   * Puts peers, as programs that were just started, behind routers of this kind: each behind its own, or all in one home.
   * @param {Test} t
   * @param {Peer[]} peers
   * @param {import('./lab/kinds.js').Kind} kind
   * @param {{ together?: boolean, faults?: { delay?: number, loss?: number } }} [how]
   */
  async settle(t, peers, kind, { together = false, faults } = {}) {
    const routers = (together ? peers.slice(0, 1) : peers).map((_, at) => this.router(t, at + 1, kind));
    for (const [at, { host }] of peers.entries()) await host.plug(routers[together ? 0 : at], faults);
    await Promise.all(peers.map((each) => each.begin()));
    return routers;
  }

  /** @param {Test} t @param {number} number @param {import('./lab/kinds.js').Kind} kind */
  router(t, number, kind) {
    const router = this.lab.router(`router${number}`, number, kind);
    t.after(() => router.remove());
    return router;
  }

  /** A machine sleeps: of all that runs on it nothing goes on. Returns what wakes it. @param {Peer} peer */
  sleep({ host, child, kind }) {
    // What speaks for a browser goes on, because it is no part of it.
    const asleep = host.processes().filter((pid) => kind === 'native' || pid !== child.pid);
    const tell = (/** @type {NodeJS.Signals} */ signal) => asleep.forEach((pid) => process.kill(pid, signal));
    tell('SIGSTOP');
    return () => tell('SIGCONT');
  }

  async stop() {
    await Promise.all(this.peers.map((each) => each?.stop()));
    await this.turn?.stop();
    this.lab.down();
  }
}
