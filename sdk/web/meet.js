// `spec/finding.md`: two that are connected already prove to each other who they are, and become a `Connection` like any other.

import { Connection } from './connection.js';
import { WigwagError } from './errors.js';
import { hold, trulyOpen } from './hold.js';
import { keyId } from './keys.js';
import { idForm, verifyText } from './verify.js';

/**
 * @import { Peer } from './connection.js'
 * @import { Identity } from './identity.js'
 * @import { Content } from './sealed.js'
 * @import { Trust } from './trust.js'
 *
 * @typedef {object} Party Who meets.
 * @property {SubtleCrypto} subtle
 * @property {Identity | null} identity `null` for a guest
 * @property {Trust} trust
 * @property {() => { id: string, namespace: string }} self
 */

/** The protocol of the channel that the one who offers opens. */
export const PROTOCOL = 'wigwag.1';

/** Label and protocol of the one on which the two speak about the connection. */
const SIGNALS = 'wigwag.signals';

/** Who says nothing of a key for so long is a guest. */
const HELLO_MS = 5_000;

/** More is not kept of what comes before there is a connection to take it. */
const EARLY_MAX = 64;

export class Meeting {
  /** @param {Party} party @param {boolean} offers whether we are the one who made the offer */
  constructor(party, offers) {
    this.#party = party;
    this.#offers = offers;
    this.#heard = new Promise((resolve) => (this.#hear = resolve));
  }

  #party;
  #offers;
  /** @type {RTCDataChannel | null} */
  #main = null;
  /** @type {RTCDataChannel | null} */
  #signals = null;
  /** @type {RTCDataChannel[]} */
  #others = [];
  /** @type {Content[]} */
  #early = [];
  /** @type {Connection | null} */
  #connection = null;
  #greeted = false;
  /** @type {(hello: any) => void} */
  #hear = () => {};
  /** @type {Promise<any>} */
  #heard;

  /** Called before anything is described, so that nothing is missed. @param {RTCPeerConnection} pc */
  attend(pc) {
    pc.addEventListener('datachannel', ({ channel }) => {
      if (!this.#offers && !this.#main) this.#main = channel;
      else if (channel.label === SIGNALS) this.#take(channel);
      else if (!this.#connection && this.#others.length < EARLY_MAX) {
        hold(channel);
        this.#others.push(channel);
      }
    });
  }

  /**
   * @param {{ connection: RTCPeerConnection, channel: RTCDataChannel }} opened
   * @param {string} finder
   * @returns {Promise<Connection>}
   */
  async meet({ connection: pc, channel }, finder) {
    try {
      const ours = channel.protocol === PROTOCOL;
      if (ours && this.#offers) this.#take(pc.createDataChannel(SIGNALS, { protocol: SIGNALS }));
      const prints = printsOf(pc, this.#offers);
      if (ours) await this.#greet(pc, prints);
      const hello = ours ? await this.#patiently(pc) : undefined;
      const peer = await this.#who(hello, prints);
      if (pc.signalingState === 'closed' || channel.readyState !== 'open') throw new WigwagError('closed', 'The other side left before it said who it is.');
      const connection = new Connection(peer, {
        RTCPeerConnection: /** @type {any} */ (pc.constructor),
        config: {},
        polite: !this.#offers,
        begins: false,
        opened: { pc, channel, plain: hello === undefined, others: this.#others },
        tell: (content) => this.#signals?.readyState === 'open' && this.#signals.send(JSON.stringify(content)),
        finder,
        gone: () => {},
      });
      this.#connection = connection;
      for (const content of this.#early.splice(0)) connection.take(content);
      return connection;
    } catch (error) {
      pc.close();
      throw error;
    }
  }

  /** @param {RTCDataChannel} channel */
  #take(channel) {
    if (this.#signals) return;
    this.#signals = channel;
    channel.onmessage = ({ data }) => {
      const content = parsed(data);
      if (!this.#greeted) {
        this.#greeted = true;
        this.#hear(content);
      } else if (this.#connection && content) {
        this.#connection.take(content);
      } else if (content && this.#early.length < EARLY_MAX) {
        this.#early.push(content);
      }
    };
  }

  /** Says who we are as soon as there is a channel for it. @param {RTCPeerConnection} pc @param {[string, string]} prints */
  async #greet(pc, prints) {
    const { identity, self } = this.#party;
    const { id, namespace } = self();
    const said = identity ? { key: identity.key, id: id || identity.id, namespace: namespace || undefined } : {};
    const text = identity && statement(this.#offers, namespace, id || identity.id, identity.key, prints);
    const hello = JSON.stringify({ hello: 1, ...said, signature: text ? await identity.sign(text) : undefined });
    const say = async (/** @type {RTCDataChannel} */ channel) => {
      if (channel.readyState === 'connecting') await new Promise((resolve) => channel.addEventListener('open', resolve, { once: true }));
      if (!this.#offers) await trulyOpen(pc, channel);
      if (channel.readyState === 'open') channel.send(hello);
    };
    if (this.#signals) void say(this.#signals);
    else pc.addEventListener('datachannel', ({ channel }) => void (channel === this.#signals && say(channel)));
  }

  /** What the other side says of itself; nothing where it says nothing in time. @param {RTCPeerConnection} pc */
  async #patiently(pc) {
    /** @type {any} */
    let timer;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, HELLO_MS);
      pc.addEventListener('connectionstatechange', () => ['failed', 'closed'].includes(pc.connectionState) && resolve(undefined));
    });
    const hello = await Promise.race([this.#heard, late]);
    clearTimeout(timer);
    return hello;
  }

  /** @param {any} hello @param {[string, string]} prints @returns {Promise<Peer>} */
  async #who(hello, prints) {
    const { subtle, trust, self } = this.#party;
    const { hello: version, key, id = '', namespace = '', signature } = Object(hello);
    if (version !== 1 || key === undefined) {
      const guest = `~${(await keyId(subtle, prints.join('\n'))).slice(0, 20)}`;
      return { id: guest, device: '', key: '', verified: 'guest' };
    }
    const whole = typeof key === 'string' && typeof id === 'string' && typeof namespace === 'string';
    const proved = whole && (await verifyText(subtle, key, statement(!this.#offers, namespace, id, key, prints), signature));
    if (!proved) throw new WigwagError('key_mismatch', 'The other side could not prove its key: somebody may stand between the two.');
    if (namespace !== self().namespace) throw new WigwagError('key_mismatch', 'The other side is in another app\'s world.');
    if (idForm(id) === 'name' && (await trust.known(id)) === key) return { id, device: '', key, verified: 'pinned' };
    return { id: await keyId(subtle, key), device: '', key, verified: 'key' };
  }
}

/**
 * @param {boolean} offers whether the one who signs made the offer
 * @param {string} namespace
 * @param {string} id
 * @param {string} key
 * @param {[string, string]} prints
 */
export function statement(offers, namespace, id, key, prints) {
  return ['wigwag.1 channel', offers ? 'offerer' : 'acceptor', namespace, id, key, ...prints].join('\n');
}

/** The fingerprints of a description, in the one form in which both sides know them. @param {string} [sdp] */
export function fingerprints(sdp = '') {
  const lines = [...sdp.matchAll(/^a=fingerprint:(\S+) (\S+)/gm)].map(([, hash = '', hex = '']) => `${hash.toLowerCase()} ${hex.toUpperCase()}`);
  return [...new Set(lines)].sort().join(',');
}

/** Of the offerer and of the acceptor. @param {RTCPeerConnection} pc @param {boolean} offers @returns {[string, string]} */
function printsOf({ localDescription, remoteDescription }, offers) {
  const [local, remote] = [fingerprints(localDescription?.sdp), fingerprints(remoteDescription?.sdp)];
  return offers ? [local, remote] : [remote, local];
}

/** @param {any} data */
function parsed(data) {
  try {
    const content = JSON.parse(data);
    return typeof content === 'object' ? content : null;
  } catch {
    return null;
  }
}
