// Files as they are seen: what goes out to one or to all, what comes in, how far and how fast, and what can be done about it.

import { button, make, say } from './dom.js';
import { AUTO_BYTES, Incoming, MEMORY_BYTES, Outgoing } from './drop.js';
import { size } from './names.js';

/**
 * @import { Person } from './crowd.js'
 * @import { Log } from './log.js'
 * @import { Channel } from './types.js'
 */

/** So many at once, out or in from one person. */
const FILES_MAX = 10;

/** Kinds of pictures that are shown; nothing in them can run. */
const SHOWN = ['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif'];
const SHOWN_BYTES = 20 * 1024 * 1024;

/** Above this a file goes to the disk while it comes, where the browser can do that. */
const DISK_BYTES = 32 * 1024 * 1024;

export class Files {
  /** @param {Log} log @param {(text: string) => void} tell */
  constructor(log, tell) {
    this.#log = log;
    this.#tell = tell;
  }

  #log;
  #tell;
  /** @type {Set<Incoming>} */
  #incoming = new Set();
  /** @type {Map<Incoming, string>} */
  #from = new Map();

  /** @param {File[]} files @param {Person[]} people */
  send(files, people) {
    const able = people.filter(({ connection }) => connection?.state === 'open');
    if (!able.length) return this.#tell('Nobody is connected who could take a file. Wait until somebody is, then try again.');
    if (files.length > FILES_MAX) this.#tell(`${FILES_MAX} files at a time: the others were left out.`);
    for (const file of files.slice(0, FILES_MAX)) this.#log.file(null, this.#outgoing(file, able));
    return undefined;
  }

  /** @param {Person} person @param {Channel} channel */
  take(person, channel) {
    const busy = [...this.#incoming].filter((each) => !each.over && this.#from.get(each) === person.key);
    if (busy.length >= FILES_MAX) return channel.close();
    const card = incomingCard(() => this.#incoming.delete(incoming), () => this.#log.follow());
    const memory = { room: () => MEMORY_BYTES - [...this.#incoming].reduce((sum, { held }) => sum + held, 0) };
    const draw = inFrames(() => {
      card.draw(incoming);
      this.#log.follow();
    });
    const incoming = new Incoming(channel, memory, () => {
      this.#log.file(person, card.element);
      if (incoming.size <= AUTO_BYTES && incoming.fits) incoming.accept();
      draw();
    }, draw);
    this.#incoming.add(incoming);
    this.#from.set(incoming, person.key);
    channel.on('closed', () => {
      if (!incoming.blob) this.#incoming.delete(incoming);
      this.#from.delete(incoming);
    });
    return undefined;
  }

  /** @param {File} file @param {Person[]} people */
  #outgoing(file, people) {
    const rows = people.map((person) => {
      const row = progressRow(`To ${person.name}`);
      const cancel = button('Cancel', () => outgoing.cancel(), { more: `${file.name} to ${person.name}` });
      row.element.append(cancel);
      const outgoing = new Outgoing(/** @type {any} */ (person.connection), file, inFrames(() => {
        row.draw(outgoing, outgoing.stage === 'asking' ? 'waiting for their yes' : outgoing.why || doneWords(outgoing, 'arrived, checked'));
        cancel.hidden = outgoing.over;
      }));
      outgoing.tell();
      return row.element;
    });
    return make('div', { className: 'file' }, fileHead(file.name, file.size), ...rows);
  }
}

/** @param {() => void} forget @param {() => void} grown */
function incomingCard(forget, grown) {
  const row = progressRow('');
  const head = make('div');
  const acts = make('div', { className: 'row' });
  const element = make('div', { className: 'file' }, head, row.element, acts);
  let shown = '';
  /** @param {Incoming} incoming */
  const draw = (incoming) => {
    if (!head.firstChild) head.replaceWith(fileHead(incoming.name, incoming.size, head));
    row.draw(incoming, wordsOf(incoming));
    const now = `${incoming.stage} ${incoming.blob ? 'kept' : ''}`;
    if (now === shown) return;
    shown = now;
    const had = acts.contains(document.activeElement);
    acts.replaceChildren(...actsOf(incoming, element, forget, grown));
    if (had) /** @type {HTMLElement | null} */ (acts.firstElementChild ?? element.closest('.log'))?.focus();
  };
  return { element, draw };
}

/** @param {Incoming} incoming @param {HTMLElement} element @param {() => void} forget @param {() => void} grown */
function actsOf(incoming, element, forget, grown) {
  const more = incoming.name;
  const { stage, blob } = incoming;
  if (stage === 'asking') {
    const disk = canStream() && (incoming.size > DISK_BYTES || !incoming.fits);
    const yes = disk ? button('Save as…', () => void toDisk(incoming), { more, main: true }) : button('Accept', () => incoming.accept(), { more, main: true });
    return [...(disk || incoming.fits ? [yes] : []), button('Decline', () => incoming.decline(), { more })];
  }
  if (stage === 'moving' || stage === 'checking') return [button('Cancel', () => incoming.cancel(), { more })];
  if (!blob) return [];
  const url = URL.createObjectURL(blob);
  const save = make('a', { className: 'button main', href: url, download: incoming.name }, 'Save', make('span', { className: 'quiet' }, ` ${more}`));
  const picture = SHOWN.includes(incoming.type) && incoming.size <= SHOWN_BYTES ? URL.createObjectURL(new Blob([blob], { type: incoming.type })) : '';
  if (picture) element.prepend(make('img', { src: picture, alt: `Picture ${incoming.name}`, className: 'preview', onload: grown, onerror: (/** @type {Event} */ { target }) => /** @type {Element} */ (target).remove() }));
  const remove = button('Remove', () => {
    for (const each of [url, picture]) if (each) URL.revokeObjectURL(each);
    incoming.forget();
    forget();
    element.replaceChildren(make('p', {}, `${incoming.name} was removed.`));
  }, { more });
  return [save, remove];
}

/** @param {Incoming} incoming */
function wordsOf(incoming) {
  if (incoming.stage === 'asking') {
    if (incoming.fits || canStream()) return 'wants to come to you';
    return `larger than the ${size(MEMORY_BYTES)} that this browser keeps in memory. A Chromium browser can write it to its disk while it comes`;
  }
  return incoming.why || doneWords(incoming, incoming.saved ? 'saved, checked' : 'here, checked');
}

/** @param {Incoming | Outgoing} transfer @param {string} done */
function doneWords({ stage, moved, size: all, pace }, done) {
  if (stage === 'done') return done;
  if (stage === 'checking') return 'checking';
  return `${size(moved)} of ${size(all)}${pace.speed ? `, ${size(Math.round(pace.speed))}/s` : ''}`;
}

/** @param {string} name @param {number} bytes @param {HTMLElement} [into] */
function fileHead(name, bytes, into = make('div')) {
  into.className = 'file-head';
  into.replaceChildren(make('span', { className: 'sheet', 'aria-hidden': 'true' }, name.includes('.') ? name.split('.').at(-1)?.slice(0, 4) : ''),
    make('strong', {}, name), make('span', { className: 'facts' }, size(bytes)));
  return into;
}

/** @param {string} label */
function progressRow(label) {
  const bar = make('progress', { max: 1, value: 0, 'aria-label': 'Progress' });
  const words = make('span', { className: 'words' });
  const element = make('div', { className: 'progress' }, label ? make('span', { className: 'whom' }, label) : null, words, bar);
  /** @param {Incoming | Outgoing} transfer @param {string} text */
  const draw = (transfer, text) => {
    say(words, text);
    bar.hidden = transfer.over || transfer.stage === 'asking';
    bar.value = transfer.size ? transfer.moved / transfer.size : 1;
    element.dataset.stage = transfer.stage;
  };
  return { element, draw };
}

function canStream() {
  return typeof (/** @type {any} */ (globalThis).showSaveFilePicker) === 'function';
}

/** @param {Incoming} incoming */
async function toDisk(incoming) {
  try {
    const handle = await /** @type {any} */ (globalThis).showSaveFilePicker({ suggestedName: incoming.name });
    incoming.accept(await handle.createWritable());
  } catch {
    // No place was chosen: the offer stands.
  }
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
