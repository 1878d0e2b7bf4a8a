// What is sent and what comes, as it is seen: how far, how fast, and what can be done about it.

import { button, make, say } from './dom.js';
import { size } from './names.js';
import { zip, zips } from './zip.js';

/** @import { FilePlace, FilesSdk, Received, Receiving, Sending } from './types.js' */

/** Without being asked for, this much comes by itself. */
export const AUTO_BYTES = 8 * 1024 * 1024;
const AUTO_FILES = 50;

/** More than this goes to the disk while it comes, where the browser can do that. */
const DISK_BYTES = 32 * 1024 * 1024;

/** Kinds of pictures that are shown; nothing in them can run. @type {Record<string, string>} */
const SHOWN = { png: 'image/png', jpg: 'image/jpeg', jpeg: 'image/jpeg', gif: 'image/gif', webp: 'image/webp', avif: 'image/avif' };
const SHOWN_BYTES = 20 * 1024 * 1024;

/** Where something was saved that did not come whole, so that it goes on there. @type {Map<string, FilePlace>} */
const CUT = new Map();
const CUT_MAX = 8;

/** How fast it goes, smoothed. */
class Pace {
  #at = performance.now();
  #from = 0;
  speed = 0;

  /** @param {number} bytes so far */
  count(bytes) {
    const span = performance.now() - this.#at;
    if (span < 250) return;
    const now = ((bytes - this.#from) / span) * 1_000;
    this.speed = this.speed ? this.speed * 0.6 + now * 0.4 : now;
    this.#at = performance.now();
    this.#from = bytes;
  }
}

/** What is on its way to somebody: a row. @param {string} label @param {string} whom @param {Sending} sending */
export function leavingRow(label, whom, sending) {
  const row = progressRow(label);
  const cancel = button('Cancel', () => sending.cancel(), { more: `${sending.name} to ${whom}` });
  row.element.append(cancel);
  const pace = new Pace();
  const draw = inFrames(() => {
    const { state, error } = sending;
    row.draw(sending, state === 'preparing' || state === 'offered' ? 'waiting for their yes' : error ? whyNot(error, false) : movedWords(sending, pace, 'arrived, checked'));
    cancel.hidden = sending.finished;
  });
  follow(sending, pace, draw);
  return row.element;
}

/** What somebody offers: a card. */
export class Arriving {
  /** @param {FilesSdk} sdk @param {Receiving} receiving @param {{ grown: () => void, gone: () => void, asks?: boolean }} around `asks`: nothing comes by itself */
  constructor(sdk, receiving, { grown, gone, asks = false }) {
    this.#sdk = sdk;
    this.#receiving = receiving;
    this.#around = { grown, gone };
    const { bytes, files } = receiving;
    /** What it is called, as a name that a file may have. */
    this.name = tidyFile(receiving.name);
    this.#folder = files !== 1;
    const head = fileHead(this.name, bytes, files);
    this.element = make('div', { className: 'file' }, head, this.#row.element, this.#acts);
    this.#pace = new Pace();
    const draw = inFrames(() => {
      this.#draw();
      grown();
    });
    receiving.on('file', (received) => this.#kept.push(received));
    follow(receiving, this.#pace, draw);
    receiving.on('done', () => void this.#done().then(draw));
    receiving.on('ended', () => this.#cut());
    if (!asks && bytes <= AUTO_BYTES && files > 0 && files <= AUTO_FILES) void receiving.accept();
  }

  #sdk;
  #receiving;
  #around;
  #folder;
  #pace;
  #row = progressRow('');
  #acts = make('div', { className: 'row' });
  #shown = '';
  /** @type {Received[]} */
  #kept = [];
  /** All of it as one file, to be saved. @type {{ blob: Blob, name: string } | null} */
  #whole = null;
  /** The place that a person chose. @type {FilePlace | null} */
  #place = null;
  #saved = false;

  get #key() {
    const { name, files, bytes } = this.#receiving;
    return `${files} ${bytes} ${name}`;
  }

  #draw() {
    const { state, error } = this.#receiving;
    const asks = state === 'offered';
    this.#row.draw(this.#receiving, asks ? 'wants to come to you' : error ? whyNot(error, true) : this.#movedWords());
    const now = `${state} ${this.#whole ? 'kept' : ''}`;
    if (now === this.#shown) return;
    this.#shown = now;
    const had = this.#acts.contains(document.activeElement);
    this.#acts.replaceChildren(...this.#actsNow());
    if (had) /** @type {HTMLElement | null} */ (this.#acts.firstElementChild ?? this.element.closest('[tabindex]'))?.focus();
  }

  #movedWords() {
    const { skipped } = this.#receiving;
    return movedWords(this.#receiving, this.#pace, `${this.#saved ? 'saved, checked' : 'here, checked'}${skipped ? `, ${skipped} left out` : ''}`);
  }

  /** @returns {HTMLElement[]} */
  #actsNow() {
    const more = this.name;
    const { state } = this.#receiving;
    if (state === 'offered') return [...this.#ways(), button('Decline', () => this.#receiving.decline(), { more })];
    if (state === 'moving') return [button('Cancel', () => this.#receiving.cancel(), { more })];
    return this.#whole ? this.#saving(this.#whole) : [];
  }

  /** How it can be taken: into a folder or a file that a person chooses, where the browser can do that, or into its own keeping. */
  #ways() {
    const { bytes } = this.#receiving;
    const more = this.name;
    const cut = CUT.get(this.#key);
    if (cut) return [button('Go on', () => this.#into(async () => cut), { more, main: true })];
    const large = bytes > DISK_BYTES;
    if (this.#folder && has('showDirectoryPicker')) {
      const folder = button('Save in a folder…', () => this.#into(() => /** @type {any} */ (globalThis).showDirectoryPicker({ mode: 'readwrite' })), { more, main: true });
      return large || !zips(this.#receiving) ? [folder] : [folder, this.#accepting(false)];
    }
    if (!this.#folder && large && has('showSaveFilePicker')) {
      return [button('Save as…', () => this.#into(async () => {
        const handle = await /** @type {any} */ (globalThis).showSaveFilePicker({ suggestedName: this.name });
        return new this.#sdk.FilePlace(await handle.createWritable());
      }), { more, main: true })];
    }
    return [this.#accepting(true)];
  }

  /** @param {boolean} main */
  #accepting(main) {
    return button('Accept', () => void this.#receiving.accept(), { more: this.name, main });
  }

  /** @param {() => Promise<FileSystemDirectoryHandle | FilePlace>} choose */
  async #into(choose) {
    try {
      const into = await choose();
      this.#saved = true;
      if (into instanceof this.#sdk.FilePlace) this.#place = into;
      await this.#receiving.accept(into);
    } catch {
      // No place was chosen: the offer stands.
    }
  }

  /** It ended before it was whole. */
  #cut() {
    const { error } = this.#receiving;
    if (!this.#place || CUT.get(this.#key) === this.#place) return;
    // What can go on is kept open for that; the rest is thrown away.
    if (error?.reason !== 'closed' && error?.reason !== 'cancelled') return void this.#place.abort().catch(() => {});
    CUT.set(this.#key, this.#place);
    for (const [oldest, place] of CUT) {
      if (CUT.size <= CUT_MAX) break;
      CUT.delete(oldest);
      void place.abort().catch(() => {});
    }
  }

  async #done() {
    CUT.delete(this.#key);
    if (this.#saved || !this.#kept.length) return;
    const [only] = this.#kept;
    if (!this.#folder && only?.blob) this.#whole = { blob: only.blob, name: tidyFile(only.path.split('/').at(-1) ?? '') };
    else this.#whole = { blob: await zip(this.#kept), name: `${this.name}.zip` };
  }

  /** @param {{ blob: Blob, name: string }} whole */
  #saving({ blob, name }) {
    // The type is not the sender's to choose: nothing that comes may run here.
    const url = URL.createObjectURL(blob.type === 'application/octet-stream' ? blob : blob.slice(0, blob.size, 'application/octet-stream'));
    const save = make('a', { className: 'button main', href: url, download: name }, 'Save', make('span', { className: 'quiet' }, ` ${name}`));
    const type = SHOWN[name.split('.').at(-1)?.toLowerCase() ?? ''];
    const picture = type && blob.size <= SHOWN_BYTES ? URL.createObjectURL(new Blob([blob], { type })) : '';
    if (picture) {
      this.element.prepend(make('img', {
        src: picture, alt: `Picture ${name}`, className: 'preview', onload: this.#around.grown,
        onerror: (/** @type {Event} */ { target }) => /** @type {Element} */ (target).remove(),
      }));
    }
    const remove = button('Remove', () => {
      for (const each of [url, picture]) if (each) URL.revokeObjectURL(each);
      this.forget();
      this.element.replaceChildren(make('p', {}, `${this.name} was removed.`));
      this.#around.gone();
    }, { more: this.name });
    return [save, remove];
  }

  /** Gives back what it takes. */
  forget() {
    this.#whole = null;
    for (const received of this.#kept.splice(0)) void this.#receiving.forget(received).catch(() => {});
  }
}

/** @param {string} name @param {number} bytes @param {number} files */
export function fileHead(name, bytes, files) {
  const facts = files === 1 ? size(bytes) : `${files} files, ${size(bytes)}`;
  return make('div', { className: 'file-head' },
    make('span', { className: 'sheet', 'aria-hidden': 'true' }, files === 1 && name.includes('.') ? name.split('.').at(-1)?.slice(0, 4) : ''),
    make('strong', {}, name), make('span', { className: 'facts' }, facts));
}

/** A name as a file may have it and a person may read it: no path, and nothing that turns the text around. @param {string} name */
export function tidyFile(name) {
  const plain = name.slice(0, 400).replace(/[\p{C}\u2028\u2029]/gu, '').split(/[\\/]/).at(-1)?.replace(/^\.+/, '').trim();
  return [...(plain ?? '')].slice(0, 200).join('') || 'file';
}

/** @type {Record<string, [string, string]>} what an end is called for who sends and who receives */
const WORDS = {
  declined: ['Declined', 'Declined'],
  cancelled: ['Cancelled', 'Cancelled'],
  closed: ['The connection ended before it was there. Sent again, it goes on where it stopped', 'The connection ended before it was there. Sent again, it goes on where it stopped'],
  too_large: ['Too large for the browser on the other side', 'Too large to be kept by this browser. A Chromium browser can write it to its disk while it comes'],
  disk: ['The other side could not write it to its disk', 'It could not be written: is the disk full?'],
  changed: ['The file changed or cannot be read any more', 'It changed on the other side while it came, or cannot be read any more'],
  bad_path: ['The other side does not take a name among them', 'A name among them leads out of its folder'],
  broken: ['It arrived damaged and was thrown away', 'It arrived damaged and was thrown away'],
};

/** @param {{ reason: string, message: string }} error @param {boolean} ours whether it came to us */
function whyNot({ reason, message }, ours) {
  return WORDS[reason]?.[ours ? 1 : 0] ?? message;
}

/** @param {Sending | Receiving} transfer @param {Pace} pace @param {string} done */
function movedWords({ state, moved, bytes }, { speed }, done) {
  if (state === 'done') return done;
  return `${size(moved)} of ${size(bytes)}${speed ? `, ${size(Math.round(speed))}/s` : ''}`;
}

/** @param {Sending | Receiving} transfer @param {Pace} pace @param {() => void} draw */
function follow(transfer, pace, draw) {
  const events = /** @type {Sending} */ (transfer);
  events.on('progress', ({ moved }) => {
    pace.count(moved);
    draw();
  });
  for (const type of /** @type {const} */ (['offered', 'accepted', 'done', 'ended'])) events.on(type, draw);
  draw();
}

/** @param {string} label */
function progressRow(label) {
  const bar = make('progress', { max: 1, value: 0, 'aria-label': 'Progress' });
  const words = make('span', { className: 'words' });
  const element = make('div', { className: 'progress' }, label ? make('span', { className: 'whom' }, label) : null, words, bar);
  /** @param {Sending | Receiving} transfer @param {string} text */
  const draw = (transfer, text) => {
    say(words, text);
    bar.hidden = transfer.state !== 'moving';
    bar.value = transfer.bytes ? transfer.moved / transfer.bytes : 1;
    element.dataset.stage = transfer.state;
  };
  return { element, draw };
}

/** @param {string} picker */
function has(picker) {
  return typeof (/** @type {any} */ (globalThis)[picker]) === 'function';
}

/** Draws at most once a frame. @param {() => void} draw */
function inFrames(draw) {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      draw();
    });
  };
}
