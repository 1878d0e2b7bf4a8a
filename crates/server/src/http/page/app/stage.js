// Calls as they are seen: who asks for one, the pictures, and our own with the switches for sound and picture.

import { button, byId, make, say } from './dom.js';
import { initials } from './names.js';
import { explainMedia } from './trouble.js';

/**
 * @import { Person } from './crowd.js'
 * @import { Call, Media } from './media.js'
 */

export class Stage {
  /** @param {() => Media} media @param {(text: string) => void} tell */
  constructor(media, tell) {
    this.#media = media;
    this.#tell = tell;
  }

  #media;
  #tell;
  /** @type {Map<string, { tile: HTMLElement, video: HTMLVideoElement, face: HTMLElement }>} */
  #tiles = new Map();
  /** @type {Map<string, HTMLElement>} */
  #asks = new Map();
  /** @type {{ tile: HTMLElement, video: HTMLVideoElement, face: HTMLElement } | null} */
  #own = null;

  /** @param {Call} call */
  changed(call) {
    const { key } = call.person;
    if (call.state === 'ringing' && !this.#asks.has(key)) this.#ask(call.person, call.video);
    if (call.state !== 'ringing') this.#answered(key);
    if (call.state === 'on') this.#tile(call);
    this.#layout();
  }

  /** @param {Call} call */
  ended(call) {
    const { key } = call.person;
    this.#answered(key);
    const entry = this.#tiles.get(key);
    if (entry?.tile.contains(document.activeElement)) byId('text').focus();
    entry?.tile.remove();
    this.#tiles.delete(key);
    this.#layout();
  }

  /** Our own picture is another, or none. */
  own() {
    const media = this.#media();
    if (!media.own) {
      this.#own?.tile.remove();
      this.#own = null;
    } else {
      this.#own ??= this.#ownTile();
      this.#own.tile.dataset.picture = String(media.sends('video'));
      if (this.#own.video.srcObject !== media.own) this.#own.video.srcObject = media.own;
    }
    this.#layout();
  }

  /** @param {Person} person @param {boolean} video */
  #ask(person, video) {
    const media = this.#media();
    const answer = async (/** @type {boolean} */ showing) => {
      try {
        await media.accept(person, showing);
      } catch (error) {
        this.#tell(explainMedia(error));
      }
    };
    const ask = make('div', { className: 'ask' },
      make('p', {}, make('strong', {}, person.name), video ? ' would like to see you.' : ' would like to talk.'),
      make('div', { className: 'row' },
        button('Answer with camera', () => void answer(true), { main: true }),
        button('Answer without', () => void answer(false)),
        button('Decline', () => media.decline(person))));
    this.#asks.set(person.key, ask);
    byId('asks').append(ask);
  }

  /** @param {string} key */
  #answered(key) {
    const ask = this.#asks.get(key);
    if (ask?.contains(document.activeElement)) byId('text').focus();
    ask?.remove();
    this.#asks.delete(key);
  }

  /** @param {Call} call */
  #tile({ person, remote }) {
    let entry = this.#tiles.get(person.key);
    if (!entry) {
      const end = button('Hang up', () => this.#media().hangUp(person), { more: `on ${person.name}` });
      end.classList.add('end');
      entry = tile(person.name, end);
      const made = entry;
      for (const sign of ['loadeddata', 'resize', 'emptied']) made.video.addEventListener(sign, () => picture(made));
      this.#tiles.set(person.key, made);
      byId('stage').append(made.tile);
    }
    // A stream that is set again begins again, so it is set once.
    if (entry.video.srcObject !== remote) entry.video.srcObject = remote;
    picture(entry);
    void entry.video.play().catch(() => {
      // Interrupted by the next track, or waiting for the first; it goes on by itself.
    });
  }

  #ownTile() {
    const media = this.#media();
    const toggle = (/** @type {'audio' | 'video'} */ kind, /** @type {string} */ label) => {
      const each = button(label, () => {
        media.toggle(kind);
        each.setAttribute('aria-pressed', String(!media.sends(kind)));
      });
      each.setAttribute('aria-pressed', 'false');
      each.hidden = !media.has(kind);
      return each;
    };
    const entry = tile('You', toggle('audio', 'Mute'), toggle('video', 'Hide me'));
    entry.tile.classList.add('own');
    entry.video.muted = true;
    byId('stage').append(entry.tile);
    return entry;
  }

  #layout() {
    const stage = byId('stage');
    // Our own picture stands at the end.
    if (this.#own && stage.lastElementChild !== this.#own.tile) stage.append(this.#own.tile);
    stage.hidden = !stage.childElementCount;
    stage.dataset.count = String(this.#tiles.size);
  }
}

/** Whether there is a picture to be seen. @param {{ tile: HTMLElement, video: HTMLVideoElement }} entry */
function picture({ tile: around, video }) {
  const stream = /** @type {MediaStream | null} */ (video.srcObject);
  around.dataset.picture = String(video.videoWidth > 0 && Boolean(stream?.getVideoTracks().some(({ readyState }) => readyState === 'live')));
}

/** @param {string} name @param {...HTMLElement} acts */
function tile(name, ...acts) {
  const video = make('video', { autoplay: true, playsInline: true });
  video.setAttribute('aria-label', name === 'You' ? 'Your own picture' : `Picture of ${name}`);
  const face = make('span', { className: 'face', 'aria-hidden': 'true' }, initials(name));
  const label = make('span', { className: 'tile-name' });
  say(label, name);
  return { tile: make('div', { className: 'tile' }, video, face, label, make('div', { className: 'tile-acts' }, ...acts)), video, face };
}
