// The people in the room as cards: who, with which key, over which way, how far, and what can be done with them.

import { button, byId, make, say } from './dom.js';
import { hue, initials, short } from './names.js';
import { unreached } from './trouble.js';

/**
 * @import { Person } from './crowd.js'
 *
 * @typedef {object} Acts
 * @property {(person: Person) => void} video
 * @property {(person: Person) => void} file
 * @property {(person: Person) => 'none' | 'asking' | 'ringing' | 'on'} call
 * @property {() => string} self our own id
 */

/** What each path is called where it is seen. @type {Record<string, string>} */
const PATHS = {
  direct: 'Directly',
  'direct near': 'Directly, on this network',
  'direct far': 'Directly, over the internet',
  turn: 'Through a TURN server',
  relayed: 'Using server relay, end-to-end encrypted',
};

/** @type {Record<string, string>} */
const FINDERS = { server: 'found by the server', code: 'found by a code', lan: 'found on this network', dht: 'found in the DHT', friends: 'found through friends' };

/** How long somebody may take to be connected before it is said. */
const SLOW_MS = 15_000;

export class People {
  /** @param {Acts} acts */
  constructor(acts) {
    this.#acts = acts;
  }

  #acts;
  /** @type {Map<string, { card: HTMLElement, parts: ReturnType<typeof parts>, since: number }>} */
  #cards = new Map();

  /** Whose card that is. @param {EventTarget | null} target */
  keyAt(target) {
    return [...this.#cards].find(([, { card }]) => target instanceof Node && card.contains(target))?.[0];
  }

  /** @param {Person} person */
  show(person) {
    let entry = this.#cards.get(person.key);
    if (!entry) {
      const made = parts(person, this.#acts);
      entry = { card: made.card, parts: made, since: Date.now() };
      this.#cards.set(person.key, entry);
      byId('people').append(made.card);
      setTimeout(() => this.#cards.get(person.key) === entry && this.show(person), SLOW_MS);
    }
    this.#draw(person, entry);
  }

  /** @param {Person} person */
  remove({ key }) {
    const entry = this.#cards.get(key);
    this.#cards.delete(key);
    if (!entry) return;
    // Where the focus was it does not fall into nowhere.
    if (entry.card.contains(document.activeElement)) byId('text').focus();
    entry.card.classList.add('gone');
    const drop = () => entry.card.remove();
    if (matchMedia('(prefers-reduced-motion: reduce)').matches) drop();
    else setTimeout(drop, 400);
  }

  clear() {
    this.#cards.clear();
    byId('people').replaceChildren();
  }

  /** @param {Person} person @param {{ parts: ReturnType<typeof parts>, card: HTMLElement, since: number }} entry */
  #draw(person, { parts: to, card, since }) {
    const { connection, way } = person;
    const state = stateOf(person);
    card.dataset.state = state;
    card.dataset.path = connection ? (way?.path ?? '') : '';
    to.face.textContent = initials(person.name);
    to.name.textContent = person.name;
    for (const each of card.querySelectorAll('.whom')) each.textContent = ` ${person.name}`;
    say(to.tag, person.id === this.#acts.self() ? 'your other tab' : '');
    say(to.state, wordsOf(person, state, Date.now() - since));
    const finder = connection?.finder ?? 'server';
    const found = FINDERS[finder] ?? `found by ${finder}`;
    say(to.found, connection ? `${found[0]?.toUpperCase()}${found.slice(1)}` : '');
    say(to.rtt, connection && way?.rtt !== null && way?.rtt !== undefined ? `${Math.max(1, Math.round(way.rtt))} ms` : '');
    const peer = connection?.peer;
    to.key.hidden = !peer;
    if (peer) {
      to.print.textContent = short(peer.id);
      say(to.proof, peer.verified === 'guest' ? 'a guest' : 'verified');
    }
    const call = this.#acts.call(person);
    // The relay carries words and files; a picture needs a path of its own.
    const able = Boolean(connection?.raw) && way?.path !== 'relayed';
    to.video.hidden = !able || call === 'on' || call === 'ringing';
    to.video.disabled = call === 'asking' || connection?.state !== 'open';
    to.videoText.data = call === 'asking' ? 'Calling…' : 'Video';
    to.file.hidden = !connection;
    to.file.disabled = connection?.state !== 'open';
  }
}

/** @param {Person} person @param {Acts} acts */
function parts(person, acts) {
  const face = make('span', { className: `face hue-${hue(person.id)}`, 'aria-hidden': 'true' });
  const name = make('strong', { className: 'name' });
  const tag = make('span', { className: 'tag' });
  const state = make('p', { className: 'way' });
  const found = make('span');
  const rtt = make('span', { className: 'rtt', title: 'There and back' });
  const print = make('code');
  const proof = make('span', { className: 'proof' });
  const key = make('p', { className: 'key', title: person.id }, 'Key ', print, ' ', proof);
  const video = button('Video', () => acts.video(person), { more: 'with' });
  const file = button('File', () => acts.file(person), { more: 'to' });
  for (const each of [video, file]) each.append(make('span', { className: 'quiet whom' }));
  const card = make('li', { className: 'person' },
    face,
    make('div', { className: 'who' }, make('p', { className: 'named' }, name, tag), state, make('p', { className: 'facts' }, found, rtt), key),
    make('div', { className: 'acts' }, video, file));
  return { card, face, name, tag, state, found, rtt, key, print, proof, video, videoText: /** @type {Text} */ (video.firstChild), file };
}

/** @param {Person} person */
function stateOf({ connection, presence, error }) {
  if (connection) return connection.state;
  if (presence === 'away') return 'away';
  return error ? 'failed' : 'connecting';
}

/** @param {Person} person @param {string} state @param {number} since */
function wordsOf({ connection, way, error, inRoom }, state, since) {
  if (state === 'mending') return inRoom ? 'Looking for another way to them' : 'Fading: looking for another way';
  if (connection && !way) return 'Connected';
  if (connection && way) return PATHS[`${way.path} ${way.reach}`] ?? PATHS[way.path] ?? way.path;
  if (state === 'away') return 'Away for a moment';
  if (error) return unreached(error);
  return since >= SLOW_MS ? 'Still looking for a way to them' : 'Connecting';
}
