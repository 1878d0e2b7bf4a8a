// One room as people live in it: who is there, what they say, what they send, whom they see.

import { byId } from './dom.js';
import { Crowd } from './crowd.js';
import { Files } from './files.js';
import { Log } from './log.js';
import { Media } from './media.js';
import { tidyName } from './names.js';
import { People } from './people.js';
import { Stage } from './stage.js';
import { Talk } from './talk.js';
import { explainMedia } from './trouble.js';

/**
 * @import { Person } from './crowd.js'
 * @import { FilesSdk, Room, Source, Wigwag } from './types.js'
 *
 * @typedef {object} Around
 * @property {(which: 'together') => void} view
 * @property {() => string} name our own
 */

const TITLE = document.title;

export class Session {
  /** @param {Wigwag} client @param {Room} room @param {FilesSdk} sdk @param {Around} around */
  constructor(client, room, sdk, around) {
    this.room = room;
    this.#around = around;
    this.#files = new Files(sdk, this.#log, (text) => this.#log.note(text));
    this.#log.clear();
    this.#people = new People({
      video: (person) => void this.#video(person),
      file: (person) => this.#choose([person]),
      call: (person) => this.#media.state(person),
      self: () => client.id,
    });
    this.#listen();
    this.#crowd = new Crowd(client, room, (me) => tidyName(me?.name), {
      came: (person) => this.#came(person),
      changed: (person) => this.#changed(person),
      opened: (person) => this.#opened(person),
      lost: (person) => this.#media.lost(person),
      left: (person) => this.#left(person),
      message: (person, data) => void (this.#talk.take(person, data) || this.#media.take(person, data)),
      channel: (person, channel) => (this.#files.takes(channel) ? this.#files.take(person, channel) : channel.close()),
      track: (person, track) => this.#media.track(person, track),
    });
  }

  #around;
  #people;
  /** @type {Crowd | undefined} */
  #crowd;
  #log = new Log();
  #files;
  #stage = new Stage(() => this.#media, (text) => this.#log.note(text));
  #media = new Media({
    changed: (call) => {
      this.#stage.changed(call);
      this.#people.show(call.person);
      if (call.state === 'ringing') this.#unseen();
    },
    ended: (call, why) => {
      this.#stage.ended(call);
      if (this.#crowd?.knows(call.person)) this.#people.show(call.person);
      if (why) this.#log.note(`${why}.`);
    },
    own: () => this.#stage.own(),
  });
  #talk = new Talk({
    heard: (person, text) => {
      this.#log.heard(person, text);
      this.#unseen();
    },
    receipt: (said) => this.#log.receipt(said),
  });
  #stop = new AbortController();
  /** @type {Map<string, string>} */
  #names = new Map();
  #missed = 0;
  /** @type {Person[]} */
  #receivers = [];

  /** Whether nobody else is here, nor was. */
  get empty() {
    return !this.#crowd?.people.length && !byId('log').childElementCount;
  }

  /** @param {{ id: string, device: string }} peer */
  knows(peer) {
    return this.#crowd?.knows(peer) ?? false;
  }

  end() {
    this.#stop.abort();
    for (const { person } of this.#media.calls) this.#media.hangUp(person, '');
    this.#crowd?.end();
    this.#people.clear();
    this.#files.end();
    this.#log.end();
    byId('asks').replaceChildren();
    document.title = TITLE;
    this.room.leave().catch(() => {
      // The server ends what it does not hear of.
    });
  }

  /** @param {Person} person */
  #came(person) {
    this.#names.set(person.key, person.name);
    this.#people.show(person);
    this.#log.note(`${person.name} is here.`);
    this.#around.view('together');
    document.body.classList.remove('wave');
    // Read in between, so that the flags wave for each.
    void document.body.offsetWidth;
    document.body.classList.add('wave');
  }

  /** @param {Person} person */
  #changed(person) {
    const before = this.#names.get(person.key);
    if (before !== undefined && before !== person.name) {
      this.#log.note(`${before} is now called ${person.name}.`);
      this.#names.set(person.key, person.name);
    }
    this.#people.show(person);
  }

  /** @param {Person} person */
  #opened(person) {
    this.#people.show(person);
    this.#talk.opened(person);
  }

  /** @param {Person} person */
  #left(person) {
    this.#media.lost(person);
    this.#talk.left(person);
    this.#people.remove(person);
    this.#names.delete(person.key);
    this.#log.note(`${person.name} left.`);
  }

  /** @param {Person} person */
  async #video(person) {
    try {
      await this.#media.ask(person, true);
    } catch (error) {
      this.#log.note(explainMedia(error));
      this.#people.show(person);
    }
  }

  /** @param {Person[]} people @param {'files' | 'folder'} [what] */
  #choose(people, what = 'files') {
    this.#receivers = people;
    byId(what).click();
  }

  /** Something happened that whoever looks elsewhere has not seen. */
  #unseen() {
    if (!document.hidden) return;
    this.#missed += 1;
    document.title = `(${this.#missed}) ${TITLE}`;
  }

  #listen() {
    const { signal } = this.#stop;
    /** @type {HTMLTextAreaElement} */
    const text = byId('text');
    const fit = () => {
      text.style.height = 'auto';
      text.style.height = `${text.scrollHeight + 2}px`;
    };
    const speak = () => {
      const words = text.value.trim();
      if (!words || !this.#crowd) return;
      this.#log.said(this.#talk.say(this.#crowd, words));
      text.value = '';
      fit();
    };
    byId('write').addEventListener('submit', (event) => {
      event.preventDefault();
      speak();
      text.focus();
    }, { signal });
    text.addEventListener('input', fit, { signal });
    text.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      speak();
    }, { signal });
    text.addEventListener('paste', (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (!files.length) return;
      event.preventDefault();
      this.#sendAll(files);
    }, { signal });
    byId('attach').addEventListener('click', () => this.#choose([]), { signal });
    byId('attach-folder').addEventListener('click', () => this.#choose([], 'folder'), { signal });
    for (const chosen of /** @type {HTMLInputElement[]} */ ([byId('files'), byId('folder')])) {
      chosen.addEventListener('change', () => {
        const files = [...(chosen.files ?? [])];
        chosen.value = '';
        if (files.length) this.#sendAll(files, this.#receivers);
      }, { signal });
    }
    this.#catchDrops(signal);
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) return;
      this.#missed = 0;
      document.title = TITLE;
    }, { signal });
  }

  /** @param {AbortSignal} signal */
  #catchDrops(signal) {
    const over = (/** @type {boolean} */ is) => document.body.classList.toggle('dropping', is);
    const holdsFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes('Files') ?? false;
    addEventListener('dragover', (event) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      over(document.body.dataset.view === 'together');
    }, { signal });
    addEventListener('dragleave', (event) => !event.relatedTarget && over(false), { signal });
    addEventListener('drop', (event) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      over(false);
      const key = this.#people.keyAt(event.target);
      const one = this.#crowd?.people.filter((person) => person.key === key) ?? [];
      const items = [...(event.dataTransfer?.items ?? [])].filter(({ kind }) => kind === 'file');
      if (items.length) this.#sendAll(items, one);
    }, { signal });
  }

  /** @param {Source} source @param {Person[]} [people] left out or empty, everybody */
  #sendAll(source, people = []) {
    void this.#files.send(source, people.length ? people : (this.#crowd?.people ?? []));
  }
}
