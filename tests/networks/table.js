// What a run found, as a table: printed, compared with the one in the handbook, or written there. How long things took is told, and never compared.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';

const PAGE = new URL('../../docs/networks.md', import.meta.url);
const BEGIN = '<!-- measured -->';
const END = '<!-- end -->';
const COLUMNS = ['Chromium → Chromium', 'Chromium → Firefox', 'Firefox → Chromium'];

export class Table {
  /** @type {Map<string, Map<string, string>>} */
  #rows = new Map();

  /** @param {string} row @param {string} column @param {string} found @param {number} [ms] */
  note(row, column, found, ms) {
    const cells = this.#rows.get(row) ?? new Map();
    this.#rows.set(row, cells.set(column, ms === undefined ? found : `${found}, ${(ms / 1_000).toFixed(1)} s`));
  }

  toString() {
    const line = (/** @type {string[]} */ ...cells) => `| ${cells.join(' | ')} |`;
    const rows = [...this.#rows].map(([name, cells]) => line(name, ...COLUMNS.map((column) => cells.get(column) ?? '')));
    return [line('network', ...COLUMNS), line('---', ...COLUMNS.map(() => '---')), ...rows].join('\n');
  }

  /** Says what was found; with `write` the handbook says it, too, and without it has to have said it. @param {boolean} write */
  publish(write) {
    console.log(`\n${this}\n`);
    const text = readFileSync(PAGE, 'utf8');
    const [from, to] = [text.indexOf(BEGIN) + BEGIN.length, text.indexOf(END)];
    if (write) return writeFileSync(PAGE, `${text.slice(0, from)}\n\n${this}\n\n${text.slice(to)}`);
    const known = timeless(text.slice(from, to)).split('\n');
    for (const row of timeless(`${this}`).split('\n')) assert.ok(known.includes(row), `docs/networks.md does not say so (npm run write):\n${row}`);
  }
}

/** @param {string} text */
function timeless(text) {
  return text.replaceAll(/, \d+\.\d s/g, '').trim();
}
