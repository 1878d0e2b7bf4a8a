// What is shown of the server itself: lines to copy, and how it is going.

import { byId, copy } from './dom.js';

/** @type {Record<string, string>} */
const WORDS = { ready: 'Up and taking peers', starting: 'Starting', draining: 'Going down: peers are asked to come back' };
const LOOK_MS = 5_000;
const PATIENCE_MS = 4_000;

/** Brings the part about the server to life. */
export function about() {
  for (const button of document.querySelectorAll('[data-copy]')) {
    if (!(button instanceof HTMLElement) || !navigator.clipboard) break;
    button.hidden = false;
    const label = /** @type {Text} */ (button.firstChild);
    button.addEventListener('click', async () => {
      if (!(await copy(byId(button.dataset.copy ?? '').textContent ?? ''))) return;
      label.data = 'Copied';
      setTimeout(() => (label.data = 'Copy'), 1_500);
    });
  }
  // Who does not look at the numbers does not ask for them.
  let seen = false;
  new IntersectionObserver((entries) => {
    seen = entries.some(({ isIntersecting }) => isIntersecting);
    void refresh();
  }).observe(byId('about'));
  const refresh = async () => {
    if (document.hidden || !seen) return;
    try {
      const answer = await fetch('stats', { signal: AbortSignal.timeout(PATIENCE_MS) });
      const stats = await answer.json();
      for (const cell of document.querySelectorAll('#counts [data-count]')) {
        const name = /** @type {HTMLElement} */ (cell).dataset.count ?? '';
        cell.textContent = name === 'uptime_seconds' ? span(stats[name]) : stats[name].toLocaleString();
      }
      say(stats.reason === 'ready' ? '' : 'wait', WORDS[stats.reason] ?? '');
    } catch {
      say('bad', 'No answer; trying again');
    }
  };
  setInterval(refresh, LOOK_MS);
  document.addEventListener('visibilitychange', refresh);
}

/** @param {string} kind @param {string} text */
function say(kind, text) {
  byId('state').className = `state ${kind}`;
  const line = byId('state-text');
  // Screen readers speak this line whenever it changes, so it changes only with the state.
  if (line.textContent !== text) line.textContent = text;
}

/** @param {number} seconds */
function span(seconds) {
  for (const [length, unit] of /** @type {const} */ ([[86400, 'd'], [3600, 'h'], [60, 'min']])) {
    if (seconds >= length) return `${Math.floor(seconds / length)} ${unit}`;
  }
  return `${seconds} s`;
}
