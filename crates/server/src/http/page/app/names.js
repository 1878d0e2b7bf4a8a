// What people are called: what they chose, which is remembered, or a name of this tab's own until they do.

const FIRST = ['Amber', 'Bold', 'Brisk', 'Calm', 'Clever', 'Coral', 'Crisp', 'Early', 'Fern', 'Gentle', 'Golden', 'Hazel',
  'Indigo', 'Jolly', 'Keen', 'Lively', 'Merry', 'Misty', 'Nimble', 'Olive', 'Quiet', 'Rosy', 'Sunny', 'Swift'];
const LAST = ['Avocet', 'Bunting', 'Curlew', 'Dipper', 'Egret', 'Falcon', 'Finch', 'Gannet', 'Heron', 'Ibis', 'Jay', 'Kestrel',
  'Lark', 'Linnet', 'Martin', 'Osprey', 'Petrel', 'Plover', 'Robin', 'Starling', 'Swallow', 'Tern', 'Warbler', 'Wren'];
const KEPT = 'wigwag.demo.name';
const LENGTH = 32;

/** A name as it may be shown: one line, not empty, not long. @param {unknown} text @param {string} [otherwise] */
export function tidyName(text, otherwise = 'Somebody') {
  if (typeof text !== 'string') return otherwise;
  // Controls and marks that turn the direction of a text would let one name pass for another.
  const plain = text.slice(0, 200).replace(/[\p{C}\p{Z}]+/gu, ' ').trim();
  return [...plain].slice(0, LENGTH).join('').trim() || otherwise;
}

/** The name to begin with. */
export function ownName() {
  const chosen = stored('localStorage')?.getItem(KEPT);
  if (chosen) return tidyName(chosen);
  const tab = stored('sessionStorage');
  const name = tidyName(tab?.getItem(KEPT), madeUp());
  tab?.setItem(KEPT, name);
  return name;
}

/** @param {string} name */
export function rememberName(name) {
  stored('localStorage')?.setItem(KEPT, name);
}

function madeUp() {
  const [a = 0, b = 0] = crypto.getRandomValues(new Uint8Array(2));
  return `${FIRST[a % FIRST.length]} ${LAST[b % LAST.length]}`;
}

/** Storage, where the page may use it. @param {'localStorage' | 'sessionStorage'} which */
function stored(which) {
  try {
    return globalThis[which];
  } catch {
    return undefined;
  }
}

/** Two letters for a name. @param {string} name */
export function initials(name) {
  const words = name.split(' ').map((word) => [...word][0] ?? '');
  return (words.length > 1 ? `${words[0]}${words.at(-1)}` : [...name].slice(0, 2).join('')).toUpperCase();
}

/** The beginning of an id in groups that can be read aloud. @param {string} id */
export function short(id) {
  return (id.slice(0, 12).match(/.{1,4}/g) ?? []).join(' ');
}

/** One of eight colours that always belongs to this id. @param {string} id */
export function hue(id) {
  return [...id].reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) ?? 0)) % 1009, 7) % 8;
}

/** @param {number} bytes */
export function size(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  for (const [unit, worth] of /** @type {const} */ ([['GB', 1e9], ['MB', 1e6], ['kB', 1e3]])) {
    if (bytes >= worth) return `${(bytes / worth).toFixed(bytes / worth < 10 ? 1 : 0)} ${unit}`;
  }
  return '';
}
